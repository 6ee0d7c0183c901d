/** A copy of the project as a fresh checkout has it: what git knows or would add, and nothing that was built or installed. */
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** @param to a folder that is made. @returns it */
export function copyTree(to: string): string {
  const listed = Bun.spawnSync(["git", "ls-files", "-co", "--exclude-standard", "-z"]);
  if (listed.exitCode !== 0) throw new Error(`git ls-files: ${listed.stderr.toString()}`);
  const files = listed.stdout.toString().split("\0").filter(Boolean);
  const deleted = Bun.spawnSync(["git", "ls-files", "-d", "-z"]).stdout.toString().split("\0");
  for (const file of files) {
    if (deleted.includes(file)) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(file, join(to, file));
  }
  return to;
}
