/** Writes a run into the store while it happens, so that a crash at any point leaves a conversation that can go on. */
import type { AppError } from "../base/errors.ts";
import type { Clock } from "../base/time.ts";
import type { Message, ModelChoice, TurnEvent, TurnStatus, Usage } from "../flow.ts";
import type { NewEntry, NewOutbox, Store } from "../store/store.ts";
import { type ActiveRun, textOf } from "./desk.ts";

export type RecorderDeps = {
  store: Store;
  clock: Clock;
  run: ActiveRun;
  /** What goes out at the end. */
  outgoing(end: Ending): NewOutbox[];
};

/** How a run ended, as far as its chat has to hear of it. */
export type Ending = { status: TurnStatus; text: string; error?: AppError };

const hasCalls = (message: Message): boolean =>
  message.blocks.some((block) => block.type === "tool_call");

export class Recorder {
  /** The last answer without tool calls waits for `end`, to be stored in one unit with the turn's final state. */
  private held: NewEntry[] = [];
  private last: { text: string; choice?: ModelChoice } | undefined;
  private usage: Usage | undefined;

  constructor(private readonly deps: RecorderDeps) {}

  /** Stores what must be durable before anybody sees the event. Throws the store's errors. */
  async record(event: TurnEvent): Promise<void> {
    if (event.type === "message") return this.message(event);
    if (event.type === "model" && event.note) return this.note("info", event.note);
    if (event.type === "end") return this.end(event);
  }

  /** Whether the run has said its last word, unless another message follows. */
  get holdsAnswer(): boolean {
    return this.held.length > 0;
  }

  /** Stores what is held back, before something else is appended behind it. */
  async flush(): Promise<void> {
    if (!this.held.length) return;
    const entries = this.held;
    await this.deps.store.turns.append(this.deps.run.turn.id, entries);
    this.held = [];
  }

  private async message(event: Extract<TurnEvent, { type: "message" }>): Promise<void> {
    const { message, choice, usage, partial } = event;
    const runId = this.deps.run.turn.id;
    this.held.push({
      at: message.at,
      body: { kind: "message", message, runId, choice, usage, partial },
    });
    if (usage) this.usage = usage;
    if (message.role === "assistant") this.last = { text: textOf(message), choice };
    // A call must be on the disk before the tool runs: after a crash the view then says that it may have happened.
    if (message.role === "tool" || hasCalls(message)) await this.flush();
  }

  private async note(level: "info" | "error", text: string): Promise<void> {
    const runId = this.deps.run.turn.id;
    this.held.push({ at: this.deps.clock.now(), body: { kind: "note", level, text, runId } });
    await this.flush();
  }

  private async end(event: Extract<TurnEvent, { type: "end" }>): Promise<void> {
    const { store, run } = this.deps;
    const entries = [...this.held];
    const { error } = event;
    if (event.status === "error" && error)
      entries.push({
        at: event.at,
        body: {
          kind: "note",
          level: "error",
          text: error.message,
          code: error.code,
          hint: error.hint,
          runId: run.turn.id,
        },
      });
    // Only the user stops a run: at a shutdown the pipeline leaves it unfinished.
    if (event.status === "aborted")
      entries.push({
        at: event.at,
        body: {
          kind: "note",
          level: "info",
          text: "Stopped by you.",
          code: "aborted",
          runId: run.turn.id,
        },
      });
    const text = event.status === "ok" ? (this.last?.text ?? "") : "";
    const state = ({ ok: "done", aborted: "aborted", error: "failed" } as const)[event.status];
    await store.turns.finish(run.turn.id, {
      state,
      at: event.at,
      entries,
      error: error && { code: error.code, message: error.message, hint: error.hint },
      usage: event.usage,
      contextTokens: this.usage && this.usage.input + this.usage.cacheRead + this.usage.cacheWrite,
      outbox: this.deps.outgoing({ status: event.status, text, error }),
    });
    this.held = [];
  }
}
