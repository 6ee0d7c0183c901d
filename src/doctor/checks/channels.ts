/** The chat channels: can each account work, does it, who gets in, and was everything delivered? */
import { formatAge } from "../../base/time.ts";
import { type Configured, configuredAccounts } from "../../channels/configured.ts";
import { PAIRING_LIMITS } from "../../channels/pairing-limits.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { type ChannelWarning, warningsOf } from "../../channels/summary.ts";
import { isRecord } from "../../config/path.ts";
import { peekPairing, peekTroubled } from "../../store/sqlite/peek.ts";
import type { Check, Finding, Severity } from "../check.ts";
import { fromDatabase } from "./database.ts";

const SEVERITY: Record<ChannelWarning["kind"], Severity> = {
  config: "warning",
  auth: "error",
  runtime: "error",
  permissions: "warning",
  privacy: "warning",
};
/** What the config alone shows; the rest only a running gateway knows. Who may come in is told by people.ts. */
const FROM_CONFIG = new Set<ChannelWarning["kind"]>(["config"]);
const ELSEWHERE = new Set<ChannelWarning["kind"]>(["config", "privacy"]);

export const channelCheck: Check = {
  id: "channels",
  title: "Channels",
  async run({ loaded, running, command, now }) {
    const { config, env } = loaded;
    if (!config) return [];
    const rows = await configuredAccounts(
      (id) => config.channels[id],
      (name) => env.raw(name),
    );
    const local = rows.flatMap(({ channel, snapshot }) =>
      warningsOf(channel, snapshot, now, command),
    );
    const remote = running?.channelWarnings ?? [];
    return [
      ...local.filter(({ kind }) => FROM_CONFIG.has(kind)),
      ...remote.filter(({ kind }) => !ELSEWHERE.has(kind)),
    ]
      .map(({ channel, kind, message, fix }): Finding => ({
        severity: SEVERITY[kind],
        message,
        ...(fix && { fixHint: fix }),
        path: `channels.${channel}`,
      }))
      .concat(sameToken(rows));
  },
};

/** Two accounts with one token take each other's messages. */
function sameToken(rows: readonly Configured[]): Finding[] {
  const seen = new Map<string, string>();
  return rows.flatMap(({ channel, setup, plan }): Finding[] => {
    const key = setup.token?.key;
    const token = key !== undefined && isRecord(plan.config) ? plan.config[key] : undefined;
    // What the channel itself has found is told already.
    if (!plan.enabled || plan.credential.problem || typeof token !== "string" || !token) return [];
    const mark = `${channel}\n${token}`;
    const other = seen.get(mark);
    if (other === undefined) {
      seen.set(mark, plan.id);
      return [];
    }
    return [
      {
        severity: "error",
        message: `${NETWORKS[channel].label}: the accounts ${other} and ${plan.id} have the same token, so each takes the other's messages.`,
        fixHint: "Give each a bot of its own.",
        path: `channels.${channel}`,
      },
    ];
  });
}

const labelOf = (channel: string): string =>
  channel in NETWORKS ? NETWORKS[channel as NetworkId].label : channel;

/** Older ones are known by now, in ms. */
const RECENT_MS = 7 * 86_400_000;
const MOST = 1_000;

export const outboxCheck: Check = {
  id: "delivery",
  title: "Delivery",
  async run({ paths, command, now }) {
    const troubled = fromDatabase([], () => peekTroubled(paths.databasePath, MOST));
    const rows = troubled.filter(({ createdAt }) => now - createdAt < RECENT_MS);
    const [last] = rows;
    if (!last) return [];
    const dead = rows.filter(({ state }) => state === "dead").length;
    const unknown = rows.length - dead;
    const what = [
      ...(dead ? [`${dead} could not be delivered`] : []),
      ...(unknown ? [`${unknown} may or may not have arrived`] : []),
    ].join(", ");
    return [
      {
        severity: "warning",
        message: `Messages of the last seven days: ${what}. The newest, ${formatAge(now - last.createdAt)} ago to ${labelOf(last.to.channel)} ${last.to.chatId}: ${last.error ?? "no reason is known"}.`,
        fixHint: `${command} message recent --unanswered`,
      },
    ];
  },
};

/** Somebody who has just written will be looked at anyway, in ms. */
const WAITING_MS = 300_000;

export const pairingCheck: Check = {
  id: "pairing",
  title: "Pairing",
  async run({ paths, command, now }) {
    const since = now - PAIRING_LIMITS.ttlMs;
    const { requests } = fromDatabase({ requests: [], allowed: [] }, () =>
      peekPairing(paths.databasePath, since),
    );
    const waiting = requests.filter(({ createdAt }) => now - createdAt > WAITING_MS);
    if (waiting.length === 0) return [];
    const many = waiting.length > 1;
    return [
      {
        severity: "info",
        message: `${waiting.length} ${many ? "people wait" : "person waits"} for approval (${[...new Set(waiting.map(({ channel }) => labelOf(channel)))].join(", ")}). Let in only whom you know.`,
        fixHint: `${command} pairing list`,
      },
    ];
  },
};
