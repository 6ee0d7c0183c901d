/** Where a message goes, as people write it and as the platform wants it. Pure. */
import { AppError } from "../../base/errors.ts";
import type { Address } from "../../flow.ts";

/** The topic "General" of a forum. The platform refuses its number where a message is sent, and wants it for typing. */
export const GENERAL_TOPIC = "1";

const CHAT = /^(?:-?[1-9]\d{0,19}|@[A-Za-z]\w{3,31})$/;
const FORMS =
  "`123456789` (a person), `-1001234567890` (a group), `-1001234567890:topic:7`, `@channelname` or `t.me/channelname`";

/** Throws `bad_request` with the forms that are understood. */
export function parseTarget(raw: string): Pick<Address, "chatId" | "threadId"> {
  let rest = raw.trim();
  while (/^(?:telegram|tg|group):/i.test(rest)) rest = rest.slice(rest.indexOf(":") + 1).trim();
  const link = /^(?:https?:\/\/)?(?:www\.)?(?:t|telegram)\.me\/(?:c\/(\d+)|(\w+))\/?$/i.exec(rest);
  if (link) rest = link[1] ? `-100${link[1]}` : `@${link[2]}`;
  const [, chat = rest, thread] = /^(.+?):(?:topic:)?([1-9]\d{0,9})$/i.exec(rest) ?? [];
  if (!CHAT.test(chat))
    throw new AppError("bad_request", `\`${raw}\` is no target on Telegram.`, {
      hint: `Write ${FORMS}. A person's id is in the first answer that a stranger gets from the bot.`,
    });
  return { chatId: chat, ...(thread && { threadId: thread }) };
}

/** The other way: what `parseTarget` takes back. */
export const targetLabel = ({ chatId, threadId }: Pick<Address, "chatId" | "threadId">): string =>
  threadId === undefined ? chatId : `${chatId}:topic:${threadId}`;

/** What the core knows a message by. A bare number is not enough: every supergroup counts its own messages from 1. */
export const messageRef = (chatId: number | string, messageId: number): string =>
  `${chatId}:${messageId}`;

/** The platform's number of a message, from either spelling; undefined for what is no message (a pressed button). */
export function messageNumber(id: string | undefined): number | undefined {
  const number = /^(?:-?\d+:)?([1-9]\d{0,15})$/.exec(id ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
}
