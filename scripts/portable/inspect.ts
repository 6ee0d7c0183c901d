/** Prints what an executable carries: `bun scripts/portable/inspect.ts <file> [--license]`. Ends with 1 for a damaged file. */
import { readFileSync } from "node:fs";

import { readCarried } from "./carry.ts";
import { ElfError } from "./elf.ts";

function inspect(path: string, license: boolean): number {
  try {
    const carried = readCarried(readFileSync(path), path);
    if (!carried) {
      process.stdout.write(`${path}: plain, carries nothing; it needs the machine's glibc.\n`);
      return 0;
    }
    const { note } = carried;
    const lines = note.files.map(({ name, size, sha256 }) => `  ${sha256}  ${size}  ${name}`);
    process.stdout.write(
      license
        ? carried.license
        : `${path}: portable, ${note.machine}, carries glibc ${note.glibc}\n${lines.join("\n")}\n`,
    );
    return 0;
  } catch (error) {
    const message =
      error instanceof ElfError ? error.message : `${path} cannot be read: ${String(error)}`;
    process.stderr.write(`${message}\n`);
    return 1;
  }
}

const words = process.argv.slice(2);
const path = words.find((word) => !word.startsWith("-"));
if (path === undefined) {
  process.stderr.write("Use: bun scripts/portable/inspect.ts <file> [--license]\n");
  process.exit(2);
}
process.exit(inspect(path, words.includes("--license")));
