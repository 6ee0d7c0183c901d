/** What the gateway says, as far as this page reads it. Wider than our own server's shapes: old fields stay readable. */

/** One item of a message's content. */
export type Content = {
  type: string;
  text?: string;
  thinking?: string;
  id?: string;
  name?: string;
  arguments?: unknown;
  args?: unknown;
  input?: unknown;
  content?: unknown;
  source?: { type?: string; media_type?: string; data?: string; url?: string };
  data?: string;
  mimeType?: string;
};

/** One message of `chat.history`. `seq` orders them and is the paging cursor. */
export type WireMessage = {
  id?: string;
  seq?: number;
  role: string;
  content: string | Content[];
  /** Epoch ms. */
  timestamp?: number;
  runId?: string;
  idempotencyKey?: string;
  toolCallId?: string;
  toolName?: string;
  isError?: boolean;
  durationMs?: number;
  /** What a tool tells beyond its text. */
  details?: Record<string, unknown>;
  provider?: string;
  model?: string;
  stopReason?: string;
  /** The answer was cut: its text is what there was by then. */
  partial?: boolean;
  /** Of a note: something for people that the model never sees. */
  level?: "info" | "error";
  code?: string;
  hint?: string;
};

/** A run in progress, as `chat.history` gives it: what the transcript does not have yet. */
export type LiveSnapshot = {
  runId: string;
  startedAt: number;
  text: string;
  thinking: string;
  tools: { call: { id: string; name: string; args: unknown }; output?: string }[];
};

/** A message that waits behind the running turn. */
export type Queued = { runId: string; text: string; at: number };

export type SessionItem = {
  key: string;
  kind?: string;
  label?: string;
  displayName?: string;
  derivedTitle?: string;
  lastMessagePreview?: string;
  channel?: string;
  updatedAt: number | null;
  sessionId?: string;
  abortedLastRun?: boolean;
  totalTokens?: number;
  contextTokens?: number;
  modelProvider?: string;
  model?: string;
};

export type ModelItem = {
  id: string;
  name?: string;
  provider: string;
  ref?: string;
  contextWindow?: number;
};

/** Payload of the event `agent`. */
export type AgentEvent = {
  runId: string;
  seq: number;
  stream: string;
  ts?: number;
  sessionKey?: string;
  data: Record<string, unknown>;
};

/** Payload of the event `chat`. */
export type ChatEvent = {
  runId: string;
  sessionKey: string;
  seq?: number;
  state: string;
  message?: WireMessage;
  errorMessage?: string;
};
