/**
 * From the program's messages to the Messages API. Pure and total: whatever the history holds, the platform accepts the result.
 * The same history gives the same bytes, or the prompt cache and the signatures of earlier thinking are lost.
 */
import type {
  ContentBlockParam,
  ImageBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  Tool,
  ToolResultBlockParam,
} from "@anthropic-ai/sdk/resources/messages/messages";

import type { Block, Message, ModelRequest, ToolSpec } from "../../flow.ts";
import { argsObject, CallIds, commonId, paired } from "../calls.ts";
import { unseal } from "../sealed.ts";
import { settingOf, thinkingParams } from "./thinking.ts";

export const DIALECT = "anthropic";
export const REDACTED = "anthropic-redacted";

const IMAGE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"] as const;
type ImageType = (typeof IMAGE_TYPES)[number];
/** The platform's limit is 5 MB per image. */
const MAX_IMAGE_BASE64 = Math.floor((5 * 1024 * 1024 * 4) / 3);
/** The platform's limit on cache marks in one request. */
const MAX_MARKS = 4;

export type Shape = {
  maxTokens: number;
  /** Whether the model takes images; others get a line of text in their place. */
  images: boolean;
  /** The platform takes no sampling parameters since API version 2026-10-21; compatible endpoints do. */
  temperature: boolean;
  /** Leaves earlier thinking out: the answer to a platform that refuses its signature. */
  forgetThinking: boolean;
  /** Sends no thinking settings: the answer to an endpoint that does not know them. */
  plain: boolean;
};

/** The request body. */
export function toBody(request: ModelRequest, shape: Shape): MessageCreateParamsStreaming {
  const maxTokens = Math.max(1, Math.min(request.maxTokens ?? shape.maxTokens, shape.maxTokens));
  const messages = toMessages(request, shape);
  const thinking =
    shape.plain || !mayThink(request, messages)
      ? {}
      : thinkingParams(request.model, request.thinking, maxTokens);
  const body: MessageCreateParamsStreaming = {
    model: request.model,
    max_tokens: maxTokens,
    stream: true,
    ...thinking,
    ...(shape.temperature && request.temperature !== undefined && !("thinking" in thinking)
      ? { temperature: request.temperature }
      : {}),
    ...(request.tools.length ? { tools: request.tools.map(toTool) } : {}),
    ...(request.system.some((part) => part.trim())
      ? {
          system: request.system
            .filter((part) => part.trim())
            .map((text) => ({ type: "text", text })),
        }
      : {}),
    messages,
  };
  mark(body, request.cache ?? "5m");
  return body;
}

/**
 * With a thinking budget the platform wants the answer that a tool result belongs to to begin with its thinking. It has none when
 * another model gave that answer, so this request goes without.
 */
function mayThink(request: ModelRequest, messages: MessageParam[]): boolean {
  if (settingOf(request.model).mode === "adaptive") return true;
  const last = messages.at(-1);
  if (!Array.isArray(last?.content) || last.content[0]?.type !== "tool_result") return true;
  const answer = messages.findLast((m) => m.role === "assistant");
  const first = Array.isArray(answer?.content) ? answer.content[0]?.type : undefined;
  return first === "thinking" || first === "redacted_thinking";
}

const toTool = (spec: ToolSpec): Tool => ({
  name: spec.name,
  description: spec.description,
  input_schema: { ...spec.inputSchema, type: "object" },
});

/** Turns alternate, begin with the user, and are never empty. */
export function toMessages(
  request: Pick<ModelRequest, "messages" | "model">,
  shape: Pick<Shape, "images" | "forgetThinking">,
): MessageParam[] {
  const ids = new CallIds(commonId);
  const out: { role: "user" | "assistant"; content: ContentBlockParam[] }[] = [];
  for (const message of paired(request.messages)) {
    const role = message.role === "assistant" ? "assistant" : "user";
    const content = message.blocks.flatMap((block) =>
      toBlock(block, message, request.model, shape, ids),
    );
    if (!content.length) continue;
    const last = out.at(-1);
    if (last?.role === role) last.content.push(...content);
    else out.push({ role, content });
  }
  if (out[0]?.role !== "user")
    out.unshift({ role: "user", content: [{ type: "text", text: "(The conversation goes on.)" }] });
  for (const turn of out) turn.content = ordered(turn);
  // The platform refuses an answer that it shall continue; the last word is the user's.
  if (out.at(-1)?.role === "assistant")
    out.push({ role: "user", content: [{ type: "text", text: "(Go on.)" }] });
  return out;
}

/** Results come first in a user turn. An answer that is nothing but thinking is not accepted. */
function ordered(turn: { role: string; content: ContentBlockParam[] }): ContentBlockParam[] {
  if (turn.role === "user") {
    const results = turn.content.filter((b) => b.type === "tool_result");
    return results.length
      ? [...results, ...turn.content.filter((b) => b.type !== "tool_result")]
      : turn.content;
  }
  const said = turn.content.some((b) => b.type === "text" || b.type === "tool_use");
  return said ? turn.content : [...turn.content, { type: "text", text: "(no answer)" }];
}

function toBlock(
  block: Block,
  message: Message,
  model: string,
  shape: Pick<Shape, "images" | "forgetThinking">,
  ids: CallIds,
): ContentBlockParam[] {
  switch (block.type) {
    case "text":
      return block.text.trim() ? [{ type: "text", text: wellFormed(block.text) }] : [];
    case "thinking": {
      const sealed = unseal(block.signature);
      if (message.role !== "assistant" || shape.forgetThinking || sealed?.model !== model)
        return [];
      if (sealed.dialect === REDACTED) return [{ type: "redacted_thinking", data: sealed.data }];
      if (sealed.dialect !== DIALECT) return [];
      return [{ type: "thinking", thinking: block.text, signature: sealed.data }];
    }
    case "image":
      return message.role === "assistant" ? [] : [toImage(block, shape.images)];
    case "tool_call":
      return [
        { type: "tool_use", id: ids.of(block.id), name: block.name, input: argsObject(block.args) },
      ];
    case "tool_result": {
      const content: (TextBlockParam | ImageBlockParam)[] = [
        ...(block.text.trim() ? [{ type: "text" as const, text: wellFormed(block.text) }] : []),
        ...(block.images ?? []).map((image) => toImage(image, shape.images)),
      ];
      const result: ToolResultBlockParam = { type: "tool_result", tool_use_id: ids.of(block.id) };
      result.content = content.length ? content : [{ type: "text", text: "(empty)" }];
      if (block.isError) result.is_error = true;
      return [result];
    }
  }
}

/** A lone half of a character pair is not valid JSON for the platform. */
const wellFormed = (text: string): string => text.toWellFormed();

function toImage(
  image: { mime: string; data: string },
  supported: boolean,
): TextBlockParam | ImageBlockParam {
  const left = (why: string): TextBlockParam => ({
    type: "text",
    text: `[image left out: ${why}]`,
  });
  if (!supported) return left("this model does not see images");
  if (!IMAGE_TYPES.includes(image.mime as ImageType)) return left(`${image.mime} is not supported`);
  if (!image.data) return left("it is empty");
  if (image.data.length > MAX_IMAGE_BASE64) return left("it is larger than 5 MB");
  return {
    type: "image",
    source: { type: "base64", media_type: image.mime as ImageType, data: image.data },
  };
}

/**
 * Cache marks: behind the last tool, behind the system parts, and one at the end of the messages; never more than four. With more
 * system parts than marks the first ones and the last keep theirs. History only grows, so the end is where the next request's
 * prefix ends too.
 */
function mark(body: MessageCreateParamsStreaming, ttl: "5m" | "1h"): void {
  const cache = { type: "ephemeral" as const, ttl };
  const tool = body.tools?.at(-1);
  if (tool) tool.cache_control = cache;
  const parts = Array.isArray(body.system) ? body.system : [];
  const marks = MAX_MARKS - 1 - (tool ? 1 : 0);
  parts.forEach((part, i) => {
    if (i === parts.length - 1 || i < marks - 1) part.cache_control = cache;
  });
  const content = body.messages.at(-1)?.content;
  const last = Array.isArray(content) ? content.at(-1) : undefined;
  if (last?.type === "text" || last?.type === "image" || last?.type === "tool_result")
    last.cache_control = cache;
}
