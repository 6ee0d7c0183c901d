/** A scripted model and small tools for tests of the agent loop. No network, no clock of its own. */
import { z } from "zod";

import type { AgentDeps, AgentRequest, AnswerEvent } from "../../src/agent/loop.ts";
import type { Logger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/time.ts";
import type { Block, Message, SessionKey, Turn, TurnEvent, Usage } from "../../src/flow.ts";
import type { Jobs } from "../../src/tools/jobs.ts";
import { type AnyTool, tool } from "../../src/tools/tool.ts";

export const USAGE: Usage = { input: 10, output: 5, cacheRead: 2, cacheWrite: 1 };

const silent: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silent,
};

/** One answer of the scripted model. */
export type Step = (request: AgentRequest, signal: AbortSignal) => AsyncIterable<AnswerEvent>;

export const text = (value: string): Block => ({ type: "text", text: value });
export const call = (id: string, name = "echo", args: unknown = { text: id }): Block => ({
  type: "tool_call",
  id,
  name,
  args,
});
export const user = (value: string): Message => ({ role: "user", blocks: [text(value)], at: 1 });
export const stopOf = (blocks: Block[]) =>
  blocks.some((b) => b.type === "tool_call") ? ("tool" as const) : ("end" as const);

/** An answer of these blocks, its text streamed character by character. */
export const answer = (
  blocks: Block[],
  stop: "end" | "tool" | "length" | "refusal" = stopOf(blocks),
): Step =>
  async function* () {
    for (const block of blocks)
      if (block.type === "text") for (const delta of block.text) yield { type: "text", delta };
    yield { type: "end", stop, message: { role: "assistant", blocks, at: 2 }, usage: USAGE };
  };

/** Waits until the signal is aborted, then goes on. */
export const aborted = (signal: AbortSignal) =>
  new Promise<void>((done) => {
    if (signal.aborted) return done();
    signal.addEventListener("abort", () => done(), { once: true });
  });

export const echo = tool({
  name: "echo",
  label: "Echo",
  summary: "say it again",
  description: "Says it again.",
  input: z.object({ text: z.string().describe("What to say.") }),
  run: async ({ text: said }) => ({ text: said }),
});

export type Script = {
  deps: AgentDeps;
  requests: AgentRequest[];
  turn: Turn;
  controller: AbortController;
  /** What `inbox` gives, one list per call. */
  arriving: Message[][];
};

/** A turn with one user message and a model that answers with `steps`, the last one again and again. */
export function script(steps: Step[], tools: AnyTool[] = [echo]): Script {
  const requests: AgentRequest[] = [];
  const controller = new AbortController();
  const arriving: Message[][] = [];
  let step = 0;
  const deps: AgentDeps = {
    stream(request, signal) {
      requests.push(structuredClone(request));
      return steps[Math.min(step++, steps.length - 1)]!(request, signal);
    },
    system: ["be good"],
    tools,
    tool: {
      workspace: "/nowhere",
      agentId: "main",
      sessionKey: "agent:main:main",
      jobs: {} as Jobs,
      env: {},
      exec: { timeoutSec: 1, yieldMs: 1, maxOutputChars: 1000, pathPrepend: [] },
      denied: [],
      log: silent,
    },
    thinking: "off",
    sessionId: "s",
    limits: { maxSteps: 20, timeoutMs: 0 },
    clock: systemClock,
  };
  const turn: Turn = {
    runId: "r",
    agentId: "main",
    sessionKey: "agent:main:main" as SessionKey,
    history: [user("go")],
    inbox: async () => arriving.shift() ?? [],
    signal: controller.signal,
  };
  return { deps, requests, turn, controller, arriving };
}

/** The events of a run in short: streamed text joined, everything else by name. */
export const summary = (events: TurnEvent[]): string[] => {
  const out: string[] = [];
  let said = "";
  const flush = () => {
    if (said) out.push(`text ${said}`);
    said = "";
  };
  for (const event of events) {
    if (event.type === "text") said += event.delta;
    else flush();
    if (event.type === "message")
      out.push(
        `${event.partial ? "partial " : ""}${event.message.role}: ${event.message.blocks
          .map((b) =>
            b.type === "tool_call" ? `${b.name}(${b.id})` : "text" in b ? b.text : b.type,
          )
          .join(" | ")}`,
      );
    else if (event.type === "tool_start" || event.type === "tool_end")
      out.push(`${event.type} ${event.call.id}`);
    else if (event.type === "tool_update") out.push(`tool_update ${event.call.id} ${event.text}`);
    else if (event.type === "end")
      out.push(`end ${event.status}${event.error ? ` ${event.error.code}` : ""}`);
    else if (event.type !== "text") out.push(event.type);
  }
  flush();
  return out;
};
