import { describe, expect, test } from "bun:test";

import { answer, call, echo, type Script, script, summary, text } from "../../test/fakes/agent.ts";
import { AppError } from "../base/errors.ts";
import type { TurnEvent } from "../flow.ts";
import { tool } from "../tools/tool.ts";
import { runTurn } from "./loop.ts";

const run = async ({ turn, deps }: Script): Promise<TurnEvent[]> =>
  Array.fromAsync(runTurn(turn, deps));

describe("tools", () => {
  test("that do not exist are answered with the nearest name", async () => {
    const events = await run(script([answer([call("1", "Ecko")]), answer([text("ok")])]));
    const result = events.find((e) => e.type === "tool_end")!;
    expect(result).toMatchObject({
      result: {
        isError: true,
        text: 'There is no tool named "Ecko". Did you mean echo? The tools are: echo.',
      },
    });
  });

  test("that fail or get wrong arguments are an error result, and the run goes on", async () => {
    const broken = tool({
      ...echo,
      name: "broken",
      run: () => Promise.reject(new AppError("tool_failed", "No such file.")),
    });
    const events = await run(
      script(
        [answer([call("1", "echo", { text: 7 }), call("2", "broken")]), answer([text("ok")])],
        [echo, broken],
      ),
    );
    const ends = events.filter((e) => e.type === "tool_end").map((e) => e.result);
    expect(ends[0]).toMatchObject({
      isError: true,
      text: expect.stringContaining("Invalid arguments for echo"),
    });
    expect(ends[1]).toMatchObject({ isError: true, text: "No such file." });
    expect(ends[1]!.details).toMatchObject({ durationMs: expect.any(Number) });
    expect(summary(events).at(-1)).toBe("end ok");
  });

  test("show their progress while they run; of what nobody read only the newest is shown", async () => {
    const slow = tool({
      ...echo,
      async run(_, ctx) {
        for (let n = 0; n < 1000; n++) ctx.update(`${n}`);
        await Promise.resolve();
        return { text: "done" };
      },
    });
    const updates = (await run(script([answer([call("1")]), answer([text("ok")])], [slow]))).filter(
      (e) => e.type === "tool_update",
    );
    expect(updates).toEqual([expect.objectContaining({ text: "999" })]);
  });

  test("run one after the other, but calls that only read run side by side, with results in the order of the calls", async () => {
    const order = async (name: string) => {
      const log: string[] = [];
      const gate = Promise.withResolvers<void>();
      const each = tool({
        ...echo,
        name,
        async run({ text: id }) {
          log.push(`+${id}`);
          if (log.length === 2) gate.resolve();
          if (name === "read") await gate.promise;
          log.push(`-${id}`);
          return { text: id };
        },
      });
      const events = await run(
        script([answer([call("1", name), call("2", name)]), answer([text("ok")])], [each]),
      );
      expect(summary(events)).toContain("tool: 1 | 2");
      return log;
    };
    expect(await order("echo")).toEqual(["+1", "-1", "+2", "-2"]);
    expect((await order("read")).slice(0, 2)).toEqual(["+1", "+2"]);
  });

  test("called again with the same result get a hint, then the run is ended", async () => {
    const events = await run(script([answer([call("1", "echo", { text: "same" })])]));
    const results = summary(events).filter((line) => line.startsWith("tool: "));
    expect(results).toHaveLength(6);
    expect(results.map((line) => line.includes("same result"))).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(summary(events).at(-1)).toBe("end error agent_stuck");
  });

  test("called alternately without anything new are seen as a circle too, but progress clears the count", async () => {
    const say = (value: string) => answer([call("1", "echo", { text: value })]);
    const circle = script([..."ababababababab"].map(say));
    expect(summary(await run(circle)).at(-1)).toBe("end error agent_stuck");
    expect(circle.requests.length).toBeLessThan(14);
    const progress = script([...[..."aaxaayaazaabaacaad"].map(say), answer([text("ok")])]);
    expect(summary(await run(progress)).at(-1)).toBe("end ok");
  });
});

test("looking after a command that still runs is not going in circles", async () => {
  const poll = tool({
    ...echo,
    name: "process",
    run: async () => ({ text: "no new output", details: { status: "running" } }),
  });
  const looks = Array.from({ length: 15 }, (_, n) =>
    answer([call(`${n}`, "process", { text: "poll" })]),
  );
  const events = await run(script([...looks, answer([text("done")])], [poll]));
  expect(summary(events).at(-1)).toBe("end ok");
  expect(summary(events).filter((line) => line.includes("Nothing new."))).toHaveLength(13);
});
