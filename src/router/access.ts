/**
 * Who is let in, from the rules of an account and nothing else: no clock, no store, no names. Whatever is not allowed by a rule
 * is refused. Events of a person (an edit, a reaction, a button) pass here like that person's messages.
 */
import type { AccessRules } from "../channels/channel.ts";
import type { DropReason, Inbound, Trust } from "../flow.ts";

export type AccessInput = {
  rules: AccessRules;
  inbound: Pick<Inbound, "chat" | "sender">;
  /** Ids that were let in by pairing at this account. They count in direct messages only. */
  approved: ReadonlySet<string>;
  owners: Owners;
  /** `commands.useAccessGroups`. False: everybody who is let in may use commands. */
  accessGroups: boolean;
};
export type Access =
  | { kind: "allow"; trust: Trust; commands: boolean }
  /** A stranger in a direct message who may ask to be let in. */
  | { kind: "pair" }
  | { kind: "drop"; reason: DropReason; detail?: string };

const EVERYBODY = "*";

/**
 * An id as platforms make them: printable ASCII without blanks, so that look-alike letters and digits are nobody. `*` is a rule
 * and never a person.
 */
export const isSenderId = (id: string): boolean =>
  /^[\x21-\x7e]{1,200}$/.test(id) && !id.includes("*");

export function authorize(input: AccessInput): Access {
  const { rules, inbound } = input;
  const { sender } = inbound;
  if (sender.self) return drop("own");
  if (sender.bot && !rules.bots) return drop("bot");
  if (!isSenderId(sender.id)) return drop("not_allowed", "the platform gave no usable sender id");
  return inbound.chat === "dm" ? inDirect(input) : inGroup(input);
}

function inDirect(input: AccessInput): Access {
  const { rules, approved, inbound } = input;
  const { id } = inbound.sender;
  const { dmPolicy, allowFrom } = rules;
  if (dmPolicy === "disabled") return drop("disabled", "direct messages are off");
  if (allowFrom.includes(id) || approved.has(id) || allowFrom.includes(EVERYBODY))
    return allow(input);
  if (dmPolicy === "open")
    return drop("not_allowed", 'the policy "open" needs "*" in the list `allowFrom`');
  // A program cannot ask its owner for a code, and two of them would talk for ever.
  if (dmPolicy === "pairing" && !inbound.sender.bot) return { kind: "pair" };
  return drop("not_allowed", "not in the list for direct messages");
}

function inGroup(input: AccessInput): Access {
  const { rules, inbound } = input;
  const { room, groupPolicy } = rules;
  const listed = room === "unlisted" ? undefined : room;
  if (listed?.enabled === false) return drop("disabled", "this chat is switched off");
  if (groupPolicy === "disabled") return drop("disabled", "groups are off");
  // A list of the chat itself holds whatever the policy for all groups is.
  const list = roomList(rules) ?? (groupPolicy === "allowlist" ? rules.groupAllowFrom : undefined);
  if (list && !list.includes(inbound.sender.id) && !list.includes(EVERYBODY))
    return drop("not_allowed", "not in the list for groups");
  if (room === "unlisted") return drop("unlisted");
  return allow(input);
}

function allow(input: AccessInput): Access {
  const { rules, inbound, approved, owners, accessGroups } = input;
  const { id } = inbound.sender;
  const dm = inbound.chat === "dm";
  const here = dm ? rules.allowFrom : (roomList(rules) ?? rules.groupAllowFrom);
  const named =
    here.includes(id) ||
    rules.allowFrom.includes(id) ||
    owners.ids.has(id) ||
    (dm && approved.has(id));
  // Nobody is called the owner in the config: then it is who may write directly by name.
  const first = (rules.allowFrom.includes(id) && !CHAT_IDS.test(id)) || (dm && approved.has(id));
  const owner = owners.configured ? owners.ids.has(id) : first;
  return {
    kind: "allow",
    trust: owner ? "owner" : named ? "known" : "guest",
    commands: !accessGroups || named || here.includes(EVERYBODY),
  };
}

const roomList = ({ room }: AccessRules): readonly string[] | undefined =>
  room === "unlisted" ? undefined : room.allowFrom;

const drop = (reason: DropReason, detail?: string): Access => ({
  kind: "drop",
  reason,
  ...(detail && { detail }),
});

/** Who commands everything, on one channel. */
export type Owners = {
  /** Canonical ids. */
  ids: ReadonlySet<string>;
  /** Whether the config names owners at all; when it does, nobody else is one, not even when no entry is usable. */
  configured: boolean;
  /** Entries that are no person's id; they count for nothing. */
  refused: readonly string[];
};

/** Kinds of chats that people put where a person's id belongs: whoever is in that chat would be the owner. */
const CHAT_WORDS =
  /^(?:channel|chat|conversation|dm|group|guild|room|server|space|team|thread|topic):/i;
const CHAT_IDS = /^-\d+$|@(?:g\.us|newsletter|broadcast)$|:topic:|:thread:/i;

/**
 * The entries of `commands.ownerAllowFrom` that hold on this channel: `<channel>:<id>`, or an id alone, which holds on every
 * channel. `senderId` gives the canonical form, or undefined for what is no stable id there.
 */
export function ownersOf(
  entries: readonly (string | number)[],
  channel: string,
  senderId: (entry: string) => string | undefined,
): Owners {
  const ids = new Set<string>();
  const refused: string[] = [];
  for (const entry of entries.map((each) => String(each).trim())) {
    const typed = /^([a-z][a-z0-9-]*):(.*)$/is.exec(entry);
    const prefix = typed?.[1]?.toLowerCase();
    const rest = typed && !CHAT_WORDS.test(entry) ? typed[2]!.trim() : entry;
    if (rest === "" || rest.includes("*") || CHAT_WORDS.test(rest) || CHAT_IDS.test(rest)) {
      refused.push(entry);
      continue;
    }
    if (prefix !== undefined && prefix !== channel) continue;
    const id = senderId(rest);
    if (id !== undefined && isSenderId(id)) ids.add(id);
  }
  return { ids, configured: entries.length > 0, refused };
}
