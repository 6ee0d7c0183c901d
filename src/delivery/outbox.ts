/** Carries what is in the outbox to the channels: in order per chat, retried, and "delivered" only with the platform's ids. */
import { type AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Address, Outbound, Receipt } from "../flow.ts";
import type { NewOutbox, OutboxRow, Store } from "../store/store.ts";
import { chunk } from "./chunk.ts";

export type DeliveryDeps = {
  store: Store;
  clock: Clock;
  log: Logger;
  /** The channel's text limit, or undefined when its transcript is the message and nothing is to be sent. */
  limit(to: Address): number | undefined;
  /** Throws `channel_rejected` or `channel_unreachable`. */
  send(out: Outbound): Promise<Receipt>;
};

/** Tries before a message is given up; with the back-off below that is about a day. */
const MAX_ATTEMPTS = 30;
const MAX_BACKOFF_MS = 3_600_000;
const BATCH = 100;

const chatOf = ({ channel, account, chatId, threadId = "" }: Address): string =>
  [channel, account, chatId, threadId].join("\n");

const backoffMs = (attempts: number, error: AppError): number =>
  error.retryAfterMs ?? Math.min(MAX_BACKOFF_MS, 1000 * 2 ** Math.min(attempts, 12));

export class Delivery {
  private draining: Promise<void> | undefined;
  private again = false;
  private readonly stopped = new AbortController();

  constructor(private readonly deps: DeliveryDeps) {}

  /** The outbox rows of one answer. Their keys make a repeated turn put nothing twice. */
  rowsFor(runId: string, to: Address, text: string): NewOutbox[] {
    const limit = this.deps.limit(to);
    if (limit === undefined || !text.trim()) return [];
    return chunk(text, limit).map((part, i) => ({ key: `${runId}:${i}`, to, text: part }));
  }

  /** Looks at the outbox now; call it after rows were put. Returns at once. */
  wake(): void {
    this.again = true;
    if (this.draining || this.stopped.signal.aborted) return;
    this.draining = this.drain().finally(() => {
      this.draining = undefined;
    });
    background("delivery", this.draining, this.deps.log);
  }

  /**
   * What a crash left half sent may have arrived, so it is not sent again on a platform without idempotency keys:
   * one message at most twice would become one message perhaps ten times. It is marked and logged instead.
   */
  async recover(): Promise<void> {
    for (const row of await this.deps.store.outbox.interrupted()) {
      await this.deps.store.outbox.giveUp(row.key, "unknown", "interrupted while sending");
      this.deps.log.warn("a message may or may not have arrived", {
        key: row.key,
        channel: row.to.channel,
      });
    }
    this.wake();
  }

  /** Resolves when everything that is due now was tried. */
  async settled(): Promise<void> {
    while (this.draining) await this.draining;
  }

  /** Ends after the message that is being sent; the rest stays in the outbox for the next start. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.draining;
  }

  private async drain(): Promise<void> {
    const { store, clock } = this.deps;
    while (this.again && !this.stopped.signal.aborted) {
      this.again = false;
      const rows = await store.outbox.due(clock.now(), BATCH);
      const chats = Map.groupBy(rows, (row) => chatOf(row.to));
      // Chats go side by side, messages of one chat one after the other; a failed one holds back those behind it.
      await Promise.all([...chats.values()].map((chat) => this.deliverChat(chat)));
      if (rows.length === BATCH) this.again = true;
    }
  }

  private async deliverChat(rows: OutboxRow[]): Promise<void> {
    for (const row of rows) {
      if (this.stopped.signal.aborted || !(await this.deliver(row))) return;
    }
  }

  private async deliver(row: OutboxRow): Promise<boolean> {
    const { store, clock, log } = this.deps;
    if (!(await store.outbox.sending(row.key))) return true;
    try {
      const out = { to: row.to, text: row.text, media: [], key: row.key };
      await store.outbox.delivered(row.key, await this.deps.send(out));
      return true;
    } catch (cause) {
      // The channel's two codes decide; anything else is treated as a passing failure.
      const error = toAppError(cause);
      const attempts = row.attempts + 1;
      const data = { key: row.key, channel: row.to.channel, code: error.code, attempts };
      if (error.code === "channel_rejected" || attempts >= MAX_ATTEMPTS) {
        await store.outbox.giveUp(row.key, "dead", error.message);
        log.error("a message could not be delivered", { ...data, error: error.message });
        return true;
      }
      const waitMs = backoffMs(attempts, error);
      await store.outbox.retry(row.key, clock.now() + waitMs, error.message);
      log.warn("delivery failed, will be tried again", { ...data, waitMs });
      this.wakeIn(waitMs);
      return false;
    }
  }

  private wakeIn(ms: number): void {
    const { clock, log } = this.deps;
    const waited = pause(clock, ms, this.stopped.signal).then((over) => {
      if (over) this.wake();
    });
    background("delivery retry", waited, log);
  }
}
