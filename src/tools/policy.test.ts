import { expect, test } from "bun:test";

import {
  allowedTools,
  chooseTools,
  policiesFor,
  SUBAGENT_POLICY,
  TOOL_GROUPS,
  toolName,
} from "./policy.ts";

const CORE =
  "read write edit apply_patch exec process web_search web_fetch browser canvas nodes cron message gateway agents_list sessions_list sessions_history sessions_send sessions_spawn session_status image memory_search memory_get".split(
    " ",
  );
const tools = CORE.map((name) => ({ name }));
const withPlugin = [
  ...tools,
  { name: "voice_call", plugin: "voice" },
  { name: "lobster", plugin: "lobster" },
];
const model = { provider: "anthropic", model: "claude-opus" };
const names = (...policies: Parameters<typeof policiesFor>[0][]) =>
  policies.flatMap((run) => allowedTools(tools, ...policiesFor(run)).map((t) => t.name));

test("without a policy, and with empty lists, every tool is there in its own order", () => {
  expect(allowedTools(tools).map((t) => t.name)).toEqual(CORE);
  expect(allowedTools(tools, { allow: [], deny: [] }, undefined)).toEqual(tools);
});

test("deny beats allow, in every spelling", () => {
  expect(allowedTools(tools, { allow: ["process", "read"], deny: ["PROCESS"] })).toEqual([
    { name: "read" },
  ]);
  expect(names({ model, tools: { deny: ["bash"] } })).not.toContain("exec");
  expect(names({ model, tools: { deny: ["group:runtime"] } })).not.toContain("process");
});

test("patterns match with * and nothing else is special", () => {
  expect(names({ model, tools: { allow: ["sessions_*"] } })).toEqual([
    "sessions_list",
    "sessions_history",
    "sessions_send",
    "sessions_spawn",
  ]);
  expect(names({ model, tools: { allow: ["*on_s*us"] } })).toEqual(["session_status"]);
  expect(names({ model, tools: { allow: ["r.ad", "rea"] } })).toEqual([]);
});

test("a pattern made to be slow is not", () => {
  const long = [{ name: "a".repeat(5000) }];
  expect(allowedTools(long, { allow: [`${"a*".repeat(2000)}b`] })).toEqual([]);
});

test("groups hold the original's members, under each of the product's names", () => {
  expect(TOOL_GROUPS["group:fs"]).toEqual(["read", "write", "edit", "apply_patch"]);
  for (const name of ["openclaw", "moltbot", "clawdbot"])
    expect(names({ model, tools: { deny: [`group:${name}`] } })).toEqual([
      "read",
      "write",
      "edit",
      "apply_patch",
      "exec",
      "process",
    ]);
});

test("profiles select, alsoAllow adds to them, deny takes away", () => {
  expect(names({ model, tools: { profile: "minimal" } })).toEqual(["session_status"]);
  expect(names({ model, tools: { profile: "full" } })).toEqual(CORE);
  expect(names({ model, tools: { profile: "messaging" } })).toEqual([
    "message",
    "sessions_list",
    "sessions_history",
    "sessions_send",
    "session_status",
  ]);
  expect(
    names({
      model,
      tools: { profile: "coding", alsoAllow: ["message"], deny: ["image", "group:sessions"] },
    }),
  ).toEqual("read write edit apply_patch exec process message memory_search memory_get".split(" "));
});

test("alsoAllow without allow removes nothing", () => {
  expect(names({ model, tools: { alsoAllow: ["lobster"] } })).toEqual(CORE);
});

test("allowing exec implies apply_patch; a pattern does not", () => {
  expect(names({ model, tools: { allow: ["exec"] } })).toEqual(["apply_patch", "exec"]);
  expect(names({ model, tools: { allow: ["ex*"] } })).toEqual(["exec"]);
  expect(names({ model, tools: { allow: ["exec"], deny: ["apply_patch"] } })).toEqual(["exec"]);
});

test("provider/model beats provider, and both only narrow", () => {
  const byProvider = {
    anthropic: { allow: ["read", "write"] },
    "Anthropic/claude-opus": { allow: ["read", "exec"], deny: ["apply_patch"] },
  };
  expect(names({ model, tools: { byProvider } })).toEqual(["read", "exec"]);
  expect(names({ model: { ...model, model: "other" }, tools: { byProvider } })).toEqual([
    "read",
    "write",
  ]);
  expect(names({ model, tools: { deny: ["exec"], byProvider } })).toEqual(["read"]);
});

test("an agent's profile replaces everybody's, its lists only narrow", () => {
  const all = { profile: "minimal" as const };
  expect(names({ model, tools: all, agent: { profile: "messaging" } })).toContain("message");
  expect(names({ model, tools: { allow: ["read"] }, agent: { allow: ["read", "exec"] } })).toEqual([
    "read",
  ]);
  expect(names({ model, tools: all, agent: { alsoAllow: ["read"] } })).toEqual([
    "read",
    "session_status",
  ]);
});

test("group, sandbox and sub-agent policies come last and only remove", () => {
  const sub = names({ model, subagent: SUBAGENT_POLICY });
  for (const name of ["sessions_spawn", "gateway", "cron", "memory_get"])
    expect(sub).not.toContain(name);
  expect(sub).toContain("exec");
  expect(
    names({ model, group: { deny: ["exec", "process"] }, tools: { allow: ["*"] } }),
  ).not.toContain("exec");
});

test("plug-in tools are named by tool, by plug-in or as a group", () => {
  const left = (deny: string[]) => allowedTools(withPlugin, { deny }).length;
  expect(left(["group:plugins"])).toBe(tools.length);
  expect(left(["voice"])).toBe(tools.length + 1);
  expect(left(["voice_call", "lobster"])).toBe(tools.length);
});

test("an allow list of plug-in tools alone is ignored with a warning, since it would remove every built-in tool", () => {
  const choice = chooseTools(withPlugin, { allow: ["voice", "lobster"] });
  expect(choice.tools).toEqual(withPlugin);
  expect(choice.warnings[0]).toContain("tools.alsoAllow");
  expect(chooseTools(withPlugin, { allow: ["voice", "read"] })).toEqual({
    tools: [{ name: "read" }, { name: "voice_call", plugin: "voice" }],
    warnings: [],
  });
});

test("an allow list of unknown names allows nothing", () => {
  expect(allowedTools(tools, { allow: ["raed"] })).toEqual([]);
});

test("other names of a tool lead to its own", () => {
  expect([toolName("Bash"), toolName(" apply-patch "), toolName("read")]).toEqual([
    "exec",
    "apply_patch",
    "read",
  ]);
});
