/**
 * A conversation as entries that only ever come at the end: each one once, whether it was seen while it happened or only in the stored
 * history after a lost connection. Events tell what is being said now; the history decides what there is. Pure; chat.ts feeds it.
 */
import type { Item, ToolItem } from "../screen/items.ts";
import { type Counts, type Known, type Now, Run } from "./run.ts";
import { Streamed } from "./streamed.ts";
import {
  type AgentEvent,
  type ChatEvent,
  type History,
  type Message,
  partsOf,
  resultText,
  saidIn,
} from "./wire.ts";

const isCall = (type: string): boolean => /^tool_?(call|use)$/i.test(type);

export class Feed implements Known {
  private readonly out: Item[] = [];
  private readonly runs = new Map<string, Run>();
  /** Texts by run and place in it, also those of the history. */
  readonly said = new Map<string, Streamed>();
  private readonly thought = new Set<string>();
  readonly done = new Set<string>();
  /** How many texts and thoughts of a run the history had so far. */
  private readonly counts = new Map<string, Counts>();
  /** Calls of the history whose result has not come. */
  readonly calls = new Map<string, ToolItem>();
  private readonly over = new Set<string>();
  private seq = 0;
  private asked = 0;
  /** An answer came since the connection is there. */
  private fresh = false;
  private sessionId: string | undefined;
  private readonly users = new Set<string>();

  /** @param now epoch ms */
  constructor(private readonly now: () => number) {}

  /** Entries that came since the last call. */
  take(): Item[] {
    for (const run of this.runs.values()) this.flush(run);
    return this.out.splice(0);
  }

  get running(): boolean {
    return [...this.runs.values()].some((run) => run.endedAt === undefined);
  }

  /** The message of this run is in the transcript. */
  hasUser(runId: string): boolean {
    return this.users.has(runId);
  }

  /** Before a question to the history; its answer goes to `history` together with this number. */
  ask(): number {
    return ++this.asked;
  }

  current(): Now | undefined {
    return [...this.runs.values()].find(({ endedAt }) => endedAt === undefined)?.now();
  }

  /** @returns whether the history should be asked: there is something in it that no event tells */
  agent({ runId, stream, data }: AgentEvent): boolean {
    const ending = stream === "lifecycle" && data["phase"] !== "start";
    if (this.over.has(runId) || (ending && !this.runs.has(runId))) return ending;
    const isNew = !this.runs.has(runId);
    const run = this.run(runId, stream === "lifecycle" && this.fresh);
    if (!run.synced) {
      run.missed ||= stream === "message" || data["phase"] === "result";
      if (ending) this.end(run);
      return isNew || ending;
    }
    if (ending) this.end(run);
    else run.take(stream, data);
    return isNew || ending;
  }

  /** @returns whether the history should be asked */
  chat({ runId, state }: ChatEvent): boolean {
    if (state === "delta" || state === "status") return false;
    const run = this.runs.get(runId);
    if (run) this.end(run);
    return true;
  }

  /** The connection is back: what was running is known again from the next answer. */
  reconnected(): void {
    this.fresh = false;
    for (const run of this.runs.values()) run.lose(this.asked);
  }

  /**
   * The newest page of the history. `token` is what `ask` gave for the question.
   * @returns whether it should be asked once more
   */
  history(answer: History, token: number): boolean {
    const { sessionId = this.sessionId } = answer;
    if (this.sessionId !== undefined && sessionId !== this.sessionId) this.begin();
    this.sessionId = sessionId;
    const fresh = answer.messages.filter(({ seq = 0 }) => seq > this.seq);
    const first = fresh[0]?.seq ?? 0;
    if (this.seq > 0 && first > this.seq + 1 && answer.messages.length === fresh.length)
      this.out.push({ kind: "rule", text: "some messages are left out; /older shows them" });
    for (const message of fresh) {
      this.stored(message);
      this.seq = Math.max(this.seq, message.seq ?? 0);
    }
    this.fresh = true;
    const again = this.reconcile(answer.live ?? [], token);
    for (const run of this.runs.values())
      if (run.endedAt !== undefined && token > run.endedAt) this.close(run);
    return again;
  }

  /** Another conversation under the same key. */
  private begin(): void {
    this.out.push({ kind: "rule", text: "a new conversation" });
    this.seq = 0;
    for (const known of [this.counts, this.calls, this.said, this.runs]) known.clear();
    for (const known of [this.thought, this.done]) known.clear();
  }

  private run(id: string, synced: boolean): Run {
    const known = this.runs.get(id);
    if (known) return known;
    const run = new Run(id, this.now(), this.asked, synced, this);
    run.begin(this.countsOf(id));
    this.runs.set(id, run);
    return run;
  }

  private countsOf(id: string): Counts {
    return this.counts.get(id) ?? { texts: 0, thoughts: 0 };
  }

  private end(run: Run): void {
    run.endedAt ??= this.asked;
    this.over.add(run.id);
    if (this.over.size > 500) this.over.delete(this.over.values().next().value!);
  }

  /** It is over and the history has it all. */
  private close(run: Run): void {
    this.flush(run);
    this.runs.delete(run.id);
    this.counts.delete(run.id);
    for (const key of [...this.said.keys()])
      if (key.startsWith(`${run.id}#`)) this.said.delete(key);
  }

  /** Gives out what is finished, in the order in which it happened. */
  private flush(run: Run): void {
    // Its user's message comes first, and only the history has it.
    if (!run.known) return;
    while (run.parts.length) {
      const part = run.parts[0]!;
      if (part.kind === "text") {
        this.give(part.said);
        if (!part.said.ended) return;
      } else if (part.kind === "tool") {
        if (part.item.failed === undefined) return;
        this.giveTool(part.item);
      } else {
        if (!part.ended && run.parts.length === 1) return;
        this.giveThought(`${run.id}~${part.ordinal}`, part.text);
      }
      run.parts.shift();
    }
  }

  private give(said: Streamed): void {
    const { blocks, first, anew } = said.take();
    if (anew) this.out.push({ kind: "note", level: "info", text: "The answer begins anew." });
    blocks.forEach((block, i) => this.out.push({ kind: "text", block, start: first && i === 0 }));
  }

  private giveTool(item: ToolItem): void {
    if (this.done.has(item.id)) return;
    this.done.add(item.id);
    this.calls.delete(item.id);
    this.out.push(item);
  }

  private giveThought(key: string, text: string): void {
    if (this.thought.has(key) || !text.trim()) return;
    this.thought.add(key);
    this.out.push({ kind: "thinking", text });
  }

  /** One message of the history, each exactly once and in order. */
  private stored(message: Message): void {
    const { runId = `seq ${message.seq}` } = message;
    const parts = partsOf(message);
    // What a run has done before that message was written stands above it.
    for (const run of this.runs.values()) this.flush(run);
    if (message.level || message.role === "system" || message.role === "user") this.cutCalls();
    if (message.level || message.role === "system") return void this.out.push(noteOf(message));
    if (message.role === "user") {
      this.users.add(runId);
      const text = parts.map((part) => part.text ?? "").join("\n");
      const images = parts.filter(({ type }) => type === "image").length;
      if (text.trim() || images) this.out.push({ kind: "user", text, images });
      return;
    }
    if (message.toolCallId) return this.storedResult(message, message.toolCallId);
    if (message.role !== "assistant") return;
    const count = this.countsOf(runId);
    this.counts.set(runId, count);
    for (const part of parts)
      if (part.type === "thinking")
        this.giveThought(`${runId}~${count.thoughts++}`, part.thinking ?? part.text ?? "");
    const text = saidIn(message);
    if (text) this.storedText(`${runId}#${count.texts++}`, text, this.runs.has(runId));
    for (const part of parts)
      if (isCall(part.type) && part.id && !this.done.has(part.id)) {
        const args = part.arguments ?? part.args ?? part.input;
        this.calls.set(part.id, { kind: "tool", id: part.id, name: part.name ?? "", args });
      }
  }

  private storedText(key: string, text: string, lives: boolean): void {
    const said = this.said.get(key) ?? new Streamed();
    said.end(text);
    this.give(said);
    if (lives) this.said.set(key, said);
    else this.said.delete(key);
  }

  private storedResult(message: Message, id: string): void {
    const call = this.calls.get(id);
    if (!call) return;
    const ms = message.details?.["durationMs"];
    this.giveTool({
      ...call,
      output: resultText(message.content),
      failed: message.isError === true,
      ...(typeof ms === "number" ? { ms } : {}),
    });
  }

  /** Calls that nothing came back from, because their run was cut: they stand where they were made. */
  private cutCalls(): void {
    for (const call of [...this.calls.values()]) this.giveTool({ ...call, failed: true });
  }

  /** What runs now, when the history was read. @returns whether that was too early for something */
  private reconcile(live: NonNullable<History["live"]>, token: number): boolean {
    let again = false;
    const ids = new Set(live.map(({ runId }) => runId));
    for (const one of live) {
      if (this.over.has(one.runId)) continue;
      const seen = this.runs.get(one.runId);
      const run = seen ?? this.run(one.runId, false);
      // No event told of it yet, so this answer is the newest that is known.
      if (!seen) run.since = token - 1;
      if (run.synced || token <= run.since) continue;
      again ||= run.missed;
      // A message ended since, maybe after this answer was made: the next answer tells which text comes now.
      if (run.missed) Object.assign(run, { missed: false, since: this.asked });
      else run.sync(one, this.countsOf(run.id));
    }
    for (const run of this.runs.values()) {
      if (token <= run.since) continue;
      // It was cut off with the gateway. When it goes on, its events begin it again; its texts are remembered.
      if (!run.synced && !ids.has(run.id) && run.endedAt === undefined) this.runs.delete(run.id);
      run.known = true;
    }
    return again;
  }
}

function noteOf(message: Message): Item {
  const whole = saidIn(message) || "…";
  const { hint, level = "info" } = message;
  const text = hint && whole.endsWith(`\n${hint}`) ? whole.slice(0, -hint.length - 1) : whole;
  return { kind: "note", level, text, ...(hint ? { hint } : {}) };
}

/** The entries of an older page, which nothing of is live. */
export function olderItems(messages: Message[]): Item[] {
  const feed = new Feed(() => 0);
  feed.history({ messages }, feed.ask());
  return feed.take();
}
