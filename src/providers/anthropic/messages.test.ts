import { expect, test } from "bun:test";

import { anthropicProblems } from "../../../test/fakes/anthropic.ts";
import type { Block, Message, ModelRequest, Thinking } from "../../flow.ts";
import { seal } from "../sealed.ts";
import { DIALECT, REDACTED, type Shape, toBody } from "./messages.ts";

const shape: Shape = {
  maxTokens: 64_000,
  images: true,
  temperature: false,
  forgetThinking: false,
  plain: false,
};
const text = (value: string): Block => ({ type: "text", text: value });
const user = (...blocks: Block[]): Message => ({ role: "user", blocks, at: 1 });
const assistant = (...blocks: Block[]): Message => ({ role: "assistant", blocks, at: 1 });
const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: "claude-opus-4-5",
  system: ["stable", "workspace"],
  messages: [user(text("hello"))],
  tools: [
    { name: "read", description: "Reads.", inputSchema: { type: "object", properties: {} } },
    { name: "exec", description: "Runs.", inputSchema: { type: "object", properties: {} } },
  ],
  thinking: "off",
  sessionId: "s",
  ...more,
});
const body = (more: Partial<ModelRequest> = {}, as: Partial<Shape> = {}) => {
  const made = toBody(request(more), { ...shape, ...as });
  expect(anthropicProblems(made).filter((p) => !p.startsWith("temperature"))).toEqual([]);
  return made;
};

test("the cache is marked behind the last tool, each system part and the last message", () => {
  const made = body();
  const cache = { type: "ephemeral", ttl: "5m" } as const;
  expect(made.tools!.map((t) => t.cache_control ?? undefined)).toEqual([undefined, cache]);
  expect(made.system).toEqual([
    { type: "text", text: "stable", cache_control: cache },
    { type: "text", text: "workspace", cache_control: cache },
  ]);
  expect(made.messages.at(-1)!.content).toEqual([
    { type: "text", text: "hello", cache_control: cache },
  ]);
});

test("there are never more than four marks, and the end of the system prompt keeps its own", () => {
  const made = body({ system: ["a", "b", "c", "d", "e"], cache: "1h" });
  const marked = (made.system as { text: string; cache_control?: { ttl: string } }[]).filter(
    (p) => p.cache_control,
  );
  expect(marked.map((p) => p.text)).toEqual(["a", "e"]);
  expect(marked[0]!.cache_control!.ttl).toBe("1h");
  const bare = body({ system: ["a", "b", "c"], tools: [] });
  expect((bare.system as object[]).filter((p) => "cache_control" in p)).toHaveLength(3);
});

test("max_tokens is the wish, bounded by the model", () => {
  expect(body({ maxTokens: 100 }).max_tokens).toBe(100);
  expect(body({ maxTokens: 1_000_000 }).max_tokens).toBe(64_000);
  expect(body().max_tokens).toBe(64_000);
});

test("older models think within a budget that leaves room for the answer", () => {
  const thinking = (level: Thinking, maxTokens = 64_000) =>
    body({ thinking: level, maxTokens }).thinking;
  expect(thinking("off")).toBeUndefined();
  expect(thinking("minimal")).toEqual({ type: "enabled", budget_tokens: 1024 });
  expect(thinking("high")).toEqual({ type: "enabled", budget_tokens: 20_480 });
  expect(thinking("high", 4096)).toEqual({ type: "enabled", budget_tokens: 3072 });
  expect(thinking("high", 2000)).toBeUndefined();
});

test("newer models are told an effort, and each is turned off in its own way", () => {
  const params = (model: string, level: Thinking) => {
    const { thinking, output_config } = body({ model, thinking: level });
    return { thinking: thinking?.type, effort: output_config?.effort };
  };
  expect(params("claude-opus-4-6", "high")).toEqual({ thinking: "adaptive", effort: "high" });
  expect(params("claude-opus-4-6", "xhigh").effort).toBe("max");
  expect(params("claude-sonnet-4-6", "xhigh").effort).toBe("high");
  expect(params("claude-opus-4-6", "off")).toEqual({ thinking: undefined, effort: undefined });
  expect(params("claude-haiku-5-5", "off")).toEqual({ thinking: "disabled", effort: undefined });
  expect(params("claude-opus-5", "off")).toEqual({ thinking: "disabled", effort: undefined });
  expect(params("claude-sonnet-5-5", "off")).toEqual({
    thinking: "between_tools",
    effort: undefined,
  });
  expect(params("claude-opus-5-5", "off")).toEqual({ thinking: undefined, effort: "low" });
  expect(params("claude-fable-5-1", "xhigh")).toEqual({ thinking: "adaptive", effort: "xhigh" });
  expect(params("claude-opus-7", "minimal")).toEqual({ thinking: "adaptive", effort: "low" });
  expect(params("claude-opus-4-5-20251101", "low").thinking).toBe("enabled");
  expect(params("claude-sonnet-4-20250514", "low").thinking).toBe("enabled");
  expect(params("claude-3-7-sonnet-20250219", "low").thinking).toBe("enabled");
  expect(params("MiniMax-M2.1", "low").thinking).toBe("enabled");
});

const signed = (model: string, dialect = DIALECT): Block => ({
  type: "thinking",
  text: dialect === DIALECT ? "hm" : "",
  signature: seal({ dialect, model, data: "sig" }),
});

test("signed thinking goes back to the model it came from, and to no other", () => {
  const messages = [
    user(text("a")),
    assistant(
      signed("claude-opus-4-5"),
      signed("claude-opus-4-5", REDACTED),
      signed("gpt-5", "openai-reasoning"),
      text("b"),
    ),
    user(text("c")),
  ];
  const content = (model: string, as: Partial<Shape> = {}) =>
    (body({ model, messages }, as).messages[1]!.content as Block[]).map((b) => b.type as string);
  expect(content("claude-opus-4-5")).toEqual(["thinking", "redacted_thinking", "text"]);
  expect(content("claude-sonnet-4-5")).toEqual(["text"]);
  expect(content("claude-opus-4-5", { forgetThinking: true })).toEqual(["text"]);
  expect((body({ messages }).messages[1]!.content as object[])[0]).toEqual({
    type: "thinking",
    thinking: "hm",
    signature: "sig",
  });
});

test("in the middle of a tool round that another model began, an older model does not think", () => {
  const round = (...first: Block[]) => [
    user(text("a")),
    assistant(...first, { type: "tool_call", id: "x", name: "exec", args: {} }),
    {
      role: "tool" as const,
      at: 1,
      blocks: [{ type: "tool_result" as const, id: "x", name: "exec", text: "out" }],
    },
  ];
  expect(body({ thinking: "high", messages: round() }).thinking).toBeUndefined();
  expect(
    body({ thinking: "high", messages: round(signed("claude-opus-4-5")) }).thinking?.type,
  ).toBe("enabled");
  expect(
    body({ model: "claude-opus-5-5", thinking: "high", messages: round() }).thinking?.type,
  ).toBe("adaptive");
});

test("images that cannot be sent become a line of text", () => {
  const image = (mime: string, data: string): Block => ({ type: "image", mime, data });
  const shown = (images: boolean, block: Block) => {
    const content = body({ messages: [user(text("see"), block)] }, { images }).messages[0]!.content;
    return (content as { type: string; text?: string }[])[1]!;
  };
  expect(shown(true, image("image/png", "AAAA")).type).toBe("image");
  expect(shown(false, image("image/png", "AAAA")).text).toContain("does not see images");
  expect(shown(true, image("image/heic", "AAAA")).text).toContain("image/heic");
  expect(shown(true, image("image/png", "A".repeat(8_000_000))).text).toContain("5 MB");
});

test("temperature is sent only where it is taken, and never while the model thinks", () => {
  expect(body({ temperature: 0.5 })).not.toHaveProperty("temperature");
  expect(body({ temperature: 0.5 }, { temperature: true })).toHaveProperty("temperature", 0.5);
  expect(body({ temperature: 0.5, thinking: "high" }, { temperature: true })).not.toHaveProperty(
    "temperature",
  );
});
