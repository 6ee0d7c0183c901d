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

/** One account of `channels.status`; what is not known is null. */
export type AccountItem = {
  accountId: string;
  name?: string;
  enabled?: boolean;
  configured?: boolean;
  /** Only for channels that are linked by a picture or a code. */
  linked?: boolean;
  running?: boolean;
  connected?: boolean;
  mode?: string | null;
  self?: { id?: string; name?: unknown; handle?: unknown; e164?: unknown } | null;
  dmPolicy?: string;
  reconnectAttempts?: number;
  roundTripMs?: number | null;
  lastError?: string | null;
  lastEventAt?: number | null;
  lastInboundAt?: number | null;
  lastOutboundAt?: number | null;
  lastDisconnect?: { at: number; error?: string; loggedOut?: boolean } | null;
  probe?: { ok: boolean; elapsedMs?: number; detail?: string };
  lastProbeAt?: number | null;
};

/** Something about an account that a person should look at. */
export type ChannelWarning = {
  channel: string;
  accountId: string;
  kind?: string;
  message: string;
  /** The command that mends it. */
  fix?: string;
};

export type ChannelsStatus = {
  /** Epoch ms of the gateway's clock, which all other times are of. */
  ts: number;
  channelOrder: string[];
  channelLabels: Record<string, string>;
  channelSystemImages?: Record<string, string>;
  channels: Record<string, { configured?: boolean; linked?: unknown }>;
  channelAccounts: Record<string, AccountItem[]>;
  warnings?: ChannelWarning[];
};

/** A step of a sign-in: something to show, or how it ended. */
export type LoginAnswer = {
  message: string;
  connected?: boolean;
  /** A PNG as a data address. */
  qrDataUrl?: string;
  code?: string;
  /** Nothing goes on any more: it is connected, or it has failed. */
  over?: boolean;
};

/** One step of the set-up. */
export type WizardStep = {
  id: string;
  type: string;
  title?: string;
  message?: string;
  options?: { value: string; label: string; hint?: string }[];
  /** Never there for a sensitive step. */
  initialValue?: unknown;
  placeholder?: string;
  sensitive?: boolean;
  /** A PNG as a data address, to scan. */
  qrDataUrl?: string;
  code?: string;
};
export type WizardAnswer = {
  done: boolean;
  step?: WizardStep;
  status?: string;
  error?: string;
  hint?: string;
};

/** A stranger who was given a code. `meta` has names that they chose themselves. */
export type PairingItem = {
  channel: string;
  accountId: string;
  id: string;
  code: string;
  meta: Record<string, string>;
  createdAt: number;
};
export type AllowedItem = { channel: string; accountId: string; id: string; addedAt: number };

/** What became of one message that arrived. */
export type { TraceShape as TraceItem } from "../src/gateway/methods/trace-shape.ts";
