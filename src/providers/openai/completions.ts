/** The dialect `openai-completions`: Chat Completions, the wire that almost every vendor and every local server speaks. */
import type {
  ChatCompletionChunk,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";

import type { Block, ModelEvent, ModelRequest, Usage } from "../../flow.ts";
import { MAX_ARGS, parseArgs } from "../calls.ts";
import { CUT_HINT, refusal } from "../failure.ts";
import type { Endpoint, ProviderFactory } from "../provider.ts";
import { seal } from "../sealed.ts";
import { openaiProvider } from "./client.ts";
import { THOUGHTS, toChat } from "./messages.ts";
import type { Quirk } from "./repair.ts";
import type { Vendor } from "./vendors.ts";

const DEFAULT_MAX_TOKENS = 8192;

export const completions: ProviderFactory = (endpoint) =>
  openaiProvider<ChatCompletionChunk>(endpoint, { path: "/chat/completions", body: toBody, read });

/** The request body without what the endpoint is known not to take. */
export function toBody(
  request: ModelRequest,
  endpoint: Endpoint,
  vendor: Vendor,
  quirks: ReadonlySet<Quirk>,
): Record<string, unknown> {
  const limit = endpoint.traits?.maxTokens ?? DEFAULT_MAX_TOKENS;
  const messages = toChat(
    {
      model: request.model,
      system: request.system,
      messages: request.messages,
      images: endpoint.traits?.input.includes("image") ?? true,
      callId: vendor.callId,
      forgetReasoning: quirks.has("encrypted_reasoning"),
    },
    vendor.supportsDeveloperRole && !quirks.has("developer") ? "developer" : "system",
  );
  if (vendor.id === "openrouter" && /^~?anthropic\//.test(request.model))
    mark(messages, request.cache ?? "5m");
  const reasons =
    vendor.supportsReasoningEffort &&
    endpoint.traits?.reasoning !== false &&
    !quirks.has("reasoning");
  const thinks = reasons ? vendor.reasoning(request.model, request.thinking) : {};
  const first = vendor.maxTokensField;
  const other = first === "max_tokens" ? "max_completion_tokens" : "max_tokens";
  const field = [first, other].find((name) => !quirks.has(name as Quirk));
  return {
    model: vendor.model(request.model),
    stream: true,
    messages,
    ...(vendor.supportsUsageInStreaming && !quirks.has("stream_options")
      ? { stream_options: { include_usage: true } }
      : {}),
    ...(field ? { [field]: Math.max(1, Math.min(request.maxTokens ?? limit, limit)) } : {}),
    ...(request.temperature !== undefined && !quirks.has("temperature")
      ? { temperature: request.temperature }
      : {}),
    ...(request.tools.length
      ? {
          tools: request.tools.map((t) => ({
            type: "function",
            function: {
              name: t.name,
              description: t.description,
              parameters: vendor.schema(t.inputSchema),
            },
          })),
        }
      : {}),
    ...thinks,
    ...(vendor.id === "openai" && !quirks.has("prompt_cache_key")
      ? { prompt_cache_key: request.sessionId.slice(0, 64) }
      : {}),
    ...(vendor.id === "openai" &&
    !quirks.has("store") &&
    endpoint.traits?.compat?.supportsStore !== false
      ? { store: false }
      : {}),
  };
}

/** OpenRouter hands cache marks on to Anthropic, which caches nothing without them. */
function mark(messages: ChatCompletionMessageParam[], ttl: "5m" | "1h"): void {
  const system = messages.findIndex((m) => m.role === "system");
  const user = messages.findLastIndex((m) => m.role === "user");
  for (const at of [system, user]) {
    const message = messages[at];
    if (!message || typeof message.content !== "string") continue;
    const part = { type: "text", text: message.content, cache_control: { type: "ephemeral", ttl } };
    messages[at] = { ...message, content: [part] } as ChatCompletionMessageParam;
  }
}

/** What servers send beyond the vendor's types. */
type LooseDelta = {
  content?: unknown;
  refusal?: string | null;
  reasoning_content?: unknown;
  reasoning?: unknown;
  tool_calls?: LooseCall[] | null;
};
type LooseCall = {
  index?: number;
  id?: string | null;
  extra_content?: unknown;
  function?: { name?: string | null; arguments?: unknown };
};
type LooseUsage = {
  prompt_tokens?: number;
  completion_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number; cache_write_tokens?: number } | null;
  prompt_cache_hit_tokens?: number;
};
type Draft = { index: number | undefined; id: string; name: string; args: string; extra?: unknown };

const STOPS: Record<string, "end" | "tool" | "length" | "refusal"> = {
  tool_calls: "tool",
  function_call: "tool",
  length: "length",
  content_filter: "refusal",
};

/** The vendor's chunks as our events. A stream without a finish reason was cut; one that breaks after it is complete. */
async function* read(
  events: AsyncIterable<ChatCompletionChunk>,
  model: string,
  endpoint: Endpoint,
): AsyncGenerator<ModelEvent> {
  let text = "";
  let thinking = "";
  let finish: string | undefined;
  let refused = false;
  let usage: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const drafts: Draft[] = [];
  try {
    for await (const chunk of events) {
      const choice = chunk.choices?.[0];
      const counted = chunk.usage ?? (choice as { usage?: LooseUsage } | undefined)?.usage;
      if (counted) usage = toUsage(counted as LooseUsage);
      if (!choice) continue;
      const delta = (choice.delta ?? {}) as LooseDelta;
      const said = split(delta);
      if (said.thinking) {
        thinking += said.thinking;
        yield { type: "thinking", delta: said.thinking };
      }
      if (said.text) {
        text += said.text;
        yield { type: "text", delta: said.text };
      }
      if (delta.refusal) refused = true;
      for (const call of delta.tool_calls ?? []) collect(drafts, call);
      if (choice.finish_reason) finish = choice.finish_reason;
    }
  } catch (cause) {
    // Expected only behind the finish reason: the answer is complete, and only its count is missing.
    if (!finish) throw cause;
  }
  if (!finish)
    return yield {
      type: "error",
      error: refusal(endpoint, {
        code: "provider_timeout",
        text: "the answer broke off in the middle",
        hint: CUT_HINT,
      }),
    };
  const calls = drafts.filter((d) => d.name || d.args);
  const blocks: Block[] = [
    ...(thinking ? [{ type: "thinking" as const, text: thinking }] : []),
    ...(text ? [{ type: "text" as const, text }] : []),
    ...sealedThoughts(calls, model),
    ...calls.map((d) => ({
      type: "tool_call" as const,
      id: d.id,
      name: d.name || "unknown",
      args: parseArgs(d.args),
    })),
  ];
  const stop = refused ? "refusal" : (STOPS[finish] ?? "end");
  yield {
    type: "end",
    stop: stop === "end" && calls.length ? "tool" : stop === "tool" && !calls.length ? "end" : stop,
    message: { role: "assistant", blocks, at: Date.now() },
    usage,
  };
}

/** Text and thinking of one delta. Mistral sends lists of parts; servers disagree on the name of the reasoning. */
function split(delta: LooseDelta): { text: string; thinking: string } {
  const reasoning = [delta.reasoning_content, delta.reasoning].find(
    (r): r is string => typeof r === "string" && r !== "",
  );
  let text = typeof delta.content === "string" ? delta.content : "";
  let thinking = reasoning ?? "";
  if (Array.isArray(delta.content))
    for (const part of delta.content as {
      type?: string;
      text?: string;
      thinking?: { text?: string }[];
    }[]) {
      if (part.type === "text") text += part.text ?? "";
      if (part.type === "thinking")
        thinking += (part.thinking ?? []).map((t) => t.text ?? "").join("");
    }
  return { text: text + (delta.refusal ?? ""), thinking };
}

/**
 * Adds a fragment to its call. Servers differ: fragments by index; whole calls without index or id; several whole calls that
 * all say index 0 with different ids.
 */
function collect(drafts: Draft[], call: LooseCall): void {
  const name = call.function?.name ?? "";
  const raw = call.function?.arguments;
  const args = typeof raw === "string" ? raw : raw ? JSON.stringify(raw) : "";
  const last = drafts.at(-1);
  let draft = call.index === undefined ? last : drafts.findLast((d) => d.index === call.index);
  const other = call.id && draft?.id && draft.id !== call.id;
  const whole = call.index === undefined && name && !call.id;
  if (!draft || other || whole) {
    draft = {
      index: call.index,
      id: call.id || `call_${crypto.randomUUID().replaceAll("-", "")}`,
      name: "",
      args: "",
    };
    drafts.push(draft);
  }
  // Fragments of a name are rare, repeated names are not.
  if (name && draft.name !== name) draft.name += name;
  if (draft.args.length <= MAX_ARGS) draft.args += args;
  if (call.extra_content !== undefined) draft.extra = call.extra_content;
}

/** Google's signatures by call, sealed in front of the calls; see messages.ts. */
function sealedThoughts(calls: Draft[], model: string): Block[] {
  const extras = calls.filter((d) => d.extra !== undefined).map((d) => [d.id, d.extra]);
  if (!extras.length) return [];
  const data = JSON.stringify(Object.fromEntries(extras));
  return [{ type: "thinking", text: "", signature: seal({ dialect: THOUGHTS, model, data }) }];
}

function toUsage(u: LooseUsage): Usage {
  const cacheRead = u.prompt_tokens_details?.cached_tokens ?? u.prompt_cache_hit_tokens ?? 0;
  const cacheWrite = u.prompt_tokens_details?.cache_write_tokens ?? 0;
  return {
    input: Math.max(0, (u.prompt_tokens ?? 0) - cacheRead - cacheWrite),
    output: u.completion_tokens ?? 0,
    cacheRead,
    cacheWrite,
  };
}
