/**
 * One wire protocol to a model vendor (a dialect), and the endpoint it is spoken to.
 * A new vendor that speaks a known dialect is configuration; a new dialect is a folder and a line in registry.ts.
 */
import type { ModelEvent, ModelRequest } from "../flow.ts";

/** What one endpoint or model does differently. Unset fields: what is known of the vendor, see openai/vendors.ts. */
export type Compat = {
  supportsStore?: boolean;
  supportsDeveloperRole?: boolean;
  supportsReasoningEffort?: boolean;
  /** Usage in the stream on request (`stream_options.include_usage`). */
  supportsUsageInStreaming?: boolean;
  maxTokensField?: "max_completion_tokens" | "max_tokens";
};

/** Where and as whom to speak. Everything a dialect may know of the configuration. */
export type Endpoint = {
  /** The id in `models.providers`, for messages to the user. */
  id: string;
  baseUrl: string;
  apiKey?: string;
  /** Where the key comes from, for messages: `ANTHROPIC_API_KEY`, `models.providers.x.apiKey`. Never the key. */
  keySource?: string;
  /** Extra request headers. */
  headers?: Record<string, string>;
  /** Send the key as `Authorization: Bearer` where the dialect has a header of its own. */
  authHeader?: boolean;
  /** Silence on the stream longer than this is `provider_timeout`, in ms. */
  idleTimeoutMs: number;
  /** What the catalogue knows of the model that is about to be asked. Absent: cautious defaults. */
  traits?: {
    maxTokens: number;
    reasoning: boolean;
    input: ("text" | "image")[];
    compat?: Compat;
  };
};

/** One line of the model catalogue; `ref` is `provider/id`. Costs are dollars per million tokens. */
export type ModelInfo = {
  ref: string;
  provider: string;
  id: string;
  name: string;
  contextWindow: number;
  maxTokens: number;
  reasoning: boolean;
  input: ("text" | "image")[];
  cost?: { input: number; output: number; cacheRead: number; cacheWrite: number };
};

export interface Provider {
  /**
   * Never throws once called: every failure is the last event, `{ type: "error" }`, with a code from base/errors.ts,
   * because failover chooses by code and must not read messages. Exactly one terminal event (`end` or `error`), then the end;
   * an abort by `signal` ends it with the code `aborted`. Does not retry: failover.ts does.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelEvent>;
  /** The models that the endpoint itself lists; throws AppError. */
  models?(signal: AbortSignal): Promise<{ id: string; name?: string; contextWindow?: number }[]>;
}

/** What registry.ts loads for a dialect. Cheap to call; opens no connection. */
export type ProviderFactory = (endpoint: Endpoint) => Provider;
