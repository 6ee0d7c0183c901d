import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import { loadConfig } from "./load.ts";
import { validate } from "./validate.ts";

const errors = (value: unknown) =>
  validate(value).errors.map(
    (e) => `${e.at.join(".")} ${e.message}${e.hint ? ` | ${e.hint}` : ""}`,
  );
const warnings = (value: unknown) =>
  validate(value).warnings.map((w) => `${w.at.join(".")}${w.hint ? ` | ${w.hint}` : ""}`);

test("an empty config is complete by its defaults", () => {
  const { config } = validate({});
  expect(config?.gateway).toMatchObject({
    port: 18789,
    bind: "loopback",
    reload: { mode: "hybrid" },
  });
  expect(config?.agents.defaults).toMatchObject({ maxConcurrent: 4, timeoutSeconds: 600 });
});

test("a wrong type or value is an error that says what is expected and what stands there", () => {
  expect(errors({ gateway: { port: "99" } })).toEqual([
    'gateway.port must be a number, not "99" | Write it without quotes.',
  ]);
  expect(errors({ gateway: { port: 0 } })).toEqual(["gateway.port must be at least 1, not 0"]);
  expect(errors({ gateway: { port: 70000 } })).toEqual([
    "gateway.port must be at most 65535, not 70000",
  ]);
  expect(errors({ gateway: { port: 1.5 } })).toEqual([
    "gateway.port must be a whole number, not 1.5",
  ]);
  expect(errors({ gateway: { bind: "lam" } })).toEqual([
    'gateway.bind must be "auto", "lan", "loopback", "custom" or "tailnet", not "lam" | Did you mean "lan"?',
  ]);
  expect(errors({ gateway: [] })).toEqual(["gateway must be a group of keys in { }, not a list"]);
  expect(errors({ gateway: { trustedProxies: "10.0.0.1" } })).toEqual([
    'gateway.trustedProxies must be a list in [ ], not "10.0.0.1"',
  ]);
  expect(errors({ agents: { list: [{ name: "x" }] } })).toEqual([
    "agents.list.0.id is missing | Add it: text in quotes.",
  ]);
  expect(errors({ ui: { assistant: { name: "x".repeat(51) } } })[0]).toStartWith(
    "ui.assistant.name must be at most 50 characters long",
  );
  expect(errors({ ui: { seamColor: "red" } })).toEqual([
    "ui.seamColor is not right: a colour is six hexadecimal digits, as in #FF4500",
  ]);
  expect(errors({ env: { PORT: 3000 } })[0]).toStartWith("env.PORT must be text in quotes");
  for (const odd of [null, [], "x", 3]) expect(errors(odd)[0]).toContain("must be a group of keys");
});

test("of a key that may be text or a group, the branch that was meant is judged", () => {
  expect(errors({ agents: { defaults: { model: { primary: 3 } } } })).toEqual([
    "agents.defaults.model.primary must be text in quotes, not 3",
  ]);
  expect(errors({ agents: { defaults: { model: 3 } } })).toEqual([
    "agents.defaults.model must be text in quotes or a group of keys in { }, not 3",
  ]);
});

test("a secret of the wrong shape is not repeated", () => {
  expect(errors({ gateway: { auth: { token: 123456789 } } })).toEqual([
    "gateway.auth.token must be text in quotes",
  ]);
});

test("an unknown key is a warning that names the nearest known one, or where it belongs", () => {
  expect(warnings({ gatway: {} })).toEqual(["gatway | Did you mean gateway?"]);
  expect(warnings({ gateway: { auth: { tokn: "x" } } })).toEqual([
    "gateway.auth.tokn | Did you mean gateway.auth.token?",
  ]);
  expect(warnings({ chanels: {} })).toEqual(["chanels | Did you mean channels?"]);
  expect(warnings({ seamColor: "#000000" })).toEqual(["seamColor | Did you mean ui.seamColor?"]);
  expect(warnings({ zzzzzz: 1 })).toEqual(["zzzzzz | Remove it when it is not needed."]);
  expect(warnings({ agents: { list: [{ id: "a", modle: "x" }] } })).toEqual([
    "agents.list.0.modle | Did you mean agents.list[0].model?",
  ]);
});

test("an unknown key is kept", () => {
  expect(validate({ your: "config", gateway: { odd: { deep: [1] } } }).config).toMatchObject({
    your: "config",
    gateway: { odd: { deep: [1] }, port: 18789 },
  });
});

test("known parts that are not built yet are one notice each part, not a warning", () => {
  const checked = validate({
    channels: { signal: { account: "x" }, slack: { enabled: false }, line: {} },
    cron: {},
    agents: {
      defaults: { sandbox: { mode: "all" } },
      list: [{ id: "a", heartbeat: { every: "1h" } }],
    },
    tools: { web: { search: { enabled: true } } },
    memory: { anything: 1 },
  });
  expect(checked.warnings).toEqual([]);
  expect(checked.errors).toEqual([]);
  expect(checked.inactive).toEqual([
    "agents.defaults.sandbox",
    "agents.list[0].heartbeat",
    "channels.signal",
    "memory",
    "tools.web",
  ]);
});

test("agents need ids and folders of their own", () => {
  expect(
    errors({
      agents: {
        list: [
          { id: "a", agentDir: "/x" },
          { id: "A", agentDir: "/x" },
        ],
      },
    }),
  ).toEqual([
    'agents.list.1.id is "a", as that of another agent | Every agent needs an id of its own.',
    'agents.list.1.agentDir is "/x", as that of another agent | Every agent needs a folder of its own.',
  ]);
});

test("a plain model, later thinking levels and older session keys are understood", async () => {
  using home = makeHome();
  home.write(`{
    agents: { defaults: { model: "a/b", thinkingDefault: "ultra" }, list: [{ id: "Main" }] },
    session: { mainKey: "other", idleMinutes: 30 },
  }`);
  const { config, warnings: told } = await loadConfig(home.where);
  expect(config?.agents.defaults).toMatchObject({
    model: { primary: "a/b" },
    thinkingDefault: "xhigh",
  });
  expect(config?.agents.list[0]?.id).toBe("main");
  expect(config?.session).toMatchObject({
    mainKey: "main",
    reset: { mode: "idle", idleMinutes: 30 },
  });
  expect(told.map((w) => w.path)).toEqual(["session.mainKey"]);
});

test("known models of the list get their short names unless the name is taken", async () => {
  using home = makeHome();
  home.write(`{ agents: { defaults: { models: {
    "anthropic/claude-opus-4-5": {}, "anthropic/claude-sonnet-4-5": { alias: "s" },
    "openai/gpt-5.2": {}, "x/y": { alias: "gpt" } } } } }`);
  const { config } = await loadConfig(home.where);
  const aliases = Object.entries(config!.agents.defaults.models).map(([ref, m]) => [ref, m.alias]);
  expect(aliases).toEqual([
    ["anthropic/claude-opus-4-5", "opus"],
    ["anthropic/claude-sonnet-4-5", "s"],
    ["openai/gpt-5.2", undefined],
    ["x/y", "gpt"],
  ]);
});
