/**
 * Gives an executable that was already built another glibc, or none: `bun scripts/portable/relink.ts <file> <folder>|--plain`.
 * It writes beside the file and then takes its place, so a running one is not disturbed. This is the relinking that glibc's
 * licence grants to everyone who gets such a file (LICENSES/README.md).
 */
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

import { makePortable } from "./apply.ts";
import { plainOf, readCarried } from "./carry.ts";
import { ElfError } from "./elf.ts";

/** @param libs folder with the loader and the libraries; undefined for the plain form. @returns what to print */
function relink(path: string, libs: string | undefined): string {
  const bytes = readFileSync(path);
  const plain = readCarried(bytes, path) ? plainOf(bytes, path) : bytes;
  const work = `${path}.relink`;
  try {
    writeFileSync(work, plain);
    const done = libs === undefined ? undefined : makePortable(work, libs);
    if (done && "why" in done) throw new ElfError(done.why);
    chmodSync(work, statSync(path).mode);
    renameSync(work, path);
    return done ? `portable, carries glibc ${done.glibc}` : "plain";
  } finally {
    rmSync(work, { force: true });
  }
}

const [path, what] = process.argv.slice(2);
if (path === undefined || what === undefined) {
  process.stderr.write("Use: bun scripts/portable/relink.ts <file> <folder with glibc>|--plain\n");
  process.exit(2);
}
try {
  const now = relink(path, what === "--plain" ? undefined : what);
  process.stdout.write(`${path}: ${now}\n`);
} catch (error) {
  process.stderr.write(
    `${path} stays as it is: ${error instanceof Error ? error.message : error}\n`,
  );
  process.exit(1);
}
