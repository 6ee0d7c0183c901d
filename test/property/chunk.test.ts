import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { chunk } from "../../src/delivery/chunk.ts";

/** Everything but white space and the lines of fences. */
const ink = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/^[ \t]*(?:```|~~~)/.test(line))
    .join("")
    .replace(/\s+/g, "");

/** Whether every fence of the message is closed in it. */
function balanced(part: string): boolean {
  let open: string | undefined;
  for (const line of part.split("\n")) {
    const mark = /^[ \t]*(`{3,}|~{3,})/.exec(line)?.[1];
    if (!mark) continue;
    if (open === undefined) open = mark;
    else if (mark[0] === open[0] && mark.length >= open.length && line.trim() === mark)
      open = undefined;
  }
  return open === undefined;
}

const word = fc.string({
  unit: fc.constantFrom("a", "b", "(", ")", "é", "😀", "-"),
  maxLength: 30,
});
const plainLine = fc.array(word, { maxLength: 6 }).map((words) => `x${words.join(" ")}`);
const code = fc
  .record({
    mark: fc.constantFrom("```", "~~~", "````"),
    info: fc.constantFrom("", "ts", "python x"),
    lines: fc.array(fc.oneof(plainLine, fc.constant(""), fc.constant("    indented")), {
      minLength: 1,
      maxLength: 12,
    }),
  })
  .map(({ mark, info, lines }) => [mark + info, "y", ...lines, mark].join("\n"));
const markdown = fc
  .array(fc.oneof(plainLine, fc.constant(""), code), { maxLength: 12 })
  .map((parts) => parts.join("\n"));

describe("a text cut into messages", () => {
  test("keeps within the limit, loses only white space and never half a character", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.integer({ min: 2, max: 50 }),
        (text, limit) => {
          const parts = chunk(text, { limit });
          expect(parts.join("").replace(/[\s`~]+/g, "")).toBe(text.replace(/[\s`~]+/g, ""));
          for (const part of parts) {
            expect(part.trim()).not.toBe("");
            expect(part.length).toBeLessThanOrEqual(limit);
            if (text.isWellFormed()) expect(part.isWellFormed()).toBe(true);
          }
        },
      ),
    );
  });

  test("has every code fence closed in every message, and the code is what came in", () => {
    fc.assert(
      fc.property(
        markdown,
        fc.integer({ min: 60, max: 200 }),
        fc.option(fc.integer({ min: 4, max: 20 }), { nil: undefined }),
        fc.constantFrom("length" as const, "newline" as const),
        (text, limit, lines, mode) => {
          const parts = chunk(text, { limit, lines, mode });
          expect(ink(parts.join("\n"))).toBe(ink(text));
          for (const part of parts) {
            expect(balanced(part)).toBe(true);
            expect(part.length).toBeLessThanOrEqual(limit);
            if (lines) expect(part.split("\n").length).toBeLessThanOrEqual(lines);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("takes 100,000 characters of anything in a few steps", () => {
    const pieces = [
      "```\n",
      "a ",
      "(",
      "> ",
      "- ",
      "\n",
      "`",
      "~~~\n",
      "😀",
      "\u202e",
      "é\u0301",
      "a".repeat(50),
    ];
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(100_000 / piece.length));
      const parts = chunk(text, { limit: 2000, lines: 17 });
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(2000);
    }
  });
});

describe("a cut is", () => {
  test("at a line's end rather than in a line", () => {
    expect(chunk("first paragraph\n\nsecond one", { limit: 20 })).toEqual([
      "first paragraph",
      "second one",
    ]);
  });
  test("between words rather than in one, and not inside of parentheses", () => {
    expect(chunk("see this (and that)", { limit: 14 })).toEqual(["see this", "(and that)"]);
    expect(chunk("abcdefgh", { limit: 5 })).toEqual(["abcde", "fgh"]);
  });
  test("not in an emoji of several parts", () => {
    const family = "👨‍👩‍👧‍👦";
    expect(chunk(`ab${family}${family}`, { limit: 2 + family.length + 3 })).toEqual([
      `ab${family}`,
      family,
    ]);
  });
  test("in code with the fence closed before and opened again behind it", () => {
    expect(chunk("```ts\none();\ntwo();\nthree();\n```\nend", { limit: 25 })).toEqual([
      "```ts\none();\ntwo();\n```",
      "```ts\nthree();\n```\nend",
    ]);
  });
  test("without an empty block of code before or behind it", () => {
    expect(chunk("text text text\n```ts\ncode();\n```", { limit: 22 })).toEqual([
      "text text text",
      "```ts\ncode();\n```",
    ]);
    expect(chunk("```\naaaa\nbbbb\n```\nc", { limit: 17 })).toEqual(["```\naaaa\nbbbb\n```", "c"]);
  });
  test("with the indentation of code as it was, and that of a list's fence repeated", () => {
    expect(chunk("- x\n  ```\n  aaaa\n    bbbb\n  ```", { limit: 24 })).toEqual([
      "- x\n  ```\n  aaaa\n  ```",
      "  ```\n    bbbb\n  ```",
    ]);
  });
  test("at every blank line outside of code, if that is wanted", () => {
    const text = "a\n\nb\nc\n\n\n```\nd\n\ne\n```\n\nf";
    expect(chunk(text, { limit: 100, mode: "newline" })).toEqual([
      "a",
      "b\nc",
      "```\nd\n\ne\n```",
      "f",
    ]);
    expect(chunk(text, { limit: 100 })).toEqual([text]);
  });
  test("not at every blank line when that would be a flood of messages", () => {
    expect(chunk("a\n\n".repeat(500), { limit: 1000, mode: "newline" })).toHaveLength(2);
  });
  test("after so many lines, if the channel counts them", () => {
    const parts = chunk(Array.from({ length: 40 }, (_, i) => `${i}`).join("\n"), {
      limit: 2000,
      lines: 17,
    });
    expect(parts.map((part) => part.split("\n").length)).toEqual([17, 17, 6]);
  });
});

test("a text that fits is one message as it is, and nothing is none", () => {
  expect(chunk("```ts\nopen", { limit: 100 })).toEqual(["```ts\nopen"]);
  expect(chunk(" \n\t ", { limit: 100 })).toEqual([]);
  expect(chunk("", { limit: 100 })).toEqual([]);
});
