import { expect, test } from "bun:test";

import { mergeHistory, pageMaker, withoutMarks } from "./rows.ts";
import type { WireMessage } from "./wire.ts";

const say = (seq: number, role: string, text: string): WireMessage => ({
  id: String(seq),
  seq,
  role,
  content: [{ type: "text", text }],
  timestamp: seq * 1000,
});
const call = (seq: number, id: string): WireMessage => ({
  id: String(seq),
  seq,
  role: "assistant",
  content: [{ type: "toolCall", id, name: "exec", arguments: { command: "ls" } }],
});
const result = (seq: number, toolCallId: string, text: string): WireMessage => ({
  ...say(seq, "toolResult", text),
  toolCallId,
  details: { durationMs: 7 },
});
const rowsOf = (messages: WireMessage[]) => pageMaker()(messages).flatMap((page) => page.rows);

test("a tool call and its result are one row, wherever the result stands", () => {
  expect(
    rowsOf([call(1, "t1"), call(2, "t2"), result(3, "t2", "two"), result(3, "t1", "one")]),
  ).toMatchObject([
    { kind: "tool", id: "t1", output: "one", ms: 7 },
    { kind: "tool", id: "t2", output: "two" },
  ]);
  expect(rowsOf([call(1, "t1")])).toMatchObject([{ kind: "tool", output: undefined }]);
});

test("messages of the older shapes are read too", () => {
  const old: WireMessage[] = [
    { role: "user", content: "plain", timestamp: 1 },
    {
      role: "assistant",
      content: [{ type: "tool_use", id: "a", name: "read", input: { path: "x" } }],
    },
    {
      role: "tool",
      content: [{ type: "tool_result", id: "a", content: [{ type: "text", text: "found" }] }],
    },
  ];
  expect(rowsOf(old)).toMatchObject([
    { kind: "user", text: "plain" },
    { kind: "tool", name: "read", args: { path: "x" }, output: "found" },
  ]);
});

test("a note keeps its hint apart from its text", () => {
  const note = {
    ...say(1, "system", "It failed.\nTry again."),
    level: "error" as const,
    hint: "Try again.",
  };
  expect(rowsOf([note])).toMatchObject([
    { kind: "note", level: "error", text: "It failed.", hint: "Try again." },
  ]);
});

test("only pictures that came with the message are shown", () => {
  const content = [
    { type: "image", mimeType: "image/png", data: "AAAA" },
    { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "BBBB" } },
    { type: "image", mimeType: "image/svg+xml", data: "AAAA" },
    { type: "image", mimeType: "image/png", data: '"><script>' },
    { type: "image", source: { type: "url", url: "https://example.com/x.png" } },
  ];
  expect(rowsOf([{ role: "user", content }])).toMatchObject([
    { images: ["data:image/png;base64,AAAA", "data:image/jpeg;base64,BBBB"] },
  ]);
});

test("pages that did not change keep their identity", () => {
  const make = pageMaker();
  const messages = Array.from({ length: 200 }, (_, i) =>
    say(i + 1, i % 2 ? "assistant" : "user", `m${i}`),
  );
  const before = make(messages);
  const after = make([...messages, say(201, "user", "new")]);
  expect(after.slice(0, -1).map((page, i) => page === before[i])).not.toContain(false);
  const older = make([say(0, "user", "older"), ...messages, say(201, "user", "new")]);
  expect(older[0]).not.toBe(before[0]!);
  expect(older.slice(1, -1).map((page, i) => page === before[i + 1])).not.toContain(false);
});

test("a result that arrives later redraws its call and nothing else", () => {
  const make = pageMaker();
  const messages = [say(1, "user", "a"), call(2, "t1"), say(3, "user", "b")];
  const [before] = make(messages);
  const [after] = make([...messages, result(4, "t1", "done")]);
  expect(after!.rows[0]).toBe(before!.rows[0]!);
  expect(after!.rows[1]).toMatchObject({ output: "done" });
});

test("history that overlaps replaces what it covers and doubles nothing", () => {
  const known = [1, 2, 3, 4].map((seq) => say(seq, "user", `m${seq}`));
  const fetched = [say(3, "user", "m3"), say(4, "user", "changed"), say(5, "user", "m5")];
  const { messages, kept } = mergeHistory(known, fetched);
  expect(messages.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5]);
  expect(kept).toBe(true);
  expect(messages[2]).toBe(known[2]!);
  expect(messages[3]).toBe(fetched[1]!);
});

test("history with a hole to what is known drops the known, so that no hole is shown", () => {
  const { messages, kept } = mergeHistory([say(1, "user", "a")], [say(9, "user", "b")]);
  expect(messages.map((m) => m.seq)).toEqual([9]);
  expect(kept).toBe(false);
});

test.each([
  [
    "**Demo model** (built in) The tool `exec` answered: ``` Fri",
    "Demo model (built in) The tool exec answered: Fri",
  ],
  ["# A *title*", "A title"],
  ["2 * 3 = 6, snake_case stays", "2 * 3 = 6, snake_case stays"],
])("the preview %p reads %p", (markdown, words) => {
  expect(withoutMarks(markdown)).toBe(words);
});
