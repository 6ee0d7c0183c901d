/**
 * Writes nix/deps.json: run `bun nix/deps.ts` after every change of bun.lock. For each system the packages are fetched as
 * nix/from-source.nix fetches them, and the folder is hashed as Nix hashes it. Nix itself is not needed.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pkg from "../package.json";
import { narHash } from "./nar.ts";

const ROOT = join(import.meta.dir, "..");
export const DEPS = join(import.meta.dir, "deps.json");

/** What `bun install` calls the systems of Nix. */
const SYSTEMS = {
  "x86_64-linux": { os: "linux", cpu: "x64" },
  "aarch64-linux": { os: "linux", cpu: "arm64" },
  "x86_64-darwin": { os: "darwin", cpu: "x64" },
  "aarch64-darwin": { os: "darwin", cpu: "arm64" },
};

/** Of what the hashes depend on, so that a test notices when they are out of date. */
export async function lockHash(): Promise<string> {
  const text = await Bun.file(join(ROOT, "bun.lock")).text();
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function hashOf({ os, cpu }: { os: string; cpu: string }): string {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-deps-"));
  try {
    for (const name of ["package.json", "bun.lock"])
      copyFileSync(join(ROOT, name), join(dir, name));
    const flags = `--frozen-lockfile --ignore-scripts --linker hoisted --backend copyfile --os ${os} --cpu ${cpu} --libc glibc`;
    const done = Bun.spawnSync([process.execPath, "install", ...flags.split(" ")], {
      cwd: dir,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    if (done.exitCode !== 0) throw new Error(`bun install: ${done.stderr.toString()}`);
    const modules = join(dir, "node_modules");
    for (const name of [".bin", ".cache"])
      rmSync(join(modules, name), { recursive: true, force: true });
    return narHash(modules);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const systems = Object.fromEntries(
    Object.entries(SYSTEMS).map(([system, where]) => [system, hashOf(where)]),
  );
  const body = { bun: pkg.devDependencies.bun, lock: await lockHash(), systems };
  await Bun.write(DEPS, `${JSON.stringify(body, null, 2)}\n`);
  process.stdout.write(`${DEPS}\n${JSON.stringify(systems, null, 2)}\n`);
}
