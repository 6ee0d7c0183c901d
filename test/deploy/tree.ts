/** The project as a fresh checkout has it: what git knows or would add, and nothing that was built or installed. */
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { run } from "./lab.ts";

export const ROOT = resolve(import.meta.dir, "../..");

/** Paths below ROOT. */
export function treeFiles(): string[] {
  const list = (...words: string[]): string[] => {
    const { code, stdout, stderr } = run(["git", "ls-files", "-z", ...words], { cwd: ROOT });
    if (code !== 0) throw new Error(`git ls-files: ${stderr}`);
    return stdout.split("\0").filter(Boolean);
  };
  const deleted = new Set(list("-d"));
  return list("-co", "--exclude-standard").filter((name) => !deleted.has(name));
}

/** Copies the project, or these files of it. @param to a folder that is made. @returns it */
export function copyTree(to: string, files = treeFiles()): string {
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(ROOT, file), join(to, file), { preserveTimestamps: true });
  }
  return to;
}
