/** What happens to a message while a turn of its session runs. Pure decisions; lanes.ts carries them out. */
import type { Address, Trust } from "../flow.ts";
import type { QueueMode as ConfiguredQueueMode } from "./config.ts";

/**
 * steer: into the running turn at its next tool boundary. followup: each message is a later turn of its own.
 * collect: one later turn for all that wait. interrupt: the running turn is stopped, the newest runs.
 */
export type QueueMode = "steer" | "followup" | "collect" | "interrupt";

/** The original's other spellings. What could not be steered becomes a later turn, so `steer-backlog` is our `steer`. */
export function queueMode(configured: ConfiguredQueueMode): QueueMode {
  if (configured === "followup" || configured === "collect" || configured === "interrupt")
    return configured;
  return "steer";
}

/** Where a new message goes. `interrupt` also means: stop the running turn first. */
export function place(
  mode: QueueMode,
  running: boolean,
): "start" | "steer" | "queue" | "interrupt" {
  if (!running) return "start";
  if (mode === "steer") return "steer";
  return mode === "interrupt" ? "interrupt" : "queue";
}

const sameChat = (a: Address, b: Address): boolean =>
  a.channel === b.channel &&
  a.account === b.account &&
  a.chatId === b.chatId &&
  a.threadId === b.threadId;

type Waiting = { reply: Address; trust: Trust };

/** One answer can reach both, and neither borrows the rights of the other's sender. */
const together = (a: Waiting, b: Waiting): boolean =>
  sameChat(a.reply, b.reply) && a.trust === b.trust;

/** How many of the waiting messages (oldest first) the next turn answers together: at least one of a non-empty list. */
export function batchSize(mode: QueueMode, waiting: readonly Waiting[]): number {
  const first = waiting[0];
  if (!first || mode === "followup") return waiting.length ? 1 : 0;
  const other = waiting.findIndex((turn) => !together(turn, first));
  return other === -1 ? waiting.length : other;
}

/** How many of the waiting messages (oldest first) may go into the running turn: those whose answer it can be. */
export function steerSize(running: Waiting, waiting: readonly Waiting[]): number {
  return batchSize("steer", [running, ...waiting]) - 1;
}
