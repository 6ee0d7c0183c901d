/**
 * What the outside is told of channels and their accounts: `channels.status`, `health`, `status`, the command line and the doctor say
 * the same things because they all take them from here. Pure. Never a secret.
 */
import { z } from "zod";

import { formatAge } from "../base/time.ts";
import type { AccountView } from "./accounts.ts";
import type { ChannelSetup, Probe } from "./channel.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "./registry.ts";

const time = z.number().nullable().describe("Epoch ms.");

export const ProbeResult = z.looseObject({
  ok: z.boolean(),
  elapsedMs: z.number(),
  detail: z.string().describe("Who we are there, or what is wrong and how to mend it."),
  error: z.string().optional(),
});

/** One account. The keys are those of the original's clients; what is not known is null. */
export const AccountSnapshot = z.lazy(() =>
  z.looseObject({
    accountId: z.string(),
    name: z.string().optional(),
    enabled: z.boolean(),
    configured: z.boolean().describe("It has what it needs to sign in, or to be linked."),
    linked: z.boolean().optional().describe("Only for channels that are linked."),
    tokenSource: z.enum(["config", "env", "tokenFile", "none"]).optional(),
    running: z.boolean(),
    connected: z
      .boolean()
      .describe("The platform has answered, and nothing has contradicted it since."),
    mode: z.enum(["polling", "webhook"]).nullable(),
    self: z.looseObject({ id: z.string().optional() }).nullable().describe("Who we are there."),
    dmPolicy: z.string().optional(),
    groupPolicy: z.string().optional(),
    allowFrom: z.array(z.string()),
    reconnectAttempts: z.int(),
    roundTripMs: z.number().nullable().describe("Of the last heartbeat or probe."),
    lastError: z.string().nullable(),
    lastStartAt: time,
    lastStopAt: time,
    lastConnectedAt: time,
    lastEventAt: time.describe("Anything that the platform sent, epoch ms."),
    lastInboundAt: time,
    lastOutboundAt: time.describe("The platform confirmed it with an id, epoch ms."),
    lastDisconnect: z
      .object({
        at: z.number(),
        status: z.number().optional(),
        error: z.string().optional(),
        loggedOut: z.boolean().optional(),
      })
      .nullable(),
    probe: ProbeResult.optional(),
    lastProbeAt: time.optional(),
  }),
);
export type AccountSnapshot = z.output<typeof AccountSnapshot>;

/** Something about an account that a person should look at. */
export const ChannelWarning = z.lazy(() =>
  z.object({
    channel: z.string(),
    accountId: z.string(),
    kind: z.enum(["config", "auth", "runtime", "permissions", "privacy"]),
    message: z.string(),
    fix: z.string().optional(),
  }),
);
export type ChannelWarning = z.output<typeof ChannelWarning>;

/** A running account that the platform has not answered for so long is deaf, in ms. */
export const DEAF_MS = 120_000;

const Policies = z.looseObject({
  dmPolicy: z.string().optional(),
  groupPolicy: z.string().optional(),
  allowFrom: z.array(z.union([z.string(), z.number()])).optional(),
});

const digits = (id: string): string | undefined => /^\+?(\d{6,15})(?:[:@]|$)/.exec(id)?.[1];

/** The original's names beside ours, where the account is a phone number. */
function selfOf({ self }: AccountView["status"], login: boolean) {
  if (!self) return null;
  const number = login ? digits(self.id) : undefined;
  return {
    ...self,
    ...(login && { jid: self.id, e164: number ? `+${number}` : null }),
  };
}

export function snapshotOf(
  { plan, status }: AccountView,
  setup: Pick<ChannelSetup, "token" | "login">,
  probed?: { probe: Probe; at: number },
): AccountSnapshot {
  const { dmPolicy, groupPolicy, allowFrom = [] } = Policies.safeParse(plan.config).data ?? {};
  const { source, problem } = plan.credential;
  const { mode } = status;
  const login = setup.login === true;
  return {
    accountId: plan.id,
    ...(plan.name !== undefined && { name: plan.name }),
    enabled: plan.enabled,
    configured: login || (source !== "none" && problem === undefined),
    ...(login && { linked: status.linked === true }),
    ...(setup.token && source !== "linked" && { tokenSource: source }),
    running: status.running,
    connected: status.connected,
    mode: mode === undefined || mode === "socket" ? null : mode,
    self: selfOf(status, login),
    ...(dmPolicy && { dmPolicy }),
    ...(groupPolicy && { groupPolicy }),
    allowFrom: allowFrom.map(String),
    reconnectAttempts: status.reconnectAttempts,
    roundTripMs: status.roundTripMs ?? null,
    lastError: status.lastError ?? null,
    lastStartAt: status.lastStartAt ?? null,
    lastStopAt: status.lastStopAt ?? null,
    lastConnectedAt: status.lastConnectedAt ?? null,
    lastEventAt: status.lastEventAt ?? null,
    lastInboundAt: status.lastInboundAt ?? null,
    lastOutboundAt: status.lastOutboundAt ?? null,
    lastDisconnect: status.lastDisconnect ?? null,
    ...(probed && { probe: wireProbe(probed.probe), lastProbeAt: probed.at }),
  };
}

export const wireProbe = ({ facts, ...probe }: Probe): z.output<typeof ProbeResult> => ({
  ...facts,
  ...probe,
  ...(!probe.ok && { error: probe.detail }),
});

/** What an account can do, as `channels capabilities` has it. */
export const Capabilities = z.looseObject({
  channel: z.string(),
  accountId: z.string(),
  accountName: z.string().optional(),
  configured: z.boolean(),
  enabled: z.boolean(),
  support: z
    .array(z.string())
    .describe("What the account's own code offers; empty while it does not run."),
  actions: z.array(z.string()).describe("Names for `message.action`."),
  probe: ProbeResult.nullable(),
});

/** The one that a name without an account means. */
export const defaultAccount = (accounts: readonly { accountId: string }[]): string =>
  accounts.find(({ accountId }) => accountId === DEFAULT)?.accountId ??
  accounts[0]?.accountId ??
  DEFAULT;
const DEFAULT = "default";

/** What stands on a channel's card: its default account's snapshot in the original's words, or what an unknown channel has. */
export function cardOf(
  accounts: readonly AccountSnapshot[],
  setup: Pick<ChannelSetup, "token" | "login">,
) {
  const id = defaultAccount(accounts);
  const own = accounts.find(({ accountId }) => accountId === id);
  const login = setup.login === true;
  return {
    configured: login ? own?.linked === true : accounts.some(({ configured }) => configured),
    ...(login && { linked: own?.linked === true, authAgeMs: null, self: own?.self ?? null }),
    ...(setup.token && { tokenSource: own?.tokenSource ?? "none" }),
    running: accounts.some(({ running }) => running),
    connected: accounts.some(({ connected }) => connected),
    mode: own?.mode ?? null,
    reconnectAttempts: own?.reconnectAttempts ?? 0,
    lastStartAt: own?.lastStartAt ?? null,
    lastStopAt: own?.lastStopAt ?? null,
    lastConnectedAt: own?.lastConnectedAt ?? null,
    lastDisconnect: own?.lastDisconnect ?? null,
    lastMessageAt: own?.lastInboundAt ?? null,
    lastEventAt: own?.lastEventAt ?? null,
    lastError: own?.lastError ?? null,
    probe: own?.probe ?? null,
    lastProbeAt: own?.lastProbeAt ?? null,
  };
}

/** Names and symbols of all channels, in the order in which they are shown. */
export const directory = () => ({
  channelOrder: [...NETWORK_IDS],
  channelLabels: byId(({ label }) => label),
  channelDetailLabels: byId(({ detail }) => detail),
  channelSystemImages: byId(({ image }) => image),
  channelMeta: NETWORK_IDS.map((id) => {
    const { label, detail, image } = NETWORKS[id];
    return { id, label, detailLabel: detail, systemImage: image };
  }),
});

const byId = (pick: (row: (typeof NETWORKS)[NetworkId]) => string): Record<string, string> =>
  Object.fromEntries(NETWORK_IDS.map((id) => [id, pick(NETWORKS[id])]));

/** What is wrong or risky with an account, most pressing first. `command` is the program's name, for lines to copy. */
export function warningsOf(
  channel: NetworkId,
  account: AccountSnapshot,
  now: number,
  command = "clawdbot",
): ChannelWarning[] {
  const { label } = NETWORKS[channel];
  const { accountId, enabled, configured, running, connected, linked, probe } = account;
  if (!enabled) return [];
  const which = accountId === DEFAULT ? "" : ` --account ${accountId}`;
  const who = accountId === DEFAULT ? label : `${label} (${accountId})`;
  const found: ChannelWarning[] = [];
  const warn = (kind: ChannelWarning["kind"], message: string, fix?: string) =>
    found.push({ channel, accountId, kind, message: `${who}: ${message}`, ...(fix && { fix }) });
  if (!configured)
    warn(
      "config",
      account.lastError && account.lastError !== "not configured"
        ? account.lastError
        : "it has no token.",
      `${command} channels add --channel ${channel}${which} --token -`,
    );
  else if (linked === false)
    warn(
      "auth",
      `not linked${account.lastDisconnect?.loggedOut ? "; it was logged out by the phone" : ""}.`,
      `${command} channels login --channel ${channel}${which}`,
    );
  else if (!running && account.lastError)
    warn(
      "runtime",
      `not running: ${account.lastError}`,
      `${command} channels logs --channel ${channel}`,
    );
  else if (running && !connected) {
    const since = account.lastDisconnect?.at ?? account.lastStartAt;
    const why = account.lastDisconnect?.error ?? account.lastError;
    if (since !== null && now - since > DEAF_MS)
      warn(
        "runtime",
        `no connection for ${formatAge(now - since)}${why ? `: ${why}` : "."}`,
        `${command} channels logs --channel ${channel}`,
      );
  }
  if (probe && !probe.ok) warn("auth", `the probe failed: ${probe.detail}`);
  for (const warning of Array.isArray(probe?.["warnings"]) ? probe["warnings"] : [])
    warn("permissions", String(warning));
  const where =
    accountId === DEFAULT ? `channels.${channel}` : `channels.${channel}.accounts.${accountId}`;
  // The list counts whatever the policy says.
  if (account.dmPolicy !== "disabled" && account.allowFrom.some((each) => each.trim() === "*"))
    warn(
      "privacy",
      'everybody who finds it can use the assistant (allowFrom has "*").',
      `${command} security audit --fix`,
    );
  if (account.groupPolicy === "open")
    warn(
      "privacy",
      "everybody in its groups can use the assistant (groupPolicy is open).",
      `${command} config set ${where}.groupPolicy allowlist`,
    );
  return found;
}

/** One line for people: `Telegram: connected as @bot`. */
export function lineOf(channel: NetworkId, account: AccountSnapshot): string {
  const { label } = NETWORKS[channel];
  const who = account.accountId === DEFAULT ? label : `${label} (${account.accountId})`;
  return `${who}: ${stateOf(account)}`;
}

/** `connected as @bot`, `not linked`, `stopped: why`; the same words wherever a state is shown. */
export function stateOf(account: AccountSnapshot): string {
  if (!account.enabled) return "disabled";
  if (!account.configured) return account.lastError ?? "not configured";
  if (account.linked === false) return "not linked";
  const name = account.self && nameOf(account.self);
  if (account.connected) return name ? `connected as ${name}` : "connected";
  if (account.running) return "connecting";
  return account.lastError ? `stopped: ${account.lastError}` : "configured";
}

export function nameOf(self: Record<string, unknown>): string | undefined {
  const { handle, name, e164, id } = self;
  if (typeof handle === "string") return `@${handle.replace(/^@/, "")}`;
  return [name, e164, id].find((each): each is string => typeof each === "string");
}

/** Under which name the original gives the id of a chat back. */
const CHAT_FIELDS: Partial<Record<string, string>> = {
  telegram: "chatId",
  discord: "channelId",
  whatsapp: "toJid",
};
export const chatField = (channel: string): string => CHAT_FIELDS[channel] ?? "conversationId";
