import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { modelView } from "../../src/agent/view.ts";
import type { Message, ModelRequest } from "../../src/flow.ts";
import { toBody as anthropicBody } from "../../src/providers/anthropic/messages.ts";
import { toBody as chatBody } from "../../src/providers/openai/completions.ts";
import { toBody as responsesBody } from "../../src/providers/openai/responses.ts";
import { vendorOf } from "../../src/providers/openai/vendors.ts";
import type { Endpoint } from "../../src/providers/provider.ts";
import { anthropicProblems } from "../fakes/anthropic.ts";
import { openaiProblems, responsesProblems } from "../fakes/openai.ts";
import { events, healthy } from "./events.ts";
import { bytes } from "./messages.ts";

const endpoint: Endpoint = { id: "openai", baseUrl: "http://127.0.0.1:1/v1", idleTimeoutMs: 1000 };
const requestOf = (messages: Message[]): ModelRequest => ({
  model: "claude",
  system: ["be good"],
  messages,
  tools: [],
  thinking: "off",
  maxTokens: 4096,
  sessionId: "s",
});
type Dialect = {
  name: string;
  body(messages: Message[]): Record<string, unknown>;
  problems(body: unknown): string[];
  messages(body: Record<string, unknown>): unknown;
};
/** Cache marks move on from request to request; they are not part of what is cached. */
const unmarked = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, each) => (key === "cache_control" ? undefined : each)));
const DIALECTS: Dialect[] = [
  {
    name: "anthropic messages",
    body: (messages) => ({
      ...anthropicBody(requestOf(messages), {
        maxTokens: 4096,
        images: true,
        temperature: false,
        forgetThinking: false,
        plain: false,
      }),
    }),
    problems: anthropicProblems,
    messages: (body) => unmarked(body["messages"]),
  },
  {
    name: "chat completions",
    body: (messages) => chatBody(requestOf(messages), endpoint, vendorOf(endpoint), new Set()),
    problems: openaiProblems,
    messages: (body) => body["messages"],
  },
  {
    name: "responses",
    body: (messages) => responsesBody(requestOf(messages), endpoint, new Set()),
    problems: responsesProblems,
    messages: (body) => body["input"],
  },
];

describe.each(DIALECTS)("$name", ({ body, problems, messages }) => {
  test("accepts the view of any transcript", () => {
    fc.assert(
      fc.property(events, (h) => {
        const view = modelView([...h, { kind: "context", text: "[context] now" }]);
        expect(problems(JSON.parse(bytes(body(view))))).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("is sent in each request what it was sent before, byte for byte, and then more", () => {
    fc.assert(
      fc.property(healthy, (h) => {
        let before: string | undefined;
        for (let end = 1; end <= h.length; end++) {
          // A request is made before every answer.
          const next = h[end];
          if (next?.kind !== "message" || next.message.role !== "assistant") continue;
          const now = bytes(messages(body(modelView(h.slice(0, end))))).slice(0, -1);
          if (before !== undefined) expect(now.startsWith(before)).toBe(true);
          before = now;
        }
      }),
      { numRuns: 300 },
    );
  });
});
