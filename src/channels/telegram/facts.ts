/** What is known of Telegram without its library: accounts, who may talk, how ids and targets are written. */
import type { Inbound } from "../../flow.ts";
import type { AccessRules, AccountPlan, ChannelFacts, RoomRules } from "../channel.ts";
import { TelegramConfig } from "./config.ts";
import { parseTarget, targetLabel } from "./target.ts";
import { DEFAULT_ACCOUNT, TOKEN_ENV, tokenOf } from "./token.ts";

type Env = (name: string) => string | undefined;
type Group = NonNullable<TelegramConfig["groups"]>[string];
type Topic = NonNullable<Group["topics"]>[string];

/** Of a group when nothing says otherwise. */
const HISTORY_LIMIT = 50;

function accounts(section: TelegramConfig | undefined, env: Env): AccountPlan<TelegramConfig>[] {
  const { accounts: named = {}, ...base } = section ?? TelegramConfig.parse({});
  const rows = new Map(
    Object.entries(named).map(([key, own]) => [key.trim().toLowerCase(), { key, own }]),
  );
  const hasOwnToken = Boolean(base.botToken?.trim() || base.tokenFile?.trim());
  if (!rows.has(DEFAULT_ACCOUNT) && (rows.size === 0 || hasOwnToken))
    rows.set(DEFAULT_ACCOUNT, { key: "", own: {} });
  if (section === undefined && !env(TOKEN_ENV)) return [];
  /** Token to the setting that has it: two polls of one token would take each other's messages. */
  const taken = new Map<string, string>();
  return [...rows].map(([id, { key, own }]) => {
    const config = withOneToken(base, own, id);
    const enabled = base.enabled && config.enabled;
    const ownToken = own["botToken"] ?? own["tokenFile"];
    const prefix =
      key && (id !== DEFAULT_ACCOUNT || ownToken !== undefined)
        ? `channels.telegram.accounts.${key}`
        : "channels.telegram";
    const token = tokenOf(config, id, env, prefix);
    const holder = token.token && taken.get(token.token);
    const problem = holder
      ? `${token.setting} is the same token as ${holder}; every account needs a bot of its own.`
      : token.problem;
    if (token.token && enabled && !holder) taken.set(token.token, token.setting);
    return {
      id,
      ...(config.name && { name: config.name }),
      enabled,
      config,
      credential: { source: token.source, ...(problem && { problem }) },
    };
  });
}

/**
 * The account's keys over those of the channel. The channel's token belongs to the default account only, and of several tokens
 * the first in the published order is kept: the account's file, its key, the channel's file, the channel's key.
 */
function withOneToken(
  base: TelegramConfig,
  own: Record<string, unknown>,
  id: string,
): TelegramConfig {
  const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const merged = { ...base, ...said } as TelegramConfig;
  const from = (keys: Record<string, unknown>) =>
    (["tokenFile", "botToken"] as const)
      .filter((key) => typeof keys[key] === "string" && keys[key].trim())
      .map((key) => ({ [key]: keys[key] }));
  const first = [...from(own), ...(id === DEFAULT_ACCOUNT ? from(base) : [])][0];
  return { ...merged, botToken: undefined, tokenFile: undefined, ...first };
}

/** `123`, `telegram:123`, `tg:123`. A name is no id: names can be given up and taken by others. */
function senderId(entry: string): string | undefined {
  const id = entry
    .trim()
    .replace(/^(?:telegram|tg):/i, "")
    .trim();
  return /^-?[1-9]\d{0,19}$/.test(id) ? id : undefined;
}

function rules(config: TelegramConfig, inbound: Inbound): AccessRules {
  const { allowFrom, groupAllowFrom = allowFrom } = config;
  const ids = (list: readonly (string | number)[]) => list.flatMap((e) => idOf(e, config, inbound));
  return {
    dmPolicy: config.dmPolicy,
    allowFrom: ids(allowFrom),
    groupPolicy: config.groupPolicy,
    groupAllowFrom: ids(groupAllowFrom),
    room: inbound.chat === "dm" ? OPEN_ROOM : roomOf(config, inbound, ids),
    historyLimit: config.historyLimit ?? HISTORY_LIMIT,
    bots: false,
  };
}

const OPEN_ROOM: RoomRules = { enabled: true, requireMention: false };

/** An entry of a list as an id; a handle only where the config says that names count, and only the sender's own. */
function idOf(entry: string | number, config: TelegramConfig, { sender }: Inbound): string[] {
  const text = String(entry).trim();
  if (text === "*") return ["*"];
  const id = senderId(text);
  if (id !== undefined) return [id];
  const name = text.replace(/^(?:telegram|tg):/i, "").replace(/^@/, "");
  const matches = name !== "" && sender.handle?.toLowerCase() === name.toLowerCase();
  return config.dangerouslyAllowNameMatching && matches ? [sender.id] : [];
}

/** Each key from the most specific place that has it: the topic, the topics' `*`, the group, the groups' `*`. */
function roomOf(
  config: TelegramConfig,
  inbound: Inbound,
  ids: (list: readonly (string | number)[]) => string[],
): RoomRules | "unlisted" {
  const groups = config.groups ?? {};
  const { chatId, threadId } = inbound.from;
  const own = groups[chatId];
  const star = groups["*"];
  if (Object.keys(groups).length > 0 && !own && !star) return "unlisted";
  const topics = { ...star?.topics, ...own?.topics };
  const topic = threadId === undefined ? undefined : (topics[threadId] ?? topics["*"]);
  const places: (Topic | undefined)[] = [
    ...(threadId === undefined ? [] : [topics[threadId], topics["*"]]),
    own,
    star,
  ];
  const first = <K extends keyof Topic>(key: K): Topic[K] | undefined =>
    places.find((place) => place?.[key] !== undefined)?.[key];
  const allowFrom = first("allowFrom");
  const prompts = [(own ?? star)?.systemPrompt, topic?.systemPrompt];
  const systemPrompt = prompts.filter(Boolean).join("\n\n");
  const tools = places
    .flatMap((place) => [toolsFor(place, config, inbound), place?.tools])
    .find((each) => each !== undefined);
  return {
    enabled: topic?.enabled !== false && (own ?? star)?.enabled !== false,
    ...(allowFrom && { allowFrom: ids(allowFrom) }),
    requireMention: first("requireMention") ?? true,
    ...(systemPrompt && { systemPrompt }),
    ...(tools && { tools }),
  };
}

function toolsFor(
  place: Topic | undefined,
  config: TelegramConfig,
  inbound: Inbound,
): RoomRules["tools"] {
  const rows = Object.entries(place?.toolsBySender ?? {});
  const own = rows.find(([key]) => idOf(key, config, inbound).includes(inbound.sender.id));
  return (own ?? rows.find(([key]) => key === "*"))?.[1];
}

export const facts: ChannelFacts<TelegramConfig> = {
  accounts,
  rules,
  senderId,
  idLine: (id) => `Your Telegram user id: ${id}`,
  target: parseTarget,
  label: targetLabel,
  setup: {
    token: { key: "botToken", env: TOKEN_ENV, file: "tokenFile" },
    steps: [
      "Open Telegram and write to @BotFather (the one with the blue tick).",
      "Send /newbot, choose a name, then a user name that ends in `bot`.",
      "Copy the token that it answers with: 123456789:AAE...",
      "For groups: send /setprivacy to @BotFather, choose the bot, then Disable, or make the bot an administrator of the group.",
    ],
    docs: "docs/channels/telegram.md",
  },
};
