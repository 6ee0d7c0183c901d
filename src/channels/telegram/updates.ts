/** What each kind of update is for the core. Whatever a person did goes the same way as a message, so one authorisation sees it. */
import type {
  CallbackQuery,
  ChatMemberUpdated,
  Message,
  MessageReactionUpdated,
  ReactionType,
  Update,
} from "grammy/types";

import type { Inbound } from "../../flow.ts";
import type { ChannelContext } from "../channel.ts";
import type { Buttons } from "./buttons.ts";
import type { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";
import { fetchFiles, unfetched } from "./files.ts";
import { addressOf, chatKind, type Here, person, roomOf, senderOf, toInbound } from "./inbound.ts";
import { messagesOf, type Reading } from "./intake.ts";
import type { SentLately } from "./sending.ts";
import { messageRef } from "./target.ts";
import { chatName, userName } from "./text.ts";

/** Asked for by name: the platform gives reactions to nobody who does not ask. */
export const ALLOWED_UPDATES = [
  "message",
  "edited_message",
  "callback_query",
  "message_reaction",
  "my_chat_member",
] as const;

export type Reader = {
  client: Client;
  ctx: ChannelContext<TelegramConfig>;
  here: Here;
  buttons: Buttons;
  sent: SentLately;
};

/** @param updates one, or those that gather.ts found to belong together */
export async function readUpdates(updates: Update[], by: Reader): Promise<Reading> {
  const update = updates[0]!;
  const { message, edited_message, callback_query, message_reaction, my_chat_member } = update;
  if (message) return readMessages(messagesOf(updates), by);
  if (edited_message) return edited(edited_message, update.update_id, by);
  if (callback_query) return pressed(callback_query, by);
  if (message_reaction) return reacted(message_reaction, update.update_id, by);
  if (my_chat_member) membership(my_chat_member, by);
  return {};
}

async function readMessages(parts: Message[], by: Reader): Promise<Reading> {
  const first = parts[0]!;
  if (first.migrate_to_chat_id !== undefined) {
    by.ctx.log.info("a group became a supergroup", {
      from: first.chat.id,
      to: first.migrate_to_chat_id,
    });
    await by.ctx.moved(String(first.chat.id), String(first.migrate_to_chat_id));
    return {};
  }
  const happened = happening(first, by);
  if (happened !== undefined)
    return {
      inbound: event(first, "system", happened, messageRef(first.chat.id, first.message_id), by),
    };
  const bare = toInbound(parts, by.here, unfetched(parts));
  // Strangers must not fill the disk.
  const wanted = bare.media.length > 0 && (await by.ctx.wants(bare));
  const inbound = wanted
    ? toInbound(parts, by.here, await fetchFiles(parts, by.client, by.ctx))
    : bare;
  // A topic was opened, a call began: things that a person does not say.
  const isEmpty = !inbound.text && !inbound.media.length && !inbound.notes?.length;
  return isEmpty ? {} : { inbound };
}

/** What the platform itself writes into a chat, as a sentence; undefined for a person's message. */
function happening(message: Message, { here }: Reader): string | undefined {
  const who = message.from ? userName(message.from) : "somebody";
  const joined = message.new_chat_members?.filter((user) => user.id !== here.self.id);
  if (joined?.length) return `Telegram: ${joined.map(userName).join(", ")} joined the group`;
  const left = message.left_chat_member;
  if (left && left.id !== here.self.id) return `Telegram: ${userName(left)} left the group`;
  if (message.new_chat_title !== undefined)
    return `Telegram: ${who} named the group ${chatName(message.chat)}`;
  const pinned = message.pinned_message;
  return pinned ? `Telegram: ${who} pinned message ${pinned.message_id}` : undefined;
}

function edited(message: Message, updateId: number, by: Reader): Reading {
  // A phone that shares its way sends a new place every few seconds.
  if (message.location) return {};
  const inbound = toInbound([message], by.here, { media: [], notes: [] });
  const { id: of } = inbound;
  return { inbound: { ...inbound, id: `edit:${updateId}`, event: { kind: "edit", of } } };
}

async function pressed(query: CallbackQuery, by: Reader): Promise<Reading> {
  const { client, here, buttons } = by;
  const after = async () => {
    // It takes the clock off the button. After a while the platform no longer cares, which is fine.
    await Promise.allSettled([client.call("answerCallbackQuery", { callback_query_id: query.id })]);
  };
  const { message, data } = query;
  const text = data === undefined ? undefined : await buttons.read(data);
  // Without a message the button belongs to another bot's chat; without data it is a game.
  if (!message || !text) return { after };
  const under = "text" in message ? (message.text ?? "") : "";
  return {
    after,
    inbound: {
      id: `callback:${query.id}`,
      from: addressOf(message, here),
      chat: chatKind(message.chat),
      sender: person(query.from, here.self),
      text,
      media: [],
      mentioned: true,
      quoted: {
        id: messageRef(message.chat.id, message.message_id),
        text: under,
        sender: here.self.username,
        mine: true,
      },
      ...("date" in message && message.date !== 0 && roomOf(message as Message)),
      at: Date.now(),
    },
  };
}

function reacted(update: MessageReactionUpdated, updateId: number, by: Reader): Reading {
  const { chat, message_id: on, user, actor_chat: speaker } = update;
  const { ctx, sent, here } = by;
  const wanted = ctx.config.reactionNotifications;
  const of = messageRef(chat.id, on);
  if (wanted === "off" || (wanted === "own" && !sent.has(of))) return {};
  if (user?.is_bot) return {};
  const had = new Set(update.old_reaction.map(emojiOf));
  const added = update.new_reaction.map(emojiOf).filter((emoji) => !had.has(emoji));
  if (added.length === 0) return {};
  const who = user ? userName(user) : speaker ? chatName(speaker) : "somebody";
  const text = `Telegram reaction added: ${added.join(" ")} by ${who} on msg ${on}`;
  const source = {
    chat,
    message_id: on,
    date: update.date,
    ...(user && { from: user }),
    ...(speaker && { sender_chat: speaker }),
  } as Message;
  const inbound = event(source, "reaction", text, `reaction:${updateId}`, by);
  return {
    inbound: {
      ...inbound,
      sender: senderOf(source, here.self),
      event: { kind: "reaction", of },
    },
  };
}

const emojiOf = (reaction: ReactionType): string =>
  reaction.type === "emoji" ? reaction.emoji : reaction.type === "paid" ? "⭐" : "a custom emoji";

function event(
  message: Message,
  kind: "system" | "reaction",
  text: string,
  id: string,
  { here }: Reader,
): Inbound {
  return {
    id,
    from: addressOf(message, here),
    chat: chatKind(message.chat),
    sender: senderOf(message, here.self),
    text,
    media: [],
    mentioned: false,
    event: { kind },
    ...roomOf(message),
    at: message.date * 1000,
  };
}

/** Somebody blocked the bot, or took it into a group or out of one: nothing to answer, but to find in the log. */
function membership(
  { chat, from, new_chat_member: now }: ChatMemberUpdated,
  { ctx }: Reader,
): void {
  const isOut = now.status === "kicked" || now.status === "left";
  const data = { chatId: chat.id, by: from.id };
  if (chat.type === "private")
    ctx.log.info(isOut ? "blocked by a person" : "a person let the bot write again", data);
  else ctx.log.info(isOut ? "taken out of a group" : "the bot's place in a group changed", data);
}
