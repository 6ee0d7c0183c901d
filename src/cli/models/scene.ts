/** What the commands about models look at: the config, the keys, and the catalogue made of both. No gateway is asked. */
import { modelsAtRest } from "../../agent/models-at-rest.ts";
import { agentEntries, agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Change } from "../../config/edit.ts";
import { editFile } from "../../config/handle.ts";
import { loadConfig } from "../../config/load.ts";
import { valueAt } from "../../config/path.ts";
import type { Config } from "../../config/schema.ts";
import type { AgentModels, Catalog } from "../../providers/catalog.ts";
import type { Profile } from "../../providers/credentials.ts";
import { canonical, formatRef, parseRef, resolveAlias } from "../../providers/refs.ts";
import { SIGN_INS } from "../../providers/stored.ts";
import { Table } from "../../providers/table.ts";
import { peekScope } from "../../store/peek-session.ts";
import { usableSettings } from "../channels/accounts.ts";
import type { Cli } from "../command.ts";
import type { Settings } from "../settings.ts";

export type Scene = {
  config: Config;
  env: Settings["env"];
  catalog: Catalog;
  table: Table;
  /** Sign-ins that were taken over from an older installation; expired ones too. */
  profiles: Profile[];
  /** Of the agent that is looked at. */
  agentId: string;
  agent: AgentModels;
  workspace: string;
};

/**
 * @param agent id of an agent of the config; the default one when absent
 * @param more variables that are not there yet, to see what would be with them
 * Throws config_invalid, and usage for an unknown agent.
 */
export async function openScene(
  cli: Cli,
  agent?: string,
  more: Record<string, string> = {},
): Promise<Scene> {
  const { config, env } = await usableSettings(cli);
  const vars = { ...env.vars, ...more };
  const { models, agents } = config;
  const known = agentEntries(agents).map(({ id }) => id);
  const agentId = agent?.trim().toLowerCase() || defaultAgentId(agents);
  if (!known.includes(agentId)) {
    const near = nearest(agentId, known);
    throw new AppError("usage", `Unknown agent id "${agent}".`, {
      hint: near ? `Did you mean ${near}?` : `There are: ${known.join(", ")}.`,
    });
  }
  const signIns = peekScope(cli.paths.databasePath, SIGN_INS);
  const rest = modelsAtRest(config, agentId, vars, signIns);
  return {
    ...rest,
    config,
    env,
    table: new Table(models, vars),
    agentId,
    workspace: agentSettings(agents, agentId, cli.paths).workspace,
  };
}

/**
 * What a person typed as `provider/model`: an alias, a whole name, or a part of one that fits a single model. A model that is new to a
 * known provider is fine. Throws usage for an unknown provider, bad_request for a name that fits nothing.
 */
export async function refOf({ agent, table, catalog }: Scene, text: string): Promise<string> {
  const typed = text.trim();
  const ref = parseRef(resolveAlias(typed, agent.known) ?? typed);
  if (!ref) return (await catalog.find(typed)).ref;
  const { provider, model } = canonical(ref.provider, ref.model);
  if (table.ids().includes(provider)) return formatRef({ provider, model });
  const near = nearest(provider, table.ids());
  throw new AppError("usage", `Unknown provider: ${provider}`, {
    hint: near ? `Did you mean ${near}/${model}?` : `There are: ${table.ids().join(", ")}.`,
  });
}

/** The provider that a person typed. Throws usage. */
export function providerNamed({ table }: Pick<Scene, "table">, text: string): string {
  const { provider } = canonical(text, "-");
  const ids = table.ids();
  if (ids.includes(provider)) return provider;
  const near = nearest(provider, ids);
  throw new AppError("usage", `Unknown provider: ${text}`, {
    hint: near ? `Did you mean ${near}?` : `There are: ${ids.join(", ")}.`,
  });
}

const MODEL = ["agents", "defaults", "model"];
const LISTED = ["agents", "defaults", "models"];

/** What the file itself says at a path, without defaults. */
async function inFile({ env, paths }: Cli, path: string[]): Promise<unknown> {
  const loaded = await loadConfig({ env, paths, strictVariables: false });
  return valueAt(loaded.parsed, path);
}

/** The change that sets one half of `agents.defaults.model`, which people write as a plain text too. */
export async function modelChanges(
  cli: Cli,
  half: { primary: string } | { fallbacks: string[] },
): Promise<Change[]> {
  const present = await inFile(cli, MODEL);
  if (typeof present === "string") {
    const value = "primary" in half ? half.primary : { primary: present, ...half };
    return [{ kind: "set", path: MODEL, value }];
  }
  const [[key, value] = ["", undefined]] = Object.entries(half);
  return [{ kind: "set", path: [...MODEL, key], value }];
}

/** The change that puts a model on the list of those that may be chosen, where there is such a list. */
export function listChanges(scene: Scene, ref: string): Change[] {
  const listed = Object.keys(scene.config.agents.defaults.models);
  if (listed.length === 0 || listed.includes(ref)) return [];
  return [{ kind: "set", path: [...LISTED, ref], value: {} }];
}

/** Writes, and says what a running gateway does with it. Throws what editFile throws. */
export async function change({ env, paths }: Cli, changes: Change[]): Promise<boolean> {
  const edit = { env, paths, strictVariables: false, now: Date.now() };
  return (await editFile(edit, changes)).changed.length > 0;
}
