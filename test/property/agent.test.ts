import { expect, test } from "bun:test";

import fc from "fast-check";

import { type AnswerEvent, runTurn } from "../../src/agent/loop.ts";
import { modelView } from "../../src/agent/view.ts";
import { AppError } from "../../src/base/errors.ts";
import type { Message, ToolCall, TurnEvent } from "../../src/flow.ts";
import type { EntryBody } from "../../src/store/store.ts";
import { type AnyTool, tool } from "../../src/tools/tool.ts";
import { aborted, echo, script, type Step, stopOf, USAGE, user } from "../fakes/agent.ts";
import { block } from "./events.ts";
import { bytes, isPrefix, problems } from "./messages.ts";

/** What a scripted answer ends with. `hang` waits for the abort, `deaf` does not even notice it. */
type Last = "end" | "length" | "refusal" | "error" | "throw" | "nothing" | "hang" | "deaf";
const last = fc.constantFrom<Last>(
  "end",
  "end",
  "end",
  "end",
  "length",
  "refusal",
  "error",
  "throw",
  "nothing",
  "hang",
  "deaf",
);

const choice = { provider: "p", model: "m", ref: "p/m" };
const delta: fc.Arbitrary<AnswerEvent> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ maxLength: 3 }).map((d) => ({ type: "text" as const, delta: d })),
  },
  fc.string({ maxLength: 3 }).map((d) => ({ type: "thinking" as const, delta: d })),
  fc.constant({ type: "restart" as const }),
  fc.constant({ type: "model" as const, choice }),
);
const toolName = fc.constantFrom("echo", "fails", "waits", "deaf", "read", "unknown", "");
const step = fc
  .record({
    deltas: fc.array(delta, { maxLength: 4 }),
    blocks: fc.array(block, { maxLength: 3 }),
    calls: fc.array(fc.record({ id: fc.constantFrom("call_0", "call_1", ""), name: toolName }), {
      maxLength: 3,
    }),
    last,
  })
  .map(({ deltas, blocks, calls, last: how }): Step => {
    const all = [
      ...blocks,
      ...calls.map((each): ToolCall => ({ type: "tool_call", ...each, args: { text: each.id } })),
    ];
    return async function* (_, signal): AsyncGenerator<AnswerEvent> {
      yield* deltas;
      if (how === "hang") await aborted(signal);
      if (how === "deaf") await new Promise(() => {});
      if (how === "throw") throw new TypeError("the stream broke");
      if (how === "nothing") return;
      if (how === "error" || how === "hang" || how === "deaf")
        return yield { type: "error", error: new AppError("provider_overloaded", "busy") };
      const stop = how === "end" ? stopOf(all) : how;
      yield { type: "end", stop, message: { role: "assistant", blocks: all, at: 2 }, usage: USAGE };
    };
  });

const TOOLS: AnyTool[] = [
  echo,
  tool({ ...echo, name: "read" }),
  tool({ ...echo, name: "fails", run: () => Promise.reject(new TypeError("broken tool")) }),
  tool({
    ...echo,
    name: "waits",
    async run(_, ctx) {
      ctx.update("waiting");
      await aborted(ctx.signal);
      return { text: "stopped" };
    },
  }),
  tool({ ...echo, name: "deaf", run: () => new Promise(() => {}) }),
];

/** How the outside behaves: at event `at` it stops the run, lets its time run out, or stops reading. */
const outside = fc.record({
  kind: fc.constantFrom("abort", "timeout", "leave"),
  at: fc.integer({ min: 0, max: 25 }),
});
const plan = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  outside,
  steering: fc.array(fc.array(fc.string({ maxLength: 3 }).map(user), { maxLength: 2 }), {
    maxLength: 4,
  }),
  maxSteps: fc.integer({ min: 1, max: 6 }),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

/** Runs one turn on the stored entries and stores what it says, as the pipeline does. */
async function live(entries: EntryBody[], { steps, outside: o, steering, maxSteps }: Plan) {
  const s = script(steps, TOOLS);
  entries.push(
    { kind: "message", message: user("go") },
    { kind: "context", text: "[context] now" },
  );
  s.turn.history = modelView(entries);
  s.deps.limits = { maxSteps, timeoutMs: 1000 };
  const store = (message: Message, partial?: true) =>
    entries.push({ kind: "message", message, partial });
  s.turn.inbox = async () => {
    const messages = steering.shift() ?? [];
    for (const message of messages) store(message);
    return messages;
  };
  const limit = Promise.withResolvers<void>();
  // The time to stop a deaf tool is over at once; the time limit of the run when the plan says so.
  s.deps.clock = { now: () => 0, sleep: (ms) => (ms === 1000 ? limit.promise : Promise.resolve()) };

  const events: TurnEvent[] = [];
  let stopped = false;
  const stop = () => {
    stopped = true;
    if (o.kind === "timeout") limit.resolve();
    else s.controller.abort();
  };
  const reading = runTurn(s.turn, s.deps);
  for (;;) {
    const next = reading.next();
    // Nothing comes any more when a stream or a tool hangs: that is when somebody presses stop.
    const quiet = new Promise<"quiet">((done) =>
      setImmediate(() => setImmediate(() => done("quiet"))),
    );
    if ((await Promise.race([next, quiet])) === "quiet" && !stopped) stop();
    const { value, done } = await next;
    if (done) break;
    events.push(value);
    if (value.type === "message") store(value.message, value.partial);
    if (events.length - 1 !== o.at) continue;
    if (o.kind === "leave") {
      await reading.return(undefined);
      break;
    }
    stop();
  }
  return { events, requests: s.requests };
}

test("a run ends exactly once, whatever fails and whenever it is stopped, and what it stored can always be sent", async () => {
  await fc.assert(
    fc.asyncProperty(plan, plan, async (first, second) => {
      const entries: EntryBody[] = [];
      const one = await live(entries, first);
      const two = await live(entries, second);
      for (const { events } of [one, two]) {
        const ends = events.filter((e) => e.type === "end").length;
        const left = (events === one.events ? first : second).outside;
        if (left.kind !== "leave" || events.length - 1 !== left.at) expect(ends).toBe(1);
        expect(events[0]?.type).toBe("start");
        if (ends) expect(events.at(-1)?.type).toBe("end");
      }
      const all = [...one.requests, ...two.requests];
      for (const [index, request] of all.entries()) {
        expect(problems(request.messages)).toEqual([]);
        expect(request.messages.at(-1)?.role).not.toBe("assistant");
        const before = all[index - 1];
        if (before) expect(isPrefix(before.messages, request.messages)).toBe(true);
        expect(bytes([request.system, request.tools])).toBe(bytes([all[0]!.system, all[0]!.tools]));
      }
      const final = modelView(JSON.parse(bytes(entries)));
      expect(problems(final)).toEqual([]);
      for (const request of all) expect(isPrefix(request.messages, final)).toBe(true);
    }),
    { numRuns: 400 },
  );
});
