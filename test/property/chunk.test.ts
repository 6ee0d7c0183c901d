import { expect, test } from "bun:test";

import fc from "fast-check";

import { chunk } from "../../src/delivery/chunk.ts";

test("chunks join back to the text, respect the limit and never split a surrogate pair", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.integer({ min: 2, max: 50 }),
      (text, limit) => {
        const parts = chunk(text, limit);
        expect(parts.join("")).toBe(text);
        for (const part of parts) {
          expect(part.length).toBeGreaterThan(0);
          expect(part.length).toBeLessThanOrEqual(limit);
          if (text.isWellFormed()) expect(part.isWellFormed()).toBe(true);
        }
      },
    ),
  );
});

test("a chunk ends at a paragraph rather than in a word", () => {
  expect(chunk("first paragraph\n\nsecond one", 20)).toEqual(["first paragraph\n\n", "second one"]);
});
