import { expect, test } from "bun:test";

import { responses } from "../../src/providers/openai/responses.ts";
import { providerContract, user } from "../contract/provider.ts";
import {
  type OpenAIFakeOptions,
  openaiRefusal,
  responsesProblems,
  startOpenAI,
} from "../fakes/openai.ts";

const setup = providerContract<OpenAIFakeOptions>({
  model: "gpt-5.2",
  name: "openai-responses",
  create: responses,
  start: startOpenAI,
  base: "/v1",
  problems: responsesProblems,
  billing: openaiRefusal(429, {
    message: "You exceeded your current quota",
    type: "insufficient_quota",
    code: "insufficient_quota",
  }),
  tooLong: openaiRefusal(400, {
    message: "too long",
    type: "invalid_request_error",
    code: "context_length_exceeded",
  }),
});

test("nothing is stored at the vendor's: reasoning comes encrypted and goes back as it came", async () => {
  const { fake, run } = await setup();
  fake.reply({ thinking: "because", text: "so" });
  const { end } = await run({ thinking: "medium" });
  await run({ thinking: "medium", messages: [user("hello"), end!.message, user("more")] });
  expect(fake.requests[0]!.body).toMatchObject({
    store: false,
    include: ["reasoning.encrypted_content"],
    reasoning: { effort: "medium", summary: "auto" },
  });
  expect(fake.requests[1]!.body.input[1]).toEqual({
    type: "reasoning",
    id: "rs_1",
    summary: [{ type: "summary_text", text: "because" }],
    encrypted_content: "sealed-1",
  });
});

test("encrypted reasoning that the platform refuses is left out, and the answer comes", async () => {
  const { fake, run } = await setup();
  fake.reply({ thinking: "because", text: "so" });
  const { end } = await run({ thinking: "medium" });
  fake.refuse(
    openaiRefusal(400, {
      message: "The encrypted content for item rs_1 could not be verified.",
      code: "invalid_encrypted_content",
    }),
  );
  expect((await run({ messages: [user("hello"), end!.message, user("more")] })).text).toBe("ok");
  expect(fake.requests[2]!.text).not.toContain("sealed-1");
});

test("a model that does not reason is asked neither for effort nor for reasoning", async () => {
  const { fake, run } = await setup({
    traits: { maxTokens: 100, reasoning: false, input: ["text"] },
  });
  await run({ model: "gpt-4o", thinking: "high", temperature: 0.5 });
  const { body } = fake.requests[0]!;
  expect(body.temperature).toBe(0.5);
  for (const key of ["reasoning", "include"]) expect(body).not.toHaveProperty(key);
});

test("an account that may not see summaries gets the answer without them", async () => {
  const { fake, run } = await setup();
  fake.refuse(
    openaiRefusal(400, {
      message: "Your organization must be verified to generate reasoning summaries.",
      param: "reasoning.summary",
      code: "unsupported_value",
    }),
  );
  expect((await run({ thinking: "low" })).text).toBe("ok");
  expect(fake.requests[1]!.body.reasoning).toEqual({ effort: "low" });
});

test("the session is the cache key, and the limit is never below what the platform takes", async () => {
  const { fake, run } = await setup();
  await run({ maxTokens: 1, sessionId: "s".repeat(100) });
  expect(fake.requests[0]!.body).toMatchObject({
    max_output_tokens: 16,
    prompt_cache_key: "s".repeat(64),
  });
});
