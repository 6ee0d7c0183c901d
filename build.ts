/**
 * Builds the one executable: `bun build.ts` for this machine, `--all` for every platform, `--outdir <dir>` elsewhere than dist/.
 * One for Linux carries its own loader and glibc (scripts/portable), so it runs on every distribution; `--plain` leaves that out,
 * `--libs <dir>` gives the folder with that glibc.
 * `--release-key <base64>` puts the public key of the releases in, with which the program checks what it updates itself to.
 * Prints name, size, SHA-256 and time of each, and ends with 1 and a remedy when one fails.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";

import pkg from "./package.json";
import { makePortable } from "./scripts/portable/apply.ts";
import { binaryName, type Target, TARGETS } from "./scripts/targets.ts";

const NAMES = TARGETS.map(({ id }) => id);

const OPTIONS = {
  all: { type: "boolean", default: false },
  target: { type: "string", multiple: true, default: [] as string[] },
  outdir: { type: "string", default: "dist" },
  plain: { type: "boolean", default: false },
  libs: { type: "string" },
  "release-key": { type: "string", default: "" },
} satisfies ParseArgsConfig["options"];
const USAGE =
  "Use --all, --target <name>, --outdir <dir>, --plain, --libs <dir> or --release-key <key>.";

type Wish = {
  targets: Target[];
  outdir: string;
  plain: boolean;
  libs: string | undefined;
  releaseKey: string;
};

function parse(args: string[]): Wish {
  const values = (() => {
    try {
      return parseArgs({ args, options: OPTIONS }).values;
    } catch (error) {
      return fail(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    }
  })();
  const targets = values.target.map(
    (name) =>
      TARGETS.find(({ id }) => id === name) ??
      fail(`Unknown target "${name}". There are: ${NAMES.join(", ")}.`),
  );
  if (values.libs !== undefined && !existsSync(values.libs))
    fail(`The folder of --libs is not there: ${values.libs}.`);
  if (!/^(?:|[A-Za-z0-9+/]{40,}=*)$/.test(values["release-key"]))
    fail("The key of --release-key is not the line that `bun run release keygen` prints.");
  return {
    targets: values.all ? TARGETS : targets,
    outdir: values.outdir,
    plain: values.plain,
    libs: values.libs,
    releaseKey: values["release-key"],
  };
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** `target` undefined: this machine, with the Bun that runs this file. Gives the path of the executable, and a word on what it needs. */
async function build(
  target: Target | undefined,
  { outdir, plain, libs, releaseKey }: Wish,
): Promise<{ path: string; needs: string }> {
  const os = target?.os ?? process.platform;
  const name = target ? binaryName(target) : `clawdbot${os === "win32" ? ".exe" : ""}`;
  // The bundler also leaves the source maps beside the executable, which has them inside already.
  const scratch = mkdtempSync(join(resolve(outdir), ".build-"));
  const outfile = join(scratch, name);
  try {
    const result = await Bun.build({
      entrypoints: [join(import.meta.dir, "src/main.ts")],
      format: "esm",
      minify: true,
      define: {
        "process.env.NODE_ENV": '"production"',
        CLAWDBOT_RELEASE_KEY: JSON.stringify(releaseKey),
        // Some packages ask for their own folder, which is the builder's here. None needs it, and the bytes must not depend on it.
        __dirname: '"/"',
        __filename: '"/"',
      },
      bytecode: true,
      // Without splitting every command would load the whole gateway.
      splitting: true,
      // Baileys asks for these at run time and does without: previews of pictures and links, which we make ourselves or not at all.
      external: ["sharp", "jimp", "link-preview-js", "audio-decode"],
      // Stack traces in bug reports name files and lines.
      sourcemap: "linked",
      plugins: [packedWasm],
      compile: {
        ...(target && { target: `bun-${target.id}` }),
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
    const needs = os === "linux" && !plain ? portable(outfile, nameOf(target), libs) : "";
    chmodSync(outfile, 0o755);
    const finished = join(resolve(outdir), name);
    // In one step, so that whoever starts it meanwhile gets the old one or the new one, whole.
    renameSync(outfile, finished);
    return { path: finished, needs };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * whatsapp-rust-bridge carries its WebAssembly twice as base64, 1 MB each, and bytecode doubles every string. Every processor that Bun
 * runs on has SIMD, so the copy without goes; the other one is packed, 1 MB instead of 4 MB in all.
 */
const packedWasm: Bun.BunPlugin = {
  name: "packed wasm",
  setup(build) {
    build.onLoad({ filter: /whatsapp-rust-bridge[\\/]dist[\\/]index\.js$/ }, async ({ path }) => {
      const blob = /"(AGFzb[\w+/=]+)"/;
      const [head, simd, between, , tail, ...more] = (await Bun.file(path).text()).split(
        new RegExp(blob, "g"),
      );
      if (more.length > 0 || tail === undefined || !between!.includes("else"))
        throw new Error(`${path} is not what it was: look at packedWasm in build.ts.`);
      const packed = Buffer.from(Bun.gzipSync(Buffer.from(simd!, "base64"), { level: 9 })).toString(
        "base64",
      );
      const unpacked = `Buffer.from(Bun.gunzipSync(Buffer.from("${packed}", "base64"))).toString("base64")`;
      return { contents: `${head}${unpacked}${between}""${tail}`, loader: "js" };
    });
  },
};

const nameOf = (target: Target | undefined): string => target?.id ?? "this machine";

function portable(path: string, name: string, libs: string | undefined): string {
  const done = makePortable(path, libs);
  if ("glibc" in done) return `portable, glibc ${done.glibc}`;
  process.stderr.write(
    `${name} is built plain: ${done.why}\nIt runs where glibc 2.17 or newer is; not on Alpine, NixOS or in an empty image.\n`,
  );
  return "plain";
}

/** dist/index.js: what the guides' `node dist/index.js` runs, a small program that hands over to the executable beside it. */
function copyShim(outdir: string): void {
  copyFileSync(join(import.meta.dir, "scripts/npm/index.js"), join(outdir, "index.js"));
}

async function main(): Promise<void> {
  const wish = parse(process.argv.slice(2));
  const { targets, outdir } = wish;
  if (Bun.version !== pkg.devDependencies.bun)
    fail(
      `This is Bun ${Bun.version}; the build needs ${pkg.devDependencies.bun}. Run: npx -y bun@${pkg.devDependencies.bun} run build`,
    );
  mkdirSync(outdir, { recursive: true });
  const failed: string[] = [];
  for (const target of targets.length > 0 ? targets : [undefined]) {
    const name = nameOf(target);
    const started = performance.now();
    try {
      const { path, needs } = await build(target, wish);
      const bytes = readFileSync(path);
      const size = `${(bytes.length / 1024 / 1024).toFixed(1)} MB`;
      const sum = createHash("sha256").update(bytes).digest("hex");
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(
        `${path}  ${size}  sha256 ${sum}  ${seconds} s  ${needs}`.trimEnd() + "\n",
      );
    } catch (cause) {
      failed.push(name);
      const reasons = cause instanceof AggregateError ? cause.errors : [cause];
      process.stderr.write(`${name} failed:\n${reasons.map(String).join("\n")}\n`);
    }
  }
  copyShim(outdir);
  if (failed.length === 0) return;
  fail(
    `Not built: ${failed.join(", ")}. If a download failed, check the network (Bun fetches the runtime of another platform once); if an import failed, run \`bun install\`.`,
  );
}

await main();
