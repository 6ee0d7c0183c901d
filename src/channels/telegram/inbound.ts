/** A message of the platform as the core wants it: facts only, no policy. */
import type { Chat, Message, User } from "grammy/types";

import type { Address, Inbound, MediaRef, Room, Sender } from "../../flow.ts";
import { GENERAL_TOPIC, messageRef } from "./target.ts";
import {
  chatName,
  nameWithHandle,
  originName,
  placeholder,
  placeOrThing,
  type Self,
  userName,
  wordsOf,
} from "./text.ts";

/** The account that a message reached. */
export type Here = { account: string; self: Self };

/**
 * @param parts one message, or those of an album or of a long text that was sent in pieces, in order
 * @param files what was fetched of them, and a line for each that was not
 */
export function toInbound(
  parts: Message[],
  here: Here,
  files: { media: MediaRef[]; notes: string[] },
): Inbound {
  const first = parts[0]!;
  const words = parts.map((part) => wordsOf(part, here.self));
  // The pieces of a long text were one text; of an album only one part has words.
  const said = words.map(({ text }) => text).join("");
  const text = [placeOrThing(first), said].filter(Boolean).join("\n");
  const notes = [...noteLines(first, text, files.media), ...files.notes];
  const quoted = quotedBy(first, here);
  return {
    id: messageRef(first.chat.id, first.message_id),
    from: addressOf(first, here),
    chat: chatKind(first.chat),
    sender: senderOf(first, here.self),
    text: first.forward_origin && text ? `[Forwarded message]\n${text}` : text,
    media: files.media,
    mentioned: words.some((each) => each.mentioned),
    ...(words.some((each) => each.mentionsOthers) && { mentionsOthers: true }),
    ...(quoted && { quoted }),
    ...roomOf(first),
    ...(notes.length > 0 && { notes }),
    at: first.date * 1000,
  };
}

export const chatKind = (chat: Pick<Chat, "type">): Inbound["chat"] =>
  chat.type === "private" ? "dm" : chat.type === "channel" ? "channel" : "group";

export function addressOf(
  message: Pick<Message, "chat" | "message_thread_id" | "is_topic_message">,
  here: Here,
): Address {
  const threadId = threadOf(message);
  return {
    channel: "telegram",
    account: here.account,
    chatId: String(message.chat.id),
    ...(threadId && { threadId }),
  };
}

/**
 * Forum groups and private chats with topics only: in other groups the same field counts replies. What lies in no topic of a forum
 * is in General.
 */
function threadOf({
  chat,
  message_thread_id: thread,
  is_topic_message: inTopic,
}: Pick<Message, "chat" | "message_thread_id" | "is_topic_message">): string | undefined {
  const named = inTopic && thread !== undefined ? String(thread) : undefined;
  if (chat.type === "supergroup" && chat.is_forum) return named ?? GENERAL_TOPIC;
  return chat.type === "private" ? named : undefined;
}

/** Anonymous administrators and channels share one made-up user; the chat that they speak for is who they are. */
export function senderOf(
  { from, sender_chat: chat }: Pick<Message, "from" | "sender_chat">,
  self: Self,
): Sender {
  if (chat)
    return {
      id: String(chat.id),
      name: chatName(chat),
      ...(chat.username && { handle: chat.username }),
    };
  return from ? person(from, self) : { id: "" };
}

export const person = (user: User, self: Self): Sender => ({
  id: String(user.id),
  name: userName(user),
  ...(user.username && { handle: user.username }),
  ...(user.is_bot && { bot: true }),
  ...(user.id === self.id && { self: true }),
});

export function roomOf(message: Message): { room?: Room } {
  if (message.chat.type === "private") return {};
  const thread = message.reply_to_message?.forum_topic_created?.name;
  return { room: { title: chatName(message.chat), ...(thread && { thread }) } };
}

function quotedBy(message: Message, { self }: Here): Inbound["quoted"] {
  const { reply_to_message: replied, external_reply: external, quote } = message;
  const part = quote && { text: quote.text, part: true as const };
  if (replied && !replied.forum_topic_created) {
    const mine = replied.from?.id === self.id && !replied.sender_chat;
    const text = replied.text ?? replied.caption ?? placeOrThing(replied) ?? placeholder(replied);
    return {
      id: messageRef(replied.chat.id, replied.message_id),
      sender: replied.sender_chat
        ? chatName(replied.sender_chat)
        : replied.from
          ? nameWithHandle(replied.from)
          : "",
      text,
      ...part,
      ...(mine && { mine }),
    };
  }
  if (!external) return undefined;
  return {
    id: external.chat ? messageRef(external.chat.id, external.message_id ?? 0) : "",
    sender: originName(external.origin),
    text: placeholder(external),
    ...part,
  };
}

/** Kinds of messages that are neither words nor files, and that a person would expect to be understood. */
const UNREADABLE = ["story", "paid_media", "giveaway", "game", "invoice", "gift", "rich_message"];

function noteLines(message: Message, text: string, media: MediaRef[]): string[] {
  const { forward_origin: origin, sticker } = message;
  const lines: string[] = [];
  if (origin)
    lines.push(
      `forwarded from ${originName(origin)}, ${new Date(origin.date * 1000).toISOString()}`,
    );
  if (sticker) {
    const set = sticker.set_name ? ` from "${sticker.set_name}"` : "";
    const moving = sticker.is_animated || sticker.is_video ? ", moving, not shown" : "";
    lines.push(`[Sticker ${sticker.emoji ?? ""}${set}${moving}]`.replace("  ", " "));
  }
  if (message.effect_id) lines.push("sent with an effect");
  const kind = UNREADABLE.find((key) => key in message);
  if (kind && !text && media.length === 0)
    lines.push(`a message of a kind that cannot be read here: ${kind.replace("_", " ")}`);
  return lines;
}
