import { expect, test } from "bun:test";

import { isReference, substitute } from "./substitute.ts";

const run = (value: unknown) => substitute(value, (name) => ({ A: "1", B_2: "two" })[name]);

test("variables are replaced in values, any number of them, and nowhere else", () => {
  expect(run({ "${A}": "x${A}y${B_2}", list: ["${A}", 3, null] }).value).toEqual({
    "${A}": "x1ytwo",
    list: ["1", 3, null],
  });
});

test("only upper-case names are variables; $${A} is the text itself", () => {
  for (const text of ["$A", "${a}", "${1A}", "$ {A}", "${}", "${A", "100$"])
    expect(run(text).value).toBe(text);
  expect(run("$${A} and ${A}").value).toBe("${A} and 1");
});

test("a variable that is not set stays as it is and is named with its path", () => {
  const { value, missing } = run({ a: { b: ["${NOPE}"] } });
  expect(value).toEqual({ a: { b: ["${NOPE}"] } });
  expect(missing).toEqual([{ path: ["a", "b", "0"], name: "NOPE" }]);
});

test("what came from variables is remembered", () => {
  expect(run({ a: "${A}${B_2}", b: "plain", c: "$${A}" }).references).toEqual([
    { path: ["a"], names: ["A", "B_2"] },
  ]);
});

test("a replaced text is not looked at again", () => {
  expect(substitute("${A}", () => "${A}").value).toBe("${A}");
});

test("a reference to a secret in the environment is read too", () => {
  expect(run({ key: { source: "env", provider: "default", id: "A" } }).value).toEqual({ key: "1" });
  const other = { source: "env", id: "A", more: true };
  expect(run({ key: other }).value).toEqual({ key: other });
});

test("a text that only names variables is no secret", () => {
  expect(["${A}", "Bearer ${A}", "$${A}", "sk-123", ""].map(isReference)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
