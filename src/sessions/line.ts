/** Where accepted messages wait for their turn: beside a running one, behind it, or for a moment in case more comes. */
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Inbound, SessionKey } from "../flow.ts";
import type { TurnRow } from "../store/store.ts";
import type { Desk } from "./desk.ts";
import type { Lanes } from "./lanes.ts";
import { batchSize, place, type QueueMode } from "./queue.ts";

export type LineDeps = {
  desk: Desk;
  lanes: Lanes;
  clock: Clock;
  log: Logger;
  mode(turn: TurnRow): QueueMode;
  /** How long to wait for more of the same sender, in ms. */
  debounceMs(inbound: Inbound): number;
  /** Messages that may wait in one session. */
  cap(): number;
  /** More wait than that. `newest` has just come. */
  overflow(waiting: readonly TurnRow[], newest: TurnRow): Promise<void>;
  /** Aborted when no turn may begin any more. */
  closing: AbortSignal;
};

/** Pause before a turn goes on that the disk or the store stopped, in ms. */
const STORE_RETRY_MS = 5000;

export class Line {
  /** Ids of turns that were joined and are not over. */
  private readonly inHand = new Set<string>();

  constructor(
    private readonly deps: LineDeps,
    /** Answers these messages with one turn. Throws only what the store throws. */
    private readonly answer: (turns: TurnRow[]) => Promise<void>,
  ) {}

  /**
   * It waits, steers the running turn, or begins. Returns at once. One that was joined already is left out: a message may be stored
   * just when the store is asked what an earlier process left. `after`: nothing begins because of it before that.
   */
  join(turn: TurnRow, after?: Promise<unknown>): void {
    const { desk, log } = this.deps;
    if (this.inHand.has(turn.id)) return;
    this.inHand.add(turn.id);
    const running = desk.running(turn.sessionKey);
    const where = place(this.deps.mode(turn), running !== undefined);
    desk.enqueue(turn);
    const waiting = desk.waiting(turn.sessionKey);
    if (waiting.length > this.deps.cap())
      background("overflow", this.deps.overflow(waiting, turn), log);
    if (where === "interrupt") running?.controller.abort();
    // A steering message waits on the desk too: the running turn takes it at its next tool boundary, or it is a turn of its own.
    const work = this.begin(turn, after).finally(() => this.inHand.delete(turn.id));
    background("turn", work, log);
  }

  private async begin(turn: TurnRow, after?: Promise<unknown>): Promise<void> {
    const { lanes } = this.deps;
    await after;
    // Never left out, however long it waits: one call of `next` for each message that waits.
    if (await this.quiet(turn)) await lanes.run(turn.sessionKey, () => this.next(turn.sessionKey));
  }

  /** Resolves with true when the sender has written nothing more for a while, false at the end of the gateway. */
  private async quiet({ inbound, sessionKey, acceptedAt }: TurnRow): Promise<boolean> {
    const { clock, desk, closing } = this.deps;
    const limitMs = this.deps.debounceMs(inbound);
    for (let last = acceptedAt; limitMs > 0;) {
      const waitMs = last + limitMs - clock.now();
      if (waitMs <= 0) break;
      if (!(await pause(clock, waitMs, closing))) return false;
      const later = desk
        .waiting(sessionKey)
        .findLast((other) => other.inbound.sender.id === inbound.sender.id);
      last = Math.max(last, later?.acceptedAt ?? 0);
    }
    return !closing.aborted;
  }

  /** The lane is free: the next turn takes what waits and runs. Nothing waits when an earlier turn took it. */
  private async next(key: SessionKey): Promise<void> {
    const { desk, clock, log, closing } = this.deps;
    const waiting = desk.waiting(key);
    const size = waiting[0] ? batchSize(this.deps.mode(waiting[0]), alone(waiting)) : 0;
    const turns = desk.take(key, size);
    if (!turns.length || closing.aborted) return;
    for (;;) {
      try {
        return await this.answer(turns);
      } catch (cause) {
        // Only the store can fail here. The turn is safe in it, and goes on when the disk has room again.
        const error = toAppError(cause);
        log.error("a turn waits for the store", {
          runId: turns[0]!.id,
          code: error.code,
          error: error.message,
        });
        if (!(await pause(clock, STORE_RETRY_MS, closing))) return;
      }
    }
  }
}

/**
 * A turn that a crash cut is in the transcript already, and what waits behind it is not: it goes on alone, or nobody would read
 * the others. Nor does one that waits before it take it in.
 */
function alone(waiting: readonly TurnRow[]): readonly TurnRow[] {
  const cut = waiting.findIndex(({ state }) => state === "running");
  return cut === -1 ? waiting : waiting.slice(0, Math.max(1, cut));
}
