/** What is true of an account of a channel, in words for people. Pure. */
import { plainName } from "../names.ts";
import { duration } from "../strings.ts";
import { channelWords as words } from "../strings/channels.ts";
import type { AccountItem, ChannelsStatus, ChannelWarning } from "../wire.ts";

export type Tone = "good" | "warn" | "bad" | "off";
export type AccountState = { tone: Tone; word: string; text?: string };

/** An account that has no name of its own. */
export const DEFAULT_ACCOUNT = "default";
/** A connection on which nothing at all came for so long is doubtful, in ms. All platforms send something every minute. */
const SILENT_MS = 180_000;

/** Who we are there: `@bot`, `+1555…`; undefined when the platform has not said. */
export function selfOf(account: AccountItem): string | undefined {
  const { handle, name, e164, id } = account.self ?? {};
  const at = plainName(handle).replace(/^@/, "");
  return (at && `@${at}`) || plainName(e164) || plainName(name) || plainName(id) || undefined;
}

/** `now` by the gateway's clock. */
export function stateOf(channel: string, account: AccountItem, now: number): AccountState {
  const { lastEventAt, reconnectAttempts = 0, lastDisconnect } = account;
  const error = plainName(account.lastError, 400) || undefined;
  const why = error ?? (plainName(lastDisconnect?.error, 400) || undefined);
  if (account.enabled === false)
    return {
      tone: "off",
      word: words.off,
      text: words.offText(`${pathOf(channel, account)}.enabled`),
    };
  if (account.configured === false)
    return { tone: "bad", word: words.misconfigured, text: error ?? words.noReason };
  if (account.linked === false) {
    const text = lastDisconnect?.loggedOut ? words.loggedOutText : words.notLinkedText;
    return { tone: "bad", word: words.notLinked, text };
  }
  if (account.connected) {
    const quiet = typeof lastEventAt === "number" ? now - lastEventAt : 0;
    if (quiet > SILENT_MS)
      return { tone: "warn", word: words.silent(duration(quiet)), text: error };
    const who = selfOf(account);
    return { tone: "good", word: who ? words.connectedAs(who) : words.connected, text: error };
  }
  if (account.running) {
    if (!reconnectAttempts) return { tone: "warn", word: words.connecting, text: why };
    return { tone: "warn", word: words.tryingAgain(reconnectAttempts), text: why };
  }
  return { tone: "bad", word: words.stopped, text: why ?? words.noReason };
}

/** Where its settings are in the config. */
export const pathOf = (channel: string, { accountId }: AccountItem): string =>
  accountId === DEFAULT_ACCOUNT
    ? `channels.${channel}`
    : `channels.${channel}.accounts.${accountId}`;

export type Card = {
  channel: string;
  label: string;
  image: string | undefined;
  /** `Telegram`, or `Telegram · work`. */
  title: string;
  account: AccountItem;
  warnings: ChannelWarning[];
};

/** One card per account in the order of the gateway, and the networks that have none. */
export function cardsOf(status: ChannelsStatus): {
  cards: Card[];
  missing: { id: string; label: string; image: string | undefined }[];
} {
  const networks = status.channelOrder.map((id) => ({
    id,
    label: status.channelLabels[id] ?? id,
    image: status.channelSystemImages?.[id],
    accounts: status.channelAccounts[id] ?? [],
  }));
  const cards = networks.flatMap(({ id, label, image, accounts }) =>
    accounts.map((account): Card => {
      const name = plainName(account.name) || plainName(account.accountId);
      const plain = account.accountId === DEFAULT_ACCOUNT && !account.name;
      return {
        channel: id,
        label,
        image,
        title: plain ? label : `${label} · ${name}`,
        account,
        warnings: warningsOf(status, id, account, label),
      };
    }),
  );
  const missing = networks.filter(({ accounts }) => !accounts.length);
  return { cards, missing };
}

/** The card says already whose they are. */
function warningsOf(
  status: ChannelsStatus,
  channel: string,
  { accountId }: AccountItem,
  label: string,
): ChannelWarning[] {
  return (status.warnings ?? [])
    .filter((warning) => warning.channel === channel && warning.accountId === accountId)
    .map((warning) => {
      const head = [`${label} (${accountId}): `, `${label}: `].find((text) =>
        warning.message.startsWith(text),
      );
      const message = warning.message.slice(head?.length ?? 0);
      return { ...warning, message: message.charAt(0).toUpperCase() + message.slice(1) };
    });
}
