/** The whole life of a message, top to bottom: stored, routed, queued, answered, delivered. Every step is one call to the part that does it. */
import { failedRun } from "./agent/loop.ts";
import { isSilent, parseReply } from "./agent/text.ts";
import { modelView } from "./agent/view.ts";
import { AppError, toAppError } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import { background } from "./base/task.ts";
import { type Clock, pause } from "./base/time.ts";
import type { Accepted } from "./channels/channel.ts";
import type { Delivery } from "./delivery/outbox.ts";
import type { Inbound, Message, SessionKey, Turn, TurnEvent } from "./flow.ts";
import { type Policy, routeFor } from "./router/route.ts";
import { type ActiveRun, Desk, observe } from "./sessions/desk.ts";
import type { Lanes } from "./sessions/lanes.ts";
import { batchSize, place, type QueueMode } from "./sessions/queue.ts";
import { Recorder } from "./sessions/recorder.ts";
import type { NewEntry, Store, TurnRow } from "./store/store.ts";

export type PipelineDeps = {
  store: Store;
  lanes: Lanes;
  delivery: Delivery;
  clock: Clock;
  log: Logger;
  newId(): string;
  policy(): Policy;
  mode(key: SessionKey): QueueMode;
  /** The transcript entries of messages that are about to be answered; `resumed` when a crash cut the turn before. */
  entries(turns: TurnRow[], resumed: boolean): Promise<NewEntry[]>;
  /** One run of the agent, from its stored history to its `end`. */
  agent(turn: Omit<Turn, "history">, row: TurnRow): AsyncIterable<TurnEvent>;
  watch(run: ActiveRun, event: TurnEvent): void;
};

/** A turn that was begun this often and never ended is what brings the process down; it is ended with an error instead. */
const MAX_ATTEMPTS = 3;
/** Pause before a turn goes on that the disk or the store stopped. */
const STORE_RETRY_MS = 5000;

export class Pipeline {
  readonly desk = new Desk();
  private readonly closing = new AbortController();

  constructor(private readonly deps: PipelineDeps) {}

  /** 1. A message arrives. Resolves when it is on the disk; from then on it will be answered, whatever happens. */
  async receive(inbound: Inbound): Promise<Accepted> {
    if (this.closing.signal.aborted)
      throw new AppError("busy", "The gateway is shutting down.", { retryAfterMs: 1500 });
    const { store, log } = this.deps;
    const route = routeFor(inbound, this.deps.policy());
    const runId =
      inbound.from.channel === this.deps.policy().operatorChannel ? inbound.id : this.deps.newId();
    const { turn, duplicate } = await store.inbound.accept(inbound, route, runId);
    if (route.kind === "drop") {
      log.info("message dropped", { reason: route.reason, channel: inbound.from.channel });
      return { runId, duplicate, dropped: route.reason };
    }
    if (turn && !duplicate) await this.queue(turn);
    return { runId: turn?.id ?? runId, duplicate };
  }

  /** 2. It waits, steers the running turn, or begins. */
  private async queue(turn: TurnRow): Promise<void> {
    const key = turn.sessionKey;
    const where = place(this.deps.mode(key), this.desk.running(key) !== undefined);
    this.desk.enqueue(turn);
    if (where === "interrupt") this.desk.running(key)?.controller.abort();
    // A steering message waits on the desk too: the running turn takes it at its next tool boundary, or it is a turn of its own.
    background(
      "turn",
      this.deps.lanes.run(key, () => this.answerNext(key)),
      this.deps.log,
    );
  }

  /** 3. The lane is free: the next turn takes what waits and runs. Nothing waits when an earlier turn took it. */
  private async answerNext(key: SessionKey): Promise<void> {
    const size = batchSize(this.deps.mode(key), [...this.desk.waiting(key)]);
    const turns = this.desk.take(key, size);
    if (!turns.length || this.closing.signal.aborted) return;
    for (;;) {
      try {
        return await this.answer(turns);
      } catch (cause) {
        // Only the store can fail here. The turn is safe in it, and goes on when the disk has room again.
        const error = toAppError(cause);
        this.deps.log.error("a turn waits for the store", {
          runId: turns[0]!.id,
          code: error.code,
          error: error.message,
        });
        if (!(await pause(this.deps.clock, STORE_RETRY_MS, this.closing.signal))) return;
      }
    }
  }

  /** 4. The agent answers; every event is recorded before it is shown to those who watch. */
  private async answer(turns: TurnRow[]): Promise<void> {
    const { store, clock, delivery } = this.deps;
    const lead = turns[0]!;
    const stored = await store.turns.get(lead.id);
    const resumed = stored?.state === "running";
    const entries = await this.deps.entries(turns, resumed);
    const row = await store.turns.begin(
      turns.map((t) => t.id),
      entries,
      clock.now(),
    );
    if (!row) return;
    const session = await store.sessions.ensure(row.sessionKey, row.agentId, clock.now());
    const run: ActiveRun = {
      turn: row,
      sessionId: session.sessionId,
      controller: new AbortController(),
      startedAt: clock.now(),
      seq: 0,
      text: "",
      thinking: "",
      tools: new Map(),
      answers: turns.map((t) => t.id),
    };
    this.desk.begin(run);
    let outgoing = false;
    const recorder = new Recorder({
      store,
      clock,
      run,
      rowsFor(text) {
        const rows = isSilent(text)
          ? []
          : delivery.rowsFor(row.id, row.reply, parseReply(text).text);
        outgoing = rows.length > 0;
        return rows;
      },
    });
    try {
      const turn = {
        runId: row.id,
        agentId: row.agentId,
        sessionKey: row.sessionKey,
        inbox: () => this.steer(run, recorder),
        signal: run.controller.signal,
      };
      const events =
        row.attempts > MAX_ATTEMPTS ? failedRun(tooOften(), clock) : this.deps.agent(turn, row);
      for await (const event of events) {
        // On shutdown the turn stays `running` in the store: the next start goes on with it.
        if (this.closing.signal.aborted && event.type === "end" && event.status === "aborted")
          return;
        await recorder.record(event);
        observe(run, event);
        if (event.type === "end") {
          this.desk.end(run);
          // 5. What goes out is in the outbox since `record`, in the same unit as the turn's end; delivery carries it.
          if (outgoing) delivery.wake();
        }
        this.deps.watch(run, event);
      }
    } finally {
      this.desk.end(run);
    }
  }

  /** Messages that arrived meanwhile, at a tool boundary of the running turn. */
  private async steer(run: ActiveRun, recorder: Recorder): Promise<Message[]> {
    const key = run.turn.sessionKey;
    if (this.deps.mode(key) !== "steer") return [];
    const waiting = this.desk.waiting(key);
    const turns = waiting.slice(0, batchSize("steer", [...waiting]));
    if (!turns.length) return [];
    await recorder.flush();
    const entries = await this.deps.entries(turns, false);
    const ids = turns.map((t) => t.id);
    const taken = new Set(await this.deps.store.turns.merge(ids, run.turn.id, entries));
    // Only now: had the store refused, they would wait for the next turn instead of being lost until a restart.
    for (const id of taken) this.desk.withdraw(key, id);
    run.answers.push(...taken);
    return taken.size ? modelView(entries.map((entry) => entry.body)) : [];
  }

  /** After a start: what an earlier process accepted and did not finish goes on, oldest first. */
  async recover(): Promise<number> {
    const turns = await this.deps.store.turns.unfinished();
    for (const turn of turns) {
      if (turn.state === "running")
        this.deps.log.info("going on with an interrupted turn", {
          runId: turn.id,
          attempts: turn.attempts,
        });
      await this.queue(turn);
    }
    return turns.length;
  }

  /** Resolves when what runs or waits now is answered, at most `ms` later. New messages are still accepted. */
  settle(ms: number): Promise<void> {
    return this.deps.lanes.idleWithin(ms, this.deps.clock);
  }

  /** No new messages; running turns get `graceMs` to end, the rest is left for the next start, which counts no crash for it. */
  async stop(graceMs: number): Promise<void> {
    await this.settle(graceMs);
    this.closing.abort();
    const left = this.desk.allRunning();
    for (const run of left) run.controller.abort();
    await this.deps.lanes.idle();
    const released = this.deps.store.turns.release(left.map((run) => run.turn.id));
    background("counting no crash", released, this.deps.log);
    await Promise.allSettled([released]);
  }
}

const tooOften = (): AppError =>
  new AppError(
    "internal",
    `The gateway stopped ${MAX_ATTEMPTS} times while it answered this message, so it was given up.`,
    { hint: "Send it again. If it happens again, `clawdbot logs` shows what stopped the gateway." },
  );
