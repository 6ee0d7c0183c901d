/** A chat that the platform gave another id (a Telegram group that became a supergroup): config and conversations follow it. */
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ConfigHandle } from "../config/handle.ts";
import { isRecord, valueAt } from "../config/path.ts";
import type { SessionKey } from "../flow.ts";
import { parseKey, sessionKey } from "../protocol/session-key.ts";
import type { Store } from "../store/store.ts";

export type MovedDeps = { config: ConfigHandle; store: Store; log: Logger };

/** Keys of a channel's section that are maps by chat. */
const MAPS = ["groups"];
/** Conversations of one chat that are looked for: agents times topics. */
const MAX_SESSIONS = 500;

/** Never throws: what cannot be moved is one line in the log, and the chat goes on under its new id. */
export async function moveChat(
  { config, store, log }: MovedDeps,
  { channel, account }: { channel: string; account: string },
  from: string,
  to: string,
): Promise<void> {
  log.info("a chat has another id now", { channel, account, from, to });
  try {
    await moveSessions(store, channel, from, to);
    if (!config.nixMode) await moveConfig(config, channel, account, from, to);
  } catch (cause) {
    const error = toAppError(cause);
    log.warn("the config still names the old id of a chat", {
      channel,
      from,
      to,
      error: error.message,
    });
  }
}

async function moveSessions(
  store: Store,
  channel: string,
  from: string,
  to: string,
): Promise<void> {
  const word = `${channel}:group:${from}`.toLowerCase();
  const { rows } = await store.sessions.list({ limit: MAX_SESSIONS, search: word });
  for (const { key } of rows) {
    const parsed = parseKey(key);
    const rest = parsed?.rest;
    if (!parsed || !rest || (rest !== word && !rest.startsWith(`${word}:`))) continue;
    const next = sessionKey(parsed.agentId, `${channel}:group:${to}${rest.slice(word.length)}`);
    await store.sessions.rename(key, next as SessionKey);
  }
}

/** Only keys that stand in the file; a section that forbids it is left alone. */
async function moveConfig(
  config: ConfigHandle,
  channel: string,
  account: string,
  from: string,
  to: string,
): Promise<void> {
  const file = config.loaded().parsed;
  const places = [
    ["channels", channel],
    ["channels", channel, "accounts", account],
  ];
  for (const place of places) {
    const section = valueAt(file, place);
    if (!isRecord(section) || section.configWrites === false) continue;
    for (const map of MAPS) {
      const entry = valueAt(section, [map, from]);
      if (entry === undefined || valueAt(section, [map, to]) !== undefined) continue;
      await config.edit([
        { kind: "set", path: [...place, map, to], value: entry },
        { kind: "unset", path: [...place, map, from] },
      ]);
    }
  }
}
