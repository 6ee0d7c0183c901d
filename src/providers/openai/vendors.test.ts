import { expect, test } from "bun:test";

import type { Thinking } from "../../flow.ts";
import { toBody } from "./completions.ts";
import { effortOf, vendorOf } from "./vendors.ts";

const vendor = (baseUrl: string) => vendorOf({ id: "mine", baseUrl, idleTimeoutMs: 1 });

test("a vendor is known by its host, whatever the user calls it", () => {
  const ids = [
    "https://api.openai.com/v1",
    "https://mine.openai.azure.com/openai/v1",
    "https://openrouter.ai/api/v1",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "https://api.mistral.ai/v1",
    "http://127.0.0.1:11434/v1",
    "https://openai.com.evil.test/v1",
    "nonsense",
  ].map((url) => vendor(url).id);
  expect(ids).toEqual([
    "openai",
    "openai",
    "openrouter",
    "google",
    "mistral",
    "generic",
    "generic",
    "generic",
  ]);
});

test("each OpenAI model gets an effort that it knows", () => {
  const efforts = (model: string) =>
    (["off", "minimal", "low", "high", "xhigh"] as Thinking[]).map((level) =>
      effortOf(model, level),
    );
  expect(efforts("gpt-5-mini")).toEqual(["minimal", "minimal", "low", "high", "high"]);
  expect(efforts("gpt-5.1")).toEqual(["none", "none", "low", "high", "high"]);
  expect(efforts("gpt-5.2")).toEqual(["none", "none", "low", "high", "xhigh"]);
  expect(efforts("gpt-6-astra")).toEqual(["low", "low", "low", "high", "xhigh"]);
  expect(efforts("gpt-6.2-sol")).toEqual(["low", "low", "low", "high", "xhigh"]);
  expect(efforts("o3")).toEqual(["low", "low", "low", "high", "high"]);
  expect(efforts("something-else")).toEqual([undefined, "low", "low", "high", "high"]);
});

test("Mistral's ids are nine letters and digits, and the same for the same call", () => {
  const { callId } = vendor("https://api.mistral.ai/v1");
  for (const id of ["toolu_01ABC", "call-1", "", "ü"]) {
    expect(callId(id)).toMatch(/^[A-Za-z0-9]{9}$/);
    expect(callId(id)).toBe(callId(id));
  }
  expect(callId("abc123XYZ")).toBe("abc123XYZ");
});

test("Google gets schemas without the keys it refuses, but keeps properties of those names", () => {
  const { schema } = vendor("https://generativelanguage.googleapis.com/v1beta/openai");
  expect(
    schema({
      type: "object",
      $schema: "x",
      additionalProperties: false,
      properties: {
        title: { type: "string", default: "a" },
        list: {
          type: "array",
          items: {
            type: "object",
            additionalProperties: {},
            properties: { default: { type: "number", exclusiveMinimum: 0 } },
          },
        },
      },
      required: ["title"],
    }),
  ).toEqual({
    type: "object",
    properties: {
      title: { type: "string" },
      list: {
        type: "array",
        items: { type: "object", properties: { default: { type: "number" } } },
      },
    },
    required: ["title"],
  });
});

test("OpenRouter's own models get their full name", () => {
  const { model } = vendor("https://openrouter.ai/api/v1");
  expect(model("auto")).toBe("openrouter/auto");
  expect(model("anthropic/claude-opus-4.5")).toBe("anthropic/claude-opus-4.5");
});

test("OpenRouter is told where to cache for Anthropic's models, which cache nothing unasked", () => {
  const endpoint = { id: "openrouter", baseUrl: "https://openrouter.ai/api/v1", idleTimeoutMs: 1 };
  const content = (model: string) => {
    const request = {
      model,
      system: ["be kind"],
      messages: [{ role: "user" as const, blocks: [{ type: "text" as const, text: "hi" }], at: 1 }],
      tools: [],
      thinking: "off" as const,
      cache: "1h" as const,
      sessionId: "s",
    };
    const { messages } = toBody(request, endpoint, vendorOf(endpoint), new Set());
    return (messages as { content: unknown }[]).map((m) => m.content);
  };
  const cache_control = { type: "ephemeral", ttl: "1h" };
  expect(content("anthropic/claude-opus-4.5")).toEqual([
    [{ type: "text", text: "be kind", cache_control }],
    [{ type: "text", text: "hi", cache_control }],
  ]);
  expect(content("openai/gpt-5.2")).toEqual(["be kind", "hi"]);
});
