/**
 * The file to which launchd writes what the gateway says. launchd only ever appends, so the gateway cuts it: at its start and from
 * time to time. Everything in it is in the gateway's own rolling log too, but the reason of a start that failed at once.
 */
import { stat, truncate } from "node:fs/promises";
import { join } from "node:path";

import { errnoOf } from "../base/errors.ts";

/** What the gateway's process has in CLAWDBOT_SERVICE_MARKER under launchd. */
export const LAUNCHD_MARKER = "launchd";
/** From here on it is emptied, in bytes; how often it is looked at, in ms. */
const MAX_BYTES = 1_000_000;
const LOOK_MS = 600_000;

export const launchdLogPath = (stateDir: string): string =>
  join(stateDir, "logs", "gateway.err.log");

/** Empties the file when it has grown too large. Never throws for what is on the disk. */
export async function cutLaunchdLog(stateDir: string): Promise<void> {
  const path = launchdLogPath(stateDir);
  try {
    if ((await stat(path)).size > MAX_BYTES) await truncate(path, 0);
  } catch (cause) {
    // Not there, or not ours: then it is not for us to keep small.
    if (errnoOf(cause) === undefined) throw cause;
  }
}

/** Called by the gateway when launchd has started it. The timer alone keeps no process alive. */
export function keepLaunchdLogSmall(stateDir: string): Promise<void> {
  setInterval(() => void cutLaunchdLog(stateDir), LOOK_MS).unref();
  return cutLaunchdLog(stateDir);
}
