import { describe, expect, test } from "bun:test";

import type { Block, Message } from "../flow.ts";
import type { Entry } from "../store/store.ts";
import { estimateTokens, fitHistory, messageRoom, resultCharsFor, shrink } from "./window.ts";

const text = (value: string): Block => ({ type: "text", text: value });
const message = (role: Message["role"], ...blocks: Block[]): Message => ({ role, blocks, at: 0 });
const entriesOf = (messages: Message[], first = 1): Entry[] =>
  messages.map((each, index) => ({
    seq: first + index,
    at: 0,
    body: { kind: "message", message: each },
  }));
/** `turns` questions with answers of 1,000 tokens. */
const talk = (turns: number) =>
  entriesOf(
    Array.from({ length: turns }, (_, turn) => [
      message("user", text(`question ${turn}`)),
      message("assistant", text(`answer ${turn} `.padEnd(4000, "x"))),
    ]).flat(),
  );

describe("a conversation", () => {
  test("that fits is sent whole, with nothing added", () => {
    const fitted = fitHistory(talk(7), 10_000);
    expect(fitted.contextFrom).toBeUndefined();
    expect(fitted.messages).toHaveLength(14);
  });

  test("over 80 % of the room is cut at a user message to half of the room", () => {
    const fitted = fitHistory(talk(9), 10_000);
    expect(fitted.contextFrom).toBe(11);
    expect(fitted.messages[0]!.blocks).toEqual([
      text("[Earlier parts of this conversation are no longer shown.]"),
      text("question 5"),
    ]);
    expect(fitted.messages).toHaveLength(8);
  });

  test("stays the same prefix from one cut to the next", () => {
    const all = talk(40);
    let from = 1;
    let cuts = 0;
    let before: string | undefined;
    for (let end = 2; end <= all.length; end += 2) {
      const fitted = fitHistory(all.slice(from - 1, end), 10_000);
      const now = JSON.stringify(fitted.messages).slice(0, -1);
      if (fitted.contextFrom) {
        cuts++;
        from = fitted.contextFrom;
      } else if (before) expect(now.startsWith(before)).toBe(true);
      before = now;
    }
    expect(cuts).toBeGreaterThan(5);
    expect(cuts).toBeLessThan(14);
  });

  test("keeps its last user message, however much it is", () => {
    const long = entriesOf([
      message("user", text("old")),
      message("assistant", text("x")),
      message("user", text("y".repeat(90_000))),
    ]);
    const fitted = fitHistory(long, 10_000);
    expect(fitted.contextFrom).toBe(3);
    expect(fitHistory(long.slice(2), 10_000)).toEqual({ messages: fitted.messages });
  });

  test("with more images than a platform takes is cut like one with too many words", () => {
    const image: Block = { type: "image", mime: "image/png", data: "iVBORw0KGgo=" };
    const pictures = entriesOf(
      Array.from({ length: 90 }, () => [
        message("user", image),
        message("assistant", text("nice")),
      ]).flat(),
    );
    const { messages, contextFrom } = fitHistory(pictures, 10_000_000);
    expect(contextFrom).toBeGreaterThan(1);
    expect(
      messages.flatMap((m) => m.blocks).filter((b) => b.type === "image").length,
    ).toBeLessThanOrEqual(40);
  });
});

describe("a long run", () => {
  const step = (n: number, chars: number): Message[] => [
    message("assistant", { type: "tool_call", id: `c${n}`, name: "exec", args: {} }),
    message("tool", {
      type: "tool_result",
      id: `c${n}`,
      name: "exec",
      text: `${n} `.padEnd(chars, "x"),
    }),
  ];
  const run = [
    message("user", text("go")),
    ...Array.from({ length: 10 }, (_, n) => step(n, 4000)).flat(),
  ];

  test("that fits is left alone", () => {
    expect(shrink(run, 20_000)).toBe(run);
  });

  test("leaves its oldest results out, never the newest", () => {
    const small = shrink(run, 10_000);
    const left = small.filter((m) => JSON.stringify(m).includes("left out to make room"));
    expect(left.length).toBeGreaterThan(3);
    expect(left.length).toBeLessThan(8);
    expect(small.slice(0, 1 + 2 * left.length).filter((m) => m.role === "tool")).toEqual(left);
    expect(small.at(-1)).toEqual(run.at(-1)!);
    expect(small).toHaveLength(run.length);
    expect(shrink(run, 10).at(-1)).toEqual(run.at(-1)!);
  });
});

test("the room is the window without the answer and what is always sent", () => {
  expect(messageRoom({ contextWindow: 200_000, maxTokens: 8000 }, 3000)).toBe(189_000);
  expect(messageRoom({ contextWindow: 16_000, maxTokens: 64_000 }, 3000)).toBe(9000);
  expect(messageRoom({ contextWindow: 1000, maxTokens: 1000 }, 3000)).toBe(1000);
});

test("smaller models get shorter results", () => {
  expect([16_000, 64_000, 200_000].map(resultCharsFor)).toEqual([16_000, 32_000, 64_000]);
});

test("a character that is a token of its own is not counted as a quarter", () => {
  expect(estimateTokens(["abcd", "efgh"])).toBe(2);
  expect(estimateTokens(["漢字漢字"])).toBe(3);
});
