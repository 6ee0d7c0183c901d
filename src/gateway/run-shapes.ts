/** Parts of the payloads of run events. */
import type { Message, ToolResult } from "../flow.ts";
import { textContent } from "./wire.ts";

/** Longest tool output in an event, in characters; the transcript has all of it. */
export const TOOL_TEXT = 16_000;

/** A message of the assistant as `chat` events carry it. */
export const assistant = (text: string, timestamp: number) => ({
  role: "assistant",
  content: textContent(text),
  timestamp,
});

/** How a tool call ended, for the card in the chat. */
export const toolOutcome = (result: ToolResult) => ({
  isError: result.isError ?? false,
  result: result.text.slice(0, TOOL_TEXT),
  ...(result.text.length > TOOL_TEXT ? { truncated: true } : {}),
  ...(result.details ? { meta: result.details } : {}),
});

/** Image bytes do not belong in events; the transcript has them. */
export const withoutImages = (message: Message): Message => ({
  ...message,
  blocks: message.blocks.filter((block) => block.type !== "image"),
});

const KINDS: Record<string, string> = {
  provider_timeout: "timeout",
  agent_timeout: "timeout",
  provider_rate_limit: "rate_limit",
  provider_overloaded: "rate_limit",
  provider_context: "context_length",
};
/** The kinds of failure that clients of protocol 4 tell apart. */
export const errorKind = (code: string): string => KINDS[code] ?? "unknown";
