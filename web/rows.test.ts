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

const stopNotes = (messages: WireMessage[], stopped?: ReadonlyMap<string, boolean>) =>
  pageMaker()(messages, stopped)
    .flatMap((page) => page.rows)
    .map((row) => (row.kind === "note" ? `note:${row.text}` : row.kind));

test("a stopped run ends with one line that says so, however the gateway marks it", () => {
  const user = { ...say(1, "user", "a"), runId: "r" };
  const cut = { ...say(2, "assistant", "hal"), runId: "r", stopReason: "aborted" };
  const note = { ...say(3, "note", "The answer was stopped."), runId: "r", code: "aborted" };
  const told = ["user", "text", "note:Stopped"];
  expect(stopNotes([user, cut])).toEqual(told);
  expect(stopNotes([user, cut, note])).toEqual(told);
  expect(stopNotes([user, cut, { ...note, runId: undefined }])).toEqual(told);
  expect(stopNotes([user, cut], new Map([["r", true]]))).toEqual(told);
  const steered = { ...say(2, "user", "b"), runId: "s" };
  const both = new Map([
    ["r", true],
    ["s", true],
  ]);
  const after = { ...cut, seq: 3, id: "3" };
  expect(stopNotes([user, steered, after], both)).toEqual(["user", "user", "text", "note:Stopped"]);
  expect(stopNotes([user], new Map([["r", true]]))).toEqual(["user", "note:Stopped"]);
  expect(stopNotes([user], new Map([["r", false]]))).toEqual(["user"]);
});

test("a cut answer that went on or failed was not stopped", () => {
  const cut = { ...say(2, "assistant", "hal"), runId: "r", partial: true };
  const failed = { ...say(3, "note", "No key."), runId: "r", level: "error" as const };
  const resumed = { ...say(3, "assistant", "half a loaf"), runId: "r" };
  expect(stopNotes([cut, failed])).toEqual(["text", "note:No key."]);
  expect(stopNotes([cut, resumed])).toEqual(["text", "text"]);
});

test("a tool that a stop ended is stopped, one that was done before is not", () => {
  const ran = { ...call(1, "t1"), runId: "r" };
  const over = new Map([["r", true]]);
  const rows = (more: WireMessage[]) => pageMaker()([ran, ...more], over).flatMap((p) => p.rows);
  expect(rows([])[0]).toMatchObject({ kind: "tool", stopped: true });
  const end = { ...result(2, "t1", "x"), runId: "r" };
  expect(rows([end])[0]).toMatchObject({ kind: "tool", stopped: false });
  expect(rows([{ ...end, isError: true }])[0]).toMatchObject({ kind: "tool", stopped: true });
});
