/** From the program's messages to Chat Completions and to Responses. Pure and total; the same history gives the same bytes. */
import type {
  ChatCompletionContentPart,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import type {
  ResponseInputContent,
  ResponseInputItem,
  ResponseReasoningItem,
} from "openai/resources/responses/responses";

import type { Block, Message } from "../../flow.ts";
import { argsObject, CallIds, commonId, paired } from "../calls.ts";
import { unseal } from "../sealed.ts";

export const REASONING = "openai-reasoning";
export const THOUGHTS = "google-thoughts";

export type View = {
  model: string;
  system: string[];
  messages: Message[];
  images: boolean;
  callId(id: string): string;
  /** Leaves sealed reasoning out: the answer to a platform that refuses it. */
  forgetReasoning: boolean;
};

/** The platform's limit is 20 MB per request; a single larger image is never worth it. */
const MAX_IMAGE_BASE64 = 20 * 1024 * 1024;

type Picture = { mime: string; data: string };
/** Why an image cannot be sent, or undefined. */
function whyNot(image: Picture, supported: boolean): string | undefined {
  if (!supported) return "this model does not see images";
  if (!image.mime.startsWith("image/") || image.mime === "image/svg+xml")
    return `${image.mime} is not supported`;
  if (!image.data) return "it is empty";
  return image.data.length > MAX_IMAGE_BASE64 ? "it is too large" : undefined;
}
const dataUrl = (image: Picture) => `data:${image.mime};base64,${image.data}`;
const leftOut = (why: string) => `[image left out: ${why}]`;

const argsText = (args: unknown): string => JSON.stringify(argsObject(args));
const textOf = (blocks: Block[]): string =>
  blocks
    .flatMap((b) => (b.type === "text" && b.text.trim() ? [b.text.toWellFormed()] : []))
    .join("\n\n");

/** Chat Completions. Pictures in tool results travel in a user message behind all results of the batch. */
export function toChat(
  view: View,
  systemRole: "system" | "developer",
): ChatCompletionMessageParam[] {
  const ids = new CallIds(view.callId);
  const out: ChatCompletionMessageParam[] = [];
  const system = view.system.filter((part) => part.trim()).join("\n\n");
  if (system) out.push({ role: systemRole, content: system });
  for (const message of paired(view.messages)) {
    if (message.role === "assistant") {
      const answer = chatAnswer(message, view, ids);
      if (answer) out.push(answer);
      continue;
    }
    const parts: ChatCompletionContentPart[] = [];
    for (const block of message.blocks) {
      if (block.type === "text" && block.text.trim())
        parts.push({ type: "text", text: block.text.toWellFormed() });
      if (block.type === "image") parts.push(chatImage(block, view.images));
      if (block.type !== "tool_result") continue;
      out.push({
        role: "tool",
        tool_call_id: ids.of(block.id),
        content: resultText(block.text, block.isError),
      });
      for (const image of block.images ?? []) parts.push(chatImage(image, view.images));
    }
    if (!parts.length) continue;
    // A plain string where it will do: not every server takes parts.
    const plain = parts.every((p) => p.type === "text");
    out.push({
      role: "user",
      content: plain ? parts.map((p) => (p.type === "text" ? p.text : "")).join("\n\n") : parts,
    });
  }
  if (!out.some((m) => m.role === "user" || m.role === "tool"))
    out.push({ role: "user", content: "(The conversation goes on.)" });
  return out;
}

const resultText = (text: string, isError: boolean | undefined): string => {
  const shown = text.trim() ? text.toWellFormed() : "(empty)";
  return isError ? `Error: ${shown}` : shown;
};

const chatImage = (image: Picture, supported: boolean): ChatCompletionContentPart => {
  const why = whyNot(image, supported);
  return why
    ? { type: "text", text: leftOut(why) }
    : { type: "image_url", image_url: { url: dataUrl(image) } };
};

function chatAnswer(
  message: Message,
  view: View,
  ids: CallIds,
): ChatCompletionMessageParam | undefined {
  const text = textOf(message.blocks);
  const thoughts = view.forgetReasoning ? {} : thoughtsOf(message, view.model);
  const calls = message.blocks.flatMap((b): ChatCompletionMessageFunctionToolCall[] => {
    if (b.type !== "tool_call") return [];
    const extra = thoughts[b.id];
    return [
      {
        id: ids.of(b.id),
        type: "function",
        function: { name: b.name, arguments: argsText(b.args) },
        ...(extra === undefined ? {} : { extra_content: extra }),
      },
    ];
  });
  if (!text && !calls.length) return undefined;
  return {
    role: "assistant",
    content: text || null,
    ...(calls.length ? { tool_calls: calls } : {}),
  };
}

/** Google ties a signature to each call and refuses the call without it; they ride in a sealed block before the calls. */
function thoughtsOf(message: Message, model: string): Record<string, unknown> {
  for (const block of message.blocks) {
    if (block.type !== "thinking") continue;
    const sealed = unseal(block.signature);
    if (sealed?.dialect === THOUGHTS && sealed.model === model) return parsedObject(sealed.data);
  }
  return {};
}

/** Sealed by us, but a transcript may have been edited. */
function parsedObject(text: string): Record<string, unknown> {
  try {
    return argsObject(JSON.parse(text));
  } catch {
    // Expected: a transcript that somebody cut.
    return {};
  }
}

/** Responses: one item per message, call and result. Reasoning goes back encrypted, because nothing is stored at the vendor's. */
export function toInput(view: View): ResponseInputItem[] {
  const ids = new CallIds(commonId);
  const out: ResponseInputItem[] = [];
  for (const message of paired(view.messages)) {
    if (message.role === "assistant") {
      out.push(...answerItems(message, view, ids));
      continue;
    }
    const content: ResponseInputContent[] = [];
    for (const block of message.blocks) {
      if (block.type === "text" && block.text.trim())
        content.push({ type: "input_text", text: block.text.toWellFormed() });
      if (block.type === "image") content.push(inputImage(block, view.images));
      if (block.type !== "tool_result") continue;
      const images = (block.images ?? []).map((image) => inputImage(image, view.images));
      const text = resultText(block.text, block.isError);
      out.push({
        type: "function_call_output",
        call_id: ids.of(block.id),
        output: images.length ? [{ type: "input_text", text }, ...images] : text,
      });
    }
    if (content.length) out.push({ type: "message", role: "user", content });
  }
  if (!out.length)
    out.push({ type: "message", role: "user", content: "(The conversation goes on.)" });
  return out;
}

function inputImage(
  image: Picture,
  supported: boolean,
): ResponseInputContent & { type: "input_text" | "input_image" } {
  const why = whyNot(image, supported);
  return why
    ? { type: "input_text", text: leftOut(why) }
    : { type: "input_image", image_url: dataUrl(image), detail: "auto" };
}

/** A reasoning item must be followed by what it led to, so one that stands alone is left out. */
function answerItems(message: Message, view: View, ids: CallIds): ResponseInputItem[] {
  const items = message.blocks.flatMap((b): ResponseInputItem[] => {
    if (b.type === "text" && b.text.trim())
      return [{ role: "assistant", content: b.text.toWellFormed() }];
    if (b.type === "tool_call")
      return [
        { type: "function_call", call_id: ids.of(b.id), name: b.name, arguments: argsText(b.args) },
      ];
    const sealed = b.type === "thinking" && !view.forgetReasoning ? unseal(b.signature) : undefined;
    if (sealed?.dialect !== REASONING || sealed.model !== view.model) return [];
    const { id, encrypted_content } = parsedObject(sealed.data) as Partial<ResponseReasoningItem>;
    if (!id || !encrypted_content) return [];
    const summary =
      b.type === "thinking" && b.text ? [{ type: "summary_text" as const, text: b.text }] : [];
    return [{ type: "reasoning", id, summary, encrypted_content }];
  });
  while (items.at(-1)?.type === "reasoning") items.pop();
  return items;
}
