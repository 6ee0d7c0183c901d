import { expect, test } from "bun:test";

import { openPrintable } from "./printable.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("characters that are split between two chunks arrive whole", () => {
  const printable = openPrintable();
  const emoji = bytes("a😀b");
  expect(printable.text(emoji.subarray(0, 3)) + printable.text(emoji.subarray(3))).toBe("a😀b");
});

test("colours, titles and cursor movements are removed, wherever a chunk ends", () => {
  const text = "\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b]8;;http://a\x1b\\link\x1b(B\x1b=end";
  for (let cut = 0; cut <= text.length; cut++) {
    const printable = openPrintable();
    const out = printable.text(bytes(text.slice(0, cut))) + printable.text(bytes(text.slice(cut)));
    expect(out).toBe("red xlinkend");
  }
});

test("binary is removed, line ends and tabs stay", () => {
  const printable = openPrintable();
  expect(printable.text(new Uint8Array([97, 0, 7, 255, 9, 98, 13, 10, 127]))).toBe("a\tb\r\n");
});

test("an unfinished code that never ends does not hold back the output for ever", () => {
  const printable = openPrintable();
  expect(printable.text(bytes(`\x1b]${"x".repeat(5000)}`)).length).toBeGreaterThan(4000);
  const late = openPrintable();
  expect(late.text(bytes("a\x1b["))).toBe("a");
  expect(late.text(new Uint8Array(), true)).toBe("[");
});

test("in a terminal a question for the cursor is reported once and CR LF becomes LF", () => {
  let asked = 0;
  const printable = openPrintable(() => asked++);
  expect(printable.text(bytes("a\r\nb\r")) + printable.text(bytes("\n\x1b[6n$"))).toBe("a\nb\n$");
  expect(asked).toBe(1);
});
