import { expect, test } from "bun:test";

import { modelView } from "../agent/view.ts";
import type { NewEntry } from "../store/store.ts";
import type { Json } from "./diff.ts";
import { entryOf, linesOf, summaryEntry } from "./entry.ts";

const CHAIN = { id: "00000001", parentId: null };
const again = (line: Json, live = true): Json[] =>
  linesOf(JSON.parse(JSON.stringify(entryOf(line, { live, before: 1 }))) as NewEntry, CHAIN);

const files = await Array.fromAsync(new Bun.Glob("test/fixtures/state-*/**/*.jsonl").scan("."));
const lines: Json[] = [];
for (const path of files)
  for (const text of (await Bun.file(path).text()).split("\n"))
    if (text) lines.push(JSON.parse(text) as Json);

test("every line of the fixtures comes out as it went in, used or only kept", () => {
  expect(lines.length).toBeGreaterThan(35);
  for (const line of lines)
    for (const live of [true, false]) expect(again(line, live)).toEqual([line]);
});

const message = (value: unknown): Json => ({
  type: "message",
  id: "1",
  parentId: null,
  message: value,
});
const NASTY: Json[] = [
  {},
  { type: 7 },
  { type: "message" },
  message(null),
  message([]),
  message("text"),
  message({ role: "user" }),
  message({ role: "user", content: null }),
  message({ role: "user", content: "" }),
  message({
    role: "user",
    content: [null, 7, "x", {}, { type: "text" }, { type: "text", text: 7 }],
  }),
  message({
    role: "user",
    content: [{ type: "text", text: "a", extra: { b: 1 } }],
    timestamp: "x",
  }),
  message({ role: "user", content: [{ type: "image", data: "AA==" }] }),
  message({ role: "assistant", content: "a text", usage: 7, stopReason: null }),
  message({
    role: "assistant",
    content: [{ type: "thinking", thinking: "a", thinkingSignature: "s" }],
  }),
  message({ role: "assistant", content: [{ type: "toolCall", id: "a", name: "b" }] }),
  message({
    role: "assistant",
    content: [
      { type: "new", x: 1 },
      { type: "text", text: "y" },
    ],
  }),
  message({ role: "assistant", content: [], usage: { input: -5, output: "7" }, provider: "" }),
  message({ role: "toolResult", content: "plain", toolCallId: "a" }),
  message({ role: "toolResult", content: [], toolCallId: "a", toolName: 5, isError: "yes" }),
  message({
    role: "toolResult",
    content: [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ],
    toolCallId: "a",
    details: [1],
  }),
  message({ role: "toolResult", content: [], toolCallId: "" }),
  message({ role: "custom", content: [{ type: "text", text: "c" }], display: true }),
  message({ role: "assistant", content: [], stopReason: "error", errorMessage: "overloaded" }),
  message({ role: "assistant", content: [], stopReason: "aborted" }),
  { type: "custom_message", content: "", customType: "x" },
  { type: "custom_message", content: [{ type: "image", data: "AA==", mimeType: "image/png" }] },
  { type: "custom_message", content: "words", timestamp: "no time", __proto__x: 1 },
  { type: "branch_summary", summary: "" },
  { type: "branch_summary", summary: "a summary", fromId: 7 },
  { type: "session_info" },
  { type: "\u0000", "": 1 },
];

test("whatever a line holds, it is kept", () => {
  for (const line of NASTY)
    for (const live of [true, false]) expect(again(line, live)).toEqual([line]);
});

/** Changes one value somewhere in a line. */
function broken(line: Json, random: () => number): Json {
  const copy = JSON.parse(JSON.stringify(line)) as Json;
  const VALUES = [null, 7, "x", [], {}, true, "", -1, 1e300, -1e300, 0.5];
  let place: Json = copy;
  for (;;) {
    const keys = Object.keys(place);
    const key = keys[Math.floor(random() * keys.length)];
    if (key === undefined) return copy;
    const next = place[key];
    if (typeof next === "object" && next !== null && random() < 0.7) place = next as Json;
    else {
      if (random() < 0.3) delete place[key];
      else place[key] = VALUES[Math.floor(random() * VALUES.length)];
      return copy;
    }
  }
}

test("a line of which any part is something else is kept as it is", () => {
  let state = 7;
  const random = () =>
    (state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296) / 4_294_967_296;
  for (let i = 0; i < 4_000; i++) {
    const line = broken(lines[i % lines.length]!, random);
    // Leaving out of a list leaves a hole, which JSON writes as null.
    const plain = JSON.parse(JSON.stringify(line)) as Json;
    expect(again(plain)).toEqual([plain]);
  }
});

test("an answer that failed is a note for people, and nothing for the model", () => {
  const line = message({ role: "assistant", content: [], stopReason: "error", errorMessage: "no" });
  const { body } = entryOf(line, { live: true, before: 1 });
  expect(body).toMatchObject({ kind: "note", level: "error", text: "no" });
  expect(modelView([body])).toEqual([]);
});

test("a picture is stored once, although its message has a signature that ours has no place for", () => {
  const data = "A".repeat(40_000);
  const content = [
    { type: "text", text: "look", textSignature: "s" },
    { type: "image", data, mimeType: "image/png" },
  ];
  const line = message({ role: "user", content, timestamp: 5 });
  expect(JSON.stringify(entryOf(line, { live: true, before: 1 })).length).toBeLessThan(41_000);
  const words = "w".repeat(40_000);
  const plain = message({ role: "user", content: words, timestamp: 5 });
  expect(JSON.stringify(entryOf(plain, { live: true, before: 1 })).length).toBeLessThan(41_000);
});

test("a conversation with calls, results, pictures and a summary is one that models take", () => {
  const texts = files.find((path) => path.includes("2026.1.24") && path.endsWith("0001.jsonl"))!;
  expect(texts).toBeDefined();
  const own = lines.filter((line) => typeof line["id"] === "string" && /^a00000/.test(line["id"]));
  const entries = own.map((line) => entryOf(line, { live: true, before: 1 }));
  const view = modelView([summaryEntry("Earlier.", 1), ...entries].map(({ body }) => body));
  expect(view[0]!.role).toBe("user");
  expect(view.map(({ role }) => role).join(" ")).toBe(
    "user assistant tool assistant user assistant user assistant tool assistant",
  );
  expect(JSON.stringify(view)).toContain("Minka");
  expect(JSON.stringify(view)).toContain("wrote 11 bytes");
  expect(JSON.stringify(view)).not.toContain("EqoBsig");
});

test("an entry of our own is written so that the older program has every part of it", () => {
  const entry: NewEntry = {
    at: 1_769_248_800_000,
    body: {
      kind: "message",
      message: {
        role: "tool",
        at: 5,
        blocks: [
          { type: "tool_result", id: "a", name: "read", text: "one" },
          { type: "tool_result", id: "b", name: "read", text: "two", isError: true },
        ],
      },
    },
  };
  const made = linesOf(entry, { id: "0000000a", parentId: "00000009" });
  expect(made.length).toBe(2);
  expect(made[0]).toMatchObject({ type: "message", id: "0000000a", parentId: "00000009" });
  expect(made[1]).toMatchObject({
    parentId: "0000000a",
    message: { toolCallId: "b", isError: true },
  });
  expect(made[1]!["id"]).toMatch(/^[0-9a-f]{8}$/);
  const note: NewEntry = { at: 5, body: { kind: "note", level: "error", text: "no answer" } };
  expect(linesOf(note, CHAIN)[0]).toMatchObject({ type: "custom", data: { text: "no answer" } });
  expect(linesOf(summaryEntry("x", 1), CHAIN)).toEqual([]);
});
