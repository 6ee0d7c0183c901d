/** Everything that `status` tells, from the gateway when it answers, else from the files; a typed address means another machine. */
import { agentEntries, agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { configuredAccounts } from "../../channels/configured.ts";
import type { NetworkId } from "../../channels/registry.ts";
import { type AccountSnapshot, lineOf } from "../../channels/summary.ts";
import { type AuditReport, auditReport } from "../../doctor/audit.ts";
import type { Scene } from "../../doctor/check.ts";
import { examine } from "../../doctor/examine.ts";
import { SECURITY } from "../../doctor/security.ts";
import { listRow } from "../../gateway/session-rows.ts";
import { peekSessions } from "../../store/sqlite/peek.ts";
import type { SessionPage } from "../../store/store.ts";
import type { Cli } from "../command.ts";
import { lookAround } from "../doctor/scene.ts";
import type { Gateway, Wish } from "../rpc.ts";
import { type Settings, settingsOf } from "../settings.ts";
import {
  askChannels,
  type Probe,
  probeGateway,
  type Remote,
  type RemoteChannels,
} from "./probe.ts";

export type Account = { channel: NetworkId; snapshot: AccountSnapshot };

type More = {
  channels: RemoteChannels | undefined;
  health?: unknown;
  lastHeartbeat?: unknown;
};

/** What only this machine knows; absent when the gateway of another one is asked. */
export type Local = { scene: Scene; audit: AuditReport };

export type Facts = {
  settings: Settings;
  probe: Probe<More>;
  /** `error`: why the database of this machine could not be read. */
  sessions: NonNullable<Remote["sessions"]> & { error?: string };
  accounts: Account[];
  local?: Local;
};

const RECENT = 10;

export async function gather(cli: Cli, wish: Wish, { deep = false } = {}): Promise<Facts> {
  const ask = async (gateway: Gateway): Promise<More> => {
    const { client, timeoutMs } = gateway;
    const channels = await askChannels(gateway, timeoutMs, deep);
    if (!deep) return { channels };
    const health = await client.call("health", { probe: true }, { timeoutMs });
    const lastHeartbeat = await client.call("last-heartbeat", {}, { timeoutMs });
    return { channels, health, lastHeartbeat };
  };
  const [probe, scene] = await Promise.all([
    probeGateway(cli, wish, ask),
    lookAround(cli, { suggestions: false, known: { running: undefined } }),
  ]);
  const { status: remote, more } = probe;
  const settings = settingsOf(scene.loaded, cli.paths);
  const elsewhere = wish.url !== undefined;
  const running = remote && { version: remote.version ?? VERSION };
  const local = elsewhere ? undefined : await withAudit({ ...scene, running });
  return {
    settings,
    probe,
    sessions: remote?.sessions ?? (elsewhere ? { count: 0, recent: [] } : offlineSessions(cli)),
    accounts: more?.channels ? remoteAccounts(more.channels) : await plannedAccounts(settings),
    ...(local && { local }),
  };
}

async function withAudit(scene: Scene): Promise<Local> {
  return { scene, audit: auditReport(await examine(SECURITY, scene), scene.now) };
}

const remoteAccounts = ({ channelOrder, channelAccounts }: RemoteChannels): Account[] =>
  channelOrder.flatMap((id) =>
    (channelAccounts[id] ?? []).map((snapshot) => ({ channel: id as NetworkId, snapshot })),
  );

async function plannedAccounts({ config, env }: Settings): Promise<Account[]> {
  if (!config) return [];
  return configuredAccounts(
    (id) => config.channels[id],
    (name) => env.raw(name),
  );
}

/** A database that cannot be read is part of the overview, not its end. */
function offlineSessions({ paths }: Cli): Facts["sessions"] {
  const { rows, total, error } = readSessions(paths.databasePath);
  const recent = rows.map((row) => {
    const { model, ...listed } = listRow(row);
    return { ...listed, model: model ?? null, age: Date.now() - row.updatedAt };
  });
  return { count: total, recent, ...(error && { error }) };
}

function readSessions(path: string): SessionPage & { error?: string } {
  try {
    return peekSessions(path, { limit: RECENT });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return { rows: [], total: 0, error: cause.message };
  }
}

/** The agents of the config, each with its folder. */
export function agentsOf({ config }: Settings, { paths }: Cli) {
  if (!config) return { defaultId: "main", agents: [] };
  return {
    defaultId: defaultAgentId(config.agents),
    agents: agentEntries(config.agents).map(({ id, name }) => ({
      id,
      ...(name !== undefined && { name }),
      workspaceDir: agentSettings(config.agents, id, paths).workspace,
    })),
  };
}

/** The background service in the original's words; null where there is none or another machine is meant. */
export function serviceOf(local: Local | undefined) {
  const state = local?.scene.service.state;
  if (!state) return null;
  return {
    installed: state.installed,
    loaded: state.installed && state.enabled,
    running: state.running,
    runtimeShort: state.detail,
  };
}

/** `Telegram: connected as @bot`, one per account. */
export const channelLines = (accounts: readonly Account[]): string[] =>
  accounts.map(({ channel, snapshot }) => lineOf(channel, snapshot));
