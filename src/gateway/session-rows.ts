/** Sessions in the shapes of the original: the row of a list, the entry of a session store. */
import { AppError } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import type { SessionKey } from "../flow.ts";
import { canonicalKey, kindOfKey, parseKey, sessionKey } from "../protocol/session-key.ts";
import type { Entry, SessionRow } from "../store/store.ts";
import { textOf } from "./wire.ts";

/** What a client wrote as the canonical key. Throws bad_request for what can be none. */
export function keyOf(text: string, config: Config, agentId: string): SessionKey {
  const key = canonicalKey(text, { agentId, mainKey: config.session.mainKey });
  if (!key) throw new AppError("bad_request", `invalid session key: ${text.slice(0, 100)}`);
  return key;
}

export const agentOf = (key: SessionKey, fallback: string): string =>
  parseKey(key)?.agentId ?? fallback;

/** Ids of all agents; the default one is always among them. */
export function agentIds(config: Config, defaultAgentId: string): string[] {
  const listed = [
    ...config.agents.list.map((agent) => agent.id.toLowerCase()),
    ...Object.keys(config.agents.entries ?? {}).map((id) => id.toLowerCase()),
  ];
  return [...new Set([defaultAgentId, ...listed])];
}

/** What hello-ok and our own clients need to know of keys. */
export const sessionDefaults = (config: Config, defaultAgentId: string) => ({
  defaultAgentId,
  mainKey: config.session.mainKey,
  mainSessionKey: sessionKey(defaultAgentId) as string,
  scope: config.session.scope,
});

const total = ({ usage }: SessionRow): number =>
  usage.input + usage.output + usage.cacheRead + usage.cacheWrite;

/** A row as `sessions.list` gives it. Absent settings mean the default, so they are absent here too. */
export function listRow(row: SessionRow) {
  const { settings, route, usage } = row;
  const [modelProvider, model] = splitRef(settings.model);
  return {
    key: row.key as string,
    kind: kindOfKey(row.key),
    chatType: row.chat,
    sessionId: row.sessionId,
    agentId: row.agentId,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    systemSent: total(row) > 0,
    abortedLastRun: row.abortedLastRun,
    inputTokens: usage.input,
    outputTokens: usage.output,
    totalTokens: row.contextTokens || total(row),
    ...pick(settings, [
      "label",
      "thinkingLevel",
      "verboseLevel",
      "reasoningLevel",
      "elevatedLevel",
      "responseUsage",
      "sendPolicy",
      "groupActivation",
    ]),
    ...(row.title ? { derivedTitle: row.title.slice(0, 60) } : {}),
    ...(row.title || settings.label ? { displayName: settings.label ?? row.title } : {}),
    ...(modelProvider ? { modelProvider, model } : {}),
    ...(route
      ? {
          channel: route.channel,
          lastChannel: route.channel,
          lastTo: route.chatId,
          lastAccountId: route.account,
          deliveryContext: { channel: route.channel, to: route.chatId, accountId: route.account },
        }
      : {}),
  };
}

/** A row as a record of the original's sessions.json. */
export const entryOf = (row: SessionRow) => ({
  ...listRow(row),
  ...row.settings,
  contextTokens: row.contextTokens,
});

const shorten = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max - 1).trimEnd()}…`;

/** What was said, one item each, for previews: notes of the system too, tool calls by their names only. */
export const linesOf = (entries: Entry[], maxChars: number): { role: string; text: string }[] =>
  entries.flatMap(({ body }) => {
    if (body.kind === "note") return [{ role: "system", text: shorten(body.text, maxChars) }];
    if (body.kind !== "message") return [];
    const calls = body.message.blocks.flatMap((b) => (b.type === "tool_call" ? [b.name] : []));
    const text = textOf(body.message) || calls.map((name) => `call ${name}`).join(", ");
    return text ? [{ role: body.message.role, text: shorten(text, maxChars) }] : [];
  });

/** `provider/model` in two; the provider of a bare name is unknown. */
export function splitRef(ref: string | undefined): [string | undefined, string | undefined] {
  if (!ref) return [undefined, undefined];
  const at = ref.indexOf("/");
  return at < 0 ? [undefined, ref] : [ref.slice(0, at), ref.slice(at + 1)];
}

function pick<T extends object, K extends keyof T>(from: T, keys: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  ) as Partial<Pick<T, K>>;
}
