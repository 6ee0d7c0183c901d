/** What both OpenAI dialects share: the vendor's client, the checks on an answer, and the repair of refused requests. */
import OpenAI from "openai";

import type { ModelEvent, ModelRequest } from "../../flow.ts";
import { refusal, stopped } from "../failure.ts";
import type { Endpoint, Provider } from "../provider.ts";
import { createTransport } from "../transport.ts";
import { bodyFailure, toFailure } from "./errors.ts";
import { type Quirk, quirkOf } from "./repair.ts";
import { type Vendor, vendorOf } from "./vendors.ts";

/** Longer than any turn: silence and the turn's own limit end a request, not the library. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_REPAIRS = 4;

/** The vendor's client, cut off from the environment: it would look for keys and addresses of its own there. */
const clientFor = (endpoint: Endpoint): OpenAI =>
  new OpenAI({
    apiKey: endpoint.apiKey || "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: endpoint.baseUrl.replace(/\/+$/, ""),
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    logLevel: "off",
    fetch: createTransport(endpoint),
    defaultHeaders: {
      ...(endpoint.apiKey ? {} : { authorization: null }),
      ...endpoint.headers,
    },
  });

/** What the two dialects do differently. */
type Wire<Event> = {
  path: string;
  /** The request body without what the endpoint is known not to take. */
  body(
    request: ModelRequest,
    endpoint: Endpoint,
    vendor: Vendor,
    quirks: ReadonlySet<Quirk>,
  ): Record<string, unknown>;
  /** The vendor's events as ours; ends with one terminal event. */
  read(events: AsyncIterable<Event>, model: string, endpoint: Endpoint): AsyncIterable<ModelEvent>;
};

type Ask<Event> = {
  client: OpenAI;
  endpoint: Endpoint;
  path: string;
  body(): object;
  read(events: AsyncIterable<Event>): AsyncIterable<ModelEvent>;
  signal: AbortSignal;
};

/** A provider of one dialect. What its endpoint refuses is learned for as long as the provider lives. */
export function openaiProvider<Event>(endpoint: Endpoint, wire: Wire<Event>): Provider {
  const client = clientFor(endpoint);
  const vendor = vendorOf(endpoint);
  const quirks = new Set<Quirk>();
  return {
    /** A request is sent again without a field that the endpoint refuses. */
    async *stream(request, signal) {
      const ask: Ask<Event> = {
        client,
        endpoint,
        path: wire.path,
        body: () => wire.body(request, endpoint, vendor, quirks),
        read: (events) => wire.read(events, request.model, endpoint),
        signal,
      };
      for (let repairs = 0; ; repairs++) {
        let repair: Quirk | undefined;
        for await (const event of attempt(ask)) {
          if (event.type === "error" && repairs < MAX_REPAIRS)
            repair = quirkOf(event.error, quirks);
          if (repair) quirks.add(repair);
          else yield event;
        }
        if (!repair) return;
      }
    },
    models: listModels(client, endpoint),
  };
}

async function* attempt<Event>(a: Ask<Event>): AsyncGenerator<ModelEvent> {
  const { endpoint, signal } = a;
  try {
    const { data, response } = await a.client
      .post(a.path, { body: a.body(), stream: true, signal })
      .withResponse();
    const type = response.headers.get("content-type") ?? "";
    if (!/event-stream/.test(type)) {
      const text = (await response.text()).slice(0, 2000);
      yield { type: "error", error: notAStream(endpoint, type, text) };
      return;
    }
    for await (const event of a.read(data as AsyncIterable<Event>)) {
      // An abort ends the library's iterator without an error, so that the stream looks cut.
      if (event.type === "error" && signal.aborted) yield { type: "error", error: stopped() };
      else yield event;
    }
  } catch (cause) {
    yield { type: "error", error: signal.aborted ? stopped() : toFailure(endpoint, cause) };
  }
}

function notAStream(endpoint: Endpoint, type: string, text: string) {
  if (/json/.test(type) && /"error"/.test(text) && text.trim()) {
    try {
      return bodyFailure(endpoint, JSON.parse(text));
    } catch {
      // Expected: the text may have been cut above; it is shown as it is.
    }
  }
  return refusal(endpoint, {
    code: "provider_rejected",
    text: text.trim() || `it answered with ${type || "nothing"} instead of a stream`,
  });
}

/** `GET /models`. */
const listModels =
  (client: OpenAI, endpoint: Endpoint): NonNullable<Provider["models"]> =>
  async (signal) => {
    try {
      const page = await client.models.list({ signal });
      return page.data.map((m) => {
        const extra = m as { name?: unknown; context_length?: unknown; id: string };
        return {
          id: m.id,
          ...(typeof extra.name === "string" ? { name: extra.name } : {}),
          ...(typeof extra.context_length === "number"
            ? { contextWindow: extra.context_length }
            : {}),
        };
      });
    } catch (cause) {
      throw signal.aborted ? stopped() : toFailure(endpoint, cause);
    }
  };
