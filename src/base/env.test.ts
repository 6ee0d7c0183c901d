import { expect, test } from "bun:test";

import { PREFIXED, readEnv, secretsOf, withVariables } from "./env.ts";

test("every product name is a prefix of the same variable, the newest name wins", () => {
  expect(readEnv({ CLAWDBOT_STATE_DIR: "/a" }).stateDir).toBe("/a");
  expect(readEnv({ MOLTBOT_STATE_DIR: "/b" }).stateDir).toBe("/b");
  expect(
    readEnv({ CLAWDBOT_STATE_DIR: "/a", MOLTBOT_STATE_DIR: "/b", OPENCLAW_STATE_DIR: "/c" })
      .stateDir,
  ).toBe("/c");
});

test("two names that differ give one warning that names both; equal ones give none", () => {
  const differ = readEnv({ CLAWDBOT_GATEWAY_TOKEN: "old", OPENCLAW_GATEWAY_TOKEN: "new" });
  expect(differ.warnings).toEqual([
    "OPENCLAW_GATEWAY_TOKEN and CLAWDBOT_GATEWAY_TOKEN differ; OPENCLAW_GATEWAY_TOKEN is used.",
  ]);
  expect(readEnv({ CLAWDBOT_PROFILE: "x", OPENCLAW_PROFILE: "x " }).warnings).toEqual([]);
});

test("a blank variable counts as unset, also for the order of names", () => {
  const env = readEnv({ OPENCLAW_STATE_DIR: "  ", CLAWDBOT_STATE_DIR: "/a", EMPTY: " " });
  expect(env.stateDir).toBe("/a");
  expect(env.raw("EMPTY")).toBeUndefined();
  expect(env.warnings).toEqual([]);
});

test("a value that is not one is ignored with a warning that does not repeat it", () => {
  const env = readEnv({ CLAWDBOT_GATEWAY_PORT: "70000", CLAWDBOT_NIX_MODE: "perhaps" });
  expect(env.gatewayPort).toBeUndefined();
  expect(env.nixMode).toBe(false);
  expect(env.warnings).toEqual([
    "CLAWDBOT_GATEWAY_PORT is not a port (1 to 65535), so it is ignored.",
    "CLAWDBOT_NIX_MODE is not a switch (1 or 0), so it is ignored.",
  ]);
  expect(readEnv({ CLAWDBOT_GATEWAY_PORT: " 8080 ", MOLTBOT_NIX_MODE: "1" })).toMatchObject({
    gatewayPort: 8080,
    nixMode: true,
  });
});

test("Z_AI_API_KEY stands in for ZAI_API_KEY", () => {
  expect(readEnv({ Z_AI_API_KEY: "k" }).raw("ZAI_API_KEY")).toBe("k");
  expect(readEnv({ Z_AI_API_KEY: "k", ZAI_API_KEY: "own" }).raw("ZAI_API_KEY")).toBe("own");
});

test("more variables fill gaps and never replace what the process has", () => {
  const env = readEnv({ CLAWDBOT_GATEWAY_TOKEN: "mine", BLANK: "" });
  const more = withVariables(env, { CLAWDBOT_GATEWAY_TOKEN: "other", BLANK: "b", NEW: "n" });
  expect(more.gatewayToken).toBe("mine");
  expect(more.vars).toMatchObject({ BLANK: "b", NEW: "n" });
  expect(withVariables(env, { CLAWDBOT_GATEWAY_TOKEN: "other" })).toBe(env);
});

test("secrets of the environment are found by name, short ones left out", () => {
  const env = readEnv({
    OPENAI_API_KEY: "sk-12345678",
    MY_SERVICE_PASSWORD: "hunter2hunter2",
    PATH: "/usr/bin:/bin:/usr/local/bin",
    X_TOKEN: "abc",
  });
  expect(secretsOf(env).sort()).toEqual(["hunter2hunter2", "sk-12345678"]);
});

test("every prefixed variable says what it is for", () => {
  for (const [name, { doc }] of Object.entries(PREFIXED))
    expect([name, doc]).toEqual([name, expect.stringMatching(/\.$/)]);
});
