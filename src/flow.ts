/**
 * The life of a message, as types. Read this file first, then pipeline.ts.
 *
 *   Channel --Inbound--> router --Route--> lanes --Turn--> agent --ModelRequest--> provider
 *                                                           | <----ModelEvent-------'
 *                                                           | --ToolCall--> tool --ToolResult-->
 *                                                           '-TurnEvent--> delivery --Outbound--> Channel --Receipt-->
 */
import type { AppError } from "./base/errors.ts";
import type { Address, MediaRef, Thinking } from "./message.ts";

/** Canonical, lower case: `agent:<agent>:main`, `agent:<agent>:<channel>:group:<id>`. Made by sessions/key.ts only. */
export type SessionKey = string & { readonly __brand: "SessionKey" };

/** 1. What a channel saw, and the nouns that it is made of (address, sender, media): message.ts. */
export type * from "./message.ts";

/** 2. What the router decided, once, and why. */
export type Route =
  | {
      kind: "turn";
      agentId: string;
      sessionKey: SessionKey;
      reply: Address;
      matchedBy: string;
      trust: Trust;
    }
  /** Answered at once, without a model: a command, or what a stranger is told. */
  | { kind: "answer"; text: string; reply: Address; by: string }
  /** Something for the session to know with its next turn. */
  | { kind: "note"; agentId: string; sessionKey: SessionKey; text: string }
  /** Another text for a message that waits, or none: its author took it back. */
  | { kind: "change"; of: string; text?: string }
  | { kind: "drop"; reason: DropReason; detail?: string };
/** owner: commands everything. known: on a list or approved. guest: let in without being named anywhere. */
export type Trust = "owner" | "known" | "guest";
/** What each means is said in router/reasons.ts. */
export type DropReason =
  | "not_allowed"
  | "not_paired"
  | "not_mentioned"
  | "unlisted"
  | "disabled"
  | "duplicate"
  | "own"
  | "bot"
  | "late"
  | "flood"
  | "budget"
  | "stale"
  | "empty";

/** 3. One run of the agent. `inbox` takes what arrived while it runs (steering); `signal` is the only way to stop it. */
export type Turn = {
  runId: string;
  agentId: string;
  sessionKey: SessionKey;
  /** The conversation so far, the message to answer last, already valid for any provider. */
  history: Message[];
  inbox: () => Promise<Message[]>;
  signal: AbortSignal;
};

/** 4. What goes to a model, and what comes back. */
export type Block =
  | { type: "text"; text: string }
  | { type: "thinking"; text: string; signature?: string }
  | { type: "image"; mime: string; data: string }
  | ToolCall
  | ({ type: "tool_result"; id: string; name: string } & ToolResult);
export type Message = { role: "user" | "assistant" | "tool"; blocks: Block[]; at: number };
export type ToolSpec = { name: string; description: string; inputSchema: object };
export type ModelRequest = {
  /** The provider's own name of the model, without the provider prefix. */
  model: string;
  /** Immutable parts in order, most stable first; a provider with cache marks puts one behind each. */
  system: string[];
  messages: Message[];
  tools: ToolSpec[];
  thinking: Thinking;
  maxTokens?: number;
  temperature?: number;
  /** How long the provider shall keep the prompt cached. */
  cache?: "5m" | "1h";
  sessionId: string;
};
export type Usage = { input: number; output: number; cacheRead: number; cacheWrite: number };
export type ModelEvent =
  | { type: "text"; delta: string }
  | { type: "thinking"; delta: string }
  | { type: "end"; stop: "end" | "tool" | "length" | "refusal"; message: Message; usage: Usage }
  | { type: "error"; error: AppError };
/** Which model answered: `provider` is the id in `models.providers`, `ref` is `provider/model`. */
export type ModelChoice = { provider: string; model: string; ref: string };

/** 5. Tools. */
export type ToolCall = { type: "tool_call"; id: string; name: string; args: unknown };
export type ToolResult = {
  text: string;
  isError?: boolean;
  images?: { mime: string; data: string }[];
  details?: Record<string, unknown>;
};

/** 6. What the outside may watch: delivery, the Control UI, the CLI and logs all read this one stream. */
export type TurnEvent =
  | { type: "start"; at: number }
  /** The model that is about to answer; again with `note` when a fallback takes over. */
  | { type: "model"; choice: ModelChoice; note?: string }
  | { type: "text"; delta: string }
  | { type: "thinking"; delta: string }
  /** What was streamed since the last `message` is void: another attempt begins. */
  | { type: "restart" }
  /** `partial`: what had been said when the answer broke off; to be stored with the same mark. */
  | { type: "message"; message: Message; choice?: ModelChoice; usage?: Usage; partial?: true }
  | { type: "tool_start"; call: ToolCall }
  | { type: "tool_update"; call: ToolCall; text: string }
  | { type: "tool_end"; call: ToolCall; result: ToolResult; ms: number }
  | { type: "end"; status: TurnStatus; error?: AppError; usage: Usage; at: number };
export type TurnStatus = "ok" | "aborted" | "error";

/** 7. What a channel is asked to send, already cut to its limits, and its answer. */
export type Outbound = {
  to: Address;
  /** In the channel's own markup (its `render`). */
  text: string;
  /** The same without markup, for a platform that refuses the markup. */
  plain: string;
  media: MediaRef[];
  /** The same for every try of the same message. */
  key: string;
  buttons?: { text: string; data: string }[][];
  silent?: true;
  /** Put it in the place of this message of ours; where that is impossible, send it anew. */
  edits?: string;
};
export type Receipt = { ids: string[]; at: number };
