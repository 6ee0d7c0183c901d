/** The whole life of a message, top to bottom: stored, routed, queued, answered, delivered. Every step is one call to the part that does it. */
import { failedRun, gaveUp } from "./agent/loop.ts";
import { modelView } from "./agent/view.ts";
import { AppError } from "./base/errors.ts";
import { background } from "./base/task.ts";
import type { Accepted } from "./channels/channel.ts";
import type { Delivery } from "./delivery/outbox.ts";
import type { Inbound, Message, Route, SessionKey, Turn, TurnEvent } from "./flow.ts";
import type { Decision } from "./router/router.ts";
import { type ActiveRun, changeWaiting, Desk, observe } from "./sessions/desk.ts";
import { Line, type LineDeps } from "./sessions/line.ts";
import { steerSize } from "./sessions/queue.ts";
import { type Ending, Recorder } from "./sessions/recorder.ts";
import type { NewEntry, NewOutbox, Store, TurnRow } from "./store/store.ts";

export type PipelineDeps = Omit<LineDeps, "desk" | "closing"> & {
  store: Store;
  delivery: Delivery;
  /** The id of the turn that a message may become. */
  runIdFor(inbound: Inbound): string;
  decide(inbound: Inbound): Promise<Decision>;
  /** It is stored and will be answered; its chat may see so. Returns at once. */
  accepted(turn: TurnRow, decision: Decision): void;
  /** For the session to know with its next turn. */
  note(key: SessionKey, text: string): void;
  /** The transcript entries of messages that are about to be answered; `resumed` when a crash cut the turn before. */
  entries(turns: TurnRow[], resumed: boolean): Promise<NewEntry[]>;
  /** One run of the agent, from its stored history to its `end`. */
  agent(turn: Omit<Turn, "history">, row: TurnRow): AsyncIterable<TurnEvent>;
  /** What the run's chat sees of it at its end. */
  outgoing(run: ActiveRun, end: Ending): NewOutbox[];
  watch(run: ActiveRun, event: TurnEvent): void;
};

/** A turn that was begun this often and never ended is what brings the process down; it is ended with an error instead. */
const MAX_ATTEMPTS = 3;

/** A channel account's values that are stored in the same unit as the message. */
type ChannelState = { scope: string; entries: Record<string, unknown> };

export class Pipeline {
  readonly desk = new Desk();
  private readonly closing = new AbortController();
  private readonly line: Line;

  constructor(private readonly deps: PipelineDeps) {
    const { desk, closing } = this;
    this.line = new Line({ ...deps, desk, closing: closing.signal }, (turns) => this.answer(turns));
  }

  /** 1. A message arrives. Resolves when it is on the disk; from then on it will be answered, whatever happens. */
  async receive(inbound: Inbound, state?: ChannelState): Promise<Accepted> {
    if (this.closing.signal.aborted)
      throw new AppError("busy", "The gateway is shutting down.", { retryAfterMs: 1500 });
    const { store } = this.deps;
    const known = await store.inbound.find(inbound.from, inbound.id);
    if (known) {
      if (state) await store.kv.put(state.scope, state.entries);
      return { runId: known.turn?.id ?? inbound.id, duplicate: true };
    }
    const { also = [], ...decision } = await this.deps.decide(inbound);
    // The other agents first: when the message itself is known, nothing of it is missing.
    for (const route of also)
      await this.accept({ route, inbound: copyFor(decision.inbound, route.agentId) });
    return this.accept(decision, state);
  }

  private async accept(decision: Decision, state?: ChannelState): Promise<Accepted> {
    const { store, log, delivery } = this.deps;
    const { inbound } = decision;
    const route = await this.settleChange(inbound, decision.route);
    const wanted = this.deps.runIdFor(inbound);
    const outbox = decision.outbox?.flatMap((row) => delivery.cut({ ...row, runId: wanted }));
    const more = { state, outbox };
    const { turn, duplicate } = await store.inbound.accept(inbound, route, wanted, more);
    const runId = turn?.id ?? wanted;
    decision.after?.();
    if (outbox?.length) delivery.wake();
    // 2. It waits, steers the running turn, or begins: sessions/line.ts calls `answer` when its lane is free.
    if (turn && !duplicate) {
      this.deps.accepted(turn, decision);
      this.line.join(turn);
    }
    if (route.kind === "note" && !duplicate) this.deps.note(route.sessionKey, route.text);
    if (route.kind === "answer") return { runId, duplicate, answer: route.text };
    if (route.kind !== "drop") return { runId, duplicate };
    const { reason, detail } = route;
    log.info("message dropped", { reason, detail, ...inbound.from, id: inbound.id });
    return { runId, duplicate, dropped: reason };
  }

  /** A message that was changed while it waited is answered as it is now; later than that, the change is only noted. */
  private async settleChange(inbound: Inbound, route: Route): Promise<Route> {
    if (route.kind !== "change") return route;
    const { store, clock } = this.deps;
    const done = await changeWaiting(this.desk, store, clock.now(), inbound.from, route);
    return done ? route : { kind: "drop", reason: "late" };
  }

  /** 3. The agent answers; every event is recorded before it is shown to those who watch. */
  private async answer(turns: TurnRow[]): Promise<void> {
    const { store, clock, delivery } = this.deps;
    const lead = turns[0]!;
    const stored = await store.turns.get(lead.id);
    const resumed = stored?.state === "running";
    const entries = await this.deps.entries(turns, resumed);
    const ids = turns.map((t) => t.id);
    const row = await store.turns.begin(ids, entries, clock.now());
    // It is over already; those behind it are not.
    if (!row) return turns.length > 1 ? this.answer(turns.slice(1)) : undefined;
    const session = await store.sessions.ensure(row.sessionKey, row.agentId, clock.now());
    const run = this.desk.begin(row, session.sessionId, ids, clock.now());
    let outgoing = false;
    const recorder = new Recorder({
      store,
      clock,
      run,
      outgoing: (end) => {
        const rows = this.deps.outgoing(run, end);
        outgoing = rows.length > 0;
        return rows;
      },
    });
    try {
      const turn = {
        ...{ runId: row.id, agentId: row.agentId, sessionKey: row.sessionKey },
        inbox: () => this.steer(run, recorder),
        signal: run.controller.signal,
      };
      const events =
        row.attempts > MAX_ATTEMPTS
          ? failedRun(gaveUp(MAX_ATTEMPTS), clock)
          : this.deps.agent(turn, row);
      for await (const event of events) {
        // On shutdown the turn stays `running` in the store: the next start goes on with it.
        if (this.closing.signal.aborted && event.type === "end" && event.status === "aborted")
          return;
        await recorder.record(event);
        observe(run, event);
        if (event.type === "end") {
          this.desk.end(run);
          // 4. What goes out is in the outbox since `record`, in the same unit as the turn's end; delivery carries it.
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
    if (this.deps.mode(run.turn) !== "steer") return [];
    // After the last words of an answer: one more message in this run would take their place, and they were never sent.
    if (recorder.holdsAnswer) return [];
    const waiting = this.desk.waiting(key);
    const turns = waiting.slice(0, steerSize(run.turn, waiting));
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

  /**
   * After a start: what an earlier process accepted and did not finish goes on, oldest first, once `ready` has resolved. To be called
   * before the networks are started: what comes after it stands behind.
   */
  async recover(ready?: Promise<unknown>): Promise<number> {
    const turns = await this.deps.store.turns.unfinished();
    for (const turn of turns) {
      if (turn.state === "running")
        this.deps.log.info("going on with an interrupted turn", {
          runId: turn.id,
          attempts: turn.attempts,
        });
      this.line.join(turn, ready);
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

/** The same message for another agent has an identity of its own. */
const copyFor = (inbound: Inbound, agent: string): Inbound => ({
  ...inbound,
  id: `${inbound.id}#${agent}`,
});
