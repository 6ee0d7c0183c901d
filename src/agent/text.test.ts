import { describe, expect, test } from "bun:test";

import { headAndTail } from "./text.ts";

describe("a long text", () => {
  test("keeps 70 % from its start and 20 % from its end", () => {
    const cut = headAndTail("a".repeat(700) + "b".repeat(700), 1000, (left) => `<${left}>`);
    expect(cut).toBe(`${"a".repeat(700)}\n<500>\n${"b".repeat(200)}`);
    expect(headAndTail("short", 5, () => "!")).toBe("short");
  });
  test("is never left with half a character", () => {
    expect(headAndTail("😀".repeat(1001), 1001, () => "|").isWellFormed()).toBe(true);
  });
});
