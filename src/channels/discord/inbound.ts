/** Turns a message of the platform into an Inbound: what it says, to whom, what it answers, and what came with it. */
import type { Inbound, MediaRef, Room } from "../../flow.ts";
import type { ChannelContext } from "../channel.ts";
import type { Api } from "./api.ts";
import type { DiscordConfig } from "./config.ts";
import { entriesFor, facts } from "./facts.ts";
import { fetchAttachments, listed, MEDIA_MAX_MB } from "./media.ts";
import type { Rooms } from "./rooms.ts";
import {
  handleOf,
  isForum,
  isThread,
  KIND,
  nameOf,
  timeOf,
  type WireChannel,
  type WireContent,
  type WireMember,
  type WireMessage,
  type WireUser,
} from "./wire.ts";

export type Reader = {
  ctx: ChannelContext<DiscordConfig>;
  api: Api;
  rooms: Rooms;
  /** Our own id. */
  self(): string;
  apiHost?: string;
  /** Whether nothing of this chat has been received before. */
  isNew(channelId: string): boolean;
};

/** Kinds of messages that people and bots write; everything else the platform writes about them. */
const WRITTEN: ReadonlySet<number> = new Set([0, 19, 20, 23]);
/** The first, empty line of a thread, which repeats what stands above it. */
const THREAD_STARTER = 21;
const FORWARD = 1;
/** Of a quoted or forwarded text, in characters. */
const MAX_QUOTE = 2_000;
const MAX_THREAD_NAME = 80;

export const isWritten = ({ type = 0 }: WireMessage): boolean => WRITTEN.has(type);

/** Who did it. A webhook has no account behind it, so it is a bot. */
export function senderOf(
  user: WireUser | undefined,
  member?: WireMember,
  webhook?: string,
): Inbound["sender"] {
  const handle = user && handleOf(user);
  const name = nameOf(user, member);
  return {
    id: user?.id ?? "",
    ...(name && { name }),
    ...(handle && { handle }),
    ...((user?.bot || webhook) && { bot: true as const }),
    ...(member?.roles?.length && { roles: member.roles }),
  };
}

/** Where an answer to this chat goes: `user:<id>` for a person, else the id of the channel. */
export const chatIdOf = (
  chat: Inbound["chat"],
  channelId: string,
  person: string | undefined,
): string => (chat === "dm" && person ? `user:${person}` : channelId);

/** Undefined for what is no message to anybody. Throws `channel_unreachable`; then it has to be read again. */
export async function readMessage(
  message: WireMessage,
  reader: Reader,
): Promise<Inbound | undefined> {
  if (message.type === THREAD_STARTER) return undefined;
  const { rooms, ctx } = reader;
  const self = reader.self();
  const { chat, channel, parent, room } = await rooms.place(
    message.channel_id,
    message.guild_id,
    message.channel_type,
  );
  const sender = senderOf(message.author, message.member, message.webhook_id);
  const base = {
    id: message.id,
    from: {
      channel: "discord",
      account: ctx.account,
      chatId: chatIdOf(chat, message.channel_id, message.author?.id),
    },
    chat,
    sender,
    ...(room && { room }),
    at: message.timestamp ? Date.parse(message.timestamp) : timeOf(message.id),
  };
  if (!isWritten(message))
    return {
      ...base,
      text: systemText(message, room),
      media: [],
      mentioned: false,
      event: { kind: "system" },
    };
  const quoted = quotedOf(message, self);
  const others =
    (message.mentions ?? []).some(({ id }) => id !== self) || !!message.mention_roles?.length;
  const asked = message.mentions?.some(({ id }) => id === self) || quoted?.mine === true;
  const text = textOf(message);
  const mentioned = asked || isOwnThread(channel, self, ctx.config, base);
  const inbound: Inbound = {
    ...base,
    text: text || (message.message_snapshots?.length ? "[Forwarded message]" : ""),
    media: [],
    mentioned,
    ...(others && { mentionsOthers: true as const }),
    ...(quoted && { quoted }),
  };
  const placed = autoThreaded(inbound, channel, ctx.config);
  const files = await filesOf(message, placed, reader);
  const notes = [
    ...(await threadNotes(message, channel, parent, reader)),
    ...forwarded(message),
    ...files.notes,
  ];
  return { ...placed, media: files.media, ...(notes.length && { notes }) };
}

/** What stands there, or what stands for it where there are no words. */
export function textOf(content: WireContent): string {
  const words = content.content ?? "";
  if (words.trim()) return words;
  const sticker = content.sticker_items?.[0];
  if (sticker) return `<media:sticker> ${sticker.name}`;
  const { question, answers } = content.poll ?? {};
  if (question?.text)
    return [
      `[Poll] ${question.text}`,
      ...(answers ?? []).map(({ poll_media: each }) => `- ${each?.text ?? ""}`),
    ].join("\n");
  if (content.attachments?.length) return "";
  const embed = content.embeds?.[0];
  return [embed?.title, embed?.description].filter(Boolean).join("\n") || (embed?.url ?? "");
}

function quotedOf(message: WireMessage, self: string): Inbound["quoted"] {
  const found = message.referenced_message;
  if (!found || message.message_reference?.type === FORWARD) return undefined;
  return {
    id: found.id,
    text: textOf(found).slice(0, MAX_QUOTE).toWellFormed(),
    sender: nameOf(found.author),
    ...(found.author?.id === self && { mine: true as const }),
  };
}

/** As a note and never as text: a forwarded `/command` is nobody's command. */
function forwarded(message: WireMessage): string[] {
  return (message.message_snapshots ?? []).flatMap(({ message: each }) => {
    const text = each && textOf(each);
    return text ? [`forwarded message: ${text.slice(0, MAX_QUOTE).toWellFormed()}`] : [];
  });
}

async function filesOf(
  message: WireMessage,
  inbound: Inbound,
  { ctx, apiHost }: Reader,
): Promise<{ media: MediaRef[]; notes: string[] }> {
  const snapshots = (message.message_snapshots ?? []).flatMap(
    (each) => each.message?.attachments ?? [],
  );
  const list = [...(message.attachments ?? []), ...snapshots];
  if (!list.length) return { media: [], notes: [] };
  // Strangers must not fill the disk.
  if (!(await ctx.wants(inbound))) return { media: [], notes: listed(list) };
  const { media, signal, log, config } = ctx;
  return fetchAttachments(list, message.flags ?? 0, {
    media,
    signal,
    log,
    maxBytes: (config.mediaMaxMb ?? MEDIA_MAX_MB) * 1_000_000,
    ...(apiHost !== undefined && { apiHost }),
  });
}

/** What a thread is about, with its first message that is seen here. */
async function threadNotes(
  message: WireMessage,
  channel: WireChannel | undefined,
  parent: WireChannel | undefined,
  { api, isNew, ctx }: Reader,
): Promise<string[]> {
  if (!channel || !isThread(channel.type) || !isNew(channel.id)) return [];
  const forum = isForum(parent?.type) ? [`forum: #${parent?.name ?? ""}`] : [];
  if (message.id === channel.id) return forum;
  // A post begins with a message in itself; another thread with one in its channel. Both have the thread's id.
  const home = isForum(parent?.type) ? channel.id : (channel.parent_id ?? channel.id);
  try {
    const starter = await api.get<WireMessage>(`/channels/${home}/messages/${channel.id}`, {
      signal: ctx.signal,
    });
    const text = textOf(starter).slice(0, MAX_QUOTE).toWellFormed();
    return text
      ? [...forum, `the thread began with, from ${nameOf(starter.author)}: ${text}`]
      : forum;
  } catch {
    // Expected: a thread that began without a message, or one that is gone. The context is worth no delay.
    return forum;
  }
}

/** In a thread that was opened for an answer, everything is said to us. */
function isOwnThread(
  channel: WireChannel | undefined,
  self: string,
  config: DiscordConfig,
  base: Pick<Inbound, "from" | "room">,
): boolean {
  return (
    channel !== undefined &&
    isThread(channel.type) &&
    channel.owner_id === self &&
    entriesFor(config, base).channel?.autoThread === true
  );
}

/**
 * With `autoThread` the answer goes into a thread below the message. A thread has the id of its message, so the place is known
 * before it exists; it is opened with the first thing that is sent there, and never for what is not answered.
 */
function autoThreaded(
  inbound: Inbound,
  channel: WireChannel | undefined,
  config: DiscordConfig,
): Inbound {
  if (!channel || (channel.type !== KIND.text && channel.type !== KIND.news)) return inbound;
  if (!entriesFor(config, inbound).channel?.autoThread) return inbound;
  const { room } = facts.rules(config, inbound);
  if (room === "unlisted" || (room.requireMention && !inbound.mentioned)) return inbound;
  return {
    ...inbound,
    from: { ...inbound.from, chatId: inbound.id },
    room: { ...inbound.room, parentId: channel.id, thread: threadName(inbound.text) },
  };
}

export const threadName = (text: string): string =>
  text
    .replace(/<[@#][!&]?\d+>/g, "")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_THREAD_NAME)
    .toWellFormed() || "Thread";

/** What the platform tells of a chat, by the numbers of its kinds. */
const ACTIONS: Readonly<Record<number, string>> = {
  1: "added somebody to the group",
  2: "left the group or removed somebody from it",
  3: "started a call",
  4: "changed the name of the group",
  5: "changed the picture of the group",
  6: "pinned a message",
  7: "joined the server",
  8: "boosted the server",
  9: "boosted the server to level 1",
  10: "boosted the server to level 2",
  11: "boosted the server to level 3",
  12: "follows a channel here",
  18: "started a thread",
  24: "was stopped by automatic moderation",
  46: "ended a poll",
};

function systemText(message: WireMessage, room: Room | undefined): string {
  const action = ACTIONS[message.type ?? 0] ?? "did something";
  return `Discord system: ${nameOf(message.author, message.member)} ${action} in ${locationOf(room)}`;
}

/** `Home #general`. */
export const locationOf = (room: Room | undefined): string =>
  [room?.space?.name, room?.title && `#${room.title}`, room?.thread && `› ${room.thread}`]
    .filter(Boolean)
    .join(" ") || "a direct message";
