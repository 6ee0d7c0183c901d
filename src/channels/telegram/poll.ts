/**
 * Fetches messages by long polling. The offset, which makes the platform forget what was fetched, only passes an update when it is
 * durable; until then the platform offers it again.
 */
import type { Update } from "grammy/types";

import { type AppError, toAppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { ChannelStatus } from "../status.ts";
import type { Client } from "./client.ts";
import { isConflict, refusalOf, waitAfter } from "./errors.ts";
import type { Ledger, Offered } from "./intake.ts";
import { OFFSET } from "./offset.ts";
import { ALLOWED_UPDATES } from "./updates.ts";

/** How long the platform holds a poll open, in s, and how much later it must have answered, in ms. */
const POLL_SECONDS = 30;
const GRACE_MS = 15_000;
/** While something is in hand, the platform is asked this often whether there is more of it, in ms. */
const LOOK_MS = 250;

export type PollOptions = {
  client: Client;
  log: Logger;
  signal: AbortSignal;
  /** From the account's state. */
  offset: number | undefined;
  offer(update: Update): Offered;
  status(patch: Partial<ChannelStatus>): void;
  pollSeconds?: number;
  graceMs?: number;
};

export class Poller implements Ledger {
  /** Seen and not durable: the smallest is where the platform has to go on. */
  private readonly owed = new Set<number>();
  /** Of the owed ones, those that are being worked on, until they are stored or given back. */
  private readonly inHand = new Map<number, Promise<void>>();
  /** Durable, but behind one that is not, so the platform still offers them. */
  private readonly stored = new Set<number>();
  /** The first one after all that were seen. */
  private end: number | undefined;
  private refused: AppError | undefined;
  /** In a row. */
  private refusals = 0;
  private isConnected = false;
  private cleared = false;

  constructor(private readonly options: PollOptions) {
    this.end = options.offset;
  }

  state(ids: number[]): Record<string, unknown> {
    return { [OFFSET]: this.offsetWithout(new Set(ids)) };
  }

  done(ids: number[]): void {
    for (const id of ids) {
      this.owed.delete(id);
      this.stored.add(id);
    }
  }

  private offsetWithout(ids: ReadonlySet<number>): number | undefined {
    const left = [...this.owed].filter((id) => !ids.has(id));
    return left.length > 0 ? Math.min(...left) : this.end;
  }

  /** Until the signal ends it, or the token is refused. Never throws. */
  async run(): Promise<void> {
    const { signal } = this.options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.once();
        failures = 0;
      } catch (cause) {
        // The edge of the poll: every failure of the platform becomes a line in the status and a pause.
        const error = toAppError(cause);
        if (signal.aborted || error.code === "channel_misconfigured") break;
        const waitMs = waitAfter(error, ++failures);
        await this.trouble(error, failures, waitMs);
        if (!(await pause(systemClock, waitMs, signal))) break;
      }
    }
    this.options.status({ connected: false });
  }

  private async once(): Promise<void> {
    const { signal } = this.options;
    const updates = await this.fetch();
    this.connected();
    this.forget(updates);
    this.take(updates);
    await this.settle();
    const { refused } = this;
    this.refusals = refused ? this.refusals + 1 : 0;
    if (!refused) return;
    this.refused = undefined;
    const waitMs = Math.max(LOOK_MS, refused.retryAfterMs ?? waitAfter(refused, this.refusals));
    this.options.log.warn("a message was not taken and is fetched again", {
      error: refused.message,
      waitMs,
    });
    await pause(systemClock, waitMs, signal);
  }

  private fetch(): Promise<Update[]> {
    const { client, signal, pollSeconds = POLL_SECONDS, graceMs = GRACE_MS } = this.options;
    // The first one after a failure comes back at once: it says whether the platform is there again.
    const timeout = this.inHand.size > 0 || !this.isConnected ? 0 : pollSeconds;
    const offset = this.offsetWithout(new Set());
    return client.call(
      "getUpdates",
      {
        timeout,
        limit: 100,
        allowed_updates: ALLOWED_UPDATES,
        ...(offset !== undefined && { offset }),
      },
      // A connection that went silent without being closed would hold the poll for ever.
      { signal, timeoutMs: timeout * 1_000 + graceMs },
    );
  }

  /** What the platform no longer offers (it keeps a day of updates), and what it need not remember any more. */
  private forget(updates: Update[]): void {
    const offered = new Set(updates.map((each) => each.update_id));
    const last = Math.max(...offered);
    for (const id of this.owed)
      if (!this.inHand.has(id) && !offered.has(id) && (offered.size === 0 || id < last))
        this.owed.delete(id);
    const first = this.offsetWithout(new Set()) ?? 0;
    for (const id of this.stored) if (id < first) this.stored.delete(id);
  }

  private take(updates: Update[]): void {
    const fresh = updates
      .filter(({ update_id: id }) => !this.stored.has(id) && !this.inHand.has(id))
      .sort((a, b) => a.update_id - b.update_id);
    if (updates.length > 0) {
      const last = Math.max(...updates.map((each) => each.update_id));
      // After a quiet week the platform begins its numbers anew, anywhere: then the new ones count.
      const isAnew = this.owed.size === 0 && last < (this.end ?? 0);
      this.end = isAnew ? last + 1 : Math.max(this.end ?? 0, last + 1);
    }
    // All are owed before the first is stored, or its offset would pass the others.
    for (const { update_id: id } of fresh) this.owed.add(id);
    for (const update of fresh) {
      const id = update.update_id;
      const settled = this.options.offer(update).done.then(
        () => void this.inHand.delete(id),
        (cause: unknown) => {
          this.inHand.delete(id);
          this.refused ??= toAppError(cause);
        },
      );
      this.inHand.set(id, settled);
    }
  }

  /** Until all that is in hand is stored; after a moment the platform is asked for more in between. */
  private async settle(): Promise<void> {
    if (this.inHand.size === 0) return;
    const look = new AbortController();
    const signal = AbortSignal.any([this.options.signal, look.signal]);
    await Promise.race([Promise.all(this.inHand.values()), pause(systemClock, LOOK_MS, signal)]);
    look.abort();
  }

  private connected(): void {
    const now = Date.now();
    this.options.status({
      lastEventAt: now,
      ...(!this.isConnected && {
        connected: true,
        lastConnectedAt: now,
        lastError: undefined,
        reconnectAttempts: 0,
      }),
    });
    this.isConnected = true;
  }

  private async trouble(error: AppError, failures: number, waitMs: number): Promise<void> {
    const { client, log, status } = this.options;
    const refusal = refusalOf(error);
    const isForeignHook = isConflict(error) && /webhook/i.test(refusal?.description ?? "");
    const why = !isConflict(error)
      ? error.message
      : isForeignHook
        ? "Another program has set a webhook for this token."
        : "Another program polls with this token. End it, or give this one a bot of its own.";
    if (isForeignHook && !this.cleared) {
      this.cleared = true;
      // It was set while we ran. Once: two programs that undo each other for ever help nobody.
      await Promise.allSettled([client.call("deleteWebhook", {})]);
    }
    this.isConnected = false;
    status({
      connected: false,
      lastError: why,
      reconnectAttempts: failures,
      lastDisconnect: {
        at: Date.now(),
        error: why,
        ...(refusal && { status: refusal.status }),
      },
    });
    log.warn("fetching messages failed", { error: why, waitMs });
  }
}
