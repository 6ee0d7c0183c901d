import { describe, expect, test } from "bun:test";

import type { Block, Message } from "../flow.ts";
import type { Entry, EntryBody } from "../store/store.ts";
import { modelView, viewOfMessages } from "./view.ts";

const say = (role: Message["role"], ...blocks: (Block | string)[]): EntryBody => ({
  kind: "message",
  message: {
    role,
    at: 1,
    blocks: blocks.map((b): Block => (typeof b === "string" ? { type: "text", text: b } : b)),
  },
});
const call = (id: string, args: unknown = {}, name = "exec"): Block => ({
  type: "tool_call",
  id,
  name,
  args,
});
const result = (id: string, text: string): Block => ({
  type: "tool_result",
  id,
  name: "exec",
  text,
});
const shape = (messages: Message[]) =>
  messages.map(
    (m) =>
      `${m.role}: ${m.blocks.map((b) => ("text" in b ? b.text : b.type === "tool_call" ? `${b.name}(${b.id})` : b.type)).join(" | ")}`,
  );

test("context stands behind the user text it belongs to, notes are for people only", () => {
  const entries: Entry[] = [
    say("user", "hi"),
    { kind: "context", text: "[context] noon" } as const,
    { kind: "note", level: "error", text: "boom" } as const,
    say("assistant", "hello"),
  ].map((body, index) => ({ seq: index + 1, at: index, body }));
  expect(shape(modelView(entries))).toEqual(["user: hi | [context] noon", "assistant: hello"]);
});

test("context behind an answer is a user message of its own: a run that goes on after a restart", () => {
  const view = modelView([
    say("user", "hi"),
    say("assistant", "wait"),
    { kind: "context", text: "[context] restarted" },
  ]);
  expect(shape(view).at(-1)).toBe("user: [context] restarted");
});

test("user messages in a row become one with several blocks", () => {
  expect(shape(modelView([say("user", "a"), say("user", "b")]))).toEqual(["user: a | b"]);
});

describe("results", () => {
  test("move to their call over an answer that was injected in between", () => {
    const view = modelView([
      say("user", "go"),
      say("assistant", call("1")),
      say("assistant", "by hand"),
      say("tool", result("1", "done")),
    ]);
    expect(shape(view)).toEqual([
      "user: go",
      "assistant: exec(1)",
      "tool: done",
      "assistant: by hand",
    ]);
  });
  test("that come after the next user message change nothing that was sent", () => {
    const before = [say("user", "go"), say("assistant", call("1")), say("user", "well?")];
    expect(modelView([...before, say("tool", result("1", "late"))])).toEqual(modelView(before));
  });
  test("that come after the call was viewed without one still take their place", () => {
    const before = [say("user", "go"), say("assistant", call("1"))];
    const late = say("tool", result("1", "done"));
    const again = modelView(before).map((message) => ({ kind: "message" as const, message }));
    expect(shape(modelView([...again, late]))).toEqual(shape(modelView([...before, late])));
    expect(shape(modelView([...again, late]))[2]).toBe("tool: done");
  });
  test("without a call, and a second result of the same call, are left out", () => {
    const view = modelView([
      say("user", "go"),
      say("assistant", call("1")),
      say("tool", result("0", "?"), result("1", "a"), result("1", "b")),
    ]);
    expect(shape(view)).toEqual(["user: go", "assistant: exec(1)", "tool: a"]);
  });
  test("go to the right call when a server counts its calls from zero in every answer", () => {
    const view = modelView([
      say("user", "go"),
      say("assistant", call("0")),
      say("tool", result("0", "first")),
      say("assistant", call("0"), call("0")),
      say("tool", result("0", "second"), result("0", "third")),
    ]);
    expect(shape(view).slice(1)).toEqual([
      "assistant: exec(0)",
      "tool: first",
      "assistant: exec(0_2) | exec(0_3)",
      "tool: second | third",
    ]);
  });
  test("that are too long lose their middle, the same way every time", () => {
    const events = [
      say("user", "go"),
      say("assistant", call("1")),
      say("tool", result("1", "x".repeat(100_000))),
    ];
    const text = (chars?: number) =>
      (modelView(events, { resultChars: chars })[2]!.blocks[0] as { text: string }).text;
    expect(text().length).toBeLessThanOrEqual(64_000);
    expect(text(2000)).toContain("characters left out here");
    expect(text(2000).length).toBeLessThanOrEqual(2000);
    const view = modelView(events, { resultChars: 2000 });
    expect(viewOfMessages(view, { resultChars: 2000 })).toEqual(view);
  });
  test("that are empty say so", () => {
    const view = modelView([
      say("user", "go"),
      say("assistant", call("1")),
      say("tool", result("1", " \n")),
    ]);
    expect(shape(view)[2]).toBe("tool: (no output)");
  });
});

describe("an answer that was cut", () => {
  test("keeps its text but not its calls, whose arguments may be cut too", () => {
    const cut = say("assistant", "I will", call("1", { command: "rm -rf /tm" }));
    const view = modelView([
      say("user", "go"),
      { ...cut, partial: true } as EntryBody,
      say("user", "on"),
    ]);
    expect(shape(view)).toEqual(["user: go", "assistant: I will", "user: on"]);
  });
  test("keeps thinking only when it is signed and something follows it", () => {
    const signed: Block = { type: "thinking", text: "hm", signature: "anthropic/m:s" };
    const unsigned: Block = { type: "thinking", text: "hm" };
    expect(
      modelView([say("user", "go"), say("assistant", signed), say("user", "on")]),
    ).toHaveLength(1);
    expect(
      modelView([say("user", "go"), say("assistant", unsigned, signed, "yes")])[1]!.blocks,
    ).toEqual([signed, { type: "text", text: "yes" }]);
  });
});

test("a conversation that begins with the assistant gets an opening", () => {
  expect(modelView([say("assistant", "hello")]).map((m) => m.role)).toEqual(["user", "assistant"]);
});

test("names and arguments that no platform takes are made acceptable", () => {
  const view = modelView([
    say("user", "go"),
    say("assistant", call("1", "{broken", "no such.tool"), call("2", null, "")),
  ]);
  expect(view[1]!.blocks).toEqual([
    { type: "tool_call", id: "1", name: "no_such_tool", args: { arguments: "{broken" } },
    { type: "tool_call", id: "2", name: "unknown", args: {} },
  ]);
});

test("arguments nested beyond reason and half characters inside them are made harmless", () => {
  let deep: unknown = "\ud800";
  for (let i = 0; i < 5000; i++) deep = [deep];
  const view = modelView([
    say("user", "go"),
    say("assistant", call("1", { deep, half: ["\ud800"], ok: 1 })),
  ]);
  expect(view[1]!.blocks[0]).toMatchObject({ args: { half: ["\ufffd"], ok: 1 } });
  expect(JSON.stringify(view).length).toBeLessThan(2000);
});

describe("images", () => {
  const png: Block = { type: "image", mime: "image/png", data: "iVBORw0KGgo=" };
  test("reach a model that sees them, and are a line of text to one that does not", () => {
    expect(modelView([say("user", "look", png)])[0]!.blocks[1]).toEqual(png);
    expect(shape(modelView([say("user", "look", png)], { images: false }))).toEqual([
      "user: look | [An image was left out: this model cannot see images.]",
    ]);
  });
  test.each([
    ["too large", { ...png, data: "AAAA".repeat(1_400_000) }],
    ["damaged", { ...png, data: "abc" }],
    ["of a kind that platforms refuse", { ...png, mime: "image/tiff" }],
  ])("that are %s are left out with the reason", (_, image) => {
    expect(shape(modelView([say("user", image as Block)]))[0]).toMatch(
      /^user: \[An image was left out: /,
    );
  });
  test("of a tool result are kept beside its text", () => {
    const shot: Block = {
      ...result("1", ""),
      images: [{ mime: "image/png", data: "iVBORw0KGgo=" }],
    } as Block;
    const view = modelView([say("user", "go"), say("assistant", call("1")), say("tool", shot)]);
    expect(view[2]!.blocks[0]).toMatchObject({
      text: "(see the image)",
      images: [{ mime: "image/png" }],
    });
  });
});
