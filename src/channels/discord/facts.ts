/** What is known of Discord without its library: accounts, who may talk, ids, targets, and how a bot is made. */
import { AppError } from "../../base/errors.ts";
import type { Inbound } from "../../flow.ts";
import type { AccessRules, AccountPlan, ChannelFacts, RoomRules } from "../channel.ts";
import { DiscordConfig, type GuildConfig } from "./config.ts";
import { INVITE_PERMISSIONS } from "./permissions.ts";

type ChannelConfig = NonNullable<GuildConfig["channels"]>[string];
type Entries = readonly (string | number)[];

/** Name of the environment variable with the token of the account `default`. */
export const TOKEN_VARIABLE = "DISCORD_BOT_TOKEN";
const DEFAULT_ACCOUNT = "default";
const EVERYBODY = "*";
/** Ids of Discord: 17 to 20 digits since 2015. */
const ID = /^\d{15,20}$/;
/** When neither the config nor `messages.groupChat` says; the original's value for Discord. */
const HISTORY_LIMIT = 20;

export const facts: ChannelFacts<DiscordConfig> = {
  accounts(section, env) {
    const plans = accountIds(section, env).map((id) => planOf(section, env, id));
    const seen = new Map<string, string>();
    return plans.map(({ plan, token }) => {
      const other = token && seen.get(token);
      if (token && !other) seen.set(token, plan.id);
      if (!other) return plan;
      const problem = `${tokenKey(plan.id)} is the token of the account "${other}" too; one bot can be one account only.`;
      return { ...plan, credential: { ...plan.credential, problem } };
    });
  },
  rules: (config, inbound) => rulesFor(config, inbound),
  senderId,
  chatOf: (senderId) => `user:${senderId}`,
  idLine: (id) => `Your Discord user id: ${id}`,
  target,
  label: ({ chatId }) => (chatId.startsWith("user:") ? chatId : `channel:${chatId}`),
  setup: {
    token: { key: "token", env: TOKEN_VARIABLE },
    steps: [
      "Open https://discord.com/developers/applications and choose New Application.",
      "Bot: choose Reset Token, and copy the token. It is shown once.",
      "Bot, below Privileged Gateway Intents: switch on Message Content Intent (and Server Members Intent, for roles and names).",
      "General Information: copy the Application ID.",
      `Invite the bot: https://discord.com/oauth2/authorize?client_id=APPLICATION_ID&scope=bot+applications.commands&permissions=${INVITE_PERMISSIONS}`,
    ],
    docs: "docs/channels/discord.md",
  },
};

/** Where the token of an account is written, as the user knows it. */
export const tokenKey = (account: string): string =>
  account === DEFAULT_ACCOUNT
    ? "channels.discord.token"
    : `channels.discord.accounts.${account}.token`;

/** The token without the word that belongs to the HTTP header, and where it comes from. */
export function tokenOf(
  config: Pick<DiscordConfig, "token"> | undefined,
  env: (name: string) => string | undefined,
  account: string,
): { token: string; source: "config" | "env" } | undefined {
  const clean = (text: string | undefined) => text?.trim().replace(/^Bot\s+/i, "") ?? "";
  const configured = clean(config?.token);
  if (configured) return { token: configured, source: "config" };
  const given = account === DEFAULT_ACCOUNT ? clean(env(TOKEN_VARIABLE)) : "";
  return given ? { token: given, source: "env" } : undefined;
}

function accountIds(
  section: DiscordConfig | undefined,
  env: (name: string) => string | undefined,
): string[] {
  if (!section) return env(TOKEN_VARIABLE)?.trim() ? [DEFAULT_ACCOUNT] : [];
  const named = Object.keys(section.accounts ?? {});
  // With named accounts the variable is one of theirs, as `${DISCORD_BOT_TOKEN}`, and not one more account.
  const implied = section.token || !named.length;
  return implied && !named.includes(DEFAULT_ACCOUNT) ? [DEFAULT_ACCOUNT, ...named] : named;
}

function planOf(
  section: DiscordConfig | undefined,
  env: (name: string) => string | undefined,
  id: string,
): { plan: AccountPlan<DiscordConfig>; token?: string } {
  const { accounts, ...base } = section ?? DiscordConfig.parse({});
  const own = Object.fromEntries(
    Object.entries(accounts?.[id] ?? {}).filter(([, value]) => value !== undefined),
  );
  // The token of the channel is that of `default` only: a second account must not sign in as the first one.
  const token = id === DEFAULT_ACCOUNT ? (own["token"] ?? base.token) : own["token"];
  const config = { ...base, ...own, token } as DiscordConfig;
  const found = tokenOf(config, env, id);
  return {
    plan: {
      id,
      ...(config.name && { name: config.name }),
      enabled: base.enabled && config.enabled,
      config,
      credential: { source: found?.source ?? "none" },
    },
    ...(found && { token: found.token }),
  };
}

/** `<id>`, `discord:<id>`, `user:<id>`, `<@id>`. A tag or a name can be taken by anybody, so it is none. */
function senderId(entry: string): string | undefined {
  const plain = entry
    .trim()
    .replace(/^(?:discord|user|pk):/i, "")
    .replace(/^user:/i, "");
  const id = /^<@!?(\d+)>$/.exec(plain)?.[1] ?? plain;
  return ID.test(id) ? id : undefined;
}

/** A person is `user:<id>` in an address, and a channel or thread its bare id. */
function target(raw: string): { chatId: string } {
  const text = raw.trim();
  const found =
    /^(?:discord:)?(?:(user|channel|thread|dm):)?(?:<(@!?|#)(\d+)>|(\d+))$/i.exec(text) ?? [];
  const [, word = "", mark = "", marked, bare] = found;
  const id = marked ?? bare ?? "";
  if (ID.test(id)) {
    const isChannel = /^(?:channel|thread)$/i.test(word) || (!word && mark === "#");
    const isUser =
      /^(?:user|dm)$/i.test(word) || (!word && (mark.startsWith("@") || /^discord:/i.test(text)));
    if (isChannel !== isUser) return { chatId: isChannel ? id : `user:${id}` };
    throw new AppError("bad_request", `${id} could be a person or a channel.`, {
      hint: `Write user:${id} or channel:${id}.`,
    });
  }
  throw new AppError("bad_request", `"${text.slice(0, 100)}" is no place on Discord.`, {
    hint: "Write user:<id> for a person or channel:<id> for a channel or thread; ids are numbers of 17 to 20 digits.",
  });
}

/** What a server's or channel's name looks like as a key of the config. */
export const slugOf = (name: string): string =>
  name
    .normalize("NFC")
    .trim()
    .toLowerCase()
    .replace(/^[#@]+/, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");

function rulesFor(config: DiscordConfig, inbound: Inbound): AccessRules {
  const { dm } = config;
  const allowFrom = listOf([...config.allowFrom, ...(dm?.allowFrom ?? [])], config, inbound);
  const common = {
    dmPolicy: dm?.enabled === false ? "disabled" : (config.dmPolicy ?? dm?.policy ?? "pairing"),
    allowFrom,
    groupPolicy: config.groupPolicy,
    groupAllowFrom: config.groupAllowFrom
      ? listOf(config.groupAllowFrom, config, inbound)
      : allowFrom,
    historyLimit: config.historyLimit ?? HISTORY_LIMIT,
    bots: config.allowBots,
  } as const;
  if (inbound.chat === "dm") return { ...common, room: { enabled: true, requireMention: false } };
  if (inbound.chat === "group") return { ...common, room: groupRoom(config, inbound) };
  const place = placeOf(config, inbound);
  if (place === "unlisted") return { ...common, room: "unlisted" };
  const room = roomOf(config, inbound, place);
  // Who lists a server lets its people in, as in the published configs; a list of senders narrows that.
  const listed = place.guild && config.groupPolicy === "allowlist" && !config.groupAllowFrom;
  return { ...common, groupPolicy: listed ? "open" : config.groupPolicy, room };
}

function groupRoom({ dm }: DiscordConfig, { from }: Inbound): RoomRules | "unlisted" {
  const listed = dm?.groupChannels?.map(String);
  if (listed?.length && !listed.includes(from.chatId) && !listed.includes(EVERYBODY))
    return "unlisted";
  return { enabled: dm?.groupEnabled === true, requireMention: false };
}

/** The entry of the config for this very server, and for this channel or the one that a thread belongs to. */
export function entriesFor(config: DiscordConfig, inbound: Pick<Inbound, "from" | "room">): Place {
  const place = placeOf(config, inbound);
  return place === "unlisted" ? {} : place;
}

type Place = { guild?: GuildConfig; channel?: ChannelConfig };

/** The entries of the server and of the channel; both empty when the config lists no servers. */
function placeOf(
  config: DiscordConfig,
  { room, from }: Pick<Inbound, "from" | "room">,
): Place | "unlisted" {
  const guilds = config.guilds ?? {};
  if (!Object.keys(guilds).length)
    return config.groupPolicy === "allowlist" &&
      !config.groupAllowFrom?.length &&
      !config.allowFrom.length
      ? "unlisted"
      : {};
  const guild = guildEntry(config, room?.space);
  if (!guild) return "unlisted";
  const channels = guild.channels ?? {};
  if (!Object.keys(channels).length) return { guild };
  const channel =
    channels[from.chatId] ??
    (room?.parentId ? channels[room.parentId] : undefined) ??
    channelByName(channels, room?.title) ??
    channels[EVERYBODY];
  return channel ? { guild, channel } : "unlisted";
}

/** The entry of the config for a server: by id, by name where that is allowed, else `*`. */
export function guildEntry(
  config: DiscordConfig,
  { id = "", name = "" }: { id?: string; name?: string } = {},
): GuildConfig | undefined {
  const guilds = config.guilds ?? {};
  const named = config.dangerouslyAllowNameMatching ? guildByName(guilds, name) : undefined;
  return guilds[id] ?? named ?? guilds[EVERYBODY];
}

function guildByName(guilds: Record<string, GuildConfig>, name: string): GuildConfig | undefined {
  const slug = slugOf(name);
  if (!slug) return undefined;
  return Object.entries(guilds).find(
    ([key, guild]) =>
      !ID.test(key) && key !== EVERYBODY && [slugOf(key), guild.slug].includes(slug),
  )?.[1];
}

/**
 * By the name of the channel, which only its server's managers can give. `title` of a thread is that of its channel: a thread's own
 * name is its author's and says nothing here.
 */
function channelByName(
  channels: Record<string, ChannelConfig>,
  title: string | undefined,
): ChannelConfig | undefined {
  const slug = slugOf(title ?? "");
  if (!slug) return undefined;
  return Object.entries(channels).find(
    ([key]) => !ID.test(key) && key !== EVERYBODY && slugOf(key) === slug,
  )?.[1];
}

function roomOf(config: DiscordConfig, inbound: Inbound, { guild, channel }: Place): RoomRules {
  const { sender } = inbound;
  const narrow = [channel, guild].find((each) => each?.users || each?.roles || allowOf(each));
  const users = [...(narrow?.users ?? []), ...(allowOf(narrow) ?? [])];
  const byRole = narrow?.roles?.some((role) => sender.roles?.includes(String(role)));
  const tools = toolsFor(channel, config, inbound) ?? toolsFor(guild, config, inbound);
  return {
    enabled: (channel?.enabled ?? channel?.allow) !== false,
    ...(narrow && {
      allowFrom: [...listOf(users, config, inbound), ...(byRole ? [sender.id] : [])],
    }),
    requireMention: channel?.requireMention ?? guild?.requireMention ?? true,
    ...(channel?.systemPrompt && { systemPrompt: channel.systemPrompt }),
    ...(tools && { tools }),
  };
}

const allowOf = (place: GuildConfig | ChannelConfig | undefined): Entries | undefined =>
  place && "allowFrom" in place && Array.isArray(place.allowFrom) ? place.allowFrom : undefined;

function toolsFor(
  place: Pick<GuildConfig, "tools" | "toolsBySender"> | undefined,
  config: DiscordConfig,
  inbound: Inbound,
): RoomRules["tools"] {
  const rows = Object.entries(place?.toolsBySender ?? {});
  const own = rows.find(([entry]) => listOf([entry], config, inbound).includes(inbound.sender.id));
  return own?.[1] ?? place?.toolsBySender?.[EVERYBODY] ?? place?.tools;
}

/**
 * Canonical ids. Other entries count for nothing, unless names are allowed and this sender bears that name: then the sender's id is
 * in the list.
 */
function listOf(entries: Entries, config: DiscordConfig, { sender }: Inbound): string[] {
  const names = config.dangerouslyAllowNameMatching
    ? [sender.handle, sender.name].filter(Boolean).map((name) => name!.toLowerCase())
    : [];
  return entries.flatMap((entry) => {
    const text = String(entry).trim();
    if (text === EVERYBODY) return [EVERYBODY];
    const id = senderId(text);
    if (id) return [id];
    const name = text.replace(/^(?:discord:)?@?/i, "").toLowerCase();
    return name && names.includes(name) ? [sender.id] : [];
  });
}
