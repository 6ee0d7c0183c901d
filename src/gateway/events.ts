/** Runs, as the original's clients want to see them: the events `agent` and `chat`. The only translation of TurnEvent to the wire. */
import { AppError } from "../base/errors.ts";
import type { SessionKey, ToolCall, TurnEvent } from "../flow.ts";
import type { Connection } from "./connection.ts";
import type { Hub } from "./hub.ts";
import type { GatewayBus, RunEvent } from "./ports.ts";
import { assistant, errorKind, TOOL_TEXT, toolOutcome, withoutImages } from "./run-shapes.ts";
import { textOf, wireMessages, wireUsage } from "./wire.ts";

/** Shortest time between two `chat` deltas of a run, in ms. The first goes at once, the last before the end. */
export const DELTA_MS = 150;
/** `agent` text events are finer, but each carries the whole text, so long texts slow them down. */
const TEXT_MS = 40;
const TEXT_CHARS_PER_MS = 250;
/** Runs whose state is kept; one that never ended is forgotten beyond this. */
const MAX_RUNS = 5_000;

type RunState = {
  run: Omit<RunEvent, "event" | "seq" | "at">;
  /** Number of the last `agent` event. */
  seq: number;
  expected: number;
  startedAt: number;
  /** Of the message that is being written. */
  text: string;
  thinking: string;
  /** What the finished messages of this run said; old clients ignore a text that becomes shorter, so they get all of it. */
  earlier: string;
  /** How much of `text` the last event had. */
  agentText: number;
  chatText: number;
  agentThinking: number;
  /** The text began anew since the last `chat` delta. */
  replace: boolean;
  lastChatAt: number;
  lastAgentAt: number;
  timer?: ReturnType<typeof setTimeout>;
  /** Text of the last finished assistant message. */
  answer: string;
  verbose: boolean;
  stopReason: StopReason;
};

/** Who stopped a run: a client's chat.abort, a stop word in the chat, or the clock. */
export type StopReason = "rpc" | "stop" | "timeout";

const reads = (c: Connection): boolean => c.hasScope("operator.read");
const modern = (c: Connection): boolean => c.identity?.protocol === 4;

export class RunFeed {
  private readonly runs = new Map<string, RunState>();
  /** Spelling of the session key by whoever started the run. */
  private readonly spellings = new Map<string, string>();
  private readonly stopListening: () => void;

  constructor(
    private readonly hub: Pick<Hub, "broadcast">,
    bus: GatewayBus,
    /** Whether tool events of this session go to everybody (`verbose`). */
    private readonly verboseOf: (key: SessionKey) => Promise<boolean>,
    private readonly failed: (error: unknown) => void,
  ) {
    this.stopListening = bus.on("run", (event) => this.take(event));
  }

  /** Remembers how the client that starts a run spells its session. */
  spell(runId: string, spelled: string): void {
    this.spellings.set(runId, spelled.trim().toLowerCase());
    if (this.spellings.size > MAX_RUNS) this.spellings.delete(this.spellings.keys().next().value!);
  }

  /** Why the runs of a session (or one of them) are about to be stopped; their `aborted` events will say it. */
  stopping(key: SessionKey, reason: StopReason, runId?: string): void {
    for (const state of this.runs.values())
      if (state.run.sessionKey === key && (runId === undefined || state.run.runId === runId))
        state.stopReason = reason;
  }

  /** A `chat` final that no run stands behind (`chat.inject`). */
  announce(key: SessionKey, runId: string, text: string): void {
    const run = { runId, agentId: "", sessionKey: key, sessionId: "" };
    this.chat(run, 0, () => ({ state: "final", message: assistant(text, Date.now()) }));
  }

  close(): void {
    this.stopListening();
    for (const state of this.runs.values()) clearTimeout(state.timer);
    this.runs.clear();
  }

  private take({ event, seq, at, ...run }: RunEvent): void {
    const state = this.stateOf(run, seq, at);
    if (seq !== state.expected)
      this.agent(state, "error", at, {
        reason: "seq gap",
        expected: state.expected,
        received: seq,
      });
    state.expected = seq + 1;
    this.translate(state, event, at);
  }

  private stateOf(run: RunState["run"], seq: number, at: number): RunState {
    const known = this.runs.get(run.runId);
    if (known) return known;
    const state: RunState = {
      run,
      seq: 0,
      expected: seq,
      startedAt: at,
      text: "",
      thinking: "",
      agentText: 0,
      chatText: 0,
      agentThinking: 0,
      replace: false,
      lastChatAt: 0,
      lastAgentAt: 0,
      answer: "",
      earlier: "",
      verbose: false,
      stopReason: "rpc",
    };
    this.runs.set(run.runId, state);
    if (this.runs.size > MAX_RUNS) this.forget(this.runs.values().next().value!);
    this.verboseOf(run.sessionKey).then(
      (verbose) => (state.verbose = verbose),
      (cause: unknown) => this.failed(cause),
    );
    return state;
  }

  private translate(state: RunState, event: TurnEvent, at: number): void {
    switch (event.type) {
      case "start":
        state.startedAt = event.at;
        return this.agent(state, "lifecycle", at, { phase: "start", startedAt: event.at });
      case "model":
        return this.agent(
          state,
          "model",
          at,
          { ...event.choice, ...(event.note ? { note: event.note } : {}) },
          modern,
        );
      case "text":
        state.text += event.delta;
        return this.tick(state);
      case "thinking":
        state.thinking += event.delta;
        return this.tick(state);
      case "restart":
        return this.beginText(state);
      case "message": {
        this.flushText(state);
        const { message, choice, usage } = event;
        if (message.role === "assistant") this.finishText(state, textOf(message));
        // Results of tools went out with their own events already, and may be large.
        const shown =
          message.role === "tool" ? [] : wireMessages(withoutImages(message), { choice, usage });
        for (const wire of shown) this.agent(state, "message", at, { message: wire }, modern);
        return this.beginText(state);
      }
      case "tool_start":
      case "tool_update":
      case "tool_end":
        this.flushText(state);
        return this.tool(state, event, at);
      case "end":
        return this.end(state, event, at);
    }
  }

  private finishText(state: RunState, said: string): void {
    if (!said) return;
    state.answer = said;
    state.earlier = state.earlier ? `${state.earlier}\n\n${said}` : said;
  }

  private beginText(state: RunState): void {
    state.replace ||= state.chatText > 0;
    state.text = "";
    state.thinking = "";
    state.agentText = state.chatText = state.agentThinking = 0;
  }

  /** Sends what is due now and sets the timer for the rest. */
  private tick(state: RunState): void {
    const now = Date.now();
    const agentDue = state.lastAgentAt + TEXT_MS + state.text.length / TEXT_CHARS_PER_MS;
    const chatDue = state.lastChatAt + DELTA_MS;
    if (now >= agentDue) this.sendText(state, now);
    if (now >= chatDue) this.sendDelta(state, now);
    const pending =
      state.chatText < state.text.length || state.agentThinking < state.thinking.length;
    if (!pending || state.timer) return;
    const wait = Math.max(
      1,
      Math.min(agentDue, chatDue) > now ? Math.min(agentDue, chatDue) - now : TEXT_MS,
    );
    state.timer = setTimeout(() => {
      delete state.timer;
      this.tick(state);
    }, wait);
  }

  private flushText(state: RunState): void {
    clearTimeout(state.timer);
    delete state.timer;
    this.sendText(state, Date.now());
    this.sendDelta(state, Date.now());
  }

  private sendText(state: RunState, now: number): void {
    const { text, thinking } = state;
    if (thinking.length > state.agentThinking) {
      const delta = thinking.slice(state.agentThinking);
      state.agentThinking = thinking.length;
      this.agent(state, "thinking", now, { text: thinking, delta }, modern, true);
    }
    if (text.length > state.agentText) {
      const delta = text.slice(state.agentText);
      state.agentText = text.length;
      this.agent(state, "assistant", now, { text, delta }, reads, true);
    }
    state.lastAgentAt = now;
  }

  private sendDelta(state: RunState, now: number): void {
    const { text, chatText } = state;
    if (text.length <= chatText) return;
    const replace = state.replace;
    state.replace = false;
    state.chatText = text.length;
    state.lastChatAt = now;
    const message = assistant(text, now);
    const whole = state.earlier ? assistant(`${state.earlier}\n\n${text}`, now) : message;
    const deltaText = replace ? text : text.slice(chatText);
    this.chat(
      state.run,
      state.seq,
      (c) =>
        modern(c)
          ? { state: "delta", deltaText, ...(replace ? { replace } : {}), message }
          : { state: "delta", message: whole },
      true,
    );
  }

  private tool(state: RunState, event: Extract<TurnEvent, { call: ToolCall }>, at: number): void {
    const { name, id: toolCallId } = event.call;
    const wanted = (c: Connection) => state.verbose || !!c.identity?.caps.has("tool-events");
    if (event.type === "tool_start")
      return this.agent(
        state,
        "tool",
        at,
        { phase: "start", name, toolCallId, args: event.call.args },
        wanted,
      );
    if (event.type === "tool_update")
      return this.agent(
        state,
        "tool",
        at,
        { phase: "update", name, toolCallId, partialResult: event.text.slice(-TOOL_TEXT) },
        wanted,
        true,
      );
    this.agent(
      state,
      "tool",
      at,
      { phase: "result", name, toolCallId, ms: event.ms, ...toolOutcome(event.result) },
      wanted,
    );
  }

  private end(state: RunState, event: Extract<TurnEvent, { type: "end" }>, at: number): void {
    this.flushText(state);
    const partial = state.text;
    const { startedAt } = state;
    const endedAt = event.at;
    const error = event.error ?? new AppError("internal", "The run failed.");
    if (event.status === "error")
      this.agent(state, "lifecycle", at, {
        phase: "error",
        error: error.message,
        startedAt,
        endedAt,
      });
    else
      this.agent(state, "lifecycle", at, {
        phase: "end",
        startedAt,
        endedAt,
        ...(event.status === "aborted" ? { aborted: true } : {}),
      });
    this.chat(state.run, state.seq, (c) => {
      if (event.status === "aborted")
        return {
          state: "aborted",
          stopReason: state.stopReason,
          ...(partial ? { message: assistant(partial, endedAt) } : {}),
        };
      if (event.status === "error")
        return {
          state: "error",
          errorMessage: error.hint ? `${error.message} ${error.hint}` : error.message,
          ...(modern(c)
            ? {
                errorKind: errorKind(error.code),
                errorDetail: { code: error.code, message: error.message, hint: error.hint },
              }
            : {}),
        };
      return {
        state: "final",
        ...(state.answer ? { message: assistant(state.answer, endedAt) } : {}),
        usage: wireUsage(event.usage),
      };
    });
    this.forget(state);
  }

  private forget(state: RunState): void {
    clearTimeout(state.timer);
    this.runs.delete(state.run.runId);
    this.spellings.delete(state.run.runId);
  }

  /** The per-run number grows also for events that not everybody gets. */
  private agent(
    state: RunState,
    stream: string,
    ts: number,
    data: Record<string, unknown>,
    to: (c: Connection) => boolean = reads,
    droppable?: true,
  ): void {
    const { runId } = state.run;
    const seq = ++state.seq;
    this.publish(
      state.run,
      "agent",
      (_, sessionKey) => ({ runId, seq, stream, ts, data, sessionKey }),
      to === reads ? reads : (c) => reads(c) && to(c),
      droppable,
    );
  }

  private chat(
    run: RunState["run"],
    seq: number,
    body: (c: Connection) => Record<string, unknown>,
    droppable?: true,
  ): void {
    const { runId } = run;
    this.publish(
      run,
      "chat",
      (c, sessionKey) => ({ runId, sessionKey, seq, ...body(c) }),
      reads,
      droppable,
    );
  }

  /** The requester's spelling of the key for runs it started, the canonical key for everybody else. */
  private publish(
    { runId, sessionKey }: RunState["run"],
    event: string,
    payload: (c: Connection, key: string) => Record<string, unknown>,
    to: (c: Connection) => boolean,
    droppable?: true,
  ): void {
    // Looked up now: the payload is made later, when the run may be over and forgotten.
    const spelling = this.spellings.get(runId);
    const keyFor = (c: Connection): string =>
      spelling && c.spellingOf(sessionKey) === spelling ? spelling : sessionKey;
    this.hub.broadcast({
      event,
      to,
      payload: (c) => payload(c, keyFor(c)),
      variant: (c) => `${modern(c) ? 4 : 3} ${keyFor(c)}`,
      ...(droppable ? { droppable } : {}),
    });
  }
}
