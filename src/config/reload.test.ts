import { expect, test } from "bun:test";

import { actionFor, changedPaths, planReload } from "./reload.ts";
import { type Config, ConfigSchema } from "./schema.ts";

const config = (value: object): Config => ConfigSchema.parse(value);
const plan = (
  before: object,
  now: object,
  mode: "off" | "restart" | "hot" | "hybrid" = "hybrid",
) => {
  const { config: _, ...rest } = planReload(config(before), config(now), mode);
  return rest;
};

test("changed paths are the smallest that differ; a list counts as one value", () => {
  expect(changedPaths({ a: { b: 1, c: [1] }, d: 1 }, { a: { b: 2, c: [1, 2] }, e: 1 })).toEqual([
    ["a", "b"],
    ["a", "c"],
    ["d"],
    ["e"],
  ]);
});

test("the first prefix of the table decides; a key that is unknown or has no effect asks for nothing", () => {
  const cases: [string[], string][] = [
    [["gateway", "remote", "url"], "none"],
    [["gateway", "reload"], "none"],
    [["gateway", "port"], "restart"],
    [["gatewayx"], "none"],
    [["gateway", "prot"], "none"],
    [["gateway", "tls", "enabled"], "none"],
    [["session", "dmScope"], "none"],
    [["agents", "defaults", "heartbeat", "every"], "none"],
    [["agents", "list"], "hot"],
    [["agents", "defaults", "model"], "none"],
    [["channels", "discord", "token"], "hot"],
    [["channels", "slack", "botToken"], "none"],
    [["logging", "level"], "hot"],
    [["models", "providers", "x"], "hot"],
    [["tools", "deny"], "none"],
    [["env", "vars"], "restart"],
    [["your"], "none"],
    [["plugins", "entries"], "none"],
    [["gateway", "auth", "token"], "restart"],
  ];
  for (const [path, action] of cases)
    expect([path, actionFor(path)]).toEqual([path, action as never]);
});

test("the hardest change decides what happens", () => {
  expect(plan({}, { tools: { deny: ["x"] } })).toEqual({
    action: "none",
    changed: ["tools.deny"],
    needRestart: [],
  });
  expect(plan({}, { tools: { deny: ["x"] }, models: { mode: "replace" } }).action).toBe("hot");
  expect(plan({}, { tools: { deny: ["x"] }, gateway: { port: 1 } })).toEqual({
    action: "restart",
    changed: ["gateway.port", "tools.deny"],
    needRestart: ["gateway.port"],
  });
});

test("in the mode restart every change restarts; in the mode hot none does, and its part is not in force", () => {
  expect(plan({}, { tools: { deny: ["x"] } }, "restart").action).toBe("restart");
  const before = config({ gateway: { port: 1, auth: { token: "a" } } });
  const now = config({ gateway: { port: 2, bind: "lan" }, tools: { deny: ["x"] } });
  const hot = planReload(before, now, "hot");
  expect(hot.action).toBe("none");
  expect(hot.needRestart.sort()).toEqual(["gateway.auth.token", "gateway.bind", "gateway.port"]);
  expect(hot.config.gateway).toEqual(before.gateway);
  expect(hot.config.tools.deny).toEqual(["x"]);
  expect(now.gateway.port).toBe(2);
});
