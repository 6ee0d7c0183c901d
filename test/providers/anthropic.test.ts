import { expect, test } from "bun:test";

import type { Message } from "../../src/flow.ts";
import anthropic from "../../src/providers/anthropic/index.ts";
import type { Endpoint } from "../../src/providers/provider.ts";
import { collect, providerContract, request, user } from "../contract/provider.ts";
import { anthropicProblems, type FakeOptions, startAnthropic } from "../fakes/anthropic.ts";

const setup = providerContract<FakeOptions>({
  model: "claude-opus-4-5",
  name: "anthropic-messages",
  create: anthropic,
  start: startAnthropic,
  base: "",
  problems: anthropicProblems,
  billing: {
    status: 400,
    message: "Your credit balance is too low to access the Anthropic API.",
    kind: "invalid_request_error",
  },
  tooLong: {
    status: 400,
    message: "prompt is too long: 210000 tokens > 200000 maximum",
    kind: "invalid_request_error",
  },
});

test("a key goes into x-api-key, a subscription token and a key that shall be a bearer into Authorization", async () => {
  const sent = async (more: Partial<Endpoint>) => {
    const { fake, run } = await setup(more);
    await run();
    const { headers } = fake.requests[0]!;
    return [headers["x-api-key"], headers["authorization"], headers["anthropic-beta"]];
  };
  expect(await sent({})).toEqual(["key-123456", undefined, undefined]);
  expect(await sent({ apiKey: "sk-ant-oat01-x" })).toEqual([
    undefined,
    "Bearer sk-ant-oat01-x",
    "oauth-2025-04-20",
  ]);
  expect(await sent({ authHeader: true })).toEqual([undefined, "Bearer key-123456", undefined]);
});

test("an address that already ends in /v1 is the same address", async () => {
  const { fake } = await setup();
  const provider = anthropic({
    id: "x",
    baseUrl: `${fake.url}/v1/`,
    apiKey: "k",
    idleTimeoutMs: 5000,
  });
  const { error } = await collect(provider.stream(request(), new AbortController().signal));
  expect(error).toBeUndefined();
});

test("earlier thinking whose signature the platform refuses is left out, once, and the answer comes", async () => {
  const { fake, run } = await setup();
  fake.reply({ thinking: "hm", text: "first" });
  const first = await run({ thinking: "low" });
  const messages: Message[] = [user("hello"), first.end!.message, user("more")];
  fake.refuse({
    status: 400,
    message:
      "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.",
    kind: "invalid_request_error",
  });
  fake.reply({ text: "second" });
  const { text } = await run({ thinking: "low", messages });
  expect(text).toBe("second");
  expect(fake.requests[1]!.text).toContain('"signature":"sig-1"');
  expect(fake.requests[2]!.text).not.toContain('"signature"');
  expect(fake.requests[2]!.body.thinking).toBeDefined();
});

test("thinking settings that an endpoint does not know are left out, now and in later requests", async () => {
  const { fake, run } = await setup();
  fake.refuse({
    status: 400,
    message: "thinking: Extra inputs are not permitted",
    kind: "invalid_request_error",
  });
  expect((await run({ thinking: "high" })).text).toBe("ok");
  expect((await run({ thinking: "high" })).text).toBe("ok");
  expect(fake.requests.map((r) => r.body.thinking?.type)).toEqual([
    "enabled",
    undefined,
    undefined,
  ]);
});

test("a refusal that nothing can mend is told after one request", async () => {
  const { fake, run } = await setup();
  for (let i = 0; i < 5; i++)
    fake.refuse({ status: 400, message: "thinking is not for you", kind: "invalid_request_error" });
  expect((await run({ thinking: "high" })).error?.code).toBe("provider_rejected");
  expect(fake.requests).toHaveLength(2);
});

test("a model that is known not to reason is not told to think", async () => {
  const { fake, run } = await setup({
    traits: { maxTokens: 100, reasoning: false, input: ["text"] },
  });
  await run({ thinking: "high" });
  expect(fake.requests[0]!.body.thinking).toBeUndefined();
  expect(fake.requests[0]!.body.max_tokens).toBe(100);
});

test("errors inside a stream are told apart by their type", async () => {
  const { fake, run } = await setup();
  fake.fault("error-event", { text: "some words before it breaks" });
  const seen = await run();
  expect(seen.error?.code).toBe("provider_overloaded");
  expect(seen.text).not.toBe("");
});
