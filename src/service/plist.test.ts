import { expect, test } from "bun:test";

import fc from "fast-check";

import { readPlist, writePlist } from "./plist.ts";

test("what is written is read back, whatever is in it", () => {
  const text = fc.string({ unit: "grapheme" }).map((s) =>
    // oxlint-disable-next-line no-control-regex
    s.replace(/[\u0000-\u001f\u007f\ufffe\uffff]/g, ""),
  );
  const value = fc.record({
    a: text,
    "k<&>": fc.array(text),
    yes: fc.boolean(),
    n: fc.integer(),
    deep: fc.record({ PATH: text }),
  });
  fc.assert(fc.property(value, (list) => expect(readPlist(writePlist(list))).toEqual(list)));
});

test("a key of a file that is not ours changes no object but the one that is read", () => {
  const text = writePlist({ a: { b: "x" } }).replace("<key>a</key>", "<key>__proto__</key>");
  const read = readPlist(text) as { b?: string };
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  expect(read.b).toBeUndefined();
});

test("control characters are refused, and what is no list is a syntax error", () => {
  expect(() => writePlist({ a: "x\ny" })).toThrow("control character");
  for (const text of ["", "bplist00\u0001", "<plist></plist>", "<dict/>", "<plist><dict>"])
    expect(() => readPlist(text)).toThrow(SyntaxError);
});
