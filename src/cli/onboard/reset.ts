/** `onboard --reset`: puts aside what is there. Nothing is deleted, so that nothing can be lost by a word on a command line. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename } from "node:fs/promises";
import { join, relative } from "node:path";

import { AppError, errnoOf } from "../../base/errors.ts";
import { lockOwner } from "../../base/lock.ts";
import type { Cli } from "../command.ts";

/** Stays where it is: copies of what was there before, and files of a gateway that may be starting. */
const KEPT = /^(?:backups|gateway\..*\.lock|gateway\.sock)$/;

/** Throws gateway_running while one has the folder open. Called before the first question. */
export function refuseWhileRunning(cli: Cli): void {
  const owner = lockOwner(cli.paths.lockPath);
  if (!owner) return;
  throw new AppError(
    "gateway_running",
    `A gateway runs with this state (PID ${owner.pid || "unknown"}).`,
    { hint: `Stop it first: ${cli.name}${cli.profileFlag} gateway stop` },
  );
}

/**
 * Moves everything of the state folder into a folder of its `backups`, and the workspace beside itself. Gives one line each. Moves
 * entries and not the folder, which may be a mount. Throws store_failed for what cannot be moved; what was moved before that stays so.
 */
export async function putAside(cli: Cli, workspace: string): Promise<string[]> {
  refuseWhileRunning(cli);
  const { stateDir, configPath } = cli.paths;
  const stamp = new Date().toISOString().replace(/[:.]/g, "-").slice(0, 19);
  const lines: string[] = [];
  const aside = join(stateDir, "backups", `reset-${stamp}`);
  const entries = existsSync(stateDir) ? await readdir(stateDir) : [];
  const moved = entries.filter((name) => !KEPT.test(name));
  if (moved.length > 0) {
    await mkdir(aside, { recursive: true, mode: 0o700 });
    for (const name of moved) await move(join(stateDir, name), join(aside, name));
    lines.push(`What was there is in ${aside}`);
  }
  const outside = relative(stateDir, configPath).startsWith("..");
  for (const path of outside ? [configPath, workspace] : [workspace])
    if (existsSync(path)) {
      const to = `${path}.before-${stamp}`;
      await move(path, to);
      lines.push(`${path} is now ${to}`);
    }
  return lines;
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (cause) {
    // The workspace may be inside the state folder, and gone with it.
    if (errnoOf(cause) === "ENOENT") return;
    throw new AppError("store_failed", `${from} cannot be put aside (${errnoOf(cause)}).`, {
      cause,
      hint: "Move it away by hand, or leave --reset out.",
    });
  }
}
