/** What a message says, as text: its words with their links, who is mentioned, places, contacts, who wrote it first. Pure. */
import type { Chat, Location, Message, MessageEntity, MessageOrigin, User } from "grammy/types";

/** Who we are there. */
export type Self = { id: number; username: string };

export type Words = { text: string; mentioned: boolean; mentionsOthers: boolean };

/** Names are written by strangers: one line, and never longer than a line. */
const plain = (name: string): string =>
  name
    .replace(/\p{Cf}+/gu, "")
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 120)
    .toWellFormed();

export const userName = ({
  first_name,
  last_name,
}: Pick<User, "first_name" | "last_name">): string =>
  plain([first_name, last_name].filter(Boolean).join(" "));

export const chatName = (chat: Chat): string =>
  plain(chat.title ?? [chat.first_name, chat.last_name].filter(Boolean).join(" "));

/**
 * The words of a message. Links behind words are written out, the bot's name behind a command (`/status@my_bot`) is taken off and
 * counts as a mention. Offsets of the platform count UTF-16 units, as strings here do.
 */
export function wordsOf(
  message: Pick<Message, "text" | "caption" | "entities" | "caption_entities">,
  self: Self,
): Words {
  const entities = message.entities ?? message.caption_entities ?? [];
  let text = message.text ?? message.caption ?? "";
  let mentioned = false;
  let mentionsOthers = false;
  const count = (isUs: boolean) => {
    if (isUs) mentioned = true;
    else mentionsOthers = true;
  };
  // From the end, so that the offsets before it stay right.
  for (const entity of [...entities].sort((a, b) => b.offset - a.offset)) {
    const words = text.slice(entity.offset, entity.offset + entity.length);
    if (entity.type === "mention") count(isOurs(words.slice(1), self));
    if (entity.type === "text_mention") count(entity.user.id === self.id);
    const change = rewritten(entity, words, self, count);
    if (change !== undefined)
      text = text.slice(0, entity.offset) + change + text.slice(entity.offset + entity.length);
  }
  if (!mentioned && self.username) mentioned = namesUs(text, self);
  return { text, mentioned, mentionsOthers };
}

/** What stands in the text for an entity; undefined when it stays as it is. */
function rewritten(
  entity: MessageEntity,
  words: string,
  self: Self,
  count: (isUs: boolean) => void,
): string | undefined {
  if (entity.type === "text_link") return `[${words}](${entity.url})`;
  if (entity.type !== "bot_command") return undefined;
  const [command, addressee] = words.split("@");
  if (addressee === undefined) return undefined;
  count(isOurs(addressee, self));
  return isOurs(addressee, self) ? command : undefined;
}

const isOurs = (name: string, self: Self): boolean =>
  name.toLowerCase() === self.username.toLowerCase();

/** `@our_bot` where the platform marks no names: inside code. */
const namesUs = (text: string, { username }: Self): boolean =>
  new RegExp(`(?<![\\w@/])@${RegExp.escape(username)}(?!\\w)`, "i").test(text);

/** What a message without words says; undefined when it is a file, or nothing that can be told. */
export function placeOrThing(message: Message): string | undefined {
  const { venue, location, contact, poll, dice, checklist } = message;
  if (venue)
    return `📍 ${plain(venue.title)} — ${plain(venue.address)} (${coordinates(venue.location)})`;
  if (location)
    return location.live_period === undefined
      ? `📍 ${coordinates(location)}`
      : `🛰 Live location: ${coordinates(location)}`;
  if (contact) {
    const name = userName(contact) || "unnamed";
    return `<contact: ${name}, ${plain(contact.phone_number)}>`;
  }
  if (poll)
    return `<poll: ${plain(poll.question)} (${poll.options.map((o) => plain(o.text)).join(" / ")})>`;
  if (dice) return `${dice.emoji} ${dice.value}`;
  if (checklist)
    return [checklist.title, ...checklist.tasks.map((task) => `- ${task.text}`)]
      .map(plain)
      .join("\n");
  return undefined;
}

function coordinates({ latitude, longitude, horizontal_accuracy: accuracy }: Location): string {
  const at = `${latitude.toFixed(6)}, ${longitude.toFixed(6)}`;
  return accuracy === undefined ? at : `${at} ±${Math.round(accuracy)}m`;
}

/** `Ann Lee (@ann)`: who wrote a forwarded message first, as far as the platform tells. */
export function originName(origin: MessageOrigin): string {
  if (origin.type === "user") return nameWithHandle(origin.sender_user);
  if (origin.type === "hidden_user") return plain(origin.sender_user_name);
  const chat = origin.type === "chat" ? origin.sender_chat : origin.chat;
  const signature = origin.author_signature ? `, ${plain(origin.author_signature)}` : "";
  return `${chatName(chat)}${signature}`;
}

export const nameWithHandle = (user: User): string =>
  user.username ? `${userName(user)} (@${user.username})` : userName(user);

/** Stands for a message of which only a file is quoted. */
export function placeholder(message: Partial<Message>): string {
  if (message.photo) return "<media:image>";
  if (message.video || message.video_note || message.animation) return "<media:video>";
  if (message.voice || message.audio) return "<media:audio>";
  if (message.sticker) return "<media:sticker>";
  return message.document ? "<media:document>" : "";
}
