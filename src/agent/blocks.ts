/**
 * One stored block at a time, made fit for every provider. Nothing here may throw or depend on time or chance:
 * the same stored block gives the same bytes in every request, or the provider's prompt cache is lost.
 */
import type { Block, ToolCall } from "../flow.ts";
import { headAndTail } from "./text.ts";

/** What of the view depends on the model that reads it. The same options give the same prefix. */
export type ViewOptions = {
  /** False: the model cannot see images; each becomes a line of text. */
  images?: boolean;
  /** Longest result of one tool call, in characters (default 64,000, at least 1,000). The middle of more is left out. */
  resultChars?: number;
};
type TextBlock = Extract<Block, { type: "text" }>;
export type ResultBlock = Extract<Block, { type: "tool_result" }>;
type Image = { mime: string; data: string };

/** A string that can be written as UTF-8, or nothing: half a surrogate pair makes platforms refuse the whole request. */
const clean = (text: unknown): string => (typeof text === "string" ? text.toWellFormed() : "");

/** Platforms refuse a text block without a visible character. */
export const textBlock = (text: unknown): TextBlock[] => {
  const value = clean(text);
  return /\S/.test(value) ? [{ type: "text", text: value }] : [];
};

const IMAGE_TYPES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);
/** Base64 characters of one image; Anthropic's limit, the lowest of those that are served. */
const IMAGE_CHARS = 5 * 1024 * 1024;

/** Why an image cannot be shown to the model, in words for it. */
function imageProblem(image: Partial<Image>, options: ViewOptions): string | undefined {
  if (options.images === false) return "this model cannot see images";
  if (typeof image.mime !== "string" || !IMAGE_TYPES.has(image.mime))
    return "only JPEG, PNG, GIF and WebP can be shown";
  const { data } = image;
  if (typeof data !== "string" || !data || data.length % 4 || !/^[A-Za-z0-9+/]+={0,2}$/.test(data))
    return "its data is damaged";
  return data.length > IMAGE_CHARS ? "it is larger than 5 MB" : undefined;
}

/** Blocks of a user message: text and images. */
export function userBlocks(blocks: Block[], options: ViewOptions): Block[] {
  return blocks.flatMap((block): Block[] => {
    if (block.type === "text") return textBlock(block.text);
    if (block.type !== "image") return [];
    const problem = imageProblem(block, options);
    if (problem) return textBlock(`[An image was left out: ${problem}.]`);
    return [{ type: "image", mime: block.mime, data: block.data }];
  });
}

/**
 * Blocks of an assistant message: text, thinking that can be given back (signed), calls. Of a partial message the calls are
 * left out, because their arguments may be cut. Thinking that nothing follows is refused by Anthropic, so it goes too.
 */
export function assistantBlocks(blocks: Block[], partial: boolean): Block[] {
  const out = blocks.flatMap((block): Block[] => {
    if (block.type === "text") return textBlock(block.text);
    if (block.type === "thinking")
      return typeof block.signature === "string" && block.signature
        ? [{ type: "thinking", text: clean(block.text), signature: block.signature }]
        : [];
    if (block.type !== "tool_call" || partial) return [];
    return [
      {
        type: "tool_call",
        id: callId(block.id),
        name: toolName(block.name),
        args: callArgs(block.args),
      },
    ];
  });
  while (out.at(-1)?.type === "thinking") out.pop();
  return out;
}

/** The result of `call`, whatever the stored one calls itself. */
export function resultBlock(call: ToolCall, block: ResultBlock, options: ViewOptions): ResultBlock {
  const limit = Math.max(1000, options.resultChars ?? 64_000);
  const images: Image[] = [];
  const notes: string[] = [];
  for (const image of Array.isArray(block.images) ? block.images : []) {
    const problem = imageProblem(image ?? {}, options);
    if (problem) notes.push(`[An image was left out: ${problem}.]`);
    else images.push({ mime: image.mime, data: image.data });
  }
  const text = headAndTail(
    [clean(block.text), ...notes].filter((part) => /\S/.test(part)).join("\n"),
    limit,
    (left) => `[... ${left} characters left out here ...]`,
  );
  return {
    type: "tool_result",
    id: call.id,
    name: call.name,
    text: text || (images.length ? "(see the image)" : "(no output)"),
    ...(block.isError ? { isError: true } : {}),
    ...(images.length ? { images } : {}),
  };
}

/** Longest id of a call. Each dialect shapes ids for its own wire; sealed thinking names calls by theirs, so they stay. */
const ID_CHARS = 200;

/** Calls and results go through it alike. */
export const callId = (id: unknown): string =>
  clean(id).slice(0, ID_CHARS).toWellFormed() || "call";

/**
 * `id`, or with a number behind it when it is taken: some local servers count their calls from zero in every answer.
 * `taken` maps each id in use to the next number to try for it; the id that is given is added.
 */
export function takeId(id: string, taken: Map<string, number>): string {
  let free = id;
  let next = taken.get(id) ?? 2;
  for (; taken.has(free); next++) free = id.slice(0, ID_CHARS - `_${next}`.length) + `_${next}`;
  taken.set(id, next);
  if (free !== id) taken.set(free, 2);
  return free;
}

/** Models do call tools that cannot exist; the call stays in the transcript, so its name must be one that platforms take. */
const toolName = (name: unknown): string =>
  (typeof name === "string" ? name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) : "") || "unknown";

const MAX_DEPTH = 100;

/** Arguments are an object on every wire. */
function callArgs(args: unknown): Record<string, unknown> {
  const value = cleanJson(args, 0);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  return value === undefined || value === null || value === "" ? {} : { arguments: value };
}

/** The same value when it can be written as JSON in UTF-8 already, else a copy that can. */
function cleanJson(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null)
    return typeof value === "boolean" || Number.isFinite(value) ? value : null;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) {
    const items = value.map((item) => cleanJson(item, depth + 1));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const entries = Object.entries(value);
  const copies = entries.map(([key, item]) => [key.toWellFormed(), cleanJson(item, depth + 1)]);
  const same = copies.every(([key, item], i) => key === entries[i]![0] && item === entries[i]![1]);
  return same ? value : Object.fromEntries(copies);
}
