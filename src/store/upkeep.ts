/** The store's housekeeping beside the work. */
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";

/** After the start, in ms: the first messages come before the first backup. */
const FIRST_MS = 5000;
const EVERY_MS = 3_600_000;

/** Asks for a backup soon after the start and every hour; the store makes one when the newest is a day old. Ends by `signal`. */
export async function keepBackups(
  store: { backup(now: number): Promise<unknown> },
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<void> {
  let wait = FIRST_MS;
  while (await pause(clock, wait, signal)) {
    background("backup", store.backup(clock.now()), log);
    wait = EVERY_MS;
  }
}
