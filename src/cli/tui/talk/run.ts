/** One run as its events tell it: texts, thoughts and tools in the order in which they happened. Used by feed.ts alone. */
import type { Block } from "../screen/blocks.ts";
import type { ToolItem } from "../screen/items.ts";
import { Streamed } from "./streamed.ts";
import { type History, type Message, resultText, saidIn } from "./wire.ts";

type TextPart = { kind: "text"; ordinal: number; said: Streamed };
type ThoughtPart = { kind: "thinking"; ordinal: number; text: string; ended: boolean };
type ToolPart = { kind: "tool"; item: ToolItem; output?: string };
type Part = TextPart | ThoughtPart | ToolPart;

/** What is happening and not finished, for the part of the screen that is drawn again. */
export type Now = {
  runId: string;
  startedAt: number;
  open: { block: Block; start: boolean } | undefined;
  thinking: boolean;
  tools: { item: ToolItem; output: string }[];
};

/** What the history has told of this run so far. */
export type Counts = { texts: number; thoughts: number };

/** What the feed knows beyond one run. */
export type Known = {
  /** Texts by run and place in it. */
  said: Map<string, Streamed>;
  /** Ids of the tools that are in the transcript. */
  done: ReadonlySet<string>;
  /** Calls of the history whose result has not come. */
  calls: ReadonlyMap<string, ToolItem>;
};

export class Run {
  /** What was not given out yet. */
  readonly parts: Part[] = [];
  /** Its user's message is in the transcript, so what it says may follow. */
  known = false;
  /** Something ended while it was not synced, which the next answer of the history may be too early for. */
  missed = false;
  /** Questions to the history so far when it ended. */
  endedAt: number | undefined;
  private texts = 0;
  private thoughts = 0;

  /**
   * @param startedAt epoch ms
   * @param since questions to the history so far: an answer to a later one has the message that this run answers
   * @param synced seen from its start, or taken from an answer of the history: only then an event tells which text it is about
   */
  constructor(
    readonly id: string,
    public startedAt: number,
    public since: number,
    public synced: boolean,
    private readonly about: Known,
  ) {}

  /** From here on the history counts as this run does. */
  begin({ texts, thoughts }: Counts): void {
    this.texts = texts;
    this.thoughts = thoughts;
  }

  /** The connection is back: where the run is, only an answer to a later question tells. */
  lose(since: number): void {
    this.known = false;
    this.synced = false;
    this.since = since;
  }

  /** The run as the history has it: what is finished was told by its messages, and what is not is in the snapshot. */
  sync(one: NonNullable<History["live"]>[number], counts: Counts): void {
    this.parts.length = 0;
    this.begin(counts);
    this.startedAt = one.startedAt;
    this.synced = true;
    this.missed = false;
    if (one.text) this.text().said.update(one.text);
    for (const { call, output } of one.tools)
      this.tool({ toolCallId: call.id, ...call, phase: "update", partialResult: output });
  }

  take(stream: string, data: Record<string, unknown>): void {
    const { text } = data;
    if (stream === "assistant" && typeof text === "string") this.text().said.update(text);
    else if (stream === "thinking" && typeof text === "string") this.thinking(text);
    else if (stream === "message") this.message((data["message"] ?? {}) as Message);
    else if (stream === "tool") this.tool(data);
  }

  now(): Now {
    const last = this.parts.at(-1);
    const block = last?.kind === "text" ? last.said.open() : undefined;
    return {
      runId: this.id,
      startedAt: this.startedAt,
      open: block && last?.kind === "text" ? { block, start: last.said.isFirst } : undefined,
      thinking: last?.kind === "thinking" && !last.ended,
      tools: this.parts.flatMap((part) =>
        part.kind === "tool" && part.item.failed === undefined
          ? [{ item: part.item, output: part.output ?? "" }]
          : [],
      ),
    };
  }

  /** The text that is being said; a new one when the last has ended. */
  private text(): TextPart {
    const last = this.parts.findLast((part) => part.kind === "text");
    if (last && !last.said.ended) return last;
    const { said } = this.about;
    const ordinal = this.texts++;
    const key = `${this.id}#${ordinal}`;
    const part: TextPart = { kind: "text", ordinal, said: said.get(key) ?? new Streamed() };
    said.set(key, part.said);
    this.parts.push(part);
    return part;
  }

  private thinking(text: string): void {
    const last = this.parts.at(-1);
    if (last?.kind === "thinking" && !last.ended) last.text = text;
    else this.parts.push({ kind: "thinking", ordinal: this.thoughts++, text, ended: false });
  }

  /** A message is complete. */
  private message(message: Message): void {
    for (const part of this.parts) if (part.kind === "thinking") part.ended = true;
    if (message.role !== "assistant") return;
    const whole = saidIn(message);
    if (whole) this.text().said.end(whole);
    else this.dropBlank();
  }

  /** Line ends before a call are no text, and the history does not count them as one. */
  private dropBlank(): void {
    const last = this.parts.at(-1);
    if (last?.kind !== "text" || last.said.ended || !last.said.isBlank) return;
    this.parts.pop();
    this.texts--;
    this.about.said.delete(`${this.id}#${last.ordinal}`);
  }

  private tool(data: Record<string, unknown>): void {
    const id = data["toolCallId"];
    if (typeof id !== "string" || this.about.done.has(id)) return;
    const part = this.toolPart(id, data);
    if (data["phase"] === "update") part.output = resultText(data["partialResult"]);
    if (data["phase"] !== "result") return;
    const ms = data["ms"];
    part.item = {
      ...part.item,
      failed: data["isError"] === true,
      output: resultText(data["result"] ?? part.output),
      ...(typeof ms === "number" ? { ms } : {}),
    };
  }

  private toolPart(id: string, data: Record<string, unknown>): ToolPart {
    for (const part of this.parts) if (part.kind === "tool" && part.item.id === id) return part;
    const name = typeof data["name"] === "string" ? data["name"] : "";
    const item: ToolItem = { kind: "tool", id, name, args: data["args"] };
    const part: ToolPart = { kind: "tool", item: this.about.calls.get(id) ?? item };
    this.parts.push(part);
    return part;
  }
}
