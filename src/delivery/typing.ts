/** The sign that somebody is typing, kept alive while a turn runs. */
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Address } from "../flow.ts";
import { chatOf } from "./sending.ts";

/** Nobody types longer than this; what takes longer works, and the sign would only tire. */
const LONGEST_MS = 120_000;

export type TypingDeps = {
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Undefined where the channel has no such sign, or does not run. */
  typing(to: Address): Promise<void> | undefined;
};

export class Typing {
  private readonly chats = new Map<string, AbortController>();

  constructor(private readonly deps: TypingDeps) {}

  /** Begins, unless it has begun and was not stopped. `anew`: also when it has lasted as long as it may. */
  start(to: Address, everyMs: number, anew = false): void {
    const chat = chatOf(to);
    if (anew) this.chats.get(chat)?.abort();
    else if (this.chats.has(chat)) return;
    const stop = new AbortController();
    this.chats.set(chat, stop);
    const signal = AbortSignal.any([stop.signal, this.deps.signal]);
    background("typing", this.keep(to, everyMs, signal), this.deps.log);
  }

  stop(to: Address): void {
    const chat = chatOf(to);
    this.chats.get(chat)?.abort();
    this.chats.delete(chat);
  }

  private async keep(to: Address, everyMs: number, signal: AbortSignal): Promise<void> {
    const { clock, log, typing } = this.deps;
    const end = clock.now() + LONGEST_MS;
    while (!signal.aborted && clock.now() < end) {
      let waitMs = everyMs;
      try {
        const told = typing(to);
        if (!told) return;
        await told;
      } catch (cause) {
        const error = toAppError(cause);
        log.debug("no typing sign", { channel: to.channel, code: error.code });
        if (error.code === "channel_rejected") return;
        waitMs = Math.max(waitMs, error.retryAfterMs ?? 0);
      }
      if (!(await pause(clock, Math.min(waitMs, Math.max(0, end - clock.now())), signal))) return;
    }
  }
}
