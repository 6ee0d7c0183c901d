/** What the configuration says of one agent: its own entry over everybody's defaults. */
import { join } from "node:path";

import { expandHome, type Paths, workspaceOf } from "../base/paths.ts";
import { plainId } from "../protocol/session-key.ts";
import type { AgentEntry, AgentsConfig, ModelSetting } from "./config.ts";

type Defaults = AgentsConfig["defaults"];

export type AgentSettings = {
  id: string;
  /** The agent's name for people and for itself. */
  name?: string;
  entry?: AgentEntry;
  defaults: Defaults;
  /** Absolute path. */
  workspace: string;
  model?: ModelSetting;
  thinking?: Defaults["thinkingDefault"];
};

/** All agents of the config: `agents.list`, then `agents.entries`; one `main` when there is none. */
export function agentEntries(agents: AgentsConfig): AgentEntry[] {
  const listed = agents.list.map((entry) => ({ ...entry, id: plainId(entry.id, "main") }));
  const more = Object.entries(agents.entries ?? {})
    .map(([id, entry]) => ({ ...entry, id: plainId(id, "main") }))
    .filter((entry) => !listed.some((other) => other.id === entry.id));
  const all = [...listed, ...more];
  return all.length ? all : [{ id: "main" }];
}

/** The first one that says so, else the first. */
export function defaultAgentId(agents: AgentsConfig): string {
  const entries = agentEntries(agents);
  return (entries.find((entry) => entry.default) ?? entries[0]!).id;
}

/** Settings of any id: an agent that is not in the config has everybody's defaults and a workspace of its own. */
export function agentSettings(agents: AgentsConfig, id: string, paths: Paths): AgentSettings {
  const { defaults } = agents;
  const entry = agentEntries(agents).find((each) => each.id === id);
  const main = id === defaultAgentId(agents);
  const configured = entry?.workspace ?? (main ? defaults.workspace : undefined);
  const workspace = configured
    ? expandHome(configured, paths.home)
    : main
      ? paths.workspaceDefault
      : workspaceOf(paths, id);
  return {
    id,
    name: entry?.identity?.name ?? entry?.name,
    entry,
    defaults,
    workspace:
      workspace.startsWith("/") || /^[A-Za-z]:/.test(workspace)
        ? workspace
        : join(paths.stateDir, workspace),
    model: entry?.model ?? defaults.model,
    thinking: entry?.thinkingDefault ?? defaults.thinkingDefault,
  };
}
