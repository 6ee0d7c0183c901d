import { describe, expect, test } from "bun:test";

import type { Message } from "../flow.ts";
import type { Entry, EntryBody } from "../store/store.ts";
import { fitHistory, wireEntry } from "./wire.ts";

const entry = (seq: number, body: EntryBody): Entry => ({ seq, at: seq * 10, body });
const message = (role: Message["role"], blocks: Message["blocks"]): EntryBody => ({
  kind: "message",
  message: { role, blocks, at: 5 },
  runId: "r",
});

describe("an entry as the original's messages", () => {
  test("text, images, thinking and calls keep their shapes", () => {
    const [wire] = wireEntry(
      entry(3, {
        ...(message("assistant", [
          { type: "thinking", text: "hm", signature: "sig" },
          { type: "text", text: "Look:" },
          { type: "tool_call", id: "t", name: "read", args: { path: "x" } },
        ]) as Extract<EntryBody, { kind: "message" }>),
        choice: { provider: "demo", model: "m", ref: "demo/m" },
        usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
      }),
    );
    expect(wire).toEqual({
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", thinkingSignature: "sig" },
        { type: "text", text: "Look:" },
        { type: "toolCall", id: "t", name: "read", arguments: { path: "x" } },
      ],
      timestamp: 5,
      stopReason: "toolUse",
      provider: "demo",
      model: "m",
      usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4, totalTokens: 10 },
      id: "3",
      seq: 3,
      runId: "r",
    });
    const image = message("user", [{ type: "image", mime: "image/png", data: "AA" }]);
    expect(wireEntry(entry(1, image))[0]!.content).toEqual([
      { type: "image", data: "AA", mimeType: "image/png" },
    ]);
  });

  test("a batch of tool results becomes one message each, with ids of their own", () => {
    const results = message("tool", [
      { type: "tool_result", id: "a", name: "read", text: "1" },
      {
        type: "tool_result",
        id: "b",
        name: "exec",
        text: "2",
        isError: true,
        details: { code: 1 },
      },
    ]);
    expect(wireEntry(entry(4, results))).toMatchObject([
      { role: "toolResult", toolCallId: "a", toolName: "read", isError: false, id: "4", seq: 4 },
      {
        role: "toolResult",
        toolCallId: "b",
        isError: true,
        details: { code: 1 },
        id: "4.1",
        seq: 4,
      },
    ]);
  });

  test("context is for the model only; a note is a line for people", () => {
    expect(wireEntry(entry(1, { kind: "context", text: "time" }))).toEqual([]);
    const note = {
      kind: "note",
      level: "error",
      text: "No key.",
      code: "provider_auth",
      hint: "Add one.",
    } as const;
    expect(wireEntry(entry(2, note))).toMatchObject([
      {
        role: "system",
        level: "error",
        code: "provider_auth",
        content: [{ text: "No key.\nAdd one." }],
      },
    ]);
  });

  test("what was stopped in the middle says so", () => {
    const partial = {
      ...message("assistant", [{ type: "text", text: "ha" }]),
      partial: true,
    } as EntryBody;
    expect(wireEntry(entry(1, partial))).toMatchObject([{ stopReason: "aborted", partial: true }]);
  });
});

describe("the size limit of a history", () => {
  const text = (seq: number, length: number) =>
    entry(seq, message("user", [{ type: "text", text: "x".repeat(length) }]));

  test("the newest that fit are kept, in order, and the oldest of them is named", () => {
    const { messages, oldestSeq, cut } = fitHistory(
      [1, 2, 3, 4].map((seq) => text(seq, 400)),
      1_200,
    );
    expect(messages.map((m) => m.seq)).toEqual([3, 4]);
    expect([oldestSeq, cut]).toEqual([3, true]);
  });

  test("a single message beyond the limit is replaced by a sentence instead of hiding everything", () => {
    const { messages, oldestSeq } = fitHistory([text(1, 10), text(2, 5_000)], 1_000);
    expect(messages).toHaveLength(1);
    expect(messages[0]!.content).toEqual([
      { type: "text", text: "[This message is too large to show here.]" },
    ]);
    expect(oldestSeq).toBe(2);
  });
});
