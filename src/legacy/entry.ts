/**
 * One line of an older transcript as an entry of ours, and back. Pure and total: whatever a line holds, it is kept, and
 * `lineOf(entryOf(line))` is the line again. What our entry cannot say is in its `was`.
 */
import type { Block, Message, Usage } from "../flow.ts";
import type { OlderLine } from "../store/older-line.ts";
import type { EntryBody, NewEntry } from "../store/store.ts";
import { isRecord, type Json, momentIn, numberIn, patched, patchFor, textIn } from "./diff.ts";

/** Marks what this program puts into a transcript for itself, so that a later import knows it. */
const OWN = "clawdbot";
const SUMMARY = "[Summary of the conversation before this point.]";

/** Where an entry stands among the others of its file. `id`s are eight hexadecimal digits, as in files of old. */
export type Chain = { id: string; parentId: string | null };

const NOWHERE: Chain = { id: "", parentId: null };

/** When the line was written, epoch ms; `otherwise` where it does not say so. */
export function timeOf(line: Json, otherwise: number): number {
  const said = textIn(line["timestamp"]);
  const parsed = momentIn(said === undefined ? line["timestamp"] : Date.parse(said));
  const { message } = line;
  return parsed ?? (isRecord(message) ? momentIn(message["timestamp"]) : undefined) ?? otherwise;
}

/**
 * The entry of a line. `live`: the conversation goes through it, so the model sees it; a line of a branch that was left behind is
 * only kept.
 */
export function entryOf(line: Json, { live, before }: { live: boolean; before: number }): NewEntry {
  const at = timeOf(line, before);
  const body = live ? bodyOf(line, at) : undefined;
  return { at, body: body ? withPatch(body, line, at) : { kind: "kept", line } };
}

/** The words of a summary for the model, to stand where the conversation now begins. */
export const summaryEntry = (summary: string, at: number): NewEntry => ({
  at,
  body: { kind: "context", text: `${SUMMARY}\n${summary}`, was: { derived: true } },
});

function bodyOf(line: Json, at: number): EntryBody | undefined {
  if (line["type"] === "message" && isRecord(line["message"])) return saidOf(line["message"], at);
  if (line["type"] === "custom_message") return contextOf(line["content"]);
  const summary = line["type"] === "branch_summary" && textIn(line["summary"]);
  return summary ? { kind: "context", text: `${SUMMARY}\n${summary}` } : undefined;
}

function contextOf(content: unknown): EntryBody | undefined {
  const blocks = blocksOf(content);
  const text = blocks?.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
  return text?.trim() ? { kind: "context", text } : undefined;
}

function saidOf(message: Json, before: number): EntryBody | undefined {
  const at = momentIn(message["timestamp"]) ?? before;
  const { role } = message;
  if (role === "toolResult") return resultOf(message, at);
  if (role === "custom" || role === "hookMessage") return contextOf(message["content"]);
  if (role !== "user" && role !== "assistant") return undefined;
  const blocks = blocksOf(message["content"]);
  if (!blocks) return undefined;
  const body: EntryBody = { kind: "message", message: { role, blocks, at } };
  if (role === "user") return body;
  if (blocks.length === 0) return failureOf(message);
  const provider = textIn(message["provider"]);
  const model = textIn(message["model"]);
  const usage = usageOf(message["usage"]);
  const broken = message["stopReason"] === "error" || message["stopReason"] === "aborted";
  return {
    ...body,
    ...(provider && model && { choice: { provider, model, ref: `${provider}/${model}` } }),
    ...(usage && { usage }),
    ...(broken && { partial: true as const }),
  };
}

/** An answer of which nothing came is no message; why it failed is for people. */
function failureOf(message: Json): EntryBody | undefined {
  const text = textIn(message["errorMessage"]);
  return text === undefined ? undefined : { kind: "note", level: "error", text };
}

function resultOf(message: Json, at: number): EntryBody | undefined {
  const id = textIn(message["toolCallId"]);
  const blocks = blocksOf(message["content"]);
  if (!id || !blocks) return undefined;
  const { details } = message;
  const images = blocks.flatMap((block) =>
    block.type === "image" ? [{ mime: block.mime, data: block.data }] : [],
  );
  const result: Block = {
    type: "tool_result",
    id,
    name: textIn(message["toolName"]) ?? "unknown",
    text: blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n"),
    ...(message["isError"] === true && { isError: true }),
    ...(images.length > 0 && { images }),
    ...(isRecord(details) && { details }),
  };
  return { kind: "message", message: { role: "tool", blocks: [result], at } };
}

/** Undefined for what is no content at all; blocks of an unknown kind are left to the patch. */
function blocksOf(content: unknown): Block[] | undefined {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) return undefined;
  return content.flatMap((block: unknown): Block[] => {
    if (!isRecord(block)) return [];
    const { type, text, data, mimeType, id, name, thinking } = block;
    if (type === "text" && typeof text === "string") return [{ type, text }];
    if (type === "image" && typeof data === "string")
      return [{ type, mime: textIn(mimeType) ?? "", data }];
    // Its signature is good for the account that it was made for, so it is not sent again.
    if (type === "thinking" && typeof thinking === "string") return [{ type, text: thinking }];
    if (type === "toolCall" && typeof id === "string" && typeof name === "string")
      return [{ type: "tool_call", id, name, args: block["arguments"] }];
    return [];
  });
}

function usageOf(value: unknown): Usage | undefined {
  if (!isRecord(value)) return undefined;
  const count = (key: string) => Math.max(0, numberIn(value[key]) ?? 0);
  return {
    input: count("input"),
    output: count("output"),
    cacheRead: count("cacheRead"),
    cacheWrite: count("cacheWrite"),
  };
}

function withPatch(body: EntryBody, line: Json, at: number): EntryBody {
  if (body.kind === "kept") return body;
  const [made] = linesFor({ at, body }, NOWHERE);
  const [ours, theirs] = [made!["message"], line["message"]];
  if (!isRecord(ours) || !isRecord(theirs)) return { ...body, was: { ...patchFor(made!, line) } };
  const was: OlderLine = { ...patchFor(rest(made!), rest(line)), ...messagePatch(ours, theirs) };
  return { ...body, was };
}

/** Content is compared block by block: a signature on one of them must not double a picture beside it. */
function messagePatch(made: Json, wanted: Json): OlderLine {
  const [a, b] = [made["content"], wanted["content"]];
  if (typeof b === "string" && Array.isArray(a) && a.length === 1) {
    const message = patchFor({ ...made, content: b }, wanted);
    return { plain: true, ...(message && { message }) };
  }
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length || !b.every(isRecord)) {
    const message = patchFor(made, wanted);
    return message ? { message } : {};
  }
  const blocks = Object.fromEntries(
    b.flatMap((block, i) => {
      const patch = patchFor(a[i] as Json, block);
      return patch ? [[String(i), patch]] : [];
    }),
  );
  const message = patchFor({ ...made, content: b }, wanted);
  return {
    ...(message && { message }),
    ...(Object.keys(blocks).length > 0 && { blocks }),
  };
}

function patchedMessage(made: Json, was: OlderLine): Json {
  const content = Array.isArray(made["content"]) ? (made["content"] as Json[]) : [];
  const whole = was.plain
    ? content[0]?.["text"]
    : content.map((block, i) => patched(block, was.blocks?.[String(i)]));
  return patched("content" in made ? { ...made, content: whole } : made, was.message);
}

/** Without the message, whose keys are compared one by one. */
const rest = ({ message: _, ...others }: Json): Json => others;

/**
 * The lines that an entry is written as: the one that it came from, or for an entry of our own as many as it takes. Those after the
 * first have the chain's `id` with a number in it.
 */
export function linesOf(entry: NewEntry, chain: Chain): Json[] {
  const { body } = entry;
  if (body.kind === "kept") return [body.line];
  const { was } = body;
  if (was?.derived) return [];
  if (!was) return linesFor(entry, chain);
  const [made] = linesFor(entry, NOWHERE);
  const { message } = made!;
  if (!isRecord(message)) return [patched(made!, was)];
  return [{ ...patched(rest(made!), was), message: patchedMessage(message, was) }];
}

function linesFor({ at, body }: NewEntry, chain: Chain): Json[] {
  const head = { ...chain, timestamp: new Date(at).toISOString() };
  if (body.kind === "kept") return [body.line];
  if (body.kind === "context")
    return [
      {
        type: "custom_message",
        ...head,
        customType: `${OWN}.context`,
        content: body.text,
        display: false,
      },
    ];
  if (body.kind === "note") {
    const { kind: _, was: __, ...data } = body;
    return [{ type: "custom", ...head, customType: `${OWN}.note`, data }];
  }
  let parent = chain.parentId;
  return messagesOf(body).map((message, i) => {
    const id = i === 0 ? chain.id : after(chain.id, i);
    const line = { type: "message", id, parentId: parent, timestamp: head.timestamp, message };
    parent = id;
    return line;
  });
}

const after = (id: string, by: number): string =>
  ((Number.parseInt(id, 16) + by * 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");

type Said = Extract<EntryBody, { kind: "message" }>;

function messagesOf({ message, choice, usage, partial }: Said): Json[] {
  const timestamp = message.at;
  if (message.role === "tool")
    return message.blocks.flatMap((block) =>
      block.type === "tool_result"
        ? [
            {
              role: "toolResult",
              toolCallId: block.id,
              toolName: block.name,
              content: [
                ...(block.text || !block.images?.length ? [text(block.text)] : []),
                ...(block.images ?? []).map(image),
              ],
              ...(block.details && { details: block.details }),
              isError: block.isError ?? false,
              timestamp,
            },
          ]
        : [],
    );
  const content = message.blocks.flatMap(contentOf);
  if (message.role === "user") return [{ role: "user", content, timestamp }];
  return [
    {
      role: "assistant",
      content,
      ...(choice && { provider: choice.provider, model: choice.model }),
      ...(usage && { usage: fullUsage(usage) }),
      stopReason: stopOf(message, partial),
      timestamp,
    },
  ];
}

const text = (value: string): Json => ({ type: "text", text: value });
const image = ({ mime, data }: { mime: string; data: string }): Json => ({
  type: "image",
  data,
  mimeType: mime,
});

function contentOf(block: Block): Json[] {
  if (block.type === "text") return [text(block.text)];
  if (block.type === "image") return [image(block)];
  // A signature is sealed for this program and would be refused elsewhere.
  if (block.type === "thinking") return [{ type: "thinking", thinking: block.text }];
  if (block.type !== "tool_call") return [];
  return [{ type: "toolCall", id: block.id, name: block.name, arguments: block.args }];
}

function stopOf({ blocks }: Message, partial: true | undefined): string {
  if (partial) return "aborted";
  return blocks.some((block) => block.type === "tool_call") ? "toolUse" : "stop";
}

const FREE = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 };

const fullUsage = (usage: Usage): Json => ({
  ...usage,
  totalTokens: usage.input + usage.output + usage.cacheRead + usage.cacheWrite,
  cost: FREE,
});
