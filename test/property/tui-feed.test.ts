/** The conversation of the terminal UI over a line that is cut anywhere: what is printed is the transcript, whole, in order, once. */
import { expect, test } from "bun:test";

import fc from "fast-check";

import type { Item } from "../../src/cli/tui/screen/items.ts";
import { Feed } from "../../src/cli/tui/talk/feed.ts";
import type { AgentEvent, History, Message } from "../../src/cli/tui/talk/wire.ts";

/** One message of a run: what it says, in pieces, and whether it calls a tool. */
const step = fc.record({
  pieces: fc.array(fc.constantFrom("a ", "b\n", "\n\n", "- c\n", "```\n", "word"), {
    maxLength: 8,
  }),
  tool: fc.boolean(),
});
const runs = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});

/** What happens between two events: a question is looked up, its answer comes, the line or the gateway dies, the line is back. */
const between = fc.constantFrom(
  ...["nothing", "look", "answer", "answer", "cut", "kill"],
  ...["back", "back", "back"],
);

type Tools = NonNullable<History["live"]>[number]["tools"];

/** A gateway with one session, as far as a client can see it, and the client. */
class Rig {
  readonly feed = new Feed(() => 0);
  private readonly transcript: Message[] = [];
  private readonly items: Item[] = [];
  private up = true;
  private asked: { token: number; answer?: History }[] = [];
  private live: NonNullable<History["live"]> = [];
  readonly expected: string[] = [];
  /** What was being said is lost, and is said again. */
  private killed = false;

  constructor() {
    this.ask();
  }

  ask(): void {
    if (this.up) this.asked.push({ token: this.feed.ask() });
  }

  happens(what: string): void {
    if (what === "cut" || what === "kill") {
      this.up = false;
      this.asked = [];
      this.killed = what === "kill";
      if (this.killed) this.live = [];
    } else if (what === "back" && !this.up) {
      this.up = true;
      this.feed.reconnected();
      this.ask();
    } else if (what === "look" && this.asked[0]) this.asked[0].answer ??= this.answer();
    else if (what === "answer") {
      const question = this.asked.shift();
      if (question && this.feed.history(question.answer ?? this.answer(), question.token))
        this.ask();
    }
    this.items.push(...this.feed.take());
  }

  private answer(): History {
    return { sessionId: "s", messages: [...this.transcript], live: structuredClone(this.live) };
  }

  private tell(runId: string, stream: string, data: Record<string, unknown>): void {
    const event: AgentEvent = { runId, stream, data };
    if (this.up && this.feed.agent(event)) this.ask();
  }

  private store(message: Omit<Message, "seq">): void {
    this.transcript.push({ ...message, seq: this.transcript.length + 1 });
  }

  /** One run, with a breath after every event. */
  *run(runId: string, steps: { pieces: string[]; tool: boolean }[]): Generator<void> {
    this.store({ role: "user", runId, content: `question ${runId}` });
    this.expected.push(`user question ${runId}`);
    const now = { runId, startedAt: 0, text: "", thinking: "", tools: [] as Tools };
    this.live = [now];
    this.tell(runId, "lifecycle", { phase: "start" });
    yield;
    for (const [n, { pieces, tool }] of steps.entries()) {
      do {
        if (this.killed) {
          this.live = [now];
          this.tell(runId, "lifecycle", { phase: "start" });
        }
        this.killed = false;
        now.text = "";
        for (const piece of pieces) {
          now.text += piece;
          this.tell(runId, "assistant", { text: now.text });
          yield;
          if (this.killed) break;
        }
      } while (this.killed);
      const text = now.text;
      const id = `${runId}.${n}`;
      const call = { type: "toolCall", id, name: `tool ${id}`, arguments: {} };
      const content = [...(text.trim() ? [{ type: "text", text }] : []), ...(tool ? [call] : [])];
      this.store({ role: "assistant", runId, content });
      now.text = "";
      this.expected.push(...wordsOf(text), ...(tool ? [`tool ${id}`] : []));
      this.tell(runId, "message", { message: { role: "assistant", content } });
      yield;
      if (!tool) continue;
      now.tools = [{ call: { id, name: `tool ${id}`, args: {} } }];
      this.tell(runId, "tool", { phase: "start", toolCallId: id, name: `tool ${id}`, args: {} });
      yield;
      now.tools = [];
      this.store({ role: "toolResult", runId, toolCallId: id, content: "out" });
      const ended = { phase: "result", isError: false, result: "out" };
      this.tell(runId, "tool", { ...ended, toolCallId: id, name: `tool ${id}` });
      yield;
    }
    this.live = [];
    this.tell(runId, "lifecycle", { phase: "end" });
    yield;
    if (this.up && this.feed.chat({ runId, state: "final" })) this.ask();
    yield;
  }

  /** Everything comes through in the end. */
  finish(): string[] {
    this.happens("cut");
    this.happens("back");
    this.happens("answer");
    return this.items.flatMap((item) => {
      if (item.kind === "text") return wordsOf(item.block.text);
      if (item.kind === "user") return [`user ${item.text}`];
      return item.kind === "tool" ? [item.name] : [];
    });
  }
}

const wordsOf = (text: string): string[] => text.match(/\w+/g) ?? [];

test("however the line is cut, every word is printed once and in its place", () => {
  fc.assert(
    fc.property(runs, fc.array(between, { maxLength: 60 }), (made, events) => {
      const rig = new Rig();
      const queue = [...events];
      for (const [i, steps] of made.entries())
        for (const _ of rig.run(`r${i}`, steps)) rig.happens(queue.shift() ?? "answer");
      expect(rig.finish()).toEqual(rig.expected);
      expect(rig.feed.running).toBe(false);
    }),
    { numRuns: 3000 },
  );
});
