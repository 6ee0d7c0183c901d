import { expect, test } from "bun:test";

import { type Key, KeyReader } from "./keys.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const names = (keys: Key[]) => keys.map((key) => (key.kind === "key" ? key.name : key.text));
const read = (text: string) => {
  const reader = new KeyReader();
  return names([...reader.push(bytes(text)), ...reader.flush()]);
};

test("keys have names, whichever way the terminal spells them", () => {
  const spelled: Record<string, string[]> = {
    enter: ["\r", "\u001b[109;5u", "\u001b[13u", "\u001b[13;1u", "\u001bOM"],
    "shift+enter": ["\u001b[13;2u", "\u001b[27;2;13~"],
    "alt+enter": ["\u001b\r", "\u001b[13;3u"],
    "ctrl+j": ["\n", "\u001b[106;5u"],
    "ctrl+c": ["\u0003", "\u001b[99;5u"],
    escape: ["\u001b", "\u001b[27u", "\u001b[91;5u"],
    backspace: ["\u007f", "\b", "\u001b[127u"],
    "alt+backspace": ["\u001b\u007f"],
    "alt+b": ["\u001bb", "\u001b[98;3u"],
    up: ["\u001b[A", "\u001bOA"],
    "ctrl+left": ["\u001b[1;5D"],
    "alt+right": ["\u001b[1;3C", "\u001b\u001b[C"],
    delete: ["\u001b[3~"],
    home: ["\u001b[H", "\u001b[1~", "\u001bOH"],
    pageup: ["\u001b[5~"],
    tab: ["\t"],
    "shift+tab": ["\u001b[Z"],
  };
  for (const [name, ways] of Object.entries(spelled))
    for (const way of ways) expect([way, ...read(way)]).toEqual([way, name]);
});

test("text, emoji and letters of every script come as text", () => {
  expect(read("aé你👩‍👩‍👧")).toEqual(["aé你👩‍👩‍👧"]);
  expect(read("a\u001b[Ab\u0001c")).toEqual(["a", "up", "b", "ctrl+a", "c"]);
});

test("it does not matter where the stream is cut", () => {
  const all = "x\u001b[1;5D你\u001b[200~a\r\nb\u001b[A\u001b[201~\u001b[13;2u👩‍👧\u001bb\r";
  const whole = new KeyReader().push(bytes(all));
  const joined = (keys: Key[]) =>
    keys.reduce<Key[]>((out, key) => {
      const last = out.at(-1);
      if (key.kind === "text" && last?.kind === "text")
        return [...out.slice(0, -1), { kind: "text", text: last.text + key.text }];
      return [...out, key];
    }, []);
  for (let at = 0; at < bytes(all).length; at++) {
    const reader = new KeyReader();
    const keys = [...reader.push(bytes(all).slice(0, at)), ...reader.push(bytes(all).slice(at))];
    expect(joined(keys)).toEqual(joined(whole));
  }
});

test("what is pasted is text, even when it looks like keys", () => {
  const reader = new KeyReader();
  expect(reader.push(bytes("\u001b[200~rm -rf\r\u0003\u001b[A\u001b[201~!"))).toEqual([
    { kind: "paste", text: "rm -rf\n\u0003\u001b[A" },
    { kind: "text", text: "!" },
  ]);
});

test("answers of the terminal and sequences that nobody knows are no keys", () => {
  expect(read("\u001b]11;rgb:0000/0000/0000\u0007\u001b[?62;22c\u001b[<0;1;1Mx")).toEqual(["x"]);
});

test("a lone escape waits only as long as it is asked to", () => {
  const reader = new KeyReader();
  expect(reader.push(bytes("\u001b"))).toEqual([]);
  expect(reader.waits).toBe(true);
  expect(names(reader.flush())).toEqual(["escape"]);
  expect(reader.waits).toBe(false);
  expect(read("\u001b\u001b")).toEqual(["escape", "escape"]);
});
