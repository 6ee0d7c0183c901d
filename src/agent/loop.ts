/**
 * One run of the agent: model, tools, model, tools, until the model has nothing more to do.
 * Stores nothing and sends nothing: the caller records `message` events (before it asks for the next event, so that a call is
 * durable before its tool runs) and what it gives through `turn.inbox`; everyone else watches.
 * The first event is `start`, the last one is `end`, exactly once, whatever fails; the only way without an `end` is a consumer
 * that stops reading.
 */
import { AppError, toAppError } from "../base/errors.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type {
  Block,
  Message,
  ModelChoice,
  ModelEvent,
  ModelRequest,
  Thinking,
  ToolCall,
  ToolSpec,
  Turn,
  TurnEvent,
  TurnStatus,
  Usage,
} from "../flow.ts";
import { toolSpec } from "../tools/tool.ts";
import { type CallDeps, type CallResult, runCalls } from "./calls.ts";
import { readUntil } from "./reader.ts";
import { type RepeatWatch, watchRepeats } from "./repeat.ts";
import { viewOfMessages, type ViewOptions } from "./view.ts";
import { shrink } from "./window.ts";

/** The model and what belongs to it (temperature, cache time, most tokens) are chosen behind `stream`. */
export type AgentRequest = Pick<
  ModelRequest,
  "system" | "messages" | "tools" | "thinking" | "sessionId"
>;
/** What a provider says, plus what failover adds: who answers, and that what was streamed is void. */
export type AnswerEvent =
  ModelEvent | { type: "model"; choice: ModelChoice; note?: string } | { type: "restart" };

export type AgentDeps = CallDeps & {
  /** One answer of a model, failover included. Ends with one `end` or `error`. */
  stream(request: AgentRequest, signal: AbortSignal): AsyncIterable<AnswerEvent>;
  system: string[];
  thinking: Thinking;
  sessionId: string;
  limits: {
    /** Most model calls of one run. */
    maxSteps: number;
    /** Longest run, in ms; 0 is none. */
    timeoutMs: number;
  };
  clock: Clock;
  /** As for the history: the same options, or the prompt's prefix changes between turns. */
  view?: ViewOptions;
  /** Tokens for messages (`messageRoom`); a run that outgrows them leaves old tool results out. */
  room?: number;
};

type Ending = { status: TurnStatus; error?: AppError };
type Run = {
  turn: Turn;
  deps: AgentDeps;
  /** Aborted by the turn's signal, by the time limit, or when the consumer leaves. */
  stop: AbortController;
  messages: Message[];
  specs: ToolSpec[];
  usage: Usage;
  repeats: RepeatWatch;
};
type Answer = {
  stop: "end" | "tool" | "length" | "refusal";
  message: Message;
  usage: Usage;
  choice?: ModelChoice;
};

/** Answers the last message of `turn.history`. A history that ends with an answer already is done at once. */
export async function* runTurn(turn: Turn, deps: AgentDeps): AsyncGenerator<TurnEvent> {
  const run: Run = {
    turn,
    deps,
    stop: new AbortController(),
    messages: [...turn.history],
    specs: deps.tools.map(toolSpec),
    usage: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
    repeats: watchRepeats(),
  };
  const onAbort = () => run.stop.abort(turn.signal.reason);
  turn.signal.addEventListener("abort", onAbort, { once: true });
  if (turn.signal.aborted) onAbort();
  let end: Ending;
  try {
    yield { type: "start", at: deps.clock.now() };
    background("run time limit", limitTime(run), deps.tool.log);
    end = yield* steps(run);
  } catch (cause) {
    // The edge of a run: whatever breaks inside becomes its end, or those who wait for it would wait for ever.
    end = { status: "error", error: toAppError(cause) };
  } finally {
    turn.signal.removeEventListener("abort", onAbort);
    run.stop.abort();
  }
  yield { type: "end", ...end, usage: run.usage, at: deps.clock.now() };
}

/** A run that cannot begin: its start and its end, so that those who wait for it are told. */
export async function* failedRun(error: AppError, clock: Clock): AsyncGenerator<TurnEvent> {
  const usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  yield { type: "start", at: clock.now() };
  yield { type: "end", status: "error", error, usage, at: clock.now() };
}

/** The longest time a timer can wait; more fires at once. */
const MAX_TIMER = 2 ** 31 - 1;

async function limitTime({ deps, stop }: Run): Promise<void> {
  const { timeoutMs } = deps.limits;
  if (timeoutMs <= 0) return;
  // Aborted when the run was over in time.
  if (!(await pause(deps.clock, Math.min(timeoutMs, MAX_TIMER), stop.signal))) return;
  stop.abort(
    new AppError("agent_timeout", `The run took longer than ${Math.round(timeoutMs / 1000)} s.`, {
      hint: "Ask for a smaller step, or raise agents.defaults.timeoutSeconds.",
    }),
  );
}

/** How a stopped run ends. */
function stopped({ turn, stop }: Run): Ending {
  const reason: unknown = stop.signal.reason;
  const error = reason instanceof AppError ? reason : undefined;
  if (turn.signal.aborted) return { status: "aborted", error };
  return { status: "error", error: error ?? new AppError("aborted", "The run was stopped.") };
}

/** Answers in a row that the length limit cut in the middle of a call. */
const MAX_CUT_CALLS = 3;

async function* steps(run: Run): AsyncGenerator<TurnEvent, Ending> {
  const { turn, deps, stop, messages } = run;
  const last = messages.at(-1);
  if (!last) throw new AppError("bad_request", "There is no message to answer.");
  if (last.role === "assistant" && !callsOf(last).length) return { status: "ok" };
  let said = false;
  let cutCalls = 0;
  for (let step = 1; ; step++) {
    if (stop.signal.aborted) return stopped(run);
    const answer = yield* ask(run);
    if ("status" in answer) return answer;
    for (const key of Object.keys(run.usage) as (keyof Usage)[])
      run.usage[key] += answer.usage[key];

    const message = finished(answer);
    said ||= textOf(message) !== "";
    const calls = callsOf(message);
    if (answer.stop === "length" && !calls.length) yield { type: "text", delta: CUT_NOTE };
    if (message.blocks.length) {
      messages.push(message);
      yield { type: "message", message, choice: answer.choice, usage: answer.usage };
    }
    if (!calls.length) {
      if (answer.stop === "refusal" && !textOf(message)) return refused();
      if (!said) return silent();
      if (step >= deps.limits.maxSteps) return { status: "ok" };
      const arrived = await turn.inbox();
      if (!arrived.length) return { status: "ok" };
      messages.push(...arrived);
      continue;
    }

    cutCalls = answer.stop === "length" ? cutCalls + 1 : 0;
    const results = cutCalls ? calls.map(notRun) : yield* runCalls(calls, deps, stop.signal);
    const stuck = watch(run.repeats, results);
    if (results.length) {
      const answered = toolMessage(results, deps.clock.now());
      messages.push(answered);
      yield { type: "message", message: answered };
    }
    if (stop.signal.aborted) return stopped(run);
    if (stuck || cutCalls >= MAX_CUT_CALLS) return inCircles(calls);
    if (step >= deps.limits.maxSteps) return tooManySteps(step);
    messages.push(...(await turn.inbox()));
  }
}

/** One answer of the model. What had been said when it broke off is given as a partial message. */
async function* ask(run: Run): AsyncGenerator<TurnEvent, Answer | Ending> {
  const { deps, stop, messages } = run;
  let view = viewOfMessages(messages, deps.view);
  const smaller = deps.room === undefined ? view : shrink(view, deps.room);
  if (smaller !== view) messages.splice(0, Infinity, ...(view = smaller));
  const request: AgentRequest = {
    system: deps.system,
    messages: view,
    tools: run.specs,
    thinking: deps.thinking,
    sessionId: deps.sessionId,
  };
  let text = "";
  let choice: ModelChoice | undefined;
  let failure: AppError | undefined;
  const reader = readUntil(deps.stream(request, stop.signal), stop.signal, deps.tool.log);
  try {
    for (let event = await reader.next(); event; event = await reader.next()) {
      if (event.type === "end") {
        const { stop, message, usage } = event;
        return { stop, message, usage, choice };
      }
      if (event.type === "error") {
        failure = event.error;
        break;
      }
      if (event.type === "text") text += event.delta;
      else if (event.type === "restart") text = "";
      else if (event.type === "model") choice = event.choice;
      yield event;
    }
  } catch (cause) {
    // A provider must not throw; if one does, what was said is still kept.
    failure = toAppError(cause);
  } finally {
    reader.close();
  }
  if (text.trim()) {
    const message: Message = {
      role: "assistant",
      blocks: [{ type: "text", text }],
      at: deps.clock.now(),
    };
    messages.push(message);
    yield { type: "message", message, choice, partial: true };
  }
  if (stop.signal.aborted) return stopped(run);
  const error =
    failure ?? new AppError("internal", "The model's answer ended without its last part.");
  return { status: "error", error };
}

const CUT_NOTE =
  "\n\n[The answer reached the model's length limit and ends here. Say `continue` to go on.]";

/** The message as it is stored: a cut answer says so, a refusal calls nothing. */
function finished({ stop, message }: Answer): Message {
  if (stop === "refusal")
    return { ...message, blocks: message.blocks.filter((block) => block.type !== "tool_call") };
  if (stop === "length" && !callsOf(message).length)
    return { ...message, blocks: [...message.blocks, { type: "text", text: CUT_NOTE }] };
  return message;
}

const callsOf = (message: Message): ToolCall[] =>
  message.blocks.filter((block) => block.type === "tool_call");

const textOf = (message: Message): string =>
  message.blocks
    .map((block) => (block.type === "text" ? block.text : ""))
    .join("")
    .trim();

const toolMessage = (results: CallResult[], at: number): Message => ({
  role: "tool",
  blocks: results.map(({ call, result }): Block => ({
    type: "tool_result",
    id: call.id,
    name: call.name,
    ...result,
  })),
  at,
});

/** A call whose arguments may be cut must not run: half a file would be written. */
const notRun = (call: ToolCall): CallResult => ({
  call,
  result: {
    isError: true,
    text: "This call was not run: the answer reached the length limit in the middle of it. Make it again, smaller or in several parts.",
  },
});

/** Adds hints to results that repeat; true when the run goes in circles for good. */
function watch(repeats: RepeatWatch, results: CallResult[]): boolean {
  let stuck = false;
  for (const each of results) {
    const noted = repeats.note(each.call, each.result);
    if (noted.hint) each.result = { ...each.result, text: `${each.result.text}\n${noted.hint}` };
    stuck ||= noted.stuck;
  }
  return stuck;
}

const inCircles = (calls: ToolCall[]): Ending => ({
  status: "error",
  error: new AppError(
    "agent_stuck",
    `The agent was stopped because it repeated the same call (${calls[0]!.name}) without getting further.`,
  ),
});

const tooManySteps = (steps: number): Ending => ({
  status: "error",
  error: new AppError("agent_stuck", `The agent was stopped after ${steps} steps without an end.`),
});

const refused = (): Ending => ({
  status: "error",
  error: new AppError("provider_rejected", "The model refused to answer.", {
    hint: "Put it differently, or choose another model.",
  }),
});

const silent = (): Ending => ({
  status: "error",
  error: new AppError("provider_rejected", "The model gave an empty answer.", {
    hint: "Try again, or choose another model.",
  }),
});

/** Why a message is not tried again: every time it was answered, the process came down. */
export const gaveUp = (times: number): AppError =>
  new AppError(
    "internal",
    `The gateway stopped ${times} times while it answered this message, so it was given up.`,
    { hint: "Send it again. If it happens again, `clawdbot logs` shows what stopped the gateway." },
  );
