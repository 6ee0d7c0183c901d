/** Runs the tool calls of one answer: in order, or side by side when all of them only read. */
import { nearest } from "../base/nearest.ts";
import { background } from "../base/task.ts";
import { pause } from "../base/time.ts";
import type { Clock } from "../base/time.ts";
import type { ToolCall, ToolResult, TurnEvent } from "../flow.ts";
import { type AnyTool, runTool, type ToolContext } from "../tools/tool.ts";

export type CallDeps = {
  tools: AnyTool[];
  tool: Omit<ToolContext, "signal" | "update">;
  clock: Clock;
};
export type CallResult = { call: ToolCall; result: ToolResult };

/** Tools without effects, which may run side by side. */
const READ_ONLY = new Set(["read"]);
const SIDE_BY_SIDE = 4;
/** How long a tool may take to stop after an abort, in ms; then its call is left without a result. */
const STOP_MS = 3000;

/**
 * Yields start, progress and end of every call; gives the results in the order of the calls. After an abort of `signal` no
 * further call is begun, so there may be fewer results than calls.
 */
export async function* runCalls(
  calls: ToolCall[],
  deps: CallDeps,
  signal: AbortSignal,
): AsyncGenerator<TurnEvent, CallResult[]> {
  const results: CallResult[] = [];
  const size = calls.every((call) => READ_ONLY.has(call.name)) ? SIDE_BY_SIDE : 1;
  for (let at = 0; at < calls.length && !signal.aborted; at += size)
    results.push(...(yield* runBatch(calls.slice(at, at + size), deps, signal)));
  return results;
}

async function* runBatch(
  calls: ToolCall[],
  deps: CallDeps,
  signal: AbortSignal,
): AsyncGenerator<TurnEvent, CallResult[]> {
  const { clock, tool } = deps;
  const results = new Map<ToolCall, ToolResult>();
  const ended: TurnEvent[] = [];
  // The newest progress per call: a tool that reports faster than anybody reads costs no memory.
  const progress = new Map<ToolCall, string>();
  const over = new AbortController();
  let wake = () => {};
  let gaveUp = false;

  const begin = async (call: ToolCall): Promise<void> => {
    const startedAt = clock.now();
    const update = (text: string) => {
      if (results.has(call)) return;
      progress.set(call, text);
      wake();
    };
    const found = deps.tools.find((each) => each.name === call.name);
    const given = found
      ? await runTool(found, call.args, { ...tool, signal, update })
      : unknownTool(call.name, deps.tools);
    const ms = clock.now() - startedAt;
    // In the transcript too: after a reload the card still says how long it took.
    const result = { ...given, details: { durationMs: ms, ...given.details } };
    results.set(call, result);
    progress.delete(call);
    ended.push({ type: "tool_end", call, result, ms });
    wake();
  };
  const stopWaiting = async (): Promise<void> => {
    // Aborted when the calls were over in time.
    if (!(await pause(clock, STOP_MS, over.signal))) return;
    gaveUp = true;
    wake();
  };
  const onAbort = () => background("stopping tool calls", stopWaiting(), tool.log);

  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const call of calls) yield { type: "tool_start", call };
    // `runTool` never rejects. A call that ignores its signal is left behind: its result is nobody's any more.
    for (const call of calls) background("tool call", begin(call), tool.log);
    let left = calls.length;
    while (left && !gaveUp) {
      if (!ended.length && !progress.size) await new Promise<void>((done) => (wake = done));
      for (const [call, text] of [...progress]) {
        progress.delete(call);
        yield { type: "tool_update", call, text };
      }
      for (const event of ended.splice(0)) {
        left--;
        yield event;
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    over.abort();
  }
  return calls.flatMap((call) => {
    const result = results.get(call);
    return result ? [{ call, result }] : [];
  });
}

function unknownTool(name: string, tools: AnyTool[]): ToolResult {
  const names = tools.map((each) => each.name);
  const near = nearest(name, names);
  const hint = near ? ` Did you mean ${near}?` : "";
  const list = names.length ? ` The tools are: ${names.join(", ")}.` : " There are no tools.";
  return { isError: true, text: `There is no tool named ${JSON.stringify(name)}.${hint}${list}` };
}
