/**
 * Keeps a conversation inside the model's window without a model call. Two means, both rare and coarse, so that the prompt
 * stays the same, byte for byte, between them: a session's history is cut at a user message, about half at a time; and within
 * one long run old tool results are left out, down to half of the room.
 */
import type { Block, Message } from "../flow.ts";
import type { Entry } from "../store/store.ts";
import { modelView, type ViewOptions } from "./view.ts";

const IMAGE_TOKENS = 1200;
/** What one request may carry besides tokens: Anthropic takes 100 images and 32 MB. */
const MAX_IMAGES = 80;
const MAX_IMAGE_CHARS = 20 * 1024 * 1024;
/** Above this part of the room a conversation is cut; it is cut down to half of the room. */
const FULL = 0.8;
const HALF = 0.5;

type Weight = { tokens: number; images: number; imageChars: number };

const textTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

/** Tokens of a text, estimated: a quarter of its UTF-8 bytes, which also fits scripts whose characters are a token each. */
export const estimateTokens = (texts: string[]): number =>
  texts.reduce((sum, text) => sum + textTokens(text), 0);

function weigh(blocks: readonly Block[]): Weight {
  const sum: Weight = { tokens: 0, images: 0, imageChars: 0 };
  const image = (data: string) => {
    sum.tokens += IMAGE_TOKENS;
    sum.images += 1;
    sum.imageChars += data.length;
  };
  for (const block of blocks) {
    sum.tokens += 4;
    if (block.type === "text") sum.tokens += textTokens(block.text);
    else if (block.type === "thinking")
      sum.tokens += textTokens(block.text + (block.signature ?? ""));
    else if (block.type === "image") image(block.data);
    else if (block.type === "tool_call") sum.tokens += textTokens(JSON.stringify(block.args) ?? "");
    else {
      sum.tokens += textTokens(block.text);
      for (const each of block.images ?? []) image(each.data);
    }
  }
  return sum;
}

/** How full `room` is, 1 being all of it: by tokens, by the number of images or by their size, whichever is most. */
const fullness = ({ tokens, images, imageChars }: Weight, room: number): number =>
  Math.max(tokens / Math.max(1, room), images / MAX_IMAGES, imageChars / MAX_IMAGE_CHARS);

const plus = (a: Weight, b: Weight): Weight => ({
  tokens: a.tokens + b.tokens,
  images: a.images + b.images,
  imageChars: a.imageChars + b.imageChars,
});

/**
 * Tokens that the messages of a request may take: the window without the answer (at most a quarter of it is kept free) and
 * without `fixed`, the tokens of system prompt and tools.
 */
export function messageRoom(
  model: { contextWindow: number; maxTokens: number },
  fixed: number,
): number {
  const answer = Math.min(model.maxTokens, Math.floor(model.contextWindow / 4));
  return Math.max(1000, model.contextWindow - answer - fixed);
}

/** Longest tool result for a model: 16, 32 or 64 thousand characters. */
export const resultCharsFor = (contextWindow: number): number =>
  contextWindow < 40_000 ? 16_000 : contextWindow < 100_000 ? 32_000 : 64_000;

/** Tokens that these entries would be for a model, estimated. */
export const tokensOf = (entries: Entry[], options: ViewOptions = {}): number =>
  weigh(modelView(entries, options).flatMap((m) => m.blocks)).tokens;

export type History = {
  messages: Message[];
  /** Set when the history was cut now: to be stored as the session's `contextFrom`. */
  contextFrom?: number;
};

/** Says to the model that there was more. */
const EARLIER = "[Earlier parts of this conversation are no longer shown.]";

/**
 * The messages of a session for a model. `entries` are those from the session's `contextFrom` on, `room` is from `messageRoom`. When they fill more than 80 % of it, the history is cut before the first user
 * message from which it fills half at most; the last user message always stays.
 */
export function fitHistory(entries: Entry[], room: number, options: ViewOptions = {}): History {
  // Entries count from 1: a later one in front says that there are older ones.
  const cut = (entries[0]?.seq ?? 1) > 1;
  const view = modelView(entries, options);
  if (fullness(weigh(view.flatMap((m) => m.blocks)), room) <= FULL)
    return { messages: cut ? marked(view) : view };
  const from = cutPoint(entries, room, options);
  if (from === undefined) return { messages: shrink(cut ? marked(view) : view, room) };
  const rest = modelView(entries.slice(from), options);
  return { messages: shrink(marked(rest), room), contextFrom: entries[from]!.seq };
}

/** Index of the entry to begin at, or undefined when there is no later user message than the first entry. */
function cutPoint(entries: Entry[], room: number, options: ViewOptions): number | undefined {
  let behind: Weight = { tokens: 0, images: 0, imageChars: 0 };
  let found: number | undefined;
  for (let index = entries.length - 1; index > 0; index--) {
    const { body } = entries[index]!;
    if (body.kind === "note" || body.kind === "kept") continue;
    behind = plus(behind, weigh(modelView([body], options).flatMap((m) => m.blocks)));
    // Results alone have no view without their call; they are weighed as they are.
    if (body.kind === "message" && body.message.role === "tool")
      behind = plus(behind, weigh(body.message.blocks));
    if (body.kind !== "message" || body.message.role !== "user") continue;
    if (found !== undefined && fullness(behind, room) > HALF) break;
    found = index;
  }
  return found;
}

const marked = (messages: Message[]): Message[] => {
  const [first, ...rest] = messages;
  if (!first || first.role !== "user") return messages;
  return [{ ...first, blocks: [{ type: "text", text: EARLIER }, ...first.blocks] }, ...rest];
};

const LEFT_OUT = "[This result was left out to make room. Repeat the call if you still need it.]";

/**
 * Within one run: when the messages fill more than 80 % of the room, results and images of old tool calls are left out, oldest
 * first, until they fill half. The newest tool message stays. Gives the same array when nothing had to be done.
 */
export function shrink(messages: Message[], room: number): Message[] {
  let total = weigh(messages.flatMap((m) => m.blocks));
  if (fullness(total, room) <= FULL) return messages;
  const newest = messages.findLastIndex((message) => message.role === "tool");
  return messages.map((message, index) => {
    if (message.role !== "tool" || index >= newest || fullness(total, room) <= HALF) return message;
    const blocks = message.blocks.map((block): Block => {
      if (block.type !== "tool_result" || (block.text.length < 500 && !block.images)) return block;
      const { images: _, ...rest } = block;
      return { ...rest, text: LEFT_OUT };
    });
    const [before, after] = [weigh(message.blocks), weigh(blocks)];
    total = {
      tokens: total.tokens - before.tokens + after.tokens,
      images: total.images - before.images + after.images,
      imageChars: total.imageChars - before.imageChars + after.imageChars,
    };
    return { ...message, blocks };
  });
}

/** The entries from the `turns`-th last message of the user on, the one that is answered included; all of them when undefined. */
export function lastTurns(entries: Entry[], turns: number | undefined): Entry[] {
  if (turns === undefined) return entries;
  let left = Math.max(1, turns);
  for (let i = entries.length - 1; i >= 0; i--) {
    const { body } = entries[i]!;
    if (body.kind === "message" && body.message.role === "user" && --left === 0)
      return entries.slice(i);
  }
  return entries;
}
