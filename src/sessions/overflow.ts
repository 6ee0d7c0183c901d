/** More messages wait for a turn than the config allows: one of them is left out, and its chat is told. */
import type { Clock } from "../base/time.ts";
import type { SessionKey } from "../flow.ts";
import type { Store, TurnRow } from "../store/store.ts";
import type { Desk } from "./desk.ts";

export type Overflow = {
  /** `messages.queue.drop` */
  drop: "old" | "new" | "summarize";
  /** For the session to know with its next turn. */
  note(key: SessionKey, text: string): void;
};

/** Of what was left out, for the model; in characters. */
const EXCERPT = 80;
/** A chat is told once in this time, in ms. */
const TOLD_EVERY_MS = 60_000;

/** Withdraws the newest message, or the oldest that waits; a turn that has begun is never touched. */
export async function leaveOut(
  { desk, store, clock }: { desk: Desk; store: Store; clock: Clock },
  waiting: readonly TurnRow[],
  newest: TurnRow,
  { drop, note }: Overflow,
): Promise<void> {
  const left = drop === "new" ? newest : waiting[0];
  if (!left || !desk.withdraw(left.sessionKey, left.id)) return;
  const at = clock.now();
  const text =
    drop === "new"
      ? "Too many messages are waiting; the last one was left out. Send it again later."
      : "Too many messages are waiting; older ones were left out.";
  // The key makes it one notice a minute, however many there are.
  const key = ["overflow", left.sessionKey, Math.floor(at / TOLD_EVERY_MS)].join(":");
  await store.turns.finish(left.id, {
    state: "aborted",
    at,
    entries: [],
    error: { code: "busy", message: "It was left out: too many messages were waiting." },
    outbox: [{ key, runId: left.id, to: left.reply, text }],
  });
  if (drop !== "summarize") return;
  const { sender, text: said } = left.inbound;
  const excerpt = said.replace(/\s+/g, " ").slice(0, EXCERPT).toWellFormed();
  note(left.sessionKey, `a message of ${sender.id} was left out: ${JSON.stringify(excerpt)}`);
}
