/** A record of an older session list as a row of ours, and back. Pure. What our row cannot say stays in the record. */
import type { Address, SessionKey, Thinking } from "../flow.ts";
import { canonicalKey, kindOfKey, parseKey } from "../protocol/session-key.ts";
import type { SessionRow, SessionSettings } from "../store/store.ts";
import { isRecord, type Json, momentIn, numberIn, textIn } from "./diff.ts";

/** What is known of the networks: how they write where something goes, and what they called their sessions long ago. */
export type Networks = {
  /** Undefined for what is no target there, or no network of this version. */
  target(channel: string, to: string): Pick<Address, "chatId" | "threadId"> | undefined;
  label(to: Address): string;
  /** `group:<id>` and the like of the first versions, as `<channel>:group:<id>`. */
  oldKey(key: string): string | undefined;
};

/** Fields that have other names today. */
const RENAMED = { provider: "channel", lastProvider: "lastChannel", room: "groupChannel" } as const;
/** Names files of the old installation by their place; an export lies elsewhere. */
const PLACES = ["sessionFile"];

const ONE_OF = {
  verboseLevel: ["on", "off", "full"],
  reasoningLevel: ["on", "off", "stream"],
  elevatedLevel: ["on", "off", "ask", "full"],
  responseUsage: ["off", "tokens", "full"],
  sendPolicy: ["allow", "deny"],
  groupActivation: ["mention", "always"],
  execHost: ["sandbox", "gateway", "node"],
  execSecurity: ["deny", "allowlist", "full"],
  execAsk: ["off", "on-miss", "always"],
} as const;
const THINKING: Record<string, Thinking> = {
  off: "off",
  minimal: "minimal",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "xhigh",
  // Later versions have more words than we have levels.
  adaptive: "medium",
  max: "xhigh",
  ultra: "xhigh",
};

/** The record with today's names, and without what only meant a place on the old disk. */
export function cleanRecord(record: Json): Json {
  const clean: Json = {};
  for (const [key, value] of Object.entries(record)) {
    if (PLACES.includes(key)) continue;
    const name = RENAMED[key as keyof typeof RENAMED];
    if (name === undefined) clean[key] = value;
    else if (!Object.hasOwn(record, name)) clean[name] = value;
  }
  return clean;
}

/** The canonical key of a record; undefined for what can be none. Older spellings are known. */
export function keyOfRecord(
  key: string,
  agentId: string,
  networks: Networks,
): SessionKey | undefined {
  return canonicalKey(networks.oldKey(key.trim()) ?? key, { agentId });
}

/** What a transcript says of its session. */
export type Said = {
  createdAt?: number;
  contextFrom: number;
  preview?: string;
  title?: string;
};

export function rowOf(
  key: SessionKey,
  sessionId: string,
  record: Json,
  said: Said,
  networks: Networks,
): SessionRow {
  const updatedAt = time(record["updatedAt"]) ?? said.createdAt ?? 0;
  const route = routeOf(record, networks);
  const title =
    textIn(record["displayName"]) ?? textIn(record["subject"]) ?? said.title ?? undefined;
  return {
    key,
    agentId: parseKey(key)?.agentId ?? "main",
    sessionId,
    createdAt: time(record["sessionStartedAt"]) ?? said.createdAt ?? updatedAt,
    updatedAt,
    chat: chatOf(record, key),
    ...(route && { route }),
    ...(title && { title }),
    ...(said.preview && { preview: said.preview }),
    settings: settingsOf(record),
    usage: {
      input: count(record["inputTokens"]),
      output: count(record["outputTokens"]),
      cacheRead: 0,
      cacheWrite: 0,
    },
    contextTokens: count(record["totalTokens"]),
    contextFrom: said.contextFrom,
    abortedLastRun: record["abortedLastRun"] === true,
  };
}

const time = (value: unknown): number | undefined => {
  const at = momentIn(value);
  return at === undefined || at < 0 ? undefined : at;
};
const count = (value: unknown): number =>
  Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.floor(numberIn(value) ?? 0)));

function chatOf(record: Json, key: string): SessionRow["chat"] {
  const type = record["chatType"];
  if (type === "group" || type === "channel") return type;
  if (type === "direct" || type === "dm") return "dm";
  if (kindOfKey(key) !== "group") return "dm";
  return /(^|:)channel:/.test(parseKey(key)?.rest ?? key) ? "channel" : "group";
}

function routeOf(record: Json, networks: Networks): Address | undefined {
  const given = record["deliveryContext"];
  const context = isRecord(given) ? given : {};
  const channel = textIn(context["channel"]) ?? textIn(record["lastChannel"]);
  const to = textIn(context["to"]) ?? textIn(record["lastTo"]);
  if (!channel || !to) return undefined;
  const target = networks.target(channel, to);
  if (!target) return undefined;
  const thread = context["threadId"] ?? record["lastThreadId"];
  const threadId = typeof thread === "number" ? String(thread) : textIn(thread);
  return {
    channel,
    account: textIn(context["accountId"]) ?? textIn(record["lastAccountId"]) ?? "default",
    chatId: target.chatId,
    ...((threadId ?? target.threadId) && { threadId: threadId ?? target.threadId }),
  };
}

function settingsOf(record: Json): SessionSettings {
  const settings: Record<string, unknown> = {};
  for (const [key, options] of Object.entries(ONE_OF))
    if ((options as readonly unknown[]).includes(record[key])) settings[key] = record[key];
  const thinking = THINKING[textIn(record["thinkingLevel"]) ?? ""];
  if (thinking) settings["thinkingLevel"] = thinking;
  for (const key of ["label", "execNode", "spawnedBy"])
    if (textIn(record[key])) settings[key] = record[key];
  const model = modelOf(record);
  if (model) settings["model"] = model;
  return settings as SessionSettings;
}

/** `provider/model`, and `@sign-in` behind it when the user chose that too. */
function modelOf(record: Json): string | undefined {
  const model = textIn(record["modelOverride"]);
  if (!model) return undefined;
  const provider = textIn(record["providerOverride"]);
  const signIn =
    record["authProfileOverrideSource"] === "user" && textIn(record["authProfileOverride"]);
  return `${provider ? `${provider}/` : ""}${model}${signIn ? `@${signIn}` : ""}`;
}

/** The record of a row: the one that it was made of, with what has changed since. */
export function recordOf(
  row: SessionRow,
  older: { entry: Json; row: SessionRow } | undefined,
  networks: Networks,
): Json {
  const now = fieldsOf(row, networks);
  if (!older) return now;
  const then = fieldsOf(older.row, networks);
  const record = { ...older.entry };
  for (const key of new Set([...Object.keys(now), ...Object.keys(then)])) {
    if (Bun.deepEquals(now[key], then[key], true)) continue;
    if (now[key] === undefined) delete record[key];
    else record[key] = now[key];
  }
  return record;
}

function fieldsOf(row: SessionRow, networks: Networks): Json {
  const { settings, route, usage } = row;
  const { model, ...others } = settings;
  const to = route && networks.label(route);
  const [ref = "", signIn] = model ? splitSignIn(model) : [];
  const slash = ref.indexOf("/");
  return defined({
    sessionId: row.sessionId,
    updatedAt: row.updatedAt,
    chatType: row.chat === "dm" ? "direct" : row.chat,
    displayName: row.title,
    ...others,
    ...(model && {
      ...(slash > 0 && { providerOverride: ref.slice(0, slash) }),
      modelOverride: ref.slice(slash + 1),
      ...(signIn && { authProfileOverride: signIn, authProfileOverrideSource: "user" }),
    }),
    ...(route && {
      channel: route.channel,
      lastChannel: route.channel,
      lastTo: to,
      lastAccountId: route.account,
      lastThreadId: route.threadId,
      deliveryContext: defined({
        channel: route.channel,
        to,
        accountId: route.account,
        threadId: route.threadId,
      }),
    }),
    systemSent: row.contextTokens > 0,
    abortedLastRun: row.abortedLastRun,
    inputTokens: usage.input,
    outputTokens: usage.output,
    totalTokens: row.contextTokens,
  });
}

/** A sign-in's name has a colon, which no model's version behind an `@` has. */
function splitSignIn(model: string): [ref: string, signIn?: string] {
  const at = model.lastIndexOf("@");
  const name = model.slice(at + 1);
  return at > 0 && name.includes(":") ? [model.slice(0, at), name] : [model];
}

const defined = (record: Json): Json =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
