/**
 * Builds the one executable: `bun build.ts` for this machine, `--all` for every platform, `--outdir <dir>` elsewhere than dist/.
 * Prints name, size, SHA-256 and time of each, and ends with 1 and a remedy when one fails.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join, resolve } from "node:path";

import pkg from "./package.json";

/** Bun's x64 builds choose their code paths for the processor at run time, so there are no baseline variants. */
const TARGETS: Record<string, Bun.Build.CompileTarget> = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-arm64",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64-musl": "bun-linux-arm64-musl",
  "darwin-x64": "bun-darwin-x64",
  "darwin-arm64": "bun-darwin-arm64",
  "windows-x64": "bun-windows-x64",
};

type Wish = { targets: string[]; outdir: string };

function parse(argv: string[]): Wish {
  const wish: Wish = { targets: [], outdir: "dist" };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--all") wish.targets = Object.keys(TARGETS);
    else if (word === "--outdir") wish.outdir = argv[++i] ?? fail("--outdir needs a folder.");
    else if (word === "--target") wish.targets.push(argv[++i] ?? "");
    else fail(`Unknown option ${word}. Use --all, --target <name> or --outdir <dir>.`);
  }
  const wrong = wish.targets.find((name) => !(name in TARGETS));
  if (wrong !== undefined)
    fail(`Unknown target "${wrong}". There are: ${Object.keys(TARGETS).join(", ")}.`);
  return wish;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** `target` undefined: this machine, with the Bun that runs this file. Gives the path of the executable. */
async function build(target: string | undefined, outdir: string): Promise<string> {
  const suffix = target ? `-${target}` : "";
  const windows = target ? target.startsWith("windows") : process.platform === "win32";
  const name = `clawdbot${suffix}${windows ? ".exe" : ""}`;
  // The bundler also leaves the source maps beside the executable, which has them inside already.
  const scratch = mkdtempSync(join(resolve(outdir), ".build-"));
  const outfile = join(scratch, name);
  try {
    const result = await Bun.build({
      entrypoints: [join(import.meta.dir, "src/main.ts")],
      format: "esm",
      minify: true,
      define: { "process.env.NODE_ENV": '"production"' },
      bytecode: true,
      // Without splitting every command would load the whole gateway.
      splitting: true,
      // Stack traces in bug reports name files and lines.
      sourcemap: "linked",
      compile: {
        ...(target && { target: TARGETS[target]! }),
        outfile,
        // Code that runs once at start is not worth compiling: a fifth of the start (measured). `gateway` sets it back to 1.
        jitPolicy: 8,
        // A .env or bunfig.toml in the current folder may come from a stranger's repository.
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadPackageJson: false,
        autoloadTsconfig: false,
      },
    });
    for (const log of result.logs) process.stderr.write(`${String(log)}\n`);
    if (!existsSync(outfile)) throw new Error(`Bun made no file at ${outfile}.`);
    chmodSync(outfile, 0o755);
    const finished = join(resolve(outdir), name);
    // In one step, so that whoever starts it meanwhile gets the old one or the new one, whole.
    renameSync(outfile, finished);
    return finished;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { targets, outdir } = parse(process.argv.slice(2));
  if (Bun.version !== pkg.devDependencies.bun)
    fail(
      `This is Bun ${Bun.version}; the build needs ${pkg.devDependencies.bun}. Run: npx -y bun@${pkg.devDependencies.bun} run build`,
    );
  mkdirSync(outdir, { recursive: true });
  const failed: string[] = [];
  for (const target of targets.length > 0 ? targets : [undefined]) {
    const name = target ?? "this machine";
    const started = performance.now();
    try {
      const path = await build(target, outdir);
      const bytes = readFileSync(path);
      const size = `${(bytes.length / 1024 / 1024).toFixed(1)} MB`;
      const sum = createHash("sha256").update(bytes).digest("hex");
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(`${path}  ${size}  sha256 ${sum}  ${seconds} s\n`);
    } catch (cause) {
      failed.push(name);
      const reasons = cause instanceof AggregateError ? cause.errors : [cause];
      process.stderr.write(`${name} failed:\n${reasons.map(String).join("\n")}\n`);
    }
  }
  if (failed.length === 0) return;
  fail(
    `Not built: ${failed.join(", ")}. If a download failed, check the network (Bun fetches the runtime of another platform once); if an import failed, run \`bun install\`.`,
  );
}

await main();
