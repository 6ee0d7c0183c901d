import { expect, test } from "bun:test";

import { MAX_DEPTH, MAX_NODES, parseJson } from "./json.ts";

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test("depth is bounded, just within it is fine", () => {
  expect(parseJson(nested(MAX_DEPTH))).toBeArray();
  expect(() => parseJson(nested(MAX_DEPTH + 1))).toThrow(/nested deeper/);
  expect(() => parseJson(nested(1_000_000))).toThrow();
});

test("the number of values is bounded, in one list or in many", () => {
  const list = (length: number) => `[${Array(length).fill("1").join()}]`;
  expect(parseJson(list(MAX_NODES))).toHaveLength(MAX_NODES);
  expect(() => parseJson(list(MAX_NODES + 1))).toThrow(/more than/);
  expect(() => parseJson(`[${Array(400).fill(list(250)).join()}]`)).toThrow(/more than/);
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
