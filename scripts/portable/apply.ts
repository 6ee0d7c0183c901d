/** Makes the executable at a path portable in place; build.ts calls it after Bun has made the plain one. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { carry, needsOf } from "./carry.ts";
import { ElfError } from "./elf.ts";
import { findGlibc } from "./libs.ts";

/** The text that has to go with the library: it is carried too. */
export const LICENSE = join(import.meta.dir, "../../LICENSES/LGPL-2.1.txt");

/**
 * Rewrites the file. @param libs folder of `--libs`
 * @returns the carried glibc, or in one sentence why the file stayed as it was
 */
export function makePortable(path: string, libs?: string): { glibc: string } | { why: string } {
  const plain = readFileSync(path);
  try {
    const found = findGlibc(needsOf(plain), libs);
    if (typeof found === "string") return { why: found };
    const license = readFileSync(LICENSE, "utf8");
    writeFileSync(path, carry(plain, found.libraries, { glibc: found.version, license }));
    return { glibc: found.version };
  } catch (error) {
    if (error instanceof ElfError) return { why: error.message };
    throw error;
  }
}
