/** Accounts as lines for people, in the original's words: `- Telegram default: enabled, configured, running, in:5m ago, …`. */
import { formatAge } from "../../base/time.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { type AccountSnapshot, nameOf } from "../../channels/summary.ts";

const titleOf = (channel: string, { accountId, name }: AccountSnapshot): string => {
  const label = channel in NETWORKS ? NETWORKS[channel as NetworkId].label : channel;
  return `- ${label} ${accountId}${name ? ` (${name})` : ""}`;
};

const settings = (account: AccountSnapshot): string[] => [
  account.enabled ? "enabled" : "disabled",
  account.configured ? "configured" : "not configured",
  ...(account.linked === undefined ? [] : [account.linked ? "linked" : "not linked"]),
];

const source = ({ tokenSource }: AccountSnapshot): string[] =>
  tokenSource && tokenSource !== "none" ? [`token:${tokenSource}`] : [];

/** From the running gateway. */
export function liveLine(channel: string, account: AccountSnapshot, now: number): string {
  const ago = (word: string, at: number | null) =>
    at === null ? [] : [`${word}:${formatAge(now - at)} ago`];
  const self = account.self && nameOf(account.self);
  const { probe, lastError } = account;
  const parts = [
    ...settings(account),
    account.running ? "running" : "stopped",
    ...(account.running ? [account.connected ? "connected" : "disconnected"] : []),
    ...ago("in", account.lastInboundAt),
    ...ago("out", account.lastOutboundAt),
    ...(account.mode ? [`mode:${account.mode}`] : []),
    ...(self ? [`bot:${self}`] : []),
    ...(account.dmPolicy ? [`dm:${account.dmPolicy}`] : []),
    ...source(account),
    ...(account.roundTripMs === null ? [] : [`ping:${Math.round(account.roundTripMs)}ms`]),
    ...(probe ? [probe.ok ? "works" : "probe failed"] : []),
    ...(lastError ? [`error:${lastError}`] : []),
  ];
  return `${titleOf(channel, account)}: ${parts.join(", ")}`;
}

/** From the config alone. */
export const configLine = (channel: string, account: AccountSnapshot): string => {
  const { lastError } = account;
  const known = lastError === "disabled" || lastError === "not configured" ? null : lastError;
  return `${titleOf(channel, account)}: ${[...settings(account), ...source(account), ...(known ? [`error:${known}`] : [])].join(", ")}`;
};

/** As `channels list` has it: `configured, token=config, enabled`. */
export const listLine = (channel: string, account: AccountSnapshot): string => {
  const [enabled, ...rest] = settings(account);
  const token = source(account).map((each) => each.replace(":", "="));
  return `${titleOf(channel, account)}: ${[...rest, ...token, enabled].join(", ")}`;
};
