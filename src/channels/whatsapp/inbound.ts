/** One received message as the core has it. Looks things up (numbers of hidden ids, groups, files), decides nothing. */
import type { GroupMetadata, proto, WAMessageKey } from "@whiskeysockets/baileys";

import type { Inbound, MediaRef, Room } from "../../flow.ts";
import type { WhatsappConfig } from "./config.ts";
import { type Content, read } from "./content.ts";
import { OWNER_ROLE } from "./facts.ts";
import { chatId, isGroup, personId, samePerson } from "./jid.ts";
import type { Known, Recent } from "./recent.ts";

/** A decrypted message, as it is kept until it was handed on. */
export type Arrived = {
  key: Pick<
    WAMessageKey,
    "remoteJid" | "remoteJidAlt" | "participant" | "participantAlt" | "fromMe" | "id"
  >;
  message: proto.IMessage;
  /** Epoch ms, as its sender's server says. */
  at: number;
  name?: string;
};

export type Me = { id: string; lid?: string };

export type Lookups = {
  account: string;
  config: WhatsappConfig;
  me: Me;
  recent: Recent;
  /** A number for a hidden id, if WhatsApp ever told. */
  numberOf(lid: string): Promise<string | undefined>;
  group(jid: string): Promise<GroupMetadata | undefined>;
  /** What we sent. */
  isOurs(id: string): Promise<boolean>;
  /** Whether its file is worth fetching. */
  wants(inbound: Inbound): Promise<boolean>;
  save(arrived: Arrived, content: Content): Promise<{ media: MediaRef[]; notes: string[] }>;
};

const MOST_MEMBERS = 100;
const NAME = 100;

/** The chat with oneself is for the assistant. */
const selfChat = ({ config, me }: Pick<Lookups, "config" | "me">): boolean => {
  const own = personId(me.id);
  return config.selfChatMode || config.allowFrom.some((entry) => personId(String(entry)) === own);
};

const isMe = (me: Me, jid: string | null | undefined): boolean =>
  samePerson(me.id, jid) || samePerson(me.lid, jid);

/** Whether a message is for the assistant at all; what it says is not looked at. */
export async function isForUs(
  { key }: Arrived,
  look: Pick<Lookups, "config" | "me" | "isOurs">,
): Promise<boolean> {
  const chat = chatId(key.remoteJid ?? "");
  if (!chat || !key.id) return false;
  if (isGroup(chat)) return !key.fromMe && Boolean(key.participant);
  if (!isMe(look.me, key.remoteJid)) return !key.fromMe;
  // What we wrote there ourselves may come back from another device; its id tells.
  return Boolean(key.fromMe) && selfChat(look) && !(await look.isOurs(key.id));
}

/** Whether looking things up for it means asking a server. */
export const isSlow = (arrived: Arrived, hasGroup: (jid: string) => boolean): boolean => {
  const content = read(arrived.message);
  if (content?.attachment) return true;
  const jid = arrived.key.remoteJid!;
  return isGroup(jid) && !hasGroup(jid);
};

/** How it is remembered. */
export async function knownOf(
  { key, message }: Arrived,
  look: Pick<Lookups, "numberOf" | "me">,
): Promise<Known> {
  const jid = key.remoteJid!;
  const chat = isGroup(jid) ? chatId(jid) : await person(jid, key.remoteJidAlt ?? undefined, look);
  return {
    jid,
    ...(key.participant && { participant: key.participant }),
    id: key.id!,
    chat: chat ?? jid,
    text: read(message)?.text ?? "",
  };
}

/** Undefined for what says nothing to anybody. */
export async function toInbound(arrived: Arrived, look: Lookups): Promise<Inbound | undefined> {
  const { key, at } = arrived;
  const content = read(arrived.message);
  if (!content) return undefined;
  const group = isGroup(key.remoteJid!);
  const author = group ? key.participant! : key.remoteJid!;
  const alias = group ? key.participantAlt : key.remoteJidAlt;
  const sender = await person(author, alias ?? undefined, look);
  if (!sender) return undefined;
  const data = group ? await look.group(key.remoteJid!) : undefined;
  const chat = group ? chatId(key.remoteJid!)! : sender;
  if (
    content.event &&
    !mayChange(content.event, arrived, look.recent.find(chat, content.event.key.id!), data)
  )
    return undefined;
  const own = !group && isMe(look.me, author);
  const mentions = content.mentions.some((jid) => isMe(look.me, jid));
  const inbound: Inbound = {
    id: key.id!,
    from: { channel: "whatsapp", account: look.account, chatId: chat },
    chat: group ? "group" : "dm",
    sender: {
      id: sender,
      ...(arrived.name && { name: arrived.name.slice(0, NAME).toWellFormed() }),
      ...(own && { roles: [OWNER_ROLE] }),
    },
    text: content.text,
    media: [],
    // In the chat with oneself everything is meant for the assistant, and a mention means the owner.
    mentioned: !own && (mentions || (group && saysNumber(content.text, look.me))),
    at,
  };
  if (content.mentions.length && !mentions) inbound.mentionsOthers = true;
  const quoted = await quote(content, chat, look);
  if (quoted) inbound.quoted = quoted;
  if (data) inbound.room = await roomOf(data, look);
  if (content.event) inbound.event = { kind: content.event.kind, of: content.event.key.id! };
  const notes = await withFile(inbound, arrived, content, look);
  if (notes.length) inbound.notes = notes;
  inbound.text = prefixed(inbound, look.config.messagePrefix);
  return inbound;
}

/** Fetches the file, if anybody wants it. Gives all that is to be noted. */
async function withFile(
  inbound: Inbound,
  arrived: Arrived,
  content: Content,
  look: Lookups,
): Promise<string[]> {
  if (!content.attachment) return content.notes;
  const { media, notes } = (await look.wants(inbound))
    ? await look.save(arrived, content)
    : { media: [], notes: [] };
  inbound.media = media;
  // Something must stand for a file that could not be had, or nobody would answer.
  if (!media.length) inbound.text ||= placeholder(content);
  return [...content.notes, ...notes];
}

/** Commands keep their first character. */
const prefixed = ({ text, event }: Inbound, prefix: string | undefined): string =>
  prefix && text && !event && !/^[/!]/.test(text) ? `${prefix} ${text}` : text;

/** The canonical id: the number where it is known, otherwise the hidden id. */
async function person(
  jid: string,
  alias: string | undefined,
  look: Pick<Lookups, "numberOf" | "me">,
): Promise<string | undefined> {
  if (isMe(look.me, jid)) return personId(look.me.id);
  const id = personId(jid);
  if (!id?.endsWith("@lid")) return id;
  const named = alias ? personId(alias) : undefined;
  if (named?.startsWith("+")) return named;
  const found = await look.numberOf(id);
  return (found && personId(found)) || id;
}

/**
 * A phone can send any key in an edit or a removal; the receiver has to look whose message it is. Only its author edits, and an
 * administrator of a group may remove what others wrote.
 */
function mayChange(
  event: NonNullable<Content["event"]>,
  { key }: Arrived,
  target: Known | undefined,
  group: GroupMetadata | undefined,
): boolean {
  if (event.kind === "reaction") return true;
  // Unknown: from before the link, or long ago. The core knows no such message either.
  if (!target) return true;
  if (!target.participant || samePerson(target.participant, key.participant)) return true;
  const actor = group?.participants.find(
    (each) => samePerson(each.id, key.participant) || samePerson(each.phoneNumber, key.participant),
  );
  return event.kind === "delete" && Boolean(actor?.admin);
}

/** People also type the number that they want to talk to. */
const saysNumber = (text: string, me: Me): boolean => {
  const digits = personId(me.id)?.slice(1);
  return Boolean(digits && text.replace(/[^0-9@]/g, "").includes(digits));
};

async function quote(
  { quoted, event }: Content,
  chat: string,
  look: Lookups,
): Promise<Inbound["quoted"] | undefined> {
  if (event?.kind === "reaction") {
    const id = event.key.id!;
    const mine = Boolean(event.key.fromMe) || (await look.isOurs(id));
    const known = look.recent.find(chat, id);
    return { id, text: known?.text ?? "", sender: "", ...(mine && { mine }) };
  }
  if (!quoted) return undefined;
  const mine = isMe(look.me, quoted.participant) || (await look.isOurs(quoted.id));
  const sender = quoted.participant && (await person(quoted.participant, undefined, look));
  const content = quoted.message && read(quoted.message);
  const known = look.recent.find(chat, quoted.id);
  return {
    id: quoted.id,
    text: content?.text || known?.text || placeholder(content),
    sender: sender || "",
    ...(mine && { mine }),
  };
}

/** What stands for a file where there are no words. */
export const placeholder = (content: Content | undefined): string =>
  content?.attachment ? `<media:${content.attachment.type}>` : "";

async function roomOf(group: GroupMetadata, look: Lookups): Promise<Room> {
  const members: string[] = [];
  for (const each of group.participants.slice(0, MOST_MEMBERS)) {
    const id = await person(each.id, each.phoneNumber, look);
    if (id) members.push(id);
  }
  return {
    title: group.subject,
    ...(group.desc && { about: group.desc }),
    members,
  };
}

/** The stored form of a mapping: the digits of the number. */
export const numberFrom = (stored: unknown): string | undefined =>
  typeof stored === "string" ? `+${stored}` : undefined;
