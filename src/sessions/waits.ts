/** Who waits for a run, and how runs that are over are described. The RPC `agent.wait` and the second answer of `agent` stand on it. */
import { type Clock, pause } from "../base/time.ts";
import type { ModelChoice, TurnEvent, TurnStatus } from "../flow.ts";
import type { Store, TurnRow } from "../store/store.ts";
import { type ActiveRun, textOf } from "./desk.ts";

export type RunOutcome = {
  runId: string;
  status: TurnStatus;
  startedAt?: number;
  endedAt?: number;
  /** Text of the last answer, and who gave it. */
  text?: string;
  model?: ModelChoice;
  error?: { code: string; message: string; hint?: string };
};

const STATUS: Partial<Record<TurnRow["state"], TurnStatus>> = {
  done: "ok",
  failed: "error",
  aborted: "aborted",
};
/** Entries that are searched for the answer of a run that ended before; an answer is near the end of its run. */
const LOOK_BACK = 50;

export class Waits {
  private readonly waiting = new Map<string, Set<(end: RunOutcome) => void>>();

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the run is over; undefined after `timeoutMs`, and at once for an id that was never accepted. */
  async wait(runId: string, timeoutMs: number): Promise<RunOutcome | undefined> {
    // Listening begins before the look into the store, so an end in between is not missed.
    let wake: (end: RunOutcome) => void = () => undefined;
    const ended = new Promise<RunOutcome>((resolve) => {
      wake = resolve;
    });
    const set = this.waiting.get(runId) ?? new Set();
    this.waiting.set(runId, set.add(wake));
    const over = new AbortController();
    try {
      const row = await this.store.turns.get(runId);
      if (!row) return undefined;
      if (STATUS[row.state]) return await this.outcome(row);
      const late = pause(this.clock, timeoutMs, over.signal).then(() => undefined);
      return await Promise.race([ended, late]);
    } finally {
      over.abort();
      set.delete(wake);
      if (!set.size && this.waiting.get(runId) === set) this.waiting.delete(runId);
    }
  }

  /** A run ended: everybody who waits for it or for a message that it answered is told. */
  settle(run: ActiveRun, end: Extract<TurnEvent, { type: "end" }>): void {
    const { error } = end;
    for (const runId of run.answers)
      this.tell({
        runId,
        status: end.status,
        startedAt: run.startedAt,
        endedAt: end.at,
        text: run.answer,
        model: run.choice,
        error: error && { code: error.code, message: error.message, hint: error.hint },
      });
  }

  /** A message was withdrawn before its turn began. */
  withdrawn(runId: string, at: number): void {
    this.tell({ runId, status: "aborted", endedAt: at });
  }

  private tell(end: RunOutcome): void {
    for (const wake of this.waiting.get(end.runId) ?? []) wake(end);
  }

  private async outcome(row: TurnRow): Promise<RunOutcome> {
    const session = await this.store.sessions.get(row.sessionKey);
    const recent = session
      ? await this.store.transcript.page(session.sessionId, { limit: LOOK_BACK })
      : [];
    const runId = row.leadId ?? row.id;
    const answer = recent.findLast(
      ({ body }) =>
        body.kind === "message" && body.runId === runId && body.message.role === "assistant",
    )?.body;
    return {
      runId: row.id,
      status: STATUS[row.state] ?? "error",
      startedAt: row.startedAt,
      endedAt: row.endedAt,
      text: answer?.kind === "message" ? textOf(answer.message) : undefined,
      model: answer?.kind === "message" ? answer.choice : undefined,
      error: row.error,
    };
  }
}
