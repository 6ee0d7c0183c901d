import { expect, test } from "bun:test";

import { bracketedPaste, hexBytes, keyBytes } from "./keys.ts";

test.each([
  ["Enter", "\r"],
  ["Tab", "\t"],
  ["S-Tab", "\x1b[Z"],
  ["Escape", "\x1b"],
  ["Backspace", "\x7f"],
  ["C-c", "\x03"],
  ["^d", "\x04"],
  ["C-Space", "\0"],
  ["C-[", "\x1b"],
  ["M-x", "\x1bx"],
  ["C-M-c", "\x1b\x03"],
  ["Up", "\x1b[A"],
  ["C-Up", "\x1b[1;5A"],
  ["PageDown", "\x1b[6~"],
  ["S-Delete", "\x1b[3;2~"],
  ["F1", "\x1bOP"],
  ["F12", "\x1b[24~"],
  ["q", "q"],
  ["é", "é"],
  ["-", "-"],
  ["C--", undefined],
])("%s is the key %j", (token, wanted) => {
  if (wanted === undefined) expect(() => keyBytes(token)).toThrow("Unknown key");
  else expect(keyBytes(token)).toBe(wanted);
});

test.each(["Entre", "", "C-", "hello", "F13"])("%j is no key", (token) => {
  expect(() => keyBytes(token)).toThrow("Unknown key");
});

test("bytes are written as pairs of hex digits", () => {
  expect([...hexBytes("0d")]).toEqual([13]);
  expect([...hexBytes("0x1b 5b41")]).toEqual([27, 91, 65]);
  expect(() => hexBytes("d")).toThrow("is not hex");
});

test("a paste is bracketed", () => {
  expect(bracketedPaste("a")).toBe("\x1b[200~a\x1b[201~");
});
