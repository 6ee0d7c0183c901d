/** What a killed run left behind carries its pid in its name; the next run takes it away. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { alive } from "../../base/fs.ts";

/** @param ofRun finds the names; its first group is the pid */
export function clearLeftovers(folder: string, ofRun: RegExp): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const pid = ofRun.exec(name)?.[1];
    if (pid && !alive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
