/**
 * What a chat sees of a turn before its answer: a reaction, that somebody types, the answer while it is written. None of it is
 * durable but what goes through the outbox, none of it can fail a turn, and none of it is waited for.
 *
 * How it is called (messaging.ts, pipeline.ts):
 *   live.accepted(message)        a message was stored and will be answered: reaction and typing at once
 *   live.watch(run, event)        every event of a run, after it was recorded; the `end` as well
 *   live.finalRows(run, end)      the rows of the run's end, for the same unit of the store as that end; then `delivery.wake()`
 *   live.ended(runIds, reply)     a turn that was stopped before it began, or was merged without a run
 *   await live.recover()          once, before turns go on: takes away previews of runs that are over
 *   live.stop()                   at the end of the program; previews stay for the next start
 */
import { toAppError } from "../base/errors.ts";
import { background } from "../base/task.ts";
import { pause } from "../base/time.ts";
import type { Address, Inbound, TurnEvent } from "../flow.ts";
import type { NewOutbox } from "../store/store.ts";
import { showable, withoutThoughts } from "./grammar.ts";
import { type KeptPreview, PREVIEWS } from "./kept.ts";
import { LiveRun } from "./live-run.ts";
import { type LiveDeps, type LiveSettings, messageId, type Run, type RunEnd } from "./run.ts";
import { Typing } from "./typing.ts";

export type AcceptedMessage = Omit<Run, "attempt" | "answers"> & {
  /** The reaction that it gets, if it gets one; `remove`: it is taken back with the answer. */
  ack?: { emoji: string; remove: boolean };
};

export class Live {
  private readonly runs = new Map<string, LiveRun>();
  private readonly acks = new Map<string, { to: Address; id: string }>();
  private readonly typing: Typing;
  private readonly stopped = new AbortController();

  constructor(private readonly deps: LiveDeps) {
    this.typing = new Typing({
      clock: deps.clock,
      log: deps.log,
      signal: this.stopped.signal,
      typing: (to) => deps.account(to).typing?.(to),
    });
  }

  /** Returns at once and never throws. */
  accepted(message: AcceptedMessage): void {
    this.quietly("accepted", () => {
      const { reply, inbound, ack } = message;
      if (!this.isSeen(reply)) return;
      if (ack) this.acknowledge(message, ack);
      const settings = this.deps.settings({ ...message, attempt: 1 });
      if (typingMode(settings, inbound) === "instant")
        this.typing.start(reply, settings.typingEveryMs);
    });
  }

  /** Returns at once and never throws. */
  watch(run: Run, event: TurnEvent): void {
    this.quietly("watch", () => {
      if (!this.isSeen(run.reply)) return;
      const live = this.runOf(run);
      if (event.type === "end") {
        live.over();
        this.runs.delete(run.runId);
        return this.ended(run.answers ?? [run.runId], run.reply);
      }
      live.observe(event);
      this.type(live, event);
    });
  }

  /** What goes out at the end of a run: what was not sent yet of its answer, or why there is none. */
  finalRows(run: Run, end: RunEnd): NewOutbox[] {
    if (this.deps.delivery.target(run.reply)?.transcript) return [];
    return this.runOf(run).finalRows(end);
  }

  ended(runIds: readonly string[], reply: Address): void {
    this.typing.stop(reply);
    for (const id of runIds) {
      const ack = this.acks.get(id);
      this.acks.delete(id);
      if (ack) this.react(ack.to, ack.id, "");
    }
  }

  /** A run that is over and left its preview: the process ended before it was taken away. */
  async recover(): Promise<void> {
    const { store } = this.deps;
    for (const runId of await store.kv.keys(PREVIEWS, "")) {
      const turn = await store.turns.get(runId);
      if (turn?.state === "running" || turn?.state === "queued") continue;
      const row = await store.outbox.get(`${runId}:0`);
      if (row?.state === "pending" || row?.state === "sending") continue;
      const kept = await store.kv.get<KeptPreview>(PREVIEWS, runId);
      // With a row for the answer it is the answer by now.
      if (!kept || row) await store.kv.delete(PREVIEWS, runId);
      else this.quietly("remove", () => this.removeLeft(runId, kept));
    }
  }

  stop(): void {
    this.stopped.abort();
  }

  private runOf(run: Run): LiveRun {
    const known = this.runs.get(run.runId);
    if (known) return known;
    const { deps } = this;
    const live = new LiveRun(run, deps.settings(run), {
      ...deps,
      signal: this.stopped.signal,
      random: deps.random ?? Math.random,
      after: (ms, work) => this.afterMs(ms, work),
    });
    this.runs.set(run.runId, live);
    return live;
  }

  private type(live: LiveRun, event: TurnEvent): void {
    if (live.typed) return;
    const { run, settings, said } = live;
    const { reply, inbound } = run;
    const mode = typingMode(settings, inbound);
    const wanted =
      (event.type === "start" && mode === "instant") ||
      (event.type === "thinking" && (mode === "thinking" || mode === "instant")) ||
      (event.type === "text" && mode !== "never" && isShown(said));
    if (!wanted) return;
    live.typed = true;
    this.typing.start(reply, settings.typingEveryMs, event.type === "start");
  }

  private acknowledge(
    { runId, inbound, reply }: AcceptedMessage,
    ack: { emoji: string; remove: boolean },
  ): void {
    const { replyToId: _, ...to } = reply;
    const id = messageId(inbound);
    this.react(to, id, ack.emoji, { id: inbound.sender.id });
    if (ack.remove) this.acks.set(runId, { to, id });
  }

  private react(to: Address, id: string, emoji: string, sender?: { id: string }): void {
    this.quietly("reaction", () => this.deps.account(to).react?.(to, id, emoji, sender));
  }

  /** What does not work now is tried at the next start. */
  private async removeLeft(runId: string, { to, id }: KeptPreview): Promise<void> {
    await this.deps.account(to).remove?.(to, id);
    await this.deps.store.kv.delete(PREVIEWS, runId);
  }

  /** False where users read the transcript. An account that does not run may be back before the answer. */
  private isSeen(to: Address): boolean {
    return !this.deps.delivery.target(to)?.transcript;
  }

  private afterMs(ms: number, work: () => void): () => void {
    const off = new AbortController();
    const signal = AbortSignal.any([off.signal, this.stopped.signal]);
    const waited = pause(this.deps.clock, ms, signal).then((over) => {
      if (over) work();
    });
    background("live", waited, this.deps.log);
    return () => off.abort();
  }

  /** A chat without its signs is no reason to fail: one line in the log, for those who look for it. */
  private quietly(what: string, work: () => unknown): void {
    const failed = (cause: unknown) => {
      const { code, message } = toAppError(cause);
      this.deps.log.debug(`live: ${what} failed`, { code, error: message });
    };
    try {
      const done = work();
      if (done instanceof Promise) done.then(undefined, failed);
    } catch (cause) {
      failed(cause);
    }
  }
}

const typingMode = ({ typing }: LiveSettings, { chat, mentioned }: Inbound) =>
  typing ?? (chat === "dm" || mentioned ? "instant" : "message");

/** Whether there is a word of the answer yet; only its beginning is looked at. */
const isShown = (said: string): boolean => showable(withoutThoughts(said.slice(0, 2_000))) !== "";
