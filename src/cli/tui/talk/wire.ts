/** What the gateway says of a conversation, as far as the terminal reads it. Wider than our own server's shapes: old gateways stay readable. */

export type Content = {
  type: string;
  text?: string;
  thinking?: string;
  id?: string;
  name?: string;
  arguments?: unknown;
  args?: unknown;
  input?: unknown;
};

/** One message of `chat.history`; `seq` orders them and is the paging cursor. */
export type Message = {
  seq?: number;
  role: string;
  content: string | Content[];
  /** Epoch ms. */
  timestamp?: number;
  runId?: string;
  toolCallId?: string;
  isError?: boolean;
  details?: Record<string, unknown>;
  /** Of a note: something for people that the model never sees. */
  level?: "info" | "error";
  code?: string;
  hint?: string;
};

/** The answer of `chat.history`. */
export type History = {
  sessionId?: string;
  messages: Message[];
  live?: {
    runId: string;
    startedAt: number;
    text: string;
    thinking: string;
    tools: { call: { id: string; name: string; args: unknown }; output?: string }[];
  }[];
  queued?: { runId: string; text: string }[];
  nextBefore?: number;
};

/** Payload of the event `agent`. */
export type AgentEvent = {
  runId: string;
  stream: string;
  sessionKey?: string;
  data: Record<string, unknown>;
};

/** Payload of the event `chat`. */
export type ChatEvent = {
  runId: string;
  sessionKey?: string;
  state: string;
  errorMessage?: string;
};

export const partsOf = ({ content }: Message): Content[] =>
  typeof content === "string"
    ? [{ type: "text", text: content }]
    : Array.isArray(content)
      ? content
      : [];

/** What a message says, without thoughts and calls. */
export const saidIn = (message: Message): string =>
  partsOf(message)
    .flatMap(({ type, text }) => (type === "text" && text?.trim() ? [text] : []))
    .join("\n\n");

/** The text of a tool result in any of the shapes that are on the wire. */
export function resultText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(resultText).filter(Boolean).join("\n");
  if (typeof value !== "object") return String(value);
  const { text, content } = value as { text?: unknown; content?: unknown };
  if (typeof text === "string") return text;
  return content === undefined ? "" : resultText(content);
}
