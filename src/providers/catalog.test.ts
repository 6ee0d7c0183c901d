import { expect, test } from "bun:test";

import type { Logger } from "../base/log.ts";
import { type AgentModels, openCatalog } from "./catalog.ts";
import { AuthConfig, ModelsConfig } from "./config.ts";
import type { Profile } from "./credentials.ts";
import type { LocalServer } from "./local.ts";

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {}, child: () => silent };

type Setup = {
  models?: object;
  auth?: object;
  agent?: Partial<AgentModels>;
  env?: Record<string, string>;
  local?: LocalServer[];
  profiles?: Profile[];
};
function setup({
  models = {},
  auth = {},
  agent = {},
  env = {},
  local = [],
  profiles = [],
}: Setup = {}) {
  let probes = 0;
  const catalog = openCatalog({
    models: ModelsConfig.parse(models),
    auth: AuthConfig.parse(auth),
    agents: () => ({ known: {}, ...agent }),
    env,
    log: silent,
    profiles,
    local: async () => {
      probes++;
      return local;
    },
  });
  return { catalog, probes: () => probes };
}
const ollama: LocalServer = {
  provider: "ollama",
  baseUrl: "http://127.0.0.1:11434/v1",
  models: [{ id: "llama3.3:70b", name: "llama3.3:70b", images: false }],
};

test("with nothing set up the demo model answers, and says why", async () => {
  const { catalog } = setup();
  const { choice, reason, why } = await catalog.choose("main");
  expect(choice.ref).toBe("demo/demo");
  expect(reason).toBe("demo");
  expect(why).toContain("no key");
});

test("the configured model comes first, then keys, then this machine, then the demo", async () => {
  const env = {
    ANTHROPIC_API_KEY: "a",
    OPENAI_API_KEY: "o",
    GEMINI_API_KEY: "g",
    OPENROUTER_API_KEY: "r",
  };
  const chosen = async (s: Setup) => (await setup(s).catalog.choose("main")).choice.ref;
  expect(await chosen({ agent: { primary: "openai/gpt-4o" }, env })).toBe("openai/gpt-4o");
  expect(await chosen({ env })).toStartWith("anthropic/");
  const { ANTHROPIC_API_KEY: _, ...noClaude } = env;
  expect(await chosen({ env: noClaude })).toStartWith("openai/");
  expect(await chosen({ env: { GEMINI_API_KEY: "g", OPENROUTER_API_KEY: "r" } })).toStartWith(
    "google/",
  );
  expect(await chosen({ env: { OPENROUTER_API_KEY: "r" }, local: [ollama] })).toBe(
    "openrouter/auto",
  );
  expect(await chosen({ env: { MISTRAL_API_KEY: "m" }, local: [ollama] })).toStartWith("mistral/");
  expect(await chosen({ local: [ollama] })).toBe("ollama/llama3.3:70b");
});

test("this machine is asked only when nothing else can answer", async () => {
  const { catalog, probes } = setup({ env: { OPENAI_API_KEY: "o" }, local: [ollama] });
  await catalog.choose("main");
  expect(probes()).toBe(0);
  const bare = setup({ local: [ollama] });
  await bare.catalog.choose("main");
  await bare.catalog.choose("main");
  expect(bare.probes()).toBe(1);
});

test("a configured model without a key gives way to the next one that has one, and the reason is told", async () => {
  const agent = { primary: "openai/gpt-4o", fallbacks: ["anthropic/claude-sonnet-4-5"] };
  const { choice, why } = await setup({ agent, env: { ANTHROPIC_API_KEY: "a" } }).catalog.choose(
    "main",
  );
  expect(choice.ref).toBe("anthropic/claude-sonnet-4-5");
  expect(why).toContain(
    "openai/gpt-4o cannot be used: no key for OpenAI (OPENAI_API_KEY is not set)",
  );
  const last = await setup({ agent }).catalog.choose("main");
  expect(last.choice.ref).toBe("demo/demo");
  expect(last.why).toContain("anthropic/claude-sonnet-4-5 cannot be used");
});

test("a session's own choice is strict", async () => {
  const { catalog } = setup({
    agent: { primary: "anthropic/claude-opus-4-5" },
    env: { ANTHROPIC_API_KEY: "a" },
  });
  const { candidates, skipped } = await catalog.candidates("main", "openai/gpt-5.2");
  expect(candidates).toEqual([]);
  expect(skipped[0]?.why).toContain("OPENAI_API_KEY");
});

test("a provider has several keys, in the order of the config, each once", async () => {
  const env = { ANTHROPIC_OAUTH_TOKEN: "sk-ant-oat-1", ANTHROPIC_API_KEY: "k1" };
  const profiles: Profile[] = [
    { id: "anthropic:work", provider: "anthropic", kind: "api_key", value: "w" },
    { id: "anthropic:me", provider: "anthropic", kind: "oauth", value: "m" },
    { id: "anthropic:old", provider: "anthropic", kind: "oauth", value: "x", expires: 1 },
    { id: "openai:me", provider: "openai", kind: "oauth", value: "o" },
  ];
  const keys = async (s: Setup, override?: string) =>
    (await setup(s).catalog.candidates("main", override)).candidates[0]?.keys.map((k) => k.id);
  const agent = { primary: "anthropic/claude-opus-4-5" };
  expect(await keys({ agent, env })).toEqual([
    "env:ANTHROPIC_OAUTH_TOKEN",
    "env:ANTHROPIC_API_KEY",
  ]);
  expect(await keys({ agent, env, profiles })).toEqual([
    "anthropic:me",
    "anthropic:work",
    "env:ANTHROPIC_OAUTH_TOKEN",
    "env:ANTHROPIC_API_KEY",
  ]);
  const auth = { order: { anthropic: ["anthropic:work", "anthropic:me"] } };
  expect((await keys({ agent, auth, profiles }))!).toEqual(["anthropic:work", "anthropic:me"]);
  expect(await keys({ profiles, env }, "anthropic/claude-opus-4-5@anthropic:work")).toEqual([
    "anthropic:work",
  ]);
  expect(
    await keys({
      agent,
      env: { ANTHROPIC_API_KEY: "same" },
      models: { providers: { anthropic: { apiKey: "same" } } },
    }),
  ).toEqual(["env:ANTHROPIC_API_KEY"]);
});

test("a config's apiKey is a value or the name of a variable", async () => {
  const provider = (apiKey?: string) => ({
    models: {
      providers: {
        acme: { baseUrl: "https://acme.test/v1", ...(apiKey && { apiKey }), models: [{ id: "m" }] },
      },
    },
    agent: { primary: "acme/m" },
    env: { ACME_KEY: "from-env" },
  });
  const endpoint = (apiKey: string) => setup(provider(apiKey)).catalog.endpointFor("acme/m").apiKey;
  expect(endpoint("ACME_KEY")).toBe("from-env");
  expect(endpoint("sk-literal")).toBe("sk-literal");
  expect(endpoint("OTHER_KEY")).toBeUndefined();
  expect((await setup(provider("OTHER_KEY")).catalog.choose("main")).why).toContain("OTHER_KEY");
  expect((await setup(provider()).catalog.choose("main")).why).toContain(
    "models.providers.acme.apiKey",
  );
});

test("a key that was copied with other characters in it is told, not sent", async () => {
  const env = { ANTHROPIC_API_KEY: "sk-ant-…abc" };
  const { why, choice } = await setup({
    env,
    agent: { primary: "anthropic/claude-opus-4-5" },
  }).catalog.choose("main");
  expect(choice.ref).toBe("demo/demo");
  expect(why).toContain("the key in ANTHROPIC_API_KEY has characters that no key has");
});

test("a server on this machine or this network needs no key", async () => {
  for (const baseUrl of [
    "http://127.0.0.1:8000/v1",
    "http://192.168.1.5:1234/v1",
    "http://gpu:8000/v1",
    "http://box.local/v1",
  ]) {
    const models = { providers: { mine: { baseUrl, models: [{ id: "m" }] } } };
    expect((await setup({ models }).catalog.choose("main")).choice.ref).toBe("mine/m");
  }
  const models = {
    providers: { mine: { baseUrl: "https://far.example.com/v1", models: [{ id: "m" }] } },
  };
  expect((await setup({ models }).catalog.choose("main")).choice.ref).toBe("demo/demo");
});

test("config lays over the built-in data, and mode replace leaves only the config", async () => {
  const providers = {
    anthropic: {
      baseUrl: "http://127.0.0.1:9/",
      models: [{ id: "claude-opus-4-5", maxTokens: 1000, contextWindow: 5000 }],
    },
    mine: {
      baseUrl: "http://127.0.0.1:8/v1",
      api: "anthropic-messages",
      headers: { "x-a": "1" },
      models: [
        {
          id: "m",
          reasoning: true,
          headers: { "x-b": "2" },
          compat: { maxTokensField: "max_tokens" },
        },
      ],
    },
  };
  const { catalog } = setup({ models: { providers } });
  const opus = await catalog.find("anthropic/claude-opus-4-5");
  expect(opus).toMatchObject({
    maxTokens: 1000,
    contextWindow: 5000,
    name: "Claude Opus 4.5",
    reasoning: true,
  });
  expect(catalog.endpointFor("anthropic/claude-opus-4-5")).toMatchObject({
    baseUrl: "http://127.0.0.1:9",
  });
  expect(catalog.endpointFor("mine/m")).toMatchObject({
    headers: { "x-a": "1", "x-b": "2" },
    traits: { reasoning: true, maxTokens: 8192, compat: { maxTokensField: "max_tokens" } },
  });
  const all = setup({ models: { mode: "replace", providers } }).catalog;
  expect((await all.listFor("main", true)).map((m) => m.ref)).toEqual([
    "anthropic/claude-opus-4-5",
    "demo/demo",
    "mine/m",
  ]);
});

test("an unknown model of a known provider is taken, a dated one with its family's values", async () => {
  const { catalog } = setup({
    env: { OPENAI_API_KEY: "o", ANTHROPIC_API_KEY: "a", OPENROUTER_API_KEY: "r" },
  });
  expect(await catalog.find("openai/gpt-99")).toMatchObject({
    ref: "openai/gpt-99",
    contextWindow: 200_000,
    maxTokens: 8192,
    reasoning: false,
    input: ["text"],
  });
  expect(await catalog.find("anthropic/claude-opus-4-5-20251101")).toMatchObject({
    maxTokens: 64_000,
    reasoning: true,
  });
  expect(await catalog.find("openrouter/anthropic/claude-sonnet-4.5")).toMatchObject({
    id: "anthropic/claude-sonnet-4.5",
    contextWindow: 200_000,
    reasoning: true,
  });
});

test("names: aliases in any case, spellings, bare names, rough names", async () => {
  const env = {
    ANTHROPIC_API_KEY: "a",
    OPENAI_API_KEY: "o",
    GEMINI_API_KEY: "g",
    ZAI_API_KEY: "z",
  };
  const { catalog } = setup({ env });
  const found = async (text: string) => (await catalog.find(text)).ref;
  expect(await found("OPUS")).toBe("anthropic/claude-opus-5-5");
  expect(await found("anthropic/opus-4.5")).toBe("anthropic/claude-opus-4-5");
  expect(await found("google/gemini-3-pro")).toBe("google/gemini-3-pro-preview");
  expect(await found("z.ai/glm-4.7")).toBe("zai/glm-4.7");
  expect(await found("gpt-4o")).toBe("openai/gpt-4o");
  expect(await found("sonnet 4.5")).toBe("anthropic/claude-sonnet-4-5");
  expect(await found("gpt5.2")).toBe("openai/gpt-5.2");
  expect(await found("claud-opus-4-5")).toBe("anthropic/claude-opus-4-5");
  await expect(catalog.find("gpt-9")).rejects.toMatchObject({ code: "bad_request" });
  await expect(catalog.find("no such thing")).rejects.toMatchObject({
    code: "bad_request",
    hint: expect.stringContaining("anthropic/claude-opus-5-5"),
  });
});

test("an alias of the user's own wins, and a built-in one means the model that the user lists", async () => {
  const env = { ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "o" };
  const known = { "anthropic/claude-opus-4-5": {}, "openai/gpt-5.2": { alias: "Clever" } };
  const { catalog } = setup({ env, agent: { known } });
  expect((await catalog.find("opus")).ref).toBe("anthropic/claude-opus-4-5");
  expect((await catalog.find("clever")).ref).toBe("openai/gpt-5.2");
  expect(
    (await setup({ env, agent: { known, primary: "clever" } }).catalog.choose("main")).choice.ref,
  ).toBe("openai/gpt-5.2");
});

test("a non-empty list of known models restricts; primary and fallbacks are always allowed; a policy replaces the list", async () => {
  const env = { ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "o" };
  const known = { "openai/gpt-5.2": {} };
  const restricted = setup({
    env,
    agent: { known, primary: "anthropic/claude-opus-4-5", fallbacks: ["openai/gpt-4o"] },
  }).catalog;
  expect((await restricted.list()).map((m) => m.ref)).toEqual([
    "anthropic/claude-opus-4-5",
    "demo/demo",
    "openai/gpt-4o",
    "openai/gpt-5.2",
  ]);
  await expect(restricted.find("anthropic/claude-sonnet-4-5")).rejects.toMatchObject({
    code: "bad_request",
  });
  expect((await restricted.find("openai/gpt-4o")).ref).toBe("openai/gpt-4o");
  const policy = setup({ env, agent: { known, allow: ["anthropic/*"] } }).catalog;
  expect((await policy.find("anthropic/claude-sonnet-4-5")).ref).toBe(
    "anthropic/claude-sonnet-4-5",
  );
  await expect(policy.find("openai/gpt-5.2")).rejects.toMatchObject({ code: "bad_request" });
});

test("only models that can be used are listed, sorted, the demo among them", async () => {
  const refs = (await setup({ env: { OPENAI_API_KEY: "o" }, local: [ollama] }).catalog.list()).map(
    (m) => m.ref,
  );
  expect(refs).toContain("openai/gpt-4o");
  expect(refs).toContain("ollama/llama3.3:70b");
  expect(refs).toContain("demo/demo");
  expect(refs.some((ref) => ref.startsWith("anthropic/"))).toBe(false);
  const providers = refs.map((ref) => ref.split("/")[0]!);
  expect(providers).toEqual([...providers].sort());
});

test("a provider that cannot work is told apart and breaks nothing else", async () => {
  const models = {
    providers: {
      nowhere: { models: [{ id: "m" }] },
      aws: {
        baseUrl: "https://bedrock.test",
        api: "bedrock-converse-stream",
        models: [{ id: "m" }],
      },
    },
  };
  const { catalog } = setup({
    models,
    agent: { primary: "nowhere/m", fallbacks: ["aws/m", "missing/m"] },
  });
  const { choice, skipped } = await catalog.choose("main");
  expect(choice.ref).toBe("demo/demo");
  expect(skipped.map((s) => s.why)).toEqual([
    "models.providers.nowhere has no baseUrl",
    "This version does not speak bedrock-converse-stream (models.providers.aws.api)",
    "there is no provider missing",
  ]);
  expect((await catalog.list()).map((m) => m.ref)).toEqual(["demo/demo"]);
  expect(catalog.providers().find((p) => p.id === "aws")).toMatchObject({ ready: false });
});

test("Google's and Ollama's own protocol names lead to their OpenAI wires", () => {
  const models = {
    providers: {
      google: {
        baseUrl: "https://generativelanguage.googleapis.com/v1beta",
        api: "google-generative-ai",
      },
      box: { baseUrl: "http://10.0.0.2:11434", api: "ollama" },
    },
  };
  const { catalog } = setup({ models, env: { GEMINI_API_KEY: "g", OLLAMA_HOST: "0.0.0.0:7777" } });
  expect(catalog.endpointFor("google/gemini-3.8-flash").baseUrl).toBe(
    "https://generativelanguage.googleapis.com/v1beta/openai",
  );
  expect(catalog.endpointFor("box/llama").baseUrl).toBe("http://10.0.0.2:11434/v1");
  expect(catalog.endpointFor("ollama/llama").baseUrl).toBe("http://127.0.0.1:7777/v1");
});

test("parameters of a model are read by its ref, whatever name they stand under", () => {
  const known = {
    "anthropic/opus-4.5": {
      params: { temperature: 0.2, maxTokens: 500, cacheControlTtl: "1h", other: true },
    },
    "openai/gpt-4o": { params: { temperature: "hot" } },
  };
  const { catalog } = setup({ agent: { known } });
  expect(catalog.params("main", "anthropic/claude-opus-4-5")).toEqual({
    temperature: 0.2,
    maxTokens: 500,
    cache: "1h",
  });
  expect(catalog.params("main", "openai/gpt-4o")).toEqual({});
});
