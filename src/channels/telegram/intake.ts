/**
 * Between the platform's updates and the core: one after the other within a chat, side by side between chats (a slow file holds up
 * nobody else), albums and long texts put together. An update is done when what it says is durable, and not before.
 */
import type { Message, Update } from "grammy/types";

import { AppError, toAppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { background } from "../../base/task.ts";
import type { Inbound } from "../../flow.ts";
import { continues, type Gathering, opens, senderKey } from "./gather.ts";

/** What some updates, which belong together, mean for the core. */
export type Reading = {
  /** Undefined: nothing that the core needs to know. */
  inbound?: Inbound;
  /** Once it is durable: tell the platform that a button was seen. Its failure changes nothing. */
  after?: () => Promise<void>;
};

/** How updates are paid off: an offset when they are fetched, an answer when they are brought. */
export interface Ledger {
  /** What must be stored together with the last message of these updates. */
  state(ids: number[]): Record<string, unknown> | undefined;
  /** They are durable. */
  done(ids: number[]): void;
}

export type IntakeDeps = {
  ledger: Ledger;
  read(updates: Update[]): Promise<Reading>;
  receive(inbound: Inbound, state: Record<string, unknown> | undefined): Promise<unknown>;
  put(state: Record<string, unknown>): Promise<void>;
  log: Logger;
};

type Unit = {
  updates: Update[];
  gathering?: Gathering;
  /** Resolves when nothing more belongs to it. */
  ready: PromiseWithResolvers<void>;
  settled: PromiseWithResolvers<void>;
  timer?: ReturnType<typeof setTimeout>;
};

/** `gathered`: it waits for others that belong to it. */
export type Offered = { done: Promise<void>; gathered: boolean };

/** Failures that come back when the same update is offered again later; everything else is the update's own fault. */
const worthAnotherTry = (error: AppError): boolean => error.code !== "internal";

export class Intake {
  private readonly lanes = new Map<string, Unit[]>();
  /** Units that others may still belong to, by chat and sender. */
  private readonly open = new Map<string, Unit>();
  /** What is stored is stored one after the other, so that the offset never goes back. */
  private storing: Promise<unknown> = Promise.resolve();
  private readonly working = new Set<Promise<void>>();
  private stopped = false;

  constructor(private readonly deps: IntakeDeps) {}

  /**
   * Takes an update. `done` rejects when it was not stored: then everything behind it in its chat is rejected too, and all of
   * it is to be offered again in order. The same update twice is taken once.
   */
  offer(update: Update): Offered {
    if (this.stopped) return { done: Promise.reject(stopping()), gathered: false };
    const lane = laneOf(update);
    const queue = this.lanes.get(lane) ?? [];
    const known = queue.find((unit) =>
      unit.updates.some((each) => each.update_id === update.update_id),
    );
    if (known) return { done: known.settled.promise, gathered: known.gathering !== undefined };
    const unit = this.place(update, queue);
    if (!this.lanes.has(lane)) {
      this.lanes.set(lane, queue);
      const work = this.work(lane, queue).finally(() => this.working.delete(work));
      this.working.add(work);
      background("reading messages", work, this.deps.log);
    }
    return { done: unit.settled.promise, gathered: unit.gathering !== undefined };
  }

  /** Resolves when nothing runs any more; what was not stored is rejected. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const [lane, queue] of [...this.lanes])
      // The first one may be in the middle of being stored, and then it is.
      this.refuse(lane, queue, stopping(), queue[0]?.gathering ? 0 : 1);
    await Promise.allSettled(this.working);
  }

  /** Adds an update to the unit that it continues, or puts a new one at the end of the queue. */
  private place(update: Update, queue: Unit[]): Unit {
    const { message } = update;
    const key = message && senderKey(message);
    const open = key === undefined ? undefined : this.open.get(key);
    if (message && key && open?.gathering) {
      if (continues(open.gathering.kind, messagesOf(open.updates), message)) {
        open.updates.push(update);
        this.wait(key, open);
        return open;
      }
      // Their next message is another one: nothing more will come for the first.
      this.close(key, open);
    }
    const gathering = message && opens(message);
    const unit: Unit = {
      updates: [update],
      ready: Promise.withResolvers(),
      settled: Promise.withResolvers(),
      ...(gathering && { gathering }),
    };
    queue.push(unit);
    if (gathering && key) {
      this.open.set(key, unit);
      this.wait(key, unit);
    } else unit.ready.resolve();
    return unit;
  }

  private wait(key: string, unit: Unit): void {
    clearTimeout(unit.timer);
    unit.timer = setTimeout(() => this.close(key, unit), unit.gathering!.quietMs);
  }

  private close(key: string, unit: Unit): void {
    clearTimeout(unit.timer);
    if (this.open.get(key) === unit) this.open.delete(key);
    unit.ready.resolve();
  }

  private async work(lane: string, queue: Unit[]): Promise<void> {
    for (let unit = queue[0]; unit; unit = queue[0]) {
      await unit.ready.promise;
      if (this.lanes.get(lane) !== queue) return;
      try {
        await this.take(unit);
      } catch (cause) {
        // The edge where a message is given back: whoever offered it offers it again.
        this.refuse(lane, queue, toAppError(cause), 0);
        return;
      }
      queue.shift();
      unit.settled.resolve();
    }
    if (this.lanes.get(lane) === queue) this.lanes.delete(lane);
  }

  private refuse(lane: string, queue: Unit[], error: AppError, from: number): void {
    if (from === 0) this.lanes.delete(lane);
    for (const unit of queue.splice(from)) {
      clearTimeout(unit.timer);
      for (const [key, each] of this.open) if (each === unit) this.open.delete(key);
      unit.ready.resolve();
      unit.settled.reject(error);
    }
  }

  private async take(unit: Unit): Promise<void> {
    const { ledger, log, receive, put } = this.deps;
    const reading = await this.read(unit.updates);
    const ids = unit.updates.map((update) => update.update_id);
    const store = async () => {
      if (this.stopped) throw stopping();
      const state = ledger.state(ids);
      if (reading.inbound) await receive(reading.inbound, state);
      else if (state) await put(state);
      ledger.done(ids);
    };
    const stored = this.storing.then(store);
    this.storing = stored.then(nothing, nothing);
    await stored;
    if (reading.after) background("answering the platform", reading.after(), log);
  }

  /** An update that cannot be read must not stop those behind it: it is told in the log and left out. */
  private async read(updates: Update[]): Promise<Reading> {
    try {
      return await this.deps.read(updates);
    } catch (cause) {
      const error = toAppError(cause);
      if (worthAnotherTry(error)) throw error;
      this.deps.log.error("an update could not be read and is left out", {
        update: updates[0]?.update_id,
        error: error.message,
      });
      return {};
    }
  }
}

const nothing = (): void => undefined;
const stopping = (): AppError =>
  new AppError("busy", "This account is being stopped.", { retryAfterMs: 1_000 });

export const messagesOf = (updates: Update[]): Message[] =>
  updates.flatMap(({ message }) => (message ? [message] : []));

/** Chats are independent of each other. */
function laneOf(update: Update): string {
  const { message, edited_message, callback_query, message_reaction, my_chat_member } = update;
  const chat =
    message?.chat ??
    edited_message?.chat ??
    callback_query?.message?.chat ??
    message_reaction?.chat ??
    my_chat_member?.chat;
  return String(chat?.id ?? "none");
}
