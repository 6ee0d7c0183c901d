import { expect, test } from "bun:test";

import type { AgentEvent, Message } from "../tui/talk/wire.ts";
import { linesOf } from "./json-rpc.ts";
import { messageOf } from "./schema.ts";
import { RunUpdates, type Update } from "./updates.ts";

const event = (stream: string, data: Record<string, unknown>): AgentEvent => ({
  runId: "r",
  stream,
  data,
});
const said = (updates: Update[]) =>
  updates.map((update) => (update["content"] as { text?: string } | undefined)?.text ?? update);
const answer = (seq: number, text: string): Message => ({
  seq,
  role: "assistant",
  content: [{ type: "text", text }],
});
const done = (text: string) => event("message", { message: answer(0, text) });

test("a text that is told whole again and again leaves in pieces, each once", () => {
  const updates = new RunUpdates();
  const pieces = ["He", "Hello", "Hello", "Hell", "Hello wor"].flatMap((text) =>
    said(updates.take(event("assistant", { text }))),
  );
  expect(pieces).toEqual(["He", "llo", " wor"]);
  expect(said(updates.take(done("Hello world.")))).toEqual(["ld."]);
  expect(said(updates.take(event("assistant", { text: "Next" })))).toEqual(["Next"]);
});

test("what a lost connection swallowed is told afterwards, and nothing else", () => {
  const updates = new RunUpdates();
  updates.take(done("First."));
  updates.take(event("assistant", { text: "Second, be" }));
  updates.take(event("tool", { phase: "start", toolCallId: "a", name: "exec", args: {} }));
  const stored: Message[] = [
    { seq: 1, role: "user", content: "hi" },
    answer(2, "First."),
    answer(3, "Second, begun."),
    { ...answer(4, ""), content: [{ type: "toolCall", id: "a", name: "exec", arguments: {} }] },
    { seq: 5, role: "toolResult", toolCallId: "a", content: "out" },
    answer(6, "Third."),
  ];
  const missed = updates.missed(stored);
  expect(missed.map((update) => update.sessionUpdate)).toEqual([
    "agent_message_chunk",
    "tool_call_update",
    "agent_message_chunk",
  ]);
  expect([said(missed)[0], said(missed)[2]]).toEqual(["gun.", "Third."]);
  expect(missed[1]).toMatchObject({ toolCallId: "a", status: "completed" });
});

test("lines are whole however they are cut, and one that is too long is skipped, not kept", async () => {
  const text = "one\n\n  two é你 \n" + "x".repeat(50) + "\nthree";
  const bytes = new TextEncoder().encode(text);
  for (const step of [1, 3, 7, 1000]) {
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += step) yield bytes.slice(at, at + step);
    };
    const lines = (await Array.fromAsync(linesOf(chunks(), 20))).map((line) =>
      typeof line === "string" ? line : "too long",
    );
    expect(lines).toEqual(["one", "two é你", "too long", "three"]);
  }
});

test("a file in a prompt cannot end its own fence", () => {
  const { text } = messageOf([
    { type: "resource", resource: { uri: "file:///a", text: "```` x ```\n" } },
  ]);
  expect(text).toBe("[file:///a]\n`````\n```` x ```\n\n`````");
});
