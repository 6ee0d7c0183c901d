/**
 * The way out. What is in the outbox goes to its channel: in order per chat, tried again as the platform wants it, and "delivered"
 * only with the platform's ids.
 *
 * How it is called (messaging.ts):
 *   const delivery = new Delivery(deps)
 *   delivery.rowsFor(answer)      rows of a turn's answer, for `store.turns.finish`; then `delivery.wake()`
 *   delivery.cut(message)         rows of anything else that is put together with something (the answer to a command)
 *   await delivery.send(message)  of the message tool, the command line, RPC: resolves with the platform's ids
 *   delivery.wake()               after rows were put by somebody else
 *   await delivery.resume(at)     after an account has come up
 *   await delivery.recover()      once, after the accounts have started
 *   await delivery.stop()         the message that is being sent is finished, the rest stays in the outbox
 */
import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Address, Outbound, Receipt } from "../flow.ts";
import type { NewOutbox, OutboxRow, Store } from "../store/store.ts";
import { type Answer, answerRows } from "./answer.ts";
import { interruptedNote, interruptionsOf } from "./interrupted.ts";
import { editsOf, IN_PREVIEW, PREVIEWS } from "./kept.ts";
import { rowsOf } from "./reply.ts";
import { Results } from "./results.ts";
import {
  accountOf,
  chatOf,
  isFinal,
  isForAccount,
  type OutgoingMedia,
  prepare,
  sendReady,
  traceOf,
} from "./sending.ts";
import { staleNote } from "./stale.ts";
import { CAUTIOUS, type Target } from "./target.ts";

export type DeliveryDeps = {
  store: Store;
  clock: Clock;
  log: Logger;
  /** Undefined for an account that does not run (now). */
  target(to: Address): Target | undefined;
  /** Throws `channel_rejected` or `channel_unreachable`. */
  send(out: Outbound): Promise<Receipt>;
  media: OutgoingMedia;
  /** Masks every secret that the program knows. Known values only: what merely looks like one may be what was asked for. */
  redact(text: string): string;
  /** Between 0 and 1; `Math.random` when absent. */
  random?(): number;
};

/** Tries before a message is given up; what is older than a day is given up before that. */
const MAX_ATTEMPTS = 100;
const STALE_MS = 86_400_000;
const LONGEST_WAIT_MS = 3_600_000;
const NOT_RUNNING = "the account does not run.";
/** While the account does not run, and while the store does not take what is to be noted. */
const IDLE_WAIT_MS = 15_000;
const STORE_WAIT_MS = 5_000;
/** When one chat's messages fill what is looked at. */
const CROWDED_MS = 200;
/** Looks again this late at the latest while something waits. */
const LOOK_MS = 30_000;
const BATCH = 100;
/** How long a message waits for other work on its chat. */
const HOLD_MS = 15_000;
/** Crashes in a row in which the same message was being sent. */
const MAX_INTERRUPTIONS = 3;
/** How long `send` waits for a result, in ms. */
const SEND_WAIT_MS = 60_000;

export class Delivery {
  private looking: Promise<void> | undefined;
  private again = false;
  private readonly working = new Map<string, Promise<void>>();
  /** Accounts whose platform wants no message before this time. */
  private readonly paused = new Map<string, number>();
  /** Work on a chat that its next message has to wait for. */
  private readonly holds = new Map<string, Set<Promise<unknown>>>();
  /** Chats whose next message waits for another try. */
  private readonly held = new Set<string>();
  private readonly results: Results;
  private timer: AbortController | undefined;
  private readonly stopped = new AbortController();

  constructor(private readonly deps: DeliveryDeps) {
    this.results = new Results(deps.clock, this.stopped.signal);
  }

  /** The rows of a turn's answer; none for a silent one and for channels whose users read the transcript. */
  rowsFor(answer: Answer): NewOutbox[] {
    const target = this.deps.target(answer.to) ?? CAUTIOUS;
    return target.transcript ? [] : answerRows(answer, target, this.deps);
  }

  /** A message as the rows that the channel takes; its users' own transcript is no channel to send to. */
  cut(message: NewOutbox): NewOutbox[] {
    const target = this.deps.target(message.to) ?? CAUTIOUS;
    return target.transcript
      ? []
      : rowsOf({ ...message, text: this.deps.redact(message.text) }, target);
  }

  /** What the address takes, for previews. Undefined while its account does not run. */
  target(to: Address): Target | undefined {
    return this.deps.target(to);
  }

  /** Whether a message would have to wait now: for an earlier one of the chat, or because the platform asked for a pause. */
  blocked(to: Address): boolean {
    const chat = chatOf(to);
    return (
      this.held.has(chat) ||
      // It may hang for long before it fails, and whatever is sent meanwhile would stand before it.
      this.working.has(chat) ||
      (this.paused.get(accountOf(to)) ?? 0) > this.deps.clock.now()
    );
  }

  /** The next message of the chat waits for `work`, 15 s at most, so that they do not cross. */
  after(to: Address, work: Promise<unknown>): void {
    const chat = chatOf(to);
    const all = this.holds.get(chat) ?? new Set();
    this.holds.set(chat, all.add(work));
    const done = () => {
      all.delete(work);
      if (!all.size && this.holds.get(chat) === all) this.holds.delete(chat);
    };
    work.then(done, done);
  }

  /**
   * Puts a message into the outbox and resolves when the platform has confirmed it, with all ids if it became several. The same
   * key is the same message, also after a restart. Throws the channel's error; `channel_unreachable` while it will be tried again.
   */
  async send(message: NewOutbox, waitMs = SEND_WAIT_MS): Promise<Receipt> {
    const { store, clock } = this.deps;
    // Also to users who read the transcript: this is the only way in which they hear of it.
    const rows = this.deps.target(message.to)?.transcript
      ? [{ ...message, text: this.deps.redact(message.text) }]
      : this.cut(message);
    if (!rows.length)
      throw new AppError("bad_request", "There is nothing to send: no text and no file.");
    const results = rows.map(({ key }) => this.results.of(key, waitMs));
    try {
      await store.outbox.put(rows, clock.now());
      for (const { key } of rows) {
        const known = await store.outbox.get(key);
        if (known) this.results.settle(known);
      }
    } catch (cause) {
      for (const { key } of rows) this.results.fail(key, toAppError(cause));
    }
    this.wake();
    const receipts = await Promise.all(results);
    return { ids: receipts.flatMap(({ ids }) => ids), at: receipts.at(-1)!.at };
  }

  /** An account has come up: what waited for it goes now. Never throws. */
  async resume(at: Pick<Address, "channel" | "account">): Promise<void> {
    const { store, clock, log } = this.deps;
    try {
      for (const row of await store.outbox.due(Number.MAX_SAFE_INTEGER, BATCH))
        if (row.error?.endsWith(NOT_RUNNING) && accountOf(row.to) === accountOf(at))
          await store.outbox.retry(row.key, clock.now(), row.error);
    } catch (cause) {
      // They are looked at soon in any case.
      log.warn("what waits for an account was not woken", { error: toAppError(cause).message });
    }
    this.wake();
  }

  /** Looks at the outbox now; call it after rows were put. Returns at once. */
  wake(): void {
    this.again = true;
    if (this.looking || this.stopped.signal.aborted) return;
    this.looking = this.look();
    background("delivery", this.looking, this.deps.log);
  }

  /**
   * What a crash left half sent may have arrived or not. It is sent once more: a second copy is a nuisance, a lost answer is not
   * forgiven. Only what was being sent in several crashes in a row is marked and logged instead, or a message that brings the process
   * down would be copied for ever. Where the platform knows keys, and for a change of a message that is there, it does no harm.
   */
  async recover(): Promise<void> {
    const { store, clock, log } = this.deps;
    for (const row of await store.outbox.interrupted()) {
      const times = interruptionsOf(row) + 1;
      const note = interruptedNote(times);
      const harmless =
        this.deps.target(row.to)?.idempotent || (await editsOf(row, store.kv)) !== undefined;
      if (harmless || times < MAX_INTERRUPTIONS) {
        await store.outbox.retry(row.key, clock.now(), note);
        if (!harmless) log.warn("a message may arrive twice", { ...traceOf(row) });
        continue;
      }
      await store.outbox.giveUp(row.key, "unknown", note);
      log.warn("a message may or may not have arrived", { ...traceOf(row) });
    }
    this.wake();
  }

  /** Resolves when everything that is due now was tried. */
  async settled(): Promise<void> {
    while (this.looking || this.working.size)
      await Promise.allSettled([this.looking, ...this.working.values()]);
  }

  /** Ends after the messages that are being sent; the rest stays in the outbox for the next start. */
  async stop(): Promise<void> {
    this.stopped.abort();
    this.timer?.abort();
    await this.settled();
  }

  // Whoever calls `wake` while this runs relies on one more look. So nobody may come between the last question whether there was
  // such a call and the end: `looking` is cleared here, not when the promise has settled.
  private async look(): Promise<void> {
    try {
      do {
        await this.lookOnce();
        if (!this.again) await this.lookLater();
      } while (this.again && !this.stopped.signal.aborted);
    } catch (cause) {
      this.wakeIn(STORE_WAIT_MS);
      throw cause;
    } finally {
      this.looking = undefined;
    }
  }

  private async lookOnce(): Promise<void> {
    const { store, clock } = this.deps;
    this.again = false;
    const rows = await store.outbox.due(clock.now(), BATCH);
    // Chats go side by side, messages of one chat one after the other; a slow chat holds back no other.
    let begun = 0;
    for (const [chat, its] of Map.groupBy(rows, (row) => chatOf(row.to)))
      if (!this.working.has(chat)) {
        this.begin(chat, its);
        begun++;
      }
    if (rows.length < BATCH) return;
    // One chat with very many messages must not hide the others behind it.
    if (begun) this.again = true;
    else this.wakeIn(CROWDED_MS);
  }

  /** What waits for its time is looked at then; what is behind another message, when that is done. */
  private async lookLater(): Promise<void> {
    const { store, clock } = this.deps;
    const waiting = await store.outbox.due(Number.MAX_SAFE_INTEGER, BATCH);
    const now = clock.now();
    const times = waiting.map((row) => row.dueAt).filter((at) => at > now);
    if (times.length) this.wakeIn(Math.min(LOOK_MS, Math.min(...times) - now));
  }

  private begin(chat: string, rows: OutboxRow[]): void {
    let waitMs: number | undefined;
    const work = this.deliverChat(chat, rows)
      .catch((cause: unknown) => {
        waitMs = STORE_WAIT_MS;
        throw cause;
      })
      .finally(() => {
        this.working.delete(chat);
        if (waitMs === undefined) this.wake();
        else this.wakeIn(waitMs);
      });
    this.working.set(chat, work);
    background("delivery", work, this.deps.log);
  }

  private async deliverChat(chat: string, rows: OutboxRow[]): Promise<void> {
    for (const row of rows) {
      await this.holdsOf(chat);
      if (this.stopped.signal.aborted || !(await this.deliver(row))) return;
    }
  }

  private async holdsOf(chat: string): Promise<void> {
    const holds = this.holds.get(chat);
    if (!holds) return;
    const over = new AbortController();
    const limit = pause(
      this.deps.clock,
      HOLD_MS,
      AbortSignal.any([over.signal, this.stopped.signal]),
    );
    await Promise.race([Promise.allSettled([...holds]), limit]);
    over.abort();
  }

  /** False when those behind it have to wait. */
  private async deliver(row: OutboxRow): Promise<boolean> {
    const { store, clock, log } = this.deps;
    const now = clock.now();
    const target = this.deps.target(row.to);
    const until = this.paused.get(accountOf(row.to)) ?? 0;
    if (now - row.createdAt > STALE_MS) return this.drop(row);
    if (!target || until > now) {
      const why = target ? "the platform asked for a pause." : NOT_RUNNING;
      return this.later(
        row,
        target ? until - now : IDLE_WAIT_MS,
        new AppError("channel_unreachable", `${row.to.channel}: ${why}`),
      );
    }
    const { random = Math.random } = this.deps;
    const deps = { ...this.deps, random, signal: this.stopped.signal };
    const edits = await editsOf(row, store.kv);
    const ready = await prepare({ ...row, edits }, target, deps);
    if (this.stopped.signal.aborted || !(await store.outbox.sending(row.key))) return true;
    let receipt: Receipt;
    try {
      receipt = await sendReady(ready, target, deps);
    } catch (cause) {
      return this.failed(row, toAppError(cause));
    }
    // From here on it must not be sent again, so this is tried until the store takes it; a crash before that leaves `sending`.
    await this.insist(() => store.outbox.delivered(row.key, receipt));
    this.held.delete(chatOf(row.to));
    this.results.settle({ key: row.key, state: "delivered", receipt });
    if (row.edits === IN_PREVIEW && row.runId) await store.kv.delete(PREVIEWS, row.runId);
    log.debug("delivered", { ...traceOf(row), ids: receipt.ids });
    return true;
  }

  private async insist(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (cause) {
        const { code, message } = toAppError(cause);
        this.deps.log.error("a sent message waits for the store", { code, error: message });
        if (!(await pause(this.deps.clock, STORE_WAIT_MS, this.stopped.signal))) throw cause;
      }
    }
  }

  private async failed(row: OutboxRow, error: AppError): Promise<boolean> {
    const { store, clock, log } = this.deps;
    const attempts = row.attempts + 1;
    const data = { ...traceOf(row), code: error.code, attempts };
    if (isFinal(error) || attempts >= MAX_ATTEMPTS) {
      await store.outbox.giveUp(row.key, "dead", error.message);
      log.error("a message could not be delivered", { ...data, error: error.message });
      this.held.delete(chatOf(row.to));
      this.results.fail(row.key, error);
      return true;
    }
    const waitMs =
      error.retryAfterMs ?? Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(attempts, 12));
    if (error.retryAfterMs !== undefined && isForAccount(error))
      this.paused.set(accountOf(row.to), clock.now() + waitMs);
    log.warn("delivery failed, will be tried again", { ...data, waitMs, error: error.message });
    return this.later(row, waitMs, error);
  }

  private async later(row: OutboxRow, waitMs: number, error: AppError): Promise<false> {
    await this.deps.store.outbox.retry(row.key, this.deps.clock.now() + waitMs, error.message);
    this.held.add(chatOf(row.to));
    this.results.delayed(row.key, waitMs, error);
    return false;
  }

  /** Nobody wants yesterday's answer out of the blue; that there was one is said, once a day per chat. */
  private async drop(row: OutboxRow): Promise<true> {
    const { store, clock, log } = this.deps;
    const error = new AppError(
      "channel_unreachable",
      "It was not delivered within a day and was dropped.",
    );
    await store.outbox.giveUp(row.key, "dead", error.message);
    log.warn("a message was too old to be delivered", {
      ...traceOf(row),
      createdAt: row.createdAt,
    });
    const note = staleNote(row, clock.now(), STALE_MS);
    if (note) await store.outbox.put([note], clock.now());
    this.held.delete(chatOf(row.to));
    this.results.fail(row.key, error);
    return true;
  }

  private wakeIn(ms: number): void {
    const { clock, log } = this.deps;
    this.timer?.abort();
    this.timer = new AbortController();
    const waited = pause(clock, ms, this.timer.signal).then((over) => {
      if (over) this.wake();
    });
    background("delivery retry", waited, log);
  }
}
