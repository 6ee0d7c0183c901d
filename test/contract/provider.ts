/** What every dialect must do, against a fake vendor that is as strict as the real one. One call per dialect. */
import { afterEach, expect, test } from "bun:test";

import type { Message, ModelEvent, ModelRequest } from "../../src/flow.ts";
import type { Endpoint, Provider, ProviderFactory } from "../../src/providers/provider.ts";
import type { FaultName, ModelServer, Refusal, Reply } from "../fakes/model-server.ts";

export const user = (text: string): Message => ({
  role: "user",
  blocks: [{ type: "text", text }],
  at: 1,
});

export const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: "fake-model",
  system: ["You are a test.", "Workspace."],
  messages: [user("hello")],
  tools: [
    {
      name: "exec",
      description: "Runs a command.",
      inputSchema: { type: "object", properties: { command: { type: "string" } } },
    },
  ],
  thinking: "off",
  sessionId: "session-1",
  ...more,
});

export type Seen = {
  events: ModelEvent[];
  text: string;
  thinking: string;
  end: Extract<ModelEvent, { type: "end" }> | undefined;
  error: Extract<ModelEvent, { type: "error" }>["error"] | undefined;
};

/** Reads a stream to its end and checks the form that the interface promises: one terminal event, at the end. */
export async function collect(
  stream: AsyncIterable<ModelEvent>,
  watch?: (e: ModelEvent) => void,
): Promise<Seen> {
  const events: ModelEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    watch?.(event);
  }
  const terminal = events.filter((e) => e.type === "end" || e.type === "error");
  expect(terminal).toHaveLength(1);
  expect(events.at(-1)).toBe(terminal[0]!);
  const joined = (type: "text" | "thinking") =>
    events.flatMap((e) => (e.type === type ? [e.delta] : [])).join("");
  const last = events.at(-1)!;
  return {
    events,
    text: joined("text"),
    thinking: joined("thinking"),
    end: last.type === "end" ? last : undefined,
    error: last.type === "error" ? last.error : undefined,
  };
}

export type Dialect<Options> = {
  name: string;
  create: ProviderFactory;
  start(options?: Options): Promise<ModelServer>;
  /** Model of the requests; `fake-model` when absent. */
  model?: string;
  /** Where in the fake the dialect's API is. */
  base: string;
  /** What the vendor would refuse in a request body. */
  problems(body: unknown): string[];
  /** The vendor's name of an empty account. */
  billing: Refusal;
  /** The vendor's refusal of a conversation that is too long. */
  tooLong: Refusal;
};

const signal = () => new AbortController().signal;

/** Gives the set-up that its own tests use, for those that are about one dialect only. */
export function providerContract<Options>(d: Dialect<Options>) {
  const servers: ModelServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  async function setup(more: Partial<Endpoint> = {}, options?: Options) {
    const fake = await d.start(options);
    servers.push(fake);
    const provider: Provider = d.create({
      id: "fake",
      baseUrl: fake.url + d.base,
      apiKey: "key-123456",
      idleTimeoutMs: 5000,
      traits: { maxTokens: 8000, reasoning: true, input: ["text", "image"] },
      ...more,
    });
    const run = (wish: Partial<ModelRequest> = {}) =>
      collect(provider.stream(request({ ...(d.model && { model: d.model }), ...wish }), signal()));
    return { fake, provider, run };
  }
  const rule = (text: string, run: () => Promise<void>) => test(`${d.name}: ${text}`, run);

  rule("text is streamed as it comes and is whole in the message", async () => {
    const { fake, provider } = await setup();
    fake.reply({ text: "one two three four" });
    const seen = await collect(provider.stream(request(), signal()));
    expect(seen.events.filter((e) => e.type === "text").length).toBeGreaterThan(2);
    expect(seen.text).toBe("one two three four");
    expect(seen.end?.stop).toBe("end");
    expect(seen.end?.message.role).toBe("assistant");
    expect(seen.end?.message.blocks).toEqual([{ type: "text", text: "one two three four" }]);
  });

  rule("the first words arrive before the answer is finished", async () => {
    const { fake, provider } = await setup();
    const gate = Promise.withResolvers<void>();
    fake.reply({ text: "first half and second half", until: gate.promise });
    let early = "";
    const seen = await collect(provider.stream(request(), signal()), (e) => {
      if (e.type !== "text") return;
      early += e.delta;
      gate.resolve();
    });
    expect(seen.text).toBe("first half and second half");
    expect(early).toBe(seen.text);
  });

  rule("tool calls come with parsed arguments and their ids, several at once", async () => {
    const { fake, provider } = await setup();
    fake.reply({
      text: "let me see",
      toolCalls: [
        { name: "exec", args: { command: "ls", nested: { a: [1, "zwölf 🦞"] } } },
        { name: "exec", args: {} },
      ],
    });
    const { end } = await collect(provider.stream(request(), signal()));
    expect(end?.stop).toBe("tool");
    const calls = end!.message.blocks.flatMap((b) => (b.type === "tool_call" ? [b] : []));
    expect(calls.map((c) => c.args)).toEqual([
      { command: "ls", nested: { a: [1, "zwölf 🦞"] } },
      {},
    ]);
    expect(new Set(calls.map((c) => c.id)).size).toBe(2);
  });

  rule(
    "arguments that are no JSON stay a string, so that the tool can tell the model",
    async () => {
      const { fake, provider } = await setup();
      fake.reply({ toolCalls: [{ name: "exec", rawArgs: '{"command": "ls' }] });
      const { end } = await collect(provider.stream(request(), signal()));
      expect(end?.message.blocks.find((b) => b.type === "tool_call")).toMatchObject({
        args: '{"command": "ls',
      });
    },
  );

  rule("arguments of a megabyte arrive whole", async () => {
    const { fake, provider } = await setup();
    const content = "x".repeat(1_000_000);
    fake.reply({ toolCalls: [{ name: "exec", args: { content } }] });
    const { end } = await collect(provider.stream(request(), signal()));
    const call = end!.message.blocks.find((b) => b.type === "tool_call");
    expect((call as { args: { content: string } }).args.content).toHaveLength(1_000_000);
  });

  rule("a whole tool round is a request that the vendor takes", async () => {
    const { fake, provider } = await setup();
    fake.reply({
      thinking: "hm, a look",
      text: "let me see",
      toolCalls: [
        { name: "exec", args: { command: "ls" } },
        { name: "exec", rawArgs: "nope" },
      ],
    });
    const first = await collect(provider.stream(request({ thinking: "high" }), signal()));
    const calls = first.end!.message.blocks.flatMap((b) => (b.type === "tool_call" ? [b] : []));
    fake.reply({ text: "done" });
    const messages: Message[] = [
      user("hello"),
      first.end!.message,
      {
        role: "tool",
        at: 2,
        blocks: [
          {
            type: "tool_result",
            id: calls[0]!.id,
            name: "exec",
            text: "a.txt",
            images: [{ mime: "image/png", data: "iVBORw0KGgo=" }],
          },
          { type: "tool_result", id: calls[1]!.id, name: "exec", text: "", isError: true },
        ],
      },
    ];
    const second = await collect(
      provider.stream(request({ messages, thinking: "high" }), signal()),
    );
    expect(second.error).toBeUndefined();
    expect(second.text).toBe("done");
    expect(d.problems(fake.requests[1]!.body)).toEqual([]);
    expect(fake.requests[1]!.text).toContain("a.txt");
  });

  rule("thinking is streamed, kept, and given back only to the model it came from", async () => {
    const { fake, provider } = await setup();
    fake.reply({ thinking: "let me think", text: "answer" });
    const seen = await collect(provider.stream(request({ thinking: "medium" }), signal()));
    expect(seen.thinking).toBe("let me think");
    expect(seen.end?.message.blocks[0]).toMatchObject({ type: "thinking", text: "let me think" });
    const messages = [user("hello"), seen.end!.message, user("more")];
    await collect(provider.stream(request({ messages, thinking: "medium" }), signal()));
    await collect(
      provider.stream(request({ messages, thinking: "medium", model: "other-model" }), signal()),
    );
    expect(fake.requests[2]!.text).not.toContain("let me think");
    expect(d.problems(fake.requests[1]!.body)).toEqual([]);
    expect(d.problems(fake.requests[2]!.body)).toEqual([]);
  });

  rule("usage counts fresh, cached and written tokens apart", async () => {
    const { fake, provider } = await setup();
    fake.reply({ text: "ok", usage: { input: 7, cacheRead: 100, output: 9 } });
    const { end } = await collect(provider.stream(request(), signal()));
    expect(end?.usage).toEqual({ input: 7, output: 9, cacheRead: 100, cacheWrite: 0 });
  });

  rule("an answer that was cut by its limit says so, and so does a refusal", async () => {
    const { fake, provider } = await setup();
    fake.reply({ text: "and then", stop: "length" });
    fake.reply({ text: "no", stop: "refusal" });
    expect((await collect(provider.stream(request(), signal()))).end?.stop).toBe("length");
    expect((await collect(provider.stream(request(), signal()))).end?.stop).toBe("refusal");
  });

  rule("letters that are cut into single bytes arrive whole", async () => {
    const { fake, provider } = await setup();
    const text = "Grüße 🦞 aus dem Öl, 日本語";
    fake.reply({ text, bytes: 1, toolCalls: [{ name: "exec", args: { command: "echo ü🦞" } }] });
    const { end, text: streamed } = await collect(provider.stream(request(), signal()));
    expect(streamed).toBe(text);
    expect(end?.message.blocks.at(-1)).toMatchObject({ args: { command: "echo ü🦞" } });
  });

  rule("two turns of a conversation begin with the same bytes", async () => {
    const { fake, provider } = await setup();
    fake.reply({ text: "hi there" });
    const first = await collect(provider.stream(request(), signal()));
    await collect(
      provider.stream(
        request({ messages: [user("hello"), first.end!.message, user("more")] }),
        signal(),
      ),
    );
    const strip = (text: string) => text.replace(/,?"cache_control":\{[^}]*\}/g, "");
    const [a, b] = fake.requests.map((r) => strip(r.text));
    const shared = [...a!].findIndex((c, i) => c !== b![i]);
    expect(a!.slice(0, shared)).toContain("hello");
  });

  rule(
    "the API key is sent, extra headers too, and the environment is not asked for either",
    async () => {
      const { fake, provider } = await setup({ headers: { "x-extra": "yes" } });
      await collect(provider.stream(request(), signal()));
      const { headers } = fake.requests[0]!;
      expect(
        [headers["x-api-key"], headers["authorization"]].filter((v) => v?.includes("key-123456")),
      ).toHaveLength(1);
      expect(headers["x-extra"]).toBe("yes");
    },
  );

  rule("without a key no credentials are sent at all", async () => {
    const { fake, provider } = await setup({ apiKey: undefined });
    await collect(provider.stream(request(), signal()));
    expect(fake.requests[0]!.headers["authorization"]).toBeUndefined();
    expect(fake.requests[0]!.headers["x-api-key"]).toBeUndefined();
  });

  const refusals: [what: string, refusal: Refusal, code: string][] = [
    [
      "a bad key",
      { status: 401, message: "bad key key-123456", kind: "authentication_error" },
      "provider_auth",
    ],
    [
      "a forbidden model",
      { status: 403, message: "not for you", kind: "permission_error" },
      "provider_auth",
    ],
    [
      "an unpaid account",
      { status: 402, message: "pay first", kind: "billing_error" },
      "provider_billing",
    ],
    ["an empty account in the vendor's own words", d.billing, "provider_billing"],
    [
      "too many requests",
      { status: 429, message: "slow down", kind: "rate_limit_error" },
      "provider_rate_limit",
    ],
    ["a conversation that is too long", d.tooLong, "provider_context"],
    [
      "a body that is too large",
      { status: 413, message: "too large", kind: "request_too_large" },
      "provider_context",
    ],
    [
      "an overloaded vendor",
      { status: 529, message: "Overloaded", kind: "overloaded_error" },
      "provider_overloaded",
    ],
    [
      "a vendor behind a proxy that is down",
      { status: 503, body: "<html><head><title>503 Service</title></head></html>" },
      "provider_overloaded",
    ],
    ["an internal error", { status: 500, message: "oops", kind: "api_error" }, "provider_timeout"],
    [
      "a gateway timeout",
      { status: 504, body: "upstream timeout", contentType: "text/plain" },
      "provider_timeout",
    ],
    [
      "a model that does not exist",
      { status: 404, message: "no such model", kind: "not_found_error" },
      "provider_rejected",
    ],
    [
      "a malformed request",
      { status: 400, message: "tools.3.name is wrong", kind: "invalid_request_error" },
      "provider_rejected",
    ],
    [
      "a redirect",
      { status: 302, body: "", headers: { location: "https://elsewhere.example/" } },
      "provider_rejected",
    ],
  ];
  for (const [what, refusal, code] of refusals)
    rule(`${what} is ${code}`, async () => {
      const { fake, provider } = await setup();
      fake.refuse(refusal);
      const { error } = await collect(provider.stream(request(), signal()));
      expect(error?.code).toBe(code as never);
      expect(error?.message).not.toContain("key-123456");
      expect(error?.message).not.toContain("<html");
      expect(fake.requests).toHaveLength(1);
    });

  rule(
    "a wait that the vendor asks for is passed on, in seconds, in ms and as a date",
    async () => {
      const { fake, provider } = await setup();
      const waits = [
        { "retry-after": "7" },
        { "retry-after-ms": "250", "retry-after": "9" },
        { "retry-after": new Date(Date.now() + 30_000).toUTCString() },
        { "retry-after": "soon" },
      ] as Record<string, string>[];
      const seen: (number | undefined)[] = [];
      for (const headers of waits) {
        fake.refuse({ status: 429, message: "slow down", kind: "rate_limit_error", headers });
        seen.push((await collect(provider.stream(request(), signal()))).error?.retryAfterMs);
      }
      expect(seen[0]).toBe(7000);
      expect(seen[1]).toBe(250);
      expect(seen[2]).toBeGreaterThan(25_000);
      expect(seen[2]).toBeLessThanOrEqual(31_000);
      expect(seen[3]).toBeUndefined();
    },
  );

  const cuts: [fault: FaultName, code: string][] = [
    ["cut", "provider_timeout"],
    ["reset", "provider_timeout"],
    ["half-event", "provider_timeout"],
    ["no-stop", "provider_timeout"],
    ["broken-json", "provider_timeout"],
    ["error-event", "provider_overloaded"],
    ["wrong-type", "provider_rejected"],
  ];
  for (const [fault, code] of cuts)
    rule(`a stream with the fault "${fault}" ends with ${code}`, async () => {
      const { fake, provider } = await setup();
      fake.fault(fault);
      const seen = await collect(provider.stream(request(), signal()));
      expect(seen.error?.code).toBe(code as never);
      if (fault !== "no-stop") expect("one two three four five six").toStartWith(seen.text);
    });

  for (const [what, data] of [
    ["without its fields", '{"type":"message_start"}'],
    ["that is no object", "null"],
    ["that is empty", "{}"],
  ])
    rule(`an event ${what} is a broken stream, not a crash`, async () => {
      const { fake, provider } = await setup();
      const body = `event: message_start\ndata: ${data}\n\n`;
      fake.refuse({ status: 200, body, contentType: "text/event-stream" });
      expect((await collect(provider.stream(request(), signal()))).error?.code).toBe(
        "provider_timeout",
      );
    });

  for (const [fault, words] of [
    ["cut", "broke in the middle"],
    ["no-stop", "broke in the middle"],
    ["broken-json", "Try again"],
  ] as [FaultName, string][])
    rule(`the hint of the fault "${fault}" does not send anybody to the network`, async () => {
      const { fake, run } = await setup();
      fake.fault(fault);
      const { error } = await run();
      expect(error?.hint).toContain(words);
      expect(error?.hint).not.toContain("Check the network");
    });

  for (const message of [
    "Could not process image",
    "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum",
    "Unsupported image format",
    "At least one of the image dimensions exceed max allowed size",
  ])
    rule(`"${message.slice(0, 40)}" is a refusal of a picture`, async () => {
      const { fake, run } = await setup();
      fake.refuse({ status: 400, message, kind: "invalid_request_error" });
      const { error } = await run();
      expect(error?.code).toBe("provider_rejected");
      expect(error?.details).toMatchObject({ image: true });
      expect(error?.hint).toContain("picture");
    });

  for (const fault of ["silence", "no-answer"] as const)
    rule(
      `${fault} longer than the limit is provider_timeout, and the connection is closed`,
      async () => {
        const { fake, provider } = await setup({ idleTimeoutMs: 100 });
        fake.fault(fault);
        const seen = await collect(provider.stream(request(), signal()));
        expect(seen.error?.code).toBe("provider_timeout");
        expect(seen.error?.message).toContain("sent nothing");
        await until(() => fake.open() === 0);
      },
    );

  rule("nobody at the address is provider_timeout that names the host", async () => {
    const { fake, provider } = await setup();
    const host = new URL(fake.url).host;
    await fake.stop();
    const { error } = await collect(provider.stream(request(), signal()));
    expect(error?.code).toBe("provider_timeout");
    expect(error?.message).toContain(host);
  });

  for (const [when, reply] of [
    ["before the first byte", { text: "x", before: new Promise(() => undefined) }],
    ["in the middle", { text: "one two three four", until: new Promise(() => undefined) }],
  ] as [string, Reply][])
    rule(`an abort ${when} ends at once with aborted and closes the connection`, async () => {
      const { fake, provider } = await setup();
      const abort = new AbortController();
      fake.reply(reply);
      const done = collect(provider.stream(request(), abort.signal), () => abort.abort());
      await fake.request(1);
      if (reply.before) abort.abort();
      const seen = await done;
      expect(seen.error?.code).toBe("aborted");
      await until(() => fake.open() === 0);
    });

  rule("a signal that was aborted before sends nothing", async () => {
    const { fake, provider } = await setup();
    const seen = await collect(provider.stream(request(), AbortSignal.abort()));
    expect(seen.error?.code).toBe("aborted");
    expect(fake.requests).toHaveLength(0);
  });

  rule("a reader that leaves in the middle closes the connection", async () => {
    const { fake, provider } = await setup();
    fake.reply({ text: "one two three four", until: new Promise(() => undefined) });
    for await (const event of provider.stream(request(), signal()))
      if (event.type === "text") break;
    await until(() => fake.open() === 0);
    expect(fake.open()).toBe(0);
  });

  rule("a history with holes is still a request that the vendor takes", async () => {
    const { fake, provider } = await setup();
    const messages: Message[] = [
      { role: "assistant", at: 1, blocks: [{ type: "text", text: "hello" }] },
      user("  "),
      {
        role: "assistant",
        at: 1,
        blocks: [
          { type: "tool_call", id: "same id!", name: "exec", args: "broken" },
          { type: "tool_call", id: "same/id!", name: "exec", args: null },
        ],
      },
      {
        role: "tool",
        at: 1,
        blocks: [
          { type: "tool_result", id: "same/id!", name: "exec", text: "\ud83e" },
          { type: "tool_result", id: "nobody", name: "exec", text: "?" },
        ],
      },
      {
        role: "assistant",
        at: 1,
        blocks: [
          { type: "thinking", text: "foreign", signature: "abc" },
          { type: "text", text: "so" },
        ],
      },
      {
        role: "user",
        at: 1,
        blocks: [
          { type: "image", mime: "image/tiff", data: "AAAA" },
          { type: "image", mime: "image/png", data: "" },
        ],
      },
      { role: "assistant", at: 1, blocks: [{ type: "thinking", text: "only" }] },
    ];
    const seen = await collect(provider.stream(request({ messages }), signal()));
    expect(seen.error).toBeUndefined();
    expect(d.problems(fake.requests[0]!.body)).toEqual([]);
  });

  rule("the models of the endpoint are listed", async () => {
    const { provider } = await setup();
    expect((await provider.models!(signal())).length).toBeGreaterThan(0);
  });

  rule("a list of models that is refused throws the vendor's reason", async () => {
    const { fake, provider } = await setup();
    await fake.stop();
    await expect(provider.models!(signal())).rejects.toMatchObject({ code: "provider_timeout" });
  });

  return setup;
}

/** Waits for a condition that the other side brings about; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
