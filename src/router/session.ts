/** The conversation that a message belongs to, as the original spells it: its state directories and clients know these keys. Pure. */
import type { Inbound, SessionKey, Trust } from "../flow.ts";
import { MAIN_KEY, sessionKey } from "../protocol/session-key.ts";
import type { SessionConfig } from "../sessions/config.ts";

export type SessionRules = Pick<SessionConfig, "scope" | "dmScope" | "identityLinks">;

/** An id inside a key: trimmed, lower case, on one line; `unknown` for none. */
const peerOf = (id: string): string =>
  id
    .trim()
    .toLowerCase()
    .replace(/[\s\p{C}]+/gu, "-") || "unknown";

/**
 * Direct messages share a conversation as `session.dmScope` says; a group, a channel, a forum topic and a thread each have their
 * own. A thread that is a chat of its own on its platform is simply that chat. A guest's direct messages are a conversation of
 * their own whatever the config says: in a shared one they would be answered out of what the owner said.
 */
export function sessionKeyFor(
  inbound: Inbound,
  agentId: string,
  rules: SessionRules,
  trust: Trust,
): SessionKey {
  const { chat, from } = inbound;
  const { channel, chatId, threadId } = from;
  if (chat === "dm") {
    const thread = threadId === undefined ? "" : `:thread:${peerOf(threadId)}`;
    return sessionKey(agentId, directRest(inbound, rules, trust) + thread);
  }
  const word = chat === "group" ? "topic" : "thread";
  const thread = threadId === undefined ? "" : `:${word}:${peerOf(threadId)}`;
  return sessionKey(agentId, `${channel}:${chat}:${peerOf(chatId)}${thread}`);
}

function directRest({ from, sender }: Inbound, rules: SessionRules, trust: Trust): string {
  const wanted = rules.scope === "global" ? "main" : rules.dmScope;
  const scope = wanted === "main" && trust === "guest" ? "per-channel-peer" : wanted;
  if (scope === "main") return MAIN_KEY;
  const { channel, account } = from;
  const peer = linkedName(sender.id, channel, rules.identityLinks) ?? peerOf(sender.id);
  if (scope === "per-peer") return `dm:${peer}`;
  if (scope === "per-channel-peer") return `${channel}:dm:${peer}`;
  return `${channel}:${account}:dm:${peer}`;
}

/** The person whose account this is: `session.identityLinks` lists `<channel>:<id>` or the id alone. */
function linkedName(
  id: string,
  channel: string,
  links: SessionRules["identityLinks"],
): string | undefined {
  const mine = [peerOf(id), `${channel}:${peerOf(id)}`];
  const found = Object.entries(links).find(([, ids]) =>
    ids.some((each) => mine.includes(peerOf(each))),
  );
  const name = found && peerOf(found[0]);
  return name === "unknown" ? undefined : name;
}
