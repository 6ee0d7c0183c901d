import { afterEach, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Clock } from "../../src/base/time.ts";
import type { Message } from "../../src/flow.ts";
import { type AgentModels, type Catalog, openCatalog } from "../../src/providers/catalog.ts";
import { AuthConfig, ModelsConfig } from "../../src/providers/config.ts";
import { Cooldowns } from "../../src/providers/cooldown.ts";
import type { Profile } from "../../src/providers/credentials.ts";
import { type FailoverEvent, streamWithFailover } from "../../src/providers/failover.ts";
import { request } from "../contract/provider.ts";
import { type ModelServer, startAnthropic } from "../fakes/anthropic.ts";
import { startOpenAI } from "../fakes/openai.ts";

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {}, child: () => silent };

/** Time that passes only in sleeps, which end at once. */
class TestClock implements Clock {
  at = 1_000_000;
  readonly slept: number[] = [];
  now = () => this.at;
  /** What a sleep waits for; nothing normally. */
  hold: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
  sleep = async (ms: number, signal?: AbortSignal) => {
    this.slept.push(ms);
    this.at += ms;
    await this.hold?.(signal);
  };
}

const servers: ModelServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** Two vendors: `one` speaks Anthropic's wire, `two` OpenAI's; both models are candidates of the agent `main`. */
async function setup(
  options: { agent?: Partial<AgentModels>; profiles?: Profile[]; keyless?: boolean } = {},
) {
  const one = await startAnthropic();
  const two = await startOpenAI();
  servers.push(one, two);
  const clock = new TestClock();
  const key = options.keyless ? {} : { apiKey: "key-one-1" };
  const catalog = openCatalog({
    models: ModelsConfig.parse({
      providers: {
        one: {
          baseUrl: one.url,
          api: "anthropic-messages",
          ...key,
          models: [{ id: "m1" }, { id: "m3" }],
        },
        two: {
          baseUrl: `${two.url}/v1`,
          api: "openai-completions",
          apiKey: "key-two-2",
          models: [{ id: "m2" }],
        },
      },
    }),
    auth: AuthConfig.parse({}),
    agents: () => ({ primary: "one/m1", fallbacks: ["two/m2"], known: {}, ...options.agent }),
    env: {},
    log: silent,
    clock,
    profiles: options.profiles ?? [],
    local: async () => [],
  });
  const cooldowns = new Cooldowns({ clock, settings: AuthConfig.parse({}).cooldowns });
  const warnings: unknown[] = [];
  const log: Logger = { ...silent, warn: (_message, fields) => void warnings.push(fields) };
  const deps = { catalog, cooldowns, clock, log, random: () => 0.5 };
  const { model: _, ...base } = request();
  const run = async (
    more: { override?: string; signal?: AbortSignal; messages?: Message[] } = {},
    watch?: (e: FailoverEvent) => void,
  ) => {
    const events: FailoverEvent[] = [];
    const ask = {
      agentId: "main",
      request: { ...base, ...(more.messages && { messages: more.messages }) },
      ...(more.override && { override: more.override }),
    };
    for await (const event of streamWithFailover(
      deps,
      ask,
      more.signal ?? new AbortController().signal,
    )) {
      events.push(event);
      watch?.(event);
    }
    const last = events.at(-1)!;
    expect(events.filter((e) => e.type === "end" || e.type === "error")).toEqual([last] as never);
    const models = events.flatMap((e) => (e.type === "model" ? [e] : []));
    return {
      events,
      models,
      answeredBy: last.type === "end" ? models.at(-1)!.choice.ref : undefined,
      error: last.type === "error" ? last.error : undefined,
      /** What a watcher holds at the end: text behind the last restart. */
      text: events
        .slice(events.findLastIndex((e) => e.type === "restart") + 1)
        .flatMap((e) => (e.type === "text" ? [e.delta] : []))
        .join(""),
    };
  };
  return { one, two, clock, cooldowns, catalog, run, warnings };
}

const overloaded = { status: 529, message: "Overloaded", kind: "overloaded_error" };
const limited = (headers: Record<string, string> = {}) => ({
  status: 429,
  message: "slow down",
  kind: "rate_limit_error",
  headers,
});
const refused = { status: 401, message: "bad key", kind: "authentication_error" };

test("the primary answers, and says so before the first word", async () => {
  const { one, two, run } = await setup();
  one.reply({ text: "hi" });
  const { events, answeredBy } = await run();
  expect(events[0]).toEqual({
    type: "model",
    choice: { provider: "one", model: "m1", ref: "one/m1" },
  });
  expect(answeredBy).toBe("one/m1");
  expect(one.requests[0]!.body.model).toBe("m1");
  expect(two.requests).toHaveLength(0);
});

test("an overloaded vendor is asked three more times, 2, 4 and 8 s apart, then the fallback answers", async () => {
  const { one, two, clock, run } = await setup();
  for (let i = 0; i < 4; i++) one.refuse(overloaded);
  two.reply({ text: "from two" });
  const { answeredBy, models, text } = await run();
  expect(clock.slept).toEqual([2000, 4000, 8000]);
  expect(one.requests).toHaveLength(4);
  expect(answeredBy).toBe("two/m2");
  expect(text).toBe("from two");
  expect(models.at(-1)!.note).toContain("two/m2 answers instead of one/m1");
});

test("an overload that passes is not a failure", async () => {
  const { one, clock, cooldowns, run } = await setup();
  one.refuse(overloaded);
  one.reply({ text: "ok" });
  expect((await run()).answeredBy).toBe("one/m1");
  expect(clock.slept).toEqual([2000]);
  expect(cooldowns.export()).toEqual({});
});

test("a short wait that the vendor asks for is waited for once; a long one is not", async () => {
  const { one, two, clock, run } = await setup();
  one.refuse(limited({ "retry-after": "7" }));
  one.reply({ text: "ok" });
  expect((await run()).answeredBy).toBe("one/m1");
  expect(clock.slept).toEqual([7000]);
  one.refuse(limited({ "retry-after": "7" }));
  one.refuse(limited({ "retry-after": "7" }));
  expect((await run()).answeredBy).toBe("two/m2");
  expect(clock.slept).toEqual([7000, 7000]);
  clock.at += 10_000;
  one.refuse(limited({ "retry-after": "61" }));
  expect((await run()).answeredBy).toBe("two/m2");
  expect(clock.slept).toHaveLength(2);
  expect(two.requests).toHaveLength(2);
});

test("a paused model is passed over until its pause ends", async () => {
  const { one, clock, run } = await setup();
  one.refuse(limited({ "retry-after": "300" }));
  expect((await run()).answeredBy).toBe("two/m2");
  const second = await run();
  expect(second.answeredBy).toBe("two/m2");
  expect(second.models[0]!.note).toContain("one/m1: paused after it limited the rate");
  expect(one.requests).toHaveLength(1);
  clock.at += 300_000;
  expect((await run()).answeredBy).toBe("one/m1");
});

test("a rate limit of one model leaves the vendor's others free; a refused key does not", async () => {
  const { one, run } = await setup({ agent: { fallbacks: ["one/m3", "two/m2"] } });
  one.refuse(limited({ "retry-after": "300" }));
  expect((await run()).answeredBy).toBe("one/m3");
  one.refuse(refused);
  expect((await run({ override: "one/m3" })).error?.code).toBe("provider_auth");
  expect((await run()).answeredBy).toBe("two/m2");
});

test("a refused key gives way to the next key of the same provider, and stays aside", async () => {
  const profiles: Profile[] = [
    { id: "one:a", provider: "one", kind: "oauth", value: "key-a" },
    { id: "one:b", provider: "one", kind: "token", value: "key-b" },
  ];
  const { one, two, run } = await setup({ profiles, keyless: true });
  one.refuse(refused);
  const keys = () => one.requests.map((r) => r.headers["x-api-key"]);
  expect((await run()).answeredBy).toBe("one/m1");
  expect(keys()).toEqual(["key-a", "key-b"]);
  expect((await run()).answeredBy).toBe("one/m1");
  expect(keys()).toEqual(["key-a", "key-b", "key-b"]);
  expect(two.requests).toHaveLength(0);
});

test("when everything is paused the one whose pause ends first is asked all the same", async () => {
  const { one, two, clock, run } = await setup();
  one.refuse(limited({ "retry-after": "600" }));
  two.refuse(limited({ "retry-after": "120" }));
  expect((await run()).error?.code).toBe("provider_rate_limit");
  clock.at += 1000;
  expect((await run()).answeredBy).toBe("two/m2");
});

test("the note of a wait is two sentences, and the log names the session", async () => {
  const { one, run, warnings } = await setup();
  one.refuse(overloaded);
  one.reply({ text: "ok" });
  const { models } = await run();
  expect(models.at(-1)!.note).toBe("one is overloaded (529): Overloaded. Trying again in 2 s.");
  expect(warnings).toEqual([expect.objectContaining({ sessionId: "session-1" })]);
});

test("when all refuse a picture the one error still says that it was the picture", async () => {
  const { one, two, run } = await setup();
  one.refuse({ status: 400, message: "Could not process image", kind: "invalid_request_error" });
  two.refuse({ status: 400, message: "Invalid image.", kind: "invalid_request_error" });
  expect((await run()).error?.details).toMatchObject({ image: true, status: 400 });
});

test("text of an attempt that broke is void before the next one begins", async () => {
  const { one, run } = await setup();
  one.fault("cut", { text: "this is half an answer that breaks" });
  one.reply({ text: "whole" });
  const { events, text } = await run();
  const restart = events.findIndex((e) => e.type === "restart");
  expect(events.slice(0, restart).some((e) => e.type === "text")).toBe(true);
  expect(text).toBe("whole");
});

test("nothing is voided when nothing was streamed", async () => {
  const { one, run } = await setup();
  one.refuse(overloaded);
  one.reply({ text: "ok" });
  expect((await run()).events.some((e) => e.type === "restart")).toBe(false);
});

test("a conversation that is too long ends at once, without another model and without a pause", async () => {
  const { one, two, cooldowns, run } = await setup();
  one.refuse({
    status: 400,
    message: "prompt is too long: 9 tokens > 8 maximum",
    kind: "invalid_request_error",
  });
  expect((await run()).error?.code).toBe("provider_context");
  expect(two.requests).toHaveLength(0);
  expect(cooldowns.export()).toEqual({});
});

test("a request that one vendor refuses is given to the next, and pauses nobody", async () => {
  const { one, cooldowns, run } = await setup();
  one.refuse({ status: 404, message: "model: m1", kind: "not_found_error" });
  expect((await run()).answeredBy).toBe("two/m2");
  expect(cooldowns.export()).toEqual({});
});

test("when all fail one error names every model with its reason and the first hint", async () => {
  const { one, two, run } = await setup();
  one.refuse(refused);
  two.refuse({ status: 402, message: "pay", kind: "billing_error" });
  const { error } = await run();
  expect(error?.code).toBe("provider_auth");
  expect(error?.message).toContain(
    "one/m1: one refused the key in models.providers.one.apiKey (401): bad key",
  );
  expect(error?.message).toContain("two/m2: two says that the account has no credit left (402)");
  expect(error?.hint).toContain("key");
});

test("a session's own choice is strict: its failure is told and nobody stands in", async () => {
  const { one, two, run } = await setup();
  one.refuse(refused);
  const { error } = await run({ override: "one/m1" });
  expect(error?.message).toBe("one refused the key in models.providers.one.apiKey (401): bad key");
  expect(two.requests).toHaveLength(0);
  const missing = await run({ override: "openai/gpt-4o" });
  expect(missing.error?.code).toBe("provider_auth");
  expect(missing.error?.message).toContain("OPENAI_API_KEY");
});

test("a model without a key is passed over with a note, never silently", async () => {
  const { models, answeredBy } = await (await setup({ agent: { primary: "openai/gpt-4o" } })).run();
  expect(answeredBy).toBe("two/m2");
  expect(models[0]!.note).toContain("openai/gpt-4o: no key for OpenAI");
});

test("a stop during the answer ends it, pauses nobody and asks nobody else", async () => {
  const { one, two, cooldowns, run } = await setup();
  one.reply({ text: "one two three", until: new Promise(() => undefined) });
  const abort = new AbortController();
  const { error } = await run({ signal: abort.signal }, (e) => e.type === "text" && abort.abort());
  expect(error?.code).toBe("aborted");
  expect(two.requests).toHaveLength(0);
  expect(cooldowns.export()).toEqual({});
});

test("a stop during a wait ends it at once", async () => {
  const { one, clock, run } = await setup();
  const abort = new AbortController();
  clock.hold = (signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
      abort.abort();
    });
  one.refuse(overloaded);
  expect((await run({ signal: abort.signal })).error?.code).toBe("aborted");
  expect(one.requests).toHaveLength(1);
});

test("a vendor that failed to answer is asked once more, then the fallback answers", async () => {
  const { one, clock, run } = await setup();
  one.refuse({ status: 504, message: "timeout", kind: "timeout_error" });
  one.refuse({ status: 500, message: "oops", kind: "api_error" });
  expect((await run()).answeredBy).toBe("two/m2");
  expect(clock.slept).toEqual([2000]);
});

test("a vendor that was silent for its whole limit is not asked again", async () => {
  const { catalog, cooldowns, clock } = await setup();
  const silence = new AppError("provider_timeout", "silent", { details: { silent: true } });
  const asked: string[] = [];
  const provider: Catalog["provider"] = async (ref) => ({
    async *stream() {
      asked.push(ref);
      yield { type: "error", error: silence };
    },
  });
  const deps = { catalog: { ...catalog, provider }, cooldowns, clock, log: silent };
  const ask = { agentId: "main", request: request() };
  for await (const _ of streamWithFailover(deps, ask, new AbortController().signal));
  expect(asked).toEqual(["one/m1", "two/m2"]);
  expect(clock.slept).toEqual([]);
});

test("configured parameters fill in what the request does not say", async () => {
  const { two, run } = await setup({
    agent: {
      primary: "two/m2",
      fallbacks: [],
      known: { "two/m2": { params: { temperature: 0.3, maxTokens: 77 } } },
    },
  });
  await run();
  expect(two.requests[0]!.body).toMatchObject({ temperature: 0.3, max_tokens: 77 });
});
