/** The dialect `openai-responses`: OpenAI's Responses API, without storage at the vendor's; its reasoning travels encrypted. */
import type {
  Response as ModelResponse,
  ResponseOutputItem,
  ResponseStreamEvent,
} from "openai/resources/responses/responses";

import type { Block, ModelEvent, ModelRequest, Usage } from "../../flow.ts";
import { commonId, parseArgs } from "../calls.ts";
import { CUT_HINT, refusal } from "../failure.ts";
import type { Endpoint, ProviderFactory } from "../provider.ts";
import { seal } from "../sealed.ts";
import { openaiProvider } from "./client.ts";
import { bodyFailure } from "./errors.ts";
import { REASONING, toInput } from "./messages.ts";
import type { Quirk } from "./repair.ts";
import { effortOf, vendorOf } from "./vendors.ts";

const DEFAULT_MAX_TOKENS = 8192;
/** The platform's own least value. */
const MIN_OUTPUT_TOKENS = 16;

export const responses: ProviderFactory = (endpoint) =>
  openaiProvider<ResponseStreamEvent>(endpoint, {
    path: "/responses",
    body: (request, at, _vendor, quirks) => toBody(request, at, quirks),
    read,
  });

/** The request body without what the endpoint is known not to take. */
export function toBody(
  request: ModelRequest,
  endpoint: Endpoint,
  quirks: ReadonlySet<Quirk>,
): Record<string, unknown> {
  const vendor = vendorOf(endpoint);
  const limit = endpoint.traits?.maxTokens ?? DEFAULT_MAX_TOKENS;
  const reasons = (endpoint.traits?.reasoning ?? true) && !quirks.has("reasoning");
  const effort = reasons ? effortOf(request.model, request.thinking) : undefined;
  const system = request.system.filter((part) => part.trim()).join("\n\n");
  return {
    model: request.model,
    stream: true,
    ...(quirks.has("store") ? {} : { store: false }),
    ...(system ? { instructions: system } : {}),
    input: toInput({
      model: request.model,
      system: [],
      messages: request.messages,
      images: endpoint.traits?.input.includes("image") ?? true,
      callId: commonId,
      forgetReasoning: quirks.has("encrypted_reasoning"),
    }),
    max_output_tokens: Math.max(MIN_OUTPUT_TOKENS, Math.min(request.maxTokens ?? limit, limit)),
    ...(request.tools.length
      ? {
          tools: request.tools.map((t) => ({
            type: "function",
            name: t.name,
            description: t.description,
            parameters: vendor.schema(t.inputSchema),
            // Strict schemas must require every property; ours have optional ones.
            strict: false,
          })),
        }
      : {}),
    ...(effort
      ? {
          reasoning: {
            effort,
            ...(effort === "none" || quirks.has("summary") ? {} : { summary: "auto" }),
          },
        }
      : {}),
    ...(reasons && !quirks.has("include") ? { include: ["reasoning.encrypted_content"] } : {}),
    ...(request.temperature !== undefined && !reasons && !quirks.has("temperature")
      ? { temperature: request.temperature }
      : {}),
    ...(quirks.has("prompt_cache_key") ? {} : { prompt_cache_key: request.sessionId.slice(0, 64) }),
  };
}

/** The vendor's events as ours. Finished items are taken whole; deltas are only for those who watch. */
async function* read(
  events: AsyncIterable<ResponseStreamEvent>,
  model: string,
  endpoint: Endpoint,
): AsyncGenerator<ModelEvent> {
  const items: ResponseOutputItem[] = [];
  let summaries = 0;
  for await (const event of events) {
    switch (event.type) {
      case "response.output_text.delta":
      case "response.refusal.delta":
        if (event.delta) yield { type: "text", delta: event.delta };
        break;
      case "response.reasoning_summary_part.added":
        if (summaries++) yield { type: "thinking", delta: "\n\n" };
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        if (event.delta) yield { type: "thinking", delta: event.delta };
        break;
      case "response.output_item.done":
        items.push(event.item);
        break;
      case "response.completed":
      case "response.incomplete":
        yield toEnd(event.response, items, model);
        return;
      case "response.failed":
        yield { type: "error", error: bodyFailure(endpoint, event.response.error) };
        return;
      default:
        // Progress events, and kinds that are newer than this program.
        break;
    }
  }
  yield {
    type: "error",
    error: refusal(endpoint, {
      code: "provider_timeout",
      text: "the answer broke off in the middle",
      hint: CUT_HINT,
    }),
  };
}

function toEnd(response: ModelResponse, done: ResponseOutputItem[], model: string): ModelEvent {
  const items = done.length ? done : (response.output ?? []);
  const blocks = items.flatMap((item) => toBlocks(item, model));
  const refused = items.some(
    (item) => item.type === "message" && item.content.some((part) => part.type === "refusal"),
  );
  const reason = response.incomplete_details?.reason;
  const stop =
    refused || reason === "content_filter"
      ? "refusal"
      : reason
        ? "length"
        : blocks.some((b) => b.type === "tool_call")
          ? "tool"
          : "end";
  return {
    type: "end",
    stop,
    message: { role: "assistant", blocks, at: Date.now() },
    usage: toUsage(response.usage),
  };
}

function toBlocks(item: ResponseOutputItem, model: string): Block[] {
  if (item.type === "message") {
    const text = item.content.map((p) => (p.type === "output_text" ? p.text : p.refusal)).join("");
    return text ? [{ type: "text", text }] : [];
  }
  if (item.type === "function_call")
    return [
      { type: "tool_call", id: item.call_id, name: item.name, args: parseArgs(item.arguments) },
    ];
  if (item.type !== "reasoning") return [];
  const text = [...item.summary, ...(item.content ?? [])].map((part) => part.text).join("\n\n");
  const { id, encrypted_content } = item;
  if (!encrypted_content) return text ? [{ type: "thinking", text }] : [];
  const data = JSON.stringify({ id, encrypted_content });
  return [{ type: "thinking", text, signature: seal({ dialect: REASONING, model, data }) }];
}

function toUsage(u: ModelResponse["usage"]): Usage {
  const cacheRead = u?.input_tokens_details?.cached_tokens ?? 0;
  const cacheWrite = u?.input_tokens_details?.cache_write_tokens ?? 0;
  return {
    input: Math.max(0, (u?.input_tokens ?? 0) - cacheRead - cacheWrite),
    output: u?.output_tokens ?? 0,
    cacheRead,
    cacheWrite,
  };
}
