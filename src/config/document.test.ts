import { expect, test } from "bun:test";

import { memberOf, parseDocument, positionOf, valueOf } from "./document.ts";

const read = (text: string) => parseDocument({ name: "c", text });
const value = (text: string) => {
  const parsed = read(text);
  return parsed.ok ? valueOf(parsed.root) : parsed.fault;
};

test("reads what JSON5 allows, as Bun's own parser does", () => {
  const texts = [
    '{"a": [1, 2.5, -3e2, true, false, null, "x"]}',
    "{a: 1, $b_1: 2, 'c d': 3, ünï: 4, \\u0061b: 5,}",
    "[1, [2, [3,],],]",
    "{a: +1, b: .5, c: 5., d: 0x1F, e: -0X1f, f: -0}",
    `{a: 'it"s', b: "it's", c: "\\x41\\u0042\\n\\t\\\\\\/\\'\\q", d: "one \\\n two"}`,
    "// top\n{ /* in */ a /* mid */ : /**/ 1 // end\n} // after",
    "\ufeff { a: 1 }\u00a0\u2028",
    "{a: 1, a: 2}",
    '"just text"',
    "'\u2028'",
  ];
  for (const text of texts) expect([text, value(text)]).toEqual([text, Bun.JSON5.parse(text)]);
  expect(value("[Infinity, -Infinity]")).toEqual([Infinity, -Infinity]);
});

test("refuses what JSON5 refuses, and says where and why", () => {
  const cases: [text: string, line: number, column: number, message: string][] = [
    ["", 1, 1, "The file ends where a value should be"],
    ["{\n  a: 1", 2, 7, "The file ends before the closing `}`"],
    ["{\n  a: [1, 2", 2, 11, "The file ends before the closing `]`"],
    ["{a: 1 b: 2}", 1, 7, "`b` stands where a comma or `}` should be"],
    ["{a 1}", 1, 4, "`1` stands where a colon should be"],
    ["{a: }", 1, 5, "`}` stands where a value should be"],
    ["{a: 'x\n'}", 1, 5, "A text is never closed"],
    ["{a: yes}", 1, 5, "A word without quotes stands where a value should be"],
    ["{a: 10px}", 1, 5, "A word without quotes stands where a value should be"],
    ["{a: 1} {}", 1, 8, "There is something after the end of the config"],
    ["{a: 1 /* x", 1, 7, "A comment is never closed"],
    ["{,}", 1, 2, "`,` stands where a key should be"],
    ['{a: "\\u12"}', 1, 6, "An escape in a text is not complete"],
    ['{a: "\\1"}', 1, 6, "A text has a backslash before a digit"],
    ["{a: 01}", 1, 5, "A word without quotes stands where a value should be"],
  ];
  for (const [text, line, column, message] of cases) {
    const parsed = read(text);
    if (parsed.ok) throw new Error(`${text} was read`);
    const at = positionOf(text, parsed.fault.offset);
    expect([text, at, parsed.fault.message]).toEqual([text, { line, column }, message]);
    expect(() => Bun.JSON5.parse(text)).toThrow();
  }
});

test("a fault names the keys it is inside of", () => {
  const parsed = read("{ gateway: { list: [ {}, { port: } ] } }");
  expect(parsed.ok ? [] : parsed.fault.path).toEqual(["gateway", "list", 1, "port"]);
});

test("a secret that lost its quotes is not repeated in the message", () => {
  for (const text of ["{token: hunter2secret}", "{token: 8a7bsecret}", "{token: 'hunter2secret}"]) {
    const parsed = read(text);
    expect(parsed.ok ? "ok" : JSON.stringify(parsed.fault)).not.toContain("secret}");
    expect(parsed.ok ? "ok" : parsed.fault.message).not.toContain("secret");
  }
});

test("a tower of brackets is a fault, not a full stack", () => {
  for (const open of ["[", "{a:", '{"a":[']) {
    const parsed = read(open.repeat(200_000));
    expect(parsed.ok ? "" : parsed.fault.message).toContain("nested more than 100 levels");
  }
});

test("__proto__ never becomes a value, and no object changes by it", () => {
  const got = value('{"__proto__": {"polluted": true}, "constructor": 1}') as Record<
    string,
    unknown
  >;
  expect(got).toEqual({ constructor: 1 } as never);
  expect("polluted" in got).toBe(false);
  expect("polluted" in {}).toBe(false);
});

test("every value knows where it stands; of a key written twice the last one counts", () => {
  const text = "{ a: 1,\n  a: [2] }";
  const parsed = read(text);
  if (!parsed.ok) throw new Error("not read");
  const node = memberOf(parsed.root, "a")!.value;
  expect(text.slice(node.start, node.end)).toBe("[2]");
  expect(positionOf(text, node.start)).toEqual({ line: 2, column: 6 });
  expect(positionOf("a\r\nb\rc", 5)).toEqual({ line: 3, column: 1 });
});
