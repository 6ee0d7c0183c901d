/** The dialect `anthropic-messages`: Anthropic, and everything that speaks its Messages API. */
import Anthropic from "@anthropic-ai/sdk";
import type {
  RawMessageStreamEvent,
  StopReason,
} from "@anthropic-ai/sdk/resources/messages/messages";

import type { AppError } from "../../base/errors.ts";
import type { Block, ModelEvent, ModelRequest, Usage } from "../../flow.ts";
import { MAX_ARGS, parseArgs } from "../calls.ts";
import { CUT_HINT, refusal, stopped } from "../failure.ts";
import type { Endpoint, Provider, ProviderFactory } from "../provider.ts";
import { seal } from "../sealed.ts";
import { createTransport } from "../transport.ts";
import { culprit, toFailure } from "./errors.ts";
import { DIALECT, REDACTED, type Shape, toBody } from "./messages.ts";

/** Longer than any turn: silence and the turn's own limit end a request, not the library. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
const DEFAULT_MAX_TOKENS = 8192;

/** The vendor's client, cut off from the environment and the disk: it would look for keys of its own there. */
function clientFor(endpoint: Endpoint): Anthropic {
  const key = endpoint.apiKey;
  const bearer = key && (endpoint.authHeader || key.startsWith("sk-ant-oat"));
  return new Anthropic({
    // With any value given here the library reads no credentials from elsewhere; the headers below are what is sent.
    apiKey: key || "none",
    authToken: null,
    webhookKey: null,
    baseURL: endpoint.baseUrl.replace(/\/+$/, "").replace(/\/v1$/, ""),
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    logLevel: "off",
    openTelemetry: false,
    fetch: createTransport(endpoint),
    defaultHeaders: {
      authorization: bearer ? `Bearer ${key}` : null,
      "x-api-key": key && !bearer ? key : null,
      ...(bearer && key.startsWith("sk-ant-oat") ? { "anthropic-beta": "oauth-2025-04-20" } : {}),
      ...(isPlatform(endpoint) ? {} : { "anthropic-version": "2023-06-01" }),
      ...endpoint.headers,
    },
  });
}

/** Anthropic itself; others speak the version of the API that they were built after. */
const isPlatform = (endpoint: Endpoint): boolean =>
  URL.canParse(endpoint.baseUrl) && new URL(endpoint.baseUrl).hostname.endsWith("anthropic.com");

const anthropic: ProviderFactory = (endpoint): Provider => {
  const client = clientFor(endpoint);
  // What this endpoint has refused before; kept so that it is refused once, not with every request.
  const learned = { plain: false, temperature: !isPlatform(endpoint) };

  async function* attempt(
    request: ModelRequest,
    shape: Shape,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    try {
      // `post` and not `messages.create`, which prints warnings about old models.
      const response = await client
        .post("/v1/messages", { body: toBody(request, shape), stream: true, signal })
        .withResponse();
      const type = response.response.headers.get("content-type") ?? "";
      if (!type.includes("event-stream")) {
        const text = (await response.response.text()).slice(0, 2000);
        yield { type: "error", error: notAStream(endpoint, type, text) };
        return;
      }
      yield* read(response.data as AsyncIterable<RawMessageStreamEvent>, request, endpoint, signal);
    } catch (cause) {
      yield { type: "error", error: signal.aborted ? stopped() : toFailure(endpoint, cause) };
    }
  }

  return {
    async *stream(request, signal) {
      const shape: Shape = {
        maxTokens: endpoint.traits?.maxTokens ?? DEFAULT_MAX_TOKENS,
        images: endpoint.traits?.input.includes("image") ?? true,
        temperature: learned.temperature,
        forgetThinking: false,
        plain: learned.plain || endpoint.traits?.reasoning === false,
      };
      for (let repairs = 0; ; repairs++) {
        let repair: ReturnType<typeof culprit>;
        for await (const event of attempt(request, shape, signal)) {
          if (event.type === "error" && repairs < 3) repair = culprit(event.error);
          if (repair === "thinking_history" && !shape.forgetThinking) shape.forgetThinking = true;
          else if (repair === "thinking" && !shape.plain) shape.plain = learned.plain = true;
          else if (repair === "temperature" && shape.temperature)
            shape.temperature = learned.temperature = false;
          else {
            repair = undefined;
            yield event;
          }
        }
        if (!repair) return;
      }
    },
    async models(signal) {
      try {
        const page = await client.models.list({ limit: 1000 }, { signal });
        return page.data.map((m) => ({
          id: m.id,
          name: m.display_name,
          ...(m.max_input_tokens ? { contextWindow: m.max_input_tokens } : {}),
        }));
      } catch (cause) {
        throw signal.aborted ? stopped() : toFailure(endpoint, cause);
      }
    },
  };
};
export default anthropic;

const notAStream = (endpoint: Endpoint, type: string, text: string): AppError =>
  refusal(endpoint, {
    code: "provider_rejected",
    text: text.trim() || `it answered with ${type || "nothing"} instead of a stream`,
  });

const STOPS: Partial<Record<StopReason, "end" | "tool" | "length" | "refusal">> = {
  tool_use: "tool",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  refusal: "refusal",
};

type Draft = { type: string; text: string; signature: string; id: string; name: string };

/** The vendor's events as ours. One terminal event; a stream that ends without `message_stop` was cut. */
async function* read(
  events: AsyncIterable<RawMessageStreamEvent>,
  request: ModelRequest,
  endpoint: Endpoint,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  const drafts = new Map<number, Draft>();
  const usage: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  let stop: StopReason | null = null;
  let ended = false;
  for await (const event of events) {
    switch (event.type) {
      case "message_start":
        count(usage, event.message.usage);
        break;
      case "content_block_start": {
        const b = event.content_block;
        drafts.set(event.index, {
          type: b.type,
          text: b.type === "text" ? b.text : b.type === "thinking" ? b.thinking : "",
          signature: b.type === "redacted_thinking" ? b.data : "",
          id: b.type === "tool_use" ? b.id : "",
          name: b.type === "tool_use" ? b.name : "",
        });
        if (b.type === "text" && b.text) yield { type: "text", delta: b.text };
        break;
      }
      case "content_block_delta": {
        const draft = drafts.get(event.index);
        const d = event.delta;
        if (!draft) break;
        if (d.type === "text_delta") {
          draft.text += d.text;
          if (d.text) yield { type: "text", delta: d.text };
        } else if (d.type === "thinking_delta") {
          draft.text += d.thinking;
          if (d.thinking) yield { type: "thinking", delta: d.thinking };
        } else if (d.type === "signature_delta") draft.signature += d.signature;
        else if (d.type === "input_json_delta" && draft.text.length <= MAX_ARGS)
          draft.text += d.partial_json;
        break;
      }
      case "message_delta":
        count(usage, event.usage);
        stop = event.delta.stop_reason ?? stop;
        break;
      case "message_stop":
        ended = true;
        break;
      default:
        // `content_block_stop` and event types that are newer than this program.
        break;
    }
    if (ended) break;
  }
  if (signal.aborted) return yield { type: "error", error: stopped() };
  if (!ended)
    return yield {
      type: "error",
      error: refusal(endpoint, {
        code: "provider_timeout",
        text: "the answer broke off in the middle",
        hint: CUT_HINT,
      }),
    };
  const blocks = [...drafts]
    .sort(([a], [b]) => a - b)
    .flatMap(([, d]) => toBlocks(d, request.model));
  yield {
    type: "end",
    stop:
      STOPS[stop ?? "end_turn"] ?? (blocks.some((b) => b.type === "tool_call") ? "tool" : "end"),
    message: { role: "assistant", blocks, at: Date.now() },
    usage,
  };
}

/** `message_delta` repeats the totals, so the last value of each wins. */
function count(
  usage: Usage,
  u: {
    input_tokens: number | null;
    output_tokens: number;
    cache_read_input_tokens: number | null;
    cache_creation_input_tokens: number | null;
  },
): void {
  usage.input = u.input_tokens ?? usage.input;
  usage.output = u.output_tokens ?? usage.output;
  usage.cacheRead = u.cache_read_input_tokens ?? usage.cacheRead;
  usage.cacheWrite = u.cache_creation_input_tokens ?? usage.cacheWrite;
}

function toBlocks(d: Draft, model: string): Block[] {
  if (d.type === "text") return d.text ? [{ type: "text", text: d.text }] : [];
  if (d.type === "tool_use")
    return [{ type: "tool_call", id: d.id, name: d.name, args: parseArgs(d.text) }];
  const sealed = (dialect: string) => seal({ dialect, model, data: d.signature });
  if (d.type === "redacted_thinking")
    return [{ type: "thinking", text: "", signature: sealed(REDACTED) }];
  if (d.type === "thinking" && (d.signature || d.text))
    return [
      { type: "thinking", text: d.text, ...(d.signature ? { signature: sealed(DIALECT) } : {}) },
    ];
  return [];
}
