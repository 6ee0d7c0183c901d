/** What everything that sends has in common: the bot, the place, and the way back to plain text. */
import type { ReplyParameters } from "grammy/types";

import type { AppError } from "../../base/errors.ts";
import type { Address } from "../../flow.ts";
import type { ChannelContext } from "../channel.ts";
import type { Buttons } from "./buttons.ts";
import type { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";
import { isBadMarkup } from "./errors.ts";
import { GENERAL_TOPIC, messageNumber } from "./target.ts";

export type Sender = {
  client: Client;
  ctx: Pick<ChannelContext<TelegramConfig>, "config" | "media" | "log" | "moved">;
  buttons: Buttons;
  sent: SentLately;
  /** What arrived of a message of several parts whose later part failed, by the message's key. */
  progress: Map<string, number[][]>;
};

/** What every call that sends has in common. */
export type Where = {
  chat_id: number | string;
  message_thread_id?: number;
  disable_notification?: true;
  reply_parameters?: ReplyParameters;
};

/** The markup of a model can be anything; when the platform cannot read it, the words still arrive. */
export async function orPlain<T>(
  marked: () => Promise<T>,
  plain: () => Promise<T>,
  { ctx }: Pick<Sender, "ctx">,
): Promise<T> {
  try {
    return await marked();
  } catch (cause) {
    if (!isBadMarkup(cause)) throw cause;
    ctx.log.warn("the platform could not read the markup, sent as plain text", {
      error: (cause as AppError).message,
    });
    return plain();
  }
}

/** Numbers as numbers, names of channels as they are. */
export const chatOf = ({ chatId }: Pick<Address, "chatId">): number | string =>
  /^-?\d+$/.test(chatId) ? Number(chatId) : chatId;

/** In a forum's General the number of the topic must not be said. */
export function whereOf(to: Address, silent?: true): Where {
  const number = messageNumber(to.replyToId);
  const thread = to.threadId === GENERAL_TOPIC ? undefined : to.threadId;
  return {
    chat_id: chatOf(to),
    ...(thread && { message_thread_id: Number(thread) }),
    ...(silent && { disable_notification: true }),
    ...(number !== undefined && {
      // What is answered may have been deleted meanwhile; the answer goes out all the same.
      reply_parameters: { message_id: number, allow_sending_without_reply: true },
    }),
  };
}

/** How long it is known which messages are ours, in ms, and of how many. */
const KEEP_MS = 24 * 3_600_000;
const MOST = 5_000;

/** Which messages are ours: the platform does not say it when somebody reacts to one. */
export class SentLately {
  private readonly seen = new Map<string, number>();

  add(ref: string, now = Date.now()): void {
    this.seen.delete(ref);
    this.seen.set(ref, now);
    for (const [oldest, at] of this.seen) {
      if (this.seen.size <= MOST && now - at < KEEP_MS) break;
      this.seen.delete(oldest);
    }
  }

  has(ref: string): boolean {
    return this.seen.has(ref);
  }
}
