import { expect, test } from "bun:test";

import type { Message } from "../../src/flow.ts";
import { completions } from "../../src/providers/openai/completions.ts";
import { providerContract, user } from "../contract/provider.ts";
import {
  type OpenAIFakeOptions,
  openaiProblems,
  openaiRefusal,
  startOpenAI,
} from "../fakes/openai.ts";

const setup = providerContract<OpenAIFakeOptions>({
  name: "openai-completions",
  create: completions,
  start: startOpenAI,
  base: "/v1",
  problems: openaiProblems,
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

const toolCalls = [
  { name: "exec", args: { command: "ls -la" } },
  { name: "read", args: { path: "ä.txt" } },
];
for (const calls of ["fragments", "whole", "whole-without-index", "all-index-0"] as const)
  test(`tool calls are understood when a server sends them as ${calls}`, async () => {
    const { fake, run } = await setup({}, { calls });
    fake.reply({ text: "so", toolCalls });
    const { end } = await run();
    expect(end?.stop).toBe("tool");
    const found = end!.message.blocks.flatMap((b) => (b.type === "tool_call" ? [b] : []));
    expect(found.map(({ name, args }) => ({ name, args }))).toEqual(toolCalls);
    expect(new Set(found.map((c) => c.id)).size).toBe(2);
    for (const { id } of found) expect(id).toMatch(/^[A-Za-z0-9_-]{1,40}$/);
  });

for (const reasoningField of ["reasoning_content", "reasoning"] as const)
  test(`thinking in the field ${reasoningField} is thinking`, async () => {
    const { fake, run } = await setup({}, { reasoningField });
    fake.reply({ thinking: "hm hm", text: "yes" });
    const seen = await run();
    expect([seen.thinking, seen.text]).toEqual(["hm hm", "yes"]);
  });

for (const field of ["stream_options", "reasoning_effort", "max_tokens", "temperature"])
  test(`a server that refuses ${field} gets the request without it, and is not asked with it again`, async () => {
    const { fake, run } = await setup({}, { refuses: [field] });
    const wish = { thinking: "high" as const, temperature: 0.5 };
    expect((await run(wish)).text).toBe("ok");
    expect((await run(wish)).text).toBe("ok");
    expect(fake.requests.map((r) => field in r.body)).toEqual([true, false, false]);
  });

test("a server that wants the other name of the token limit gets it", async () => {
  const { fake, run } = await setup();
  fake.refuse(
    openaiRefusal(400, {
      message:
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      param: "max_tokens",
      code: "unsupported_parameter",
    }),
  );
  expect((await run()).text).toBe("ok");
  expect(fake.requests[1]!.body.max_completion_tokens).toBe(8000);
  expect(fake.requests[1]!.body.max_tokens).toBeUndefined();
});

test("a value that is out of range is told, not hidden by leaving it out", async () => {
  const { fake, run } = await setup();
  fake.refuse(
    openaiRefusal(400, {
      message: "max_tokens is too large: 8192. This model supports at most 4096",
      param: "max_tokens",
    }),
  );
  expect((await run()).error?.message).toContain("at most 4096");
  expect(fake.requests).toHaveLength(1);
});

test("compat flags of the config are followed from the first request", async () => {
  const compat = {
    maxTokensField: "max_completion_tokens",
    supportsReasoningEffort: false,
    supportsDeveloperRole: true,
    supportsUsageInStreaming: false,
  } as const;
  const { fake, run } = await setup({
    traits: { maxTokens: 50, reasoning: true, input: ["text"], compat },
  });
  await run({ thinking: "high" });
  const { body } = fake.requests[0]!;
  expect(body).toMatchObject({
    max_completion_tokens: 50,
    messages: [{ role: "developer" }, { role: "user" }],
  });
  for (const key of ["reasoning_effort", "stream_options", "max_tokens"])
    expect(body).not.toHaveProperty(key);
});

test("a vendor's signature of a call goes back with that call, and only to its model", async () => {
  const { fake, run } = await setup(
    {},
    {
      extraContent: { google: { thought_signature: "tsig" } },
      strict: false,
    },
  );
  fake.reply({ toolCalls: [{ name: "exec", args: {} }] });
  const { end } = await run();
  const call = end!.message.blocks.find((b) => b.type === "tool_call")!;
  const messages: Message[] = [
    user("go"),
    end!.message,
    {
      role: "tool",
      at: 1,
      blocks: [{ type: "tool_result", id: (call as { id: string }).id, name: "exec", text: "out" }],
    },
  ];
  await run({ messages });
  await run({ messages, model: "other" });
  expect(fake.requests[1]!.body.messages[2].tool_calls[0].extra_content).toEqual({
    google: { thought_signature: "tsig" },
  });
  expect(fake.requests[2]!.body.messages[2].tool_calls[0]).not.toHaveProperty("extra_content");
});

test("an error that a router puts into the stream or into a 200 is told by its own code", async () => {
  const { fake, run } = await setup();
  fake.refuse({
    status: 200,
    body: JSON.stringify({ error: { message: "Provider returned error", code: 429 } }),
    contentType: "application/json",
  });
  expect((await run()).error?.code).toBe("provider_rate_limit");
});

test("pictures of tool results follow behind all results of the batch", async () => {
  const { fake, run } = await setup();
  const image = { mime: "image/png", data: "iVBORw0KGgo=" };
  await run({
    messages: [
      user("go"),
      {
        role: "assistant",
        at: 1,
        blocks: ["a", "b"].map((id) => ({
          type: "tool_call" as const,
          id,
          name: "exec",
          args: {},
        })),
      },
      {
        role: "tool",
        at: 1,
        blocks: ["a", "b"].map((id) => ({
          type: "tool_result" as const,
          id,
          name: "exec",
          text: id,
          images: [image],
        })),
      },
    ],
  });
  const roles = fake.requests[0]!.body.messages.map((m: { role: string }) => m.role);
  expect(roles).toEqual(["system", "user", "assistant", "tool", "tool", "user"]);
});
