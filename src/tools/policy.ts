/**
 * Which tools an agent has. Every step can only remove; deny beats allow. Pure: the same policies give the same answer,
 * and what they say is about names, so a policy may name tools that do not exist here.
 */
import { NAMES } from "../base/brand.ts";
import type { ToolPolicy } from "./config.ts";

const words = (text: string) => text.split(" ");
const SESSIONS = words(
  "sessions_list sessions_history sessions_send sessions_spawn session_status",
);
const MEMORY = words("memory_search memory_get");
const WEB = words("web_search web_fetch");
const FS = words("read write edit apply_patch");
const RUNTIME = words("exec process");
/** Everything the product adds to the plain file and command tools. */
const PRODUCT_TOOLS = [
  ...words("browser canvas nodes cron message gateway agents_list image"),
  ...SESSIONS,
  ...MEMORY,
  ...WEB,
];

export const TOOL_GROUPS: Readonly<Record<string, readonly string[]>> = {
  "group:memory": MEMORY,
  "group:web": WEB,
  "group:fs": FS,
  "group:runtime": RUNTIME,
  "group:sessions": SESSIONS,
  "group:ui": words("browser canvas"),
  "group:automation": words("cron gateway"),
  "group:messaging": ["message"],
  "group:nodes": ["nodes"],
  ...Object.fromEntries(NAMES.map((name) => [`group:${name}`, PRODUCT_TOOLS])),
};

export const TOOL_PROFILES: Readonly<
  Record<NonNullable<ToolPolicy["profile"]>, readonly string[]>
> = {
  minimal: ["session_status"],
  coding: ["group:fs", "group:runtime", "group:sessions", "group:memory", "image"],
  messaging: [
    "group:messaging",
    ...words("sessions_list sessions_history sessions_send session_status"),
  ],
  full: ["*"],
};

/** What sub-agents never get: they must not speak for the session that started them. */
export const SUBAGENT_POLICY: ToolPolicy = {
  deny: [
    ...words("sessions_list sessions_history sessions_send sessions_spawn gateway agents_list"),
    ...words("whatsapp_login session_status cron memory_search memory_get"),
  ],
};

/** What people get whom no list names: they may talk, and reach neither files nor commands nor other chats. */
export const GUEST_POLICY: ToolPolicy = {
  deny: [
    ...words("group:fs group:runtime group:messaging group:sessions group:memory"),
    ...words("group:automation group:nodes group:ui image agents_list"),
  ],
};

const ALIASES: Record<string, string> = { bash: "exec", "apply-patch": "apply_patch" };

/** The tool's own name for what a model or a config calls it. */
export function toolName(given: string): string {
  const name = given.trim().toLowerCase();
  return ALIASES[name] ?? name;
}

/** A tool as policies see it; `plugin` is the id of the plug-in that brought it. */
export type Named = { name: string; plugin?: string };

/** Whether an entry (name, alias, `*` pattern, group, plug-in id) means this tool. */
function means(entry: string, tool: Named): boolean {
  const wanted = toolName(entry);
  if (wanted === "group:plugins") return tool.plugin !== undefined;
  if (tool.plugin !== undefined && wanted === tool.plugin.toLowerCase()) return true;
  const members = TOOL_GROUPS[wanted];
  if (members) return members.includes(tool.name);
  return matches(wanted, toolName(tool.name));
}

/** `*` stands for any characters. Linear: the pieces are looked for one after the other. */
function matches(pattern: string, name: string): boolean {
  const pieces = pattern.split("*");
  if (pieces.length === 1) return pattern === name;
  const [first, last] = [pieces[0]!, pieces.at(-1)!];
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return name.endsWith(last) && name.length - last.length >= at;
}

const includes = (entries: readonly string[], tool: Named) =>
  entries.some((entry) => means(entry, tool)) ||
  // Whoever may run commands may also change files with them.
  (tool.name === "apply_patch" &&
    entries.some((entry) => means(entry, { name: "exec" }) && !entry.includes("*")));

/**
 * Whether a list names plug-in tools only. Taken by the word it would remove every built-in tool, which nobody means who
 * writes the name of a plug-in there.
 */
function namesPluginsOnly(allow: readonly string[], tools: readonly Named[]): boolean {
  const plugins = tools.filter((tool) => tool.plugin !== undefined);
  return (
    plugins.length > 0 &&
    allow.every(
      (entry) =>
        !entry.includes("*") &&
        plugins.some((tool) => means(entry, tool)) &&
        !tools.some((tool) => tool.plugin === undefined && means(entry, tool)),
    )
  );
}

export type ToolChoice<T extends Named> = { tools: T[]; warnings: string[] };

/** The tools that pass every policy, in their own order. An absent policy passes all. */
export function chooseTools<T extends Named>(
  tools: readonly T[],
  ...policies: (ToolPolicy | undefined)[]
): ToolChoice<T> {
  const warnings: string[] = [];
  let left = [...tools];
  for (const policy of policies) {
    if (!policy) continue;
    const { profile, allow = [], alsoAllow = [], deny = [] } = policy;
    if (profile) {
      const wanted = [...TOOL_PROFILES[profile], ...alsoAllow];
      left = left.filter((tool) => includes(wanted, tool));
    }
    if (allow.length > 0) {
      const wanted = [...allow, ...alsoAllow];
      if (namesPluginsOnly(allow, tools))
        warnings.push(
          `tools.allow names only plug-in tools (${allow.join(", ")}) and is ignored: it would remove every built-in tool. Use tools.alsoAllow.`,
        );
      else left = left.filter((tool) => includes(wanted, tool));
    }
    left = left.filter((tool) => !deny.some((entry) => means(entry, tool)));
  }
  return { tools: left, warnings };
}

/** `chooseTools` without the warnings. */
export const allowedTools = <T extends Named>(
  tools: readonly T[],
  ...policies: (ToolPolicy | undefined)[]
): T[] => chooseTools(tools, ...policies).tools;

type PolicyWithProviders = ToolPolicy & { byProvider?: Record<string, ToolPolicy> };

/** The entry for this model: `provider/model` beats `provider`. */
function providerPolicy(
  policy: PolicyWithProviders | undefined,
  model: { provider: string; model: string },
): ToolPolicy | undefined {
  const rows = Object.entries(policy?.byProvider ?? {});
  const find = (key: string) =>
    rows.find(([name]) => name.trim().toLowerCase() === key.toLowerCase())?.[1];
  return find(`${model.provider}/${model.model}`) ?? find(model.provider);
}

const withoutProfile = (policy: ToolPolicy | undefined): ToolPolicy | undefined =>
  policy && { ...policy, profile: undefined };

/**
 * The policies of one run in the order in which they narrow: the profile, this provider's profile, everybody's lists, this
 * provider's, the agent's, the agent's for this provider, the group's, the guest's, the sandbox's, the sub-agent's. The profile and
 * `alsoAllow` of an agent replace everybody's.
 */
export function policiesFor(run: {
  tools?: PolicyWithProviders;
  agent?: PolicyWithProviders;
  model: { provider: string; model: string };
  group?: ToolPolicy;
  guest?: ToolPolicy;
  sandbox?: ToolPolicy;
  subagent?: ToolPolicy;
}): (ToolPolicy | undefined)[] {
  const { tools, agent, model } = run;
  const [provider, agentProvider] = [providerPolicy(tools, model), providerPolicy(agent, model)];
  const profile = (own?: ToolPolicy, all?: ToolPolicy): ToolPolicy => ({
    profile: own?.profile ?? all?.profile,
    alsoAllow: own?.alsoAllow ?? all?.alsoAllow,
  });
  return [
    profile(agent, tools),
    profile(agentProvider, provider),
    withoutProfile(tools),
    withoutProfile(provider),
    withoutProfile(agent),
    withoutProfile(agentProvider),
    run.group,
    run.guest,
    run.sandbox,
    run.subagent,
  ];
}
