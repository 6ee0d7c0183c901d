/** What of this machine is the program's: which files each scope of `reset` and `uninstall` takes. Looks, and changes nothing. */
import { basename, dirname, join, resolve } from "node:path";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import { CONFIG_NAMES, STATE_DIRS } from "../../base/brand.ts";
import { serviceEnvPath } from "../../base/env-file.ts";
import type { Paths } from "../../base/paths.ts";
import { NETWORK_IDS } from "../../channels/registry.ts";
import { lastGoodPath } from "../../config/last-good.ts";
import type { Config } from "../../config/schema.ts";
import { isInside, isThere, namesIn, refuseUnsafe } from "./safe.ts";

/** `reset --scope`. */
export const SCOPES = ["config", "config+creds+sessions", "full"] as const;
export type Scope = (typeof SCOPES)[number];

export type Plan = {
  /** Removed in this order; the config comes late, because it says what else there is. */
  paths: string[];
  /** Removed when nothing is left in them. */
  folders: string[];
  /** What stays although somebody may expect it to go; one sentence each. */
  kept: string[];
};

const EMPTY: Plan = { paths: [], folders: [], kept: [] };

/** Of all versions of the system: what lies in a state folder beside the config. */
const STATE_NAMES = new Set([
  ...[".env", "agents", "backups", "browser", "canvas", "completions", "credentials", "cron"],
  ...["delivery-queue", "devices", "exec-approvals.json", "exec-approvals.sock", "extensions"],
  ...["gateway.cmd", "gateway.env", "gateway.sock", "gateway.task.xml", "gateway-token", "hooks"],
  ...["identity", "logs", "media", "memory", "node.json", "nodes", "restart-sentinel.json"],
  ...[
    "sandbox",
    "sandboxes",
    "sessions",
    "settings",
    "skills",
    "subagents",
    "tools",
    ...NETWORK_IDS,
  ],
  ...["update-check.json", basename("config.last-good.json5")],
]);

/** Keys, sign-ins and conversations, as far as they are no config. Copies in `backups` are kept. */
const CREDENTIALS_AND_SESSIONS = [
  ...[".env", "agents", "credentials", "devices", "gateway-token", "identity", "media", "nodes"],
  ...["sessions", ...NETWORK_IDS],
];

const isConfigFile = (name: string): boolean =>
  CONFIG_NAMES.some((config) => name === config || name.startsWith(`${config}.`));
const isDatabaseFile = (name: string, paths: Paths): boolean =>
  name.startsWith(basename(paths.databasePath));
const isLock = (name: string): boolean => /^gateway\.[\w-]+\.lock/.test(name);

/** Every agent's folder that is there. */
export function workspacesOf(config: Config | undefined, paths: Paths): string[] {
  if (!config) return [paths.workspaceDefault].filter(isThere);
  const { agents } = config;
  const all = agentEntries(agents).map(({ id }) => agentSettings(agents, id, paths).workspace);
  return [...new Set(all.map((path) => resolve(path)))].filter(isThere);
}

/** Of the config: every file of a known name, so that none of them takes the place of the one that goes. */
const configFiles = (paths: Paths): string[] => [
  ...CONFIG_NAMES.map((name) => join(paths.stateDir, name)),
  lastGoodPath(paths),
  paths.configPath,
];

/** A folder that only this program makes; any other may hold what is not ours. */
const isOwnFolder = ({ stateDir, home, profile }: Paths): boolean =>
  dirname(stateDir) === home &&
  STATE_DIRS.some((name) => basename(stateDir) === name + (profile ? `-${profile}` : ""));

/**
 * The whole state. In a folder of another name than ours only what has one of our names, because people point the variable at a
 * volume with other things on it. `spare` are folders that stay, wherever they lie. Throws forbidden (see refuseUnsafe).
 */
export function statePlan(paths: Paths, spare: string[]): Plan {
  const { stateDir, configPath } = paths;
  refuseUnsafe(stateDir, paths.home);
  const own = isOwnFolder(paths);
  const names = namesIn(stateDir);
  // `logs` or `tools` are anybody's in a folder where this program has never been.
  const used = names.some(
    (name) => isConfigFile(name) || isDatabaseFile(name, paths) || isLock(name),
  );
  const mine = (name: string): boolean =>
    own || (used && STATE_NAMES.has(name)) || isConfigFile(name) || isDatabaseFile(name, paths);
  const spared = names.filter((name) => spare.some((path) => isInside(path, join(stateDir, name))));
  const going = names.filter((name) => mine(name) && !spared.includes(name) && !isLock(name));
  // The config comes late, and the lock last of all: they say to a second run that the rest is ours.
  const rank = (name: string): number => (isConfigFile(name) ? 1 : 0);
  const inside = going.sort((a, b) => rank(a) - rank(b)).map((name) => join(stateDir, name));
  const outside = isInside(configPath, stateDir) || !isThere(configPath) ? [] : [configPath];
  const locks = names.filter(isLock).map((name) => join(stateDir, name));
  const others = names.filter((name) => !mine(name) && !spared.includes(name) && !isLock(name));
  return {
    paths: [...inside, ...outside, ...locks],
    folders: isThere(stateDir) ? [stateDir] : [],
    kept: [
      ...spared.map((name) => `${join(stateDir, name)} stays: an agent works there.`),
      ...(others.length > 0
        ? [`${stateDir} stays: ${others.slice(0, 5).join(", ")} in it is not of this program.`]
        : []),
    ],
  };
}

/** What a scope of `reset` takes. Throws forbidden (see refuseUnsafe). */
export function resetPlan(scope: Scope, paths: Paths, config: Config | undefined): Plan {
  const { stateDir } = paths;
  refuseUnsafe(stateDir, paths.home);
  if (scope === "full") {
    const workspaces = workspacePlan(paths, config);
    return joined(workspaces, statePlan(paths, []));
  }
  const files = [...new Set(configFiles(paths))].filter(isThere);
  if (scope === "config") return { ...EMPTY, paths: files };
  const known =
    isOwnFolder(paths) || namesIn(stateDir).some((name) => isLock(name) || isConfigFile(name));
  const data = [
    ...(known ? CREDENTIALS_AND_SESSIONS : []).map((name) => join(stateDir, name)),
    ...namesIn(stateDir).flatMap((name) =>
      isDatabaseFile(name, paths) ? [join(stateDir, name)] : [],
    ),
  ];
  const spare = workspacesOf(config, paths);
  const going = data.filter((path) => !spare.some((place) => isInside(place, path)));
  const backups = join(stateDir, "backups");
  return {
    ...EMPTY,
    paths: [...[...going, serviceEnvPath(stateDir)].filter(isThere), ...files],
    kept: isThere(backups) ? [`${backups} stays: copies of the database, for going back.`] : [],
  };
}

/** Every agent's folder. Throws forbidden for one that is also something else. */
export function workspacePlan(paths: Paths, config: Config | undefined): Plan {
  const folders = workspacesOf(config, paths);
  for (const folder of folders) refuseUnsafe(folder, paths.home, { whole: true });
  return { ...EMPTY, paths: folders };
}

export const joined = (...plans: Plan[]): Plan => ({
  paths: [...new Set(plans.flatMap((plan) => plan.paths))],
  folders: [...new Set(plans.flatMap((plan) => plan.folders))],
  kept: plans.flatMap((plan) => plan.kept),
});
