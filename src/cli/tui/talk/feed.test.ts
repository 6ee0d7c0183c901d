import { expect, test } from "bun:test";

import type { Item } from "../screen/items.ts";
import { Feed } from "./feed.ts";
import { restOf, Streamed } from "./streamed.ts";
import type { AgentEvent, History, Message } from "./wire.ts";

const event = (stream: string, data: Record<string, unknown>, runId = "r1"): AgentEvent => ({
  runId,
  stream,
  data,
});
const start = event("lifecycle", { phase: "start" });
const end = event("lifecycle", { phase: "end" });
const text = (said: string, runId?: string) => event("assistant", { text: said }, runId);
const message = (said: string) =>
  event("message", { message: { role: "assistant", content: [{ type: "text", text: said }] } });
const user = (seq: number, said: string, runId = "r1"): Message => ({
  seq,
  role: "user",
  runId,
  content: said,
});
const answer = (seq: number, said: string, runId = "r1"): Message => ({
  seq,
  role: "assistant",
  runId,
  content: [{ type: "text", text: said }],
});

/** What is in the transcript, one short line each. */
const lines = (items: Item[]): string[] =>
  items.map((item) => {
    if (item.kind === "text") return item.block.text;
    if (item.kind === "tool") return `tool ${item.name}${item.failed ? " failed" : ""}`;
    return `${item.kind} ${item.text}`;
  });

class Rig {
  readonly feed = new Feed(() => 0);
  readonly seen: string[] = [];
  event(...events: AgentEvent[]): this {
    for (const one of events) this.feed.agent(one);
    return this.look();
  }
  history(messages: Message[], more: Partial<History> = {}): this {
    this.feed.history({ sessionId: "s", messages, ...more }, this.feed.ask());
    return this.look();
  }
  look(): this {
    this.seen.push(...lines(this.feed.take()));
    return this;
  }
}

test("a turn as it is seen live: the message, the text as its blocks are finished, the end", () => {
  const rig = new Rig().history([]).event(start, text("One.\n\nTw"));
  // The message that it answers comes first, and only the history has it.
  expect(rig.seen).toEqual([]);
  rig.history([user(1, "hi")], { live: [live("One.\n\nTw")] });
  expect(rig.seen).toEqual(["user hi", "One."]);
  expect(rig.feed.current()?.open?.block.text).toBe("Tw");
  rig.event(text("One.\n\nTwo."), message("One.\n\nTwo."), end);
  expect(rig.seen).toEqual(["user hi", "One.", "Two."]);
  rig.history([user(1, "hi"), answer(2, "One.\n\nTwo.")]);
  expect(rig.seen).toEqual(["user hi", "One.", "Two."]);
  expect(rig.feed.running).toBe(false);
});

const live = (said: string, runId = "r1") => ({
  runId,
  startedAt: 0,
  text: said,
  thinking: "",
  tools: [],
});

test("a lost connection in the middle: what came meanwhile is added, nothing twice", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(text("One.\n\nTwo"));
  rig.feed.reconnected();
  rig.history([user(1, "hi"), answer(2, "One.\n\nTwo.\n\nThree.")]);
  expect(rig.seen).toEqual(["user hi", "One.", "Two.", "Three."]);
});

test("a gateway that was killed in the middle answers again, and that is said", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(text("One.\n\nTwo"));
  rig.feed.reconnected();
  rig.history([user(1, "hi")]);
  expect(rig.feed.running).toBe(false);
  rig.event(start, text("Other")).history([user(1, "hi")], { live: [live("Other")] });
  rig.event(text("Other words.\n\nEnd"), message("Other words.\n\nEnd."), end);
  rig.history([user(1, "hi"), answer(2, "Other words.\n\nEnd.")]);
  expect(rig.seen).toEqual([
    "user hi",
    "One.",
    "note The answer begins anew.",
    "Other words.",
    "End.",
  ]);
});

test("the same words again after a restart are no new answer", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(text("One.\n\nTwo"));
  rig.feed.reconnected();
  rig.history([user(1, "hi")]).event(start, text("On"), text("One.\n\nTwo."));
  rig.history([user(1, "hi")], { live: [live("One.\n\nTwo.")] });
  rig.event(message("One.\n\nTwo."), end).history([user(1, "hi"), answer(2, "One.\n\nTwo.")]);
  expect(rig.seen).toEqual(["user hi", "One.", "Two."]);
});

test("tools stand where they ran, whether they were seen or read", () => {
  const call = (seq: number): Message => ({
    seq,
    role: "assistant",
    runId: "r1",
    content: [
      { type: "text", text: "Looking." },
      { type: "toolCall", id: "c1", name: "exec", arguments: {} },
    ],
  });
  const result = (seq: number): Message => ({
    seq,
    role: "toolResult",
    toolCallId: "c1",
    content: [{ type: "text", text: "out" }],
  });
  const all = [user(1, "hi"), call(2), result(3), answer(4, "Done.")];
  const expected = ["user hi", "Looking.", "tool exec", "Done."];
  expect(new Rig().history(all).seen).toEqual(expected);
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(
    text("Looking."),
    message("Looking."),
    event("tool", { phase: "start", name: "exec", toolCallId: "c1", args: {} }),
    event("tool", {
      phase: "result",
      name: "exec",
      toolCallId: "c1",
      isError: false,
      result: "out",
    }),
    text("Done."),
  );
  rig.history([user(1, "hi"), call(2), result(3)], { live: [live("Done.")] });
  rig.event(message("Done."), end).history(all);
  expect(rig.seen).toEqual(expected);
  // The run was cut: its result never came.
  const cut = new Rig().history([user(1, "hi"), call(2), user(4, "again", "r2")]);
  expect(cut.seen).toEqual(["user hi", "Looking.", "tool exec failed", "user again"]);
});

test("one who looks in the middle sees what was said before and what is being said", () => {
  const rig = new Rig().history([user(1, "hi"), answer(2, "First.")], {
    live: [live("Second, a")],
  });
  expect(rig.seen).toEqual(["user hi", "First."]);
  expect(rig.feed.current()?.open?.block.text).toBe("Second, a");
  rig.event(text("Second, all."), message("Second, all."), end);
  rig.history([user(1, "hi"), answer(2, "First."), answer(3, "Second, all.")]);
  expect(rig.seen).toEqual(["user hi", "First.", "Second, all."]);
});

test("events that were dropped on a slow line are made up by the message", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(text("A"), message("A whole answer."), end);
  expect(rig.seen).toEqual(["user hi", "A whole answer."]);
  const silent = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  silent.event(message("All at once."), end).history([user(1, "hi"), answer(2, "All at once.")]);
  expect(silent.seen).toEqual(["user hi", "All at once."]);
});

test("a new conversation under the same key, and a hole that a page could not fill, are said", () => {
  const rig = new Rig().history([user(1, "hi")]);
  rig.history([user(1, "fresh", "r2")], { sessionId: "other" });
  expect(rig.seen).toEqual(["user hi", "rule a new conversation", "user fresh"]);
  // It was deleted elsewhere; what stands here stays.
  rig.history([], { sessionId: undefined }).history([], { sessionId: undefined });
  expect(rig.seen).toHaveLength(3);
  rig.history([user(9, "later", "r3")], { sessionId: "other" });
  expect(rig.seen.at(-2)).toStartWith("rule some messages are left out");
});

test("events of a run that is over bring nothing back", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  rig.event(text("A."), message("A."), end).history([user(1, "hi"), answer(2, "A.")]);
  rig.event(text("A."), end);
  expect(rig.seen).toEqual(["user hi", "A."]);
  expect(rig.feed.current()).toBeUndefined();
});

test("5,000 deltas of a long answer are taken in no time", () => {
  const rig = new Rig()
    .history([])
    .event(start)
    .history([user(1, "hi")], { live: [live("")] });
  let said = "";
  for (let i = 0; i < 5000; i++) {
    said += `line ${i}\n\n`;
    rig.feed.agent(text(said));
  }
  rig.event(message(said), end);
  expect(rig.seen).toHaveLength(5001);
  expect(rig.seen.at(-1)).toBe("line 4999");
});

test("the stored text goes on from the streamed one, however the spaces fell", () => {
  expect(restOf("a b c", "a b")).toBe(" c");
  expect(restOf("a\n\nb c", "a b")).toBe("c");
  expect(restOf("a b", "a c")).toBeUndefined();
  expect(restOf("a", "a b")).toBeUndefined();
  const said = new Streamed();
  said.update("Hello wor");
  said.end("Hello world.");
  expect(said.take().blocks.map((block) => block.text)).toEqual(["Hello world."]);
});
