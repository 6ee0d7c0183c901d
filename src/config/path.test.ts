import { expect, test } from "bun:test";

import fc from "fast-check";

import { formatPath, parsePath, valueAt } from "./path.ts";

test("dots, brackets, quotes and backslashes", () => {
  const cases: [string, string[]][] = [
    ["gateway.port", ["gateway", "port"]],
    ["agents.list[0].id", ["agents", "list", "0", "id"]],
    ["agents.list.0.id", ["agents", "list", "0", "id"]],
    ['models["a.b/c"].alias', ["models", "a.b/c", "alias"]],
    ["models['x]y']", ["models", "x]y"]],
    ["a[b c][1]", ["a", "b c", "1"]],
    ["a\\.b.c", ["a.b", "c"]],
    ["a\\[0", ["a[0"]],
    ["[0].a", ["0", "a"]],
    ['a[""]', ["a", ""]],
  ];
  for (const [text, path] of cases) expect([text, parsePath(text)]).toEqual([text, path]);
});

test("what is no path is refused with the reason", () => {
  const cases: [string, string][] = [
    ["", "it is empty"],
    [".a", "a dot without a key before it"],
    ["a..b", "a dot without a key before it"],
    ["a.", "it ends with a dot"],
    ["a[", "a bracket is not closed"],
    ["a[]", "a bracket is empty"],
    ["a[0]b", "a bracket is followed by"],
    ["a\\", "it ends with a backslash"],
    ["a.__proto__.b", "cannot be a key"],
    ["constructor", "cannot be a key"],
    [Array(60).fill("a").join("."), "too many parts"],
  ];
  for (const [text, reason] of cases) expect(() => parsePath(text)).toThrow(reason);
});

test("formatting a path and parsing it gives the same path", () => {
  const odd = new Set(["__proto__", "prototype", "constructor"]);
  const segment = fc.string({ unit: "grapheme", maxLength: 12 }).filter((s) => !odd.has(s));
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (path) => {
      expect(parsePath(formatPath(path))).toEqual(path);
    }),
  );
});

test("only own properties are found", () => {
  expect(valueAt({ a: [{ b: 1 }] }, ["a", "0", "b"])).toBe(1);
  expect(valueAt({}, ["constructor"])).toBeUndefined();
  expect(valueAt({ a: "text" }, ["a", "length"])).toBeUndefined();
});
