import { describe, expect, test } from "bun:test";

import { z } from "zod";

import {
  aborted,
  answer,
  call,
  echo,
  type Script,
  script,
  type Step,
  summary,
  text,
  USAGE,
  user,
} from "../../test/fakes/agent.ts";
import { AppError } from "../base/errors.ts";
import type { TurnEvent } from "../flow.ts";
import { tool } from "../tools/tool.ts";
import { runTurn } from "./loop.ts";

const run = async ({ turn, deps }: Script): Promise<TurnEvent[]> =>
  Array.fromAsync(runTurn(turn, deps));
const failing = (code: "provider_overloaded" | "aborted", said = ""): Step =>
  async function* () {
    if (said) yield { type: "text", delta: said };
    yield { type: "error", error: new AppError(code, "sorry") };
  };
/** Says something, then waits for ever. Deaf: does not even notice the abort. */
const hanging = (said: string, deaf = false): Step =>
  async function* (_, signal) {
    yield { type: "text", delta: said };
    await (deaf ? new Promise(() => {}) : aborted(signal));
    yield { type: "error", error: new AppError("aborted", "stopped") };
  };

describe("a run", () => {
  test("without tools is one answer", async () => {
    const events = await run(script([answer([text("hello")])]));
    expect(summary(events)).toEqual(["start", "text hello", "assistant: hello", "end ok"]);
    expect(events.at(-1)).toMatchObject({ usage: USAGE });
  });

  test("goes from model to tools and back until nothing is asked for, and adds up what it cost", async () => {
    const s = script([
      answer([text("look"), call("1")]),
      answer([call("2"), call("3")]),
      answer([text("done")]),
    ]);
    const events = await run(s);
    expect(summary(events)).toEqual([
      "start",
      "text look",
      "assistant: look | echo(1)",
      "tool_start 1",
      "tool_end 1",
      "tool: 1",
      "assistant: echo(2) | echo(3)",
      "tool_start 2",
      "tool_end 2",
      "tool_start 3",
      "tool_end 3",
      "tool: 2 | 3",
      "text done",
      "assistant: done",
      "end ok",
    ]);
    expect(events.at(-1)).toMatchObject({
      usage: { input: 30, output: 15, cacheRead: 6, cacheWrite: 3 },
    });
    expect(s.requests.map((r) => r.messages.length)).toEqual([1, 3, 5]);
    expect(s.requests[0]!.tools.map((t) => t.name)).toEqual(["echo"]);
  });

  test("sends in each step a byte-identical prefix of what it sends in the next", async () => {
    const s = script([
      answer([text("a"), call("0")]),
      answer([call("0"), call("0")]),
      answer([text("b")]),
    ]);
    await run(s);
    const sent = s.requests.map((r) => JSON.stringify(r.messages).slice(0, -1));
    expect(sent[1]!.startsWith(sent[0]!)).toBe(true);
    expect(sent[2]!.startsWith(sent[1]!)).toBe(true);
  });

  test("says who answers, and forgets what a failed attempt had streamed", async () => {
    const choice = { provider: "p", model: "m", ref: "p/m" };
    const s = script([
      async function* (request, signal) {
        yield { type: "text", delta: "half" };
        yield { type: "restart" };
        yield { type: "model", choice, note: "another model takes over" };
        yield* failing("provider_overloaded", "rest")(request, signal);
      },
    ]);
    const events = await run(s);
    expect(summary(events)).toEqual([
      "start",
      "text half",
      "restart",
      "model",
      "text rest",
      "partial assistant: rest",
      "end error provider_overloaded",
    ]);
    expect(events.find((e) => e.type === "message")).toMatchObject({ choice });
  });

  test("whose history is answered already is over at once", async () => {
    const s = script([answer([text("again")])]);
    s.turn.history.push({ role: "assistant", blocks: [text("done")], at: 2 });
    expect(summary(await run(s))).toEqual(["start", "end ok"]);
    expect(s.requests).toEqual([]);
  });

  test("without any message is an error, not a request", async () => {
    const s = script([answer([text("hm")])]);
    s.turn.history.length = 0;
    expect(summary(await run(s))).toEqual(["start", "end error bad_request"]);
  });
});

describe("a stop", () => {
  test.each([false, true])(
    "in the middle of an answer keeps what was said (deaf stream: %p)",
    async (deaf) => {
      const s = script([hanging("half an ans", deaf)]);
      const events: TurnEvent[] = [];
      for await (const event of runTurn(s.turn, s.deps)) {
        events.push(event);
        if (event.type === "text") s.controller.abort();
      }
      expect(summary(events)).toEqual([
        "start",
        "text half an ans",
        "partial assistant: half an ans",
        "end aborted",
      ]);
    },
  );

  test("in the middle of a tool stops it, keeps the results there are and invents none", async () => {
    const wait = tool({
      ...echo,
      name: "wait",
      async run(_, ctx) {
        ctx.update("waiting");
        await aborted(ctx.signal);
        return { text: "stopped by the user", isError: true };
      },
    });
    const s = script([answer([call("1"), call("2", "wait"), call("3")])], [echo, wait]);
    s.arriving.push([user("too late")]);
    const events: TurnEvent[] = [];
    for await (const event of runTurn(s.turn, s.deps)) {
      events.push(event);
      if (event.type === "tool_update") s.controller.abort();
    }
    expect(s.arriving).toHaveLength(1);
    expect(summary(events).slice(-3)).toEqual([
      "tool_end 2",
      "tool: 1 | stopped by the user",
      "end aborted",
    ]);
    expect(s.requests).toHaveLength(1);
  });

  test("does not wait for a tool that ignores it", async () => {
    const deaf = tool({
      ...echo,
      name: "deaf",
      run(_, ctx) {
        ctx.update("here");
        return new Promise(() => {});
      },
    });
    const s = script([answer([call("1", "deaf")])], [deaf]);
    const waits: number[] = [];
    s.deps.clock = { now: () => 0, sleep: async (ms) => void waits.push(ms) };
    const events: TurnEvent[] = [];
    for await (const event of runTurn(s.turn, s.deps)) {
      events.push(event);
      if (event.type === "tool_update") s.controller.abort();
    }
    expect(waits).toEqual([3000]);
    expect(summary(events).at(-1)).toBe("end aborted");
    expect(summary(events).some((line) => line.startsWith("tool: "))).toBe(false);
  });

  test("before the run begins asks no model", async () => {
    const s = script([answer([text("hi")])]);
    s.controller.abort();
    expect(summary(await run(s))).toEqual(["start", "end aborted"]);
    expect(s.requests).toEqual([]);
  });

  test("of the reader lets stream and tools clean up", async () => {
    let closed = false;
    let signal: AbortSignal | undefined;
    const s = script([
      async function* (_, given) {
        signal = given;
        try {
          for (;;) yield { type: "text", delta: "and " };
        } finally {
          closed = true;
        }
      },
    ]);
    for await (const event of runTurn(s.turn, s.deps)) if (event.type === "text") break;
    expect(signal?.aborted).toBe(true);
    await Promise.resolve();
    expect(closed).toBe(true);
  });

  test("by the time limit says so, and keeps what was said", async () => {
    const s = script([hanging("slow")]);
    s.deps.limits.timeoutMs = 5000;
    const limit = Promise.withResolvers<void>();
    s.deps.clock = { now: () => 0, sleep: (ms) => (expect(ms).toBe(5000), limit.promise) };
    const events: TurnEvent[] = [];
    for await (const event of runTurn(s.turn, s.deps)) {
      events.push(event);
      if (event.type === "text") limit.resolve();
    }
    expect(summary(events).slice(-2)).toEqual([
      "partial assistant: slow",
      "end error agent_timeout",
    ]);
  });
});

describe("steering", () => {
  test("messages that arrive meanwhile are read at the next tool boundary", async () => {
    const s = script([answer([call("1")]), answer([text("ok")])]);
    s.arriving.push([user("also this"), user("and that")]);
    await run(s);
    expect(s.requests[1]!.messages.at(-1)).toEqual({
      ...user("also this"),
      blocks: [text("also this"), text("and that")],
    });
  });

  test("a message that arrives at the last moment is answered in the same run", async () => {
    const s = script([answer([text("first")]), answer([text("second")])]);
    s.arriving.push([user("wait")]);
    expect(summary(await run(s))).toEqual([
      "start",
      "text first",
      "assistant: first",
      "text second",
      "assistant: second",
      "end ok",
    ]);
  });

  test("nothing is taken that would not be answered any more", async () => {
    for (const [last, end] of [
      [call("1"), "end error agent_stuck"],
      [text("done"), "end ok"],
    ] as const) {
      const s = script([answer([last])]);
      s.deps.limits.maxSteps = 1;
      s.arriving.push([user("wait")]);
      expect(summary(await run(s)).at(-1)).toBe(end);
      expect(s.arriving).toHaveLength(1);
    }
  });
});

describe("an answer", () => {
  test("that reaches the length limit says so where people and the model read it", async () => {
    const events = await run(script([answer([text("long")], "length")]));
    expect(summary(events)[1]).toMatch(
      /^text long\s+\[The answer reached the model's length limit/,
    );
    expect(summary(events)[2]).toMatch(/^assistant: long \| \s+\[The answer reached/);
    expect(summary(events).at(-1)).toBe("end ok");
  });

  test("that was cut in the middle of a call does not run it", async () => {
    let ran = 0;
    const write = tool({ ...echo, name: "write", run: async () => ({ text: `${++ran}` }) });
    const s = script([answer([call("1", "write")], "length"), answer([text("ok")])], [write]);
    expect(summary(await run(s))[2]).toMatch(/^tool: This call was not run/);
    const forever = script([answer([call("1", "write")], "length")], [write]);
    expect(summary(await run(forever)).at(-1)).toBe("end error agent_stuck");
    expect(forever.requests).toHaveLength(3);
    expect(ran).toBe(0);
  });

  test("that refuses is an error when it says nothing, and runs no tool", async () => {
    expect(summary(await run(script([answer([call("1")], "refusal")])))).toEqual([
      "start",
      "end error provider_rejected",
    ]);
    expect(summary(await run(script([answer([text("no")], "refusal")]))).at(-1)).toBe("end ok");
  });

  test("that is empty is an error, unless something was said before", async () => {
    expect(summary(await run(script([answer([])])))).toEqual([
      "start",
      "end error provider_rejected",
    ]);
    const s = script([answer([text("here it is"), call("1")]), answer([])]);
    expect(summary(await run(s)).at(-1)).toBe("end ok");
  });

  test("that breaks off, by an error event, an exception or silence, keeps its text", async () => {
    const thrown: Step = async function* () {
      yield { type: "text", delta: "so far" };
      throw new AppError("provider_timeout", "gone");
    };
    const unfinished: Step = async function* () {
      yield { type: "text", delta: "so far" };
    };
    for (const [step, code] of [
      [failing("provider_overloaded", "so far"), "provider_overloaded"],
      [thrown, "provider_timeout"],
      [unfinished, "internal"],
    ] as const)
      expect(summary(await run(script([step]))).slice(-2)).toEqual([
        "partial assistant: so far",
        `end error ${code}`,
      ]);
  });
});

test("a run that outgrows the model's room leaves old results out instead of failing", async () => {
  const big = tool({
    ...echo,
    input: z.object({ text: z.string() }),
    run: async ({ text: id }) => ({ text: id.padEnd(4000, "x") }),
  });
  const s = script(
    [...["1", "2", "3", "4", "5", "6"].map((id) => answer([call(id)])), answer([text("ok")])],
    [big],
  );
  s.deps.room = 4000;
  expect(summary(await run(s)).at(-1)).toBe("end ok");
  const sizes = s.requests.map((r) => JSON.stringify(r.messages).length / 4);
  expect(Math.max(...sizes)).toBeLessThan(4000);
  expect(JSON.stringify(s.requests.at(-1)!.messages)).toContain("6xxx");
});

test("a failing inbox ends the run with its error", async () => {
  const s = script([answer([text("hi")])]);
  s.turn.inbox = () => Promise.reject(new AppError("disk_full", "The disk is full."));
  expect(summary(await run(s)).at(-1)).toBe("end error disk_full");
});
