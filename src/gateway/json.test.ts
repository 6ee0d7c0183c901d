import { expect, test } from "bun:test";

import { MAX_DEPTH, parseJson } from "./json.ts";

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test("depth is bounded, just within it is fine", () => {
  expect(parseJson(nested(MAX_DEPTH))).toBeArray();
  expect(() => parseJson(nested(MAX_DEPTH + 1))).toThrow(/nested deeper/);
  expect(() => parseJson(nested(1_000_000))).toThrow();
});

test("__proto__ is dropped at every depth, other keys stay", () => {
  const parsed = parseJson('{"a":[{"__proto__":{"x":1},"b":2}],"__proto__":{"y":1}}') as {
    a: object[];
  };
  expect(JSON.stringify(parsed)).toBe('{"a":[{"b":2}]}');
  expect((parsed.a[0] as { x?: number }).x).toBeUndefined();
});

test("the message does not repeat what was sent", () => {
  expect(() => parseJson("{secret")).toThrow(/^The text is not valid JSON\.$/);
});
