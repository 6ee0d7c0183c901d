import { describe, expect, test } from "bun:test";

import { migrate, MIGRATIONS } from "./migrate.ts";
import { validate } from "./validate.ts";

/** What each older spelling is read as. One row per line of the table, plus the rule that what is there already wins. */
const CASES: [name: string, before: object, after: object][] = [
  [
    "channels at the top level",
    {
      telegram: { botToken: "t" },
      discord: { token: "d" },
      channels: { telegram: { botToken: "own" } },
    },
    { channels: { telegram: { botToken: "own" }, discord: { token: "d" } } },
  ],
  [
    "routing.allowFrom with WhatsApp",
    { routing: { allowFrom: ["+1"] }, whatsapp: {} },
    { channels: { whatsapp: { allowFrom: ["+1"] } } },
  ],
  ["routing.allowFrom without WhatsApp", { routing: { allowFrom: ["+1"] } }, {}],
  [
    "routing.groupChat.requireMention",
    { routing: { groupChat: { requireMention: false } }, telegram: {}, discord: {} },
    { channels: { telegram: { groups: { "*": { requireMention: false } } }, discord: {} } },
  ],
  [
    "telegram.requireMention",
    { telegram: { requireMention: true } },
    { channels: { telegram: { groups: { "*": { requireMention: true } } } } },
  ],
  [
    "routing.groupChat",
    { routing: { groupChat: { historyLimit: 5, mentionPatterns: ["a"] } } },
    { messages: { groupChat: { historyLimit: 5, mentionPatterns: ["a"] } } },
  ],
  [
    "routing.agents",
    {
      routing: {
        agents: {
          work: {
            name: "W",
            mentionPatterns: ["@w"],
            sandbox: { mode: "all", tools: { deny: ["exec"] } },
          },
        },
        defaultAgentId: "work",
      },
    },
    {
      agents: {
        list: [
          {
            id: "work",
            name: "W",
            groupChat: { mentionPatterns: ["@w"] },
            sandbox: { mode: "all" },
            tools: { sandbox: { tools: { deny: ["exec"] } } },
            default: true,
          },
        ],
      },
    },
  ],
  [
    "routing.defaultAgentId gives way to a marked agent",
    { routing: { defaultAgentId: "b" }, agents: { list: [{ id: "a", default: true }] } },
    { agents: { list: [{ id: "a", default: true }] } },
  ],
  [
    "agents.entries",
    { agents: { entries: { a: { name: "A" }, b: {} }, list: [{ id: "a", name: "own" }] } },
    { agents: { list: [{ id: "a", name: "own" }, { id: "b" }] } },
  ],
  [
    "routing.bindings, agentToAgent and queue",
    {
      routing: { bindings: [{ agentId: "a" }], agentToAgent: { enabled: true }, queue: { cap: 3 } },
    },
    {
      bindings: [{ agentId: "a" }],
      tools: { agentToAgent: { enabled: true } },
      messages: { queue: { cap: 3 } },
    },
  ],
  [
    "routing.transcribeAudio",
    {
      routing: { transcribeAudio: { command: ["/usr/bin/whisper", "-m", "x"], timeoutSeconds: 9 } },
    },
    {
      tools: {
        media: {
          audio: {
            models: [
              { type: "cli", command: "/usr/bin/whisper", args: ["-m", "x"], timeoutSeconds: 9 },
            ],
          },
        },
      },
    },
  ],
  [
    "audio.transcription of anything else",
    { audio: { transcription: { command: ["rm", "-rf"] } } },
    {},
  ],
  [
    "agent",
    {
      agent: {
        workspace: "~/w",
        model: "a/b",
        tools: { allow: ["read"], deny: ["exec"] },
        elevated: { enabled: true },
        bash: { timeoutSec: 5 },
        sandbox: { mode: "all", tools: { allow: ["x"] } },
        subagents: { tools: { deny: ["y"] } },
      },
      agents: { defaults: { workspace: "~/own" } },
    },
    {
      agents: {
        defaults: { workspace: "~/own", model: { primary: "a/b" }, sandbox: { mode: "all" } },
      },
      tools: {
        allow: ["read"],
        deny: ["exec"],
        elevated: { enabled: true },
        exec: { timeoutSec: 5 },
        sandbox: { tools: { allow: ["x"] } },
        subagents: { tools: { deny: ["y"] } },
      },
    },
  ],
  [
    "model lists and aliases",
    {
      agent: {
        model: "a/b",
        modelFallbacks: ["c/d"],
        imageModel: "i/j",
        imageModelFallbacks: ["k/l"],
        allowedModels: ["a/b"],
        modelAliases: { fast: "c/d" },
      },
    },
    {
      agents: {
        defaults: {
          model: { primary: "a/b", fallbacks: ["c/d"] },
          imageModel: { primary: "i/j", fallbacks: ["k/l"] },
          models: { "a/b": {}, "c/d": { alias: "fast" } },
        },
      },
    },
  ],
  [
    "fallbacks beside today's plain model",
    { agents: { defaults: { model: "a/b", modelFallbacks: ["c/d"] } } },
    { agents: { defaults: { model: { primary: "a/b", fallbacks: ["c/d"] } } } },
  ],
  [
    "identity goes to the default agent",
    {
      identity: { name: "Rex", emoji: "x" },
      agents: { list: [{ id: "a" }, { id: "b", default: true, identity: { name: "own" } }] },
    },
    {
      agents: {
        list: [{ id: "a" }, { id: "b", default: true, identity: { name: "own", emoji: "x" } }],
      },
    },
  ],
  [
    "identity alone makes the main agent",
    { identity: { name: "Rex" } },
    { agents: { list: [{ id: "main", identity: { name: "Rex" } }] } },
  ],
  [
    "tools.bash",
    { tools: { bash: { cleanupMs: 60000 } } },
    { tools: { exec: { cleanupMs: 60000 } } },
  ],
  [
    "newer spellings of tools.exec",
    { tools: { exec: { timeoutSeconds: 9, yieldMs: 50 } } },
    { tools: { exec: { timeoutSec: 9, backgroundMs: 50 } } },
  ],
  [
    "messages.tts.enabled",
    { messages: { tts: { enabled: true } } },
    { messages: { tts: { auto: "always" } } },
  ],
  [
    "gateway.token",
    { gateway: { token: "t" } },
    { gateway: { auth: { mode: "token", token: "t" } } },
  ],
  [
    "gateway.token gives way to gateway.auth",
    { gateway: { token: "t", auth: { mode: "password", password: "p" } } },
    { gateway: { auth: { mode: "password", password: "p", token: "t" } } },
  ],
  [
    "names in matches",
    {
      bindings: [
        { match: { provider: "x", accountID: "y" } },
        { match: { channel: "own", provider: "x" } },
      ],
      session: { sendPolicy: { rules: [{ match: { provider: "x" } }] } },
    },
    {
      bindings: [{ match: { channel: "x", accountId: "y" } }, { match: { channel: "own" } }],
      session: { sendPolicy: { rules: [{ match: { channel: "x" } }] } },
    },
  ],
  [
    "messages.queue.byProvider",
    { messages: { queue: { byProvider: { a: "steer" }, byChannel: { b: "queue" } } } },
    { messages: { queue: { byChannel: { a: "steer", b: "queue" } } } },
  ],
  [
    "memory.search",
    { memory: { search: { enabled: false } } },
    { agents: { defaults: { memorySearch: { enabled: false } } } },
  ],
  [
    "the sign-in of Claude's own client",
    { auth: { profiles: { "anthropic:claude-cli": { provider: "anthropic", mode: "token" } } } },
    { auth: { profiles: { "anthropic:claude-cli": { provider: "anthropic", mode: "oauth" } } } },
  ],
];

describe("an older key is read as today's", () => {
  for (const [name, before, after] of CASES)
    test(name, () => {
      const value = structuredClone(before) as Record<string, unknown>;
      migrate(value);
      expect(value).toEqual(after as Record<string, unknown>);
      const once = structuredClone(value);
      migrate(value);
      expect(value).toEqual(once);
    });
});

test("every row of the table has a case that needs it", () => {
  const skip = (row: object) => MIGRATIONS.filter((other) => other !== row);
  for (const row of MIGRATIONS) {
    const rest = skip(row);
    const needed = CASES.some(([, before, after]) => {
      const value = structuredClone(before) as Record<string, unknown>;
      migrate(value, rest);
      return !Bun.deepEquals(value, after);
    });
    expect([row.from, needed]).toEqual([row.from, true]);
  }
});

test("today's config is left exactly as it is", () => {
  const value = {
    gateway: { port: 1, auth: { token: "x" } },
    agents: { defaults: { model: "a/b" }, list: [{ id: "main" }] },
    tools: { exec: { timeoutSec: 5 } },
    unknown: { agent: 1 },
  };
  const copy = structuredClone(value);
  expect(migrate(value)).toEqual([]);
  expect(value).toEqual(copy);
});

test("nonsense in old places is no reason to fail", () => {
  for (const odd of [null, 1, "x", [], [null], {}, { a: null }])
    for (const key of [
      "agent",
      "agents",
      "routing",
      "identity",
      "telegram",
      "channels",
      "auth",
      "bindings",
      "gateway",
      "memory",
      "session",
      "messages",
      "tools",
    ]) {
      const value: Record<string, unknown> = {
        [key]: odd,
        identity: odd,
        routing: { agents: odd, defaultAgentId: "x" },
      };
      migrate(value);
      validate(value);
    }
});
