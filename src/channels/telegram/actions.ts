/** What the account can do besides sending; the platform's own limits are its own to tell. */
import type { ReactionTypeEmoji } from "grammy/types";

import { AppError } from "../../base/errors.ts";
import type { Address } from "../../flow.ts";
import type { ChannelActions } from "../action.ts";
import { editText } from "./outbound.ts";
import { chatOf, type Sender, whereOf } from "./sending.ts";
import { messageNumber, messageRef } from "./target.ts";

/** What the platform takes for the length of a poll, in s. */
const SHORTEST_POLL = 5;
const LONGEST_POLL = 2_628_000;

export function actionsOf(by: Sender): ChannelActions {
  const { client, sent } = by;
  const place = (to: Address, id: string) => ({ chat_id: chatOf(to), message_id: numberOf(id) });
  return {
    async edit(to, id, text) {
      await editText(to, numberOf(id), text, undefined, by);
    },
    async remove(to, id) {
      await client.call("deleteMessage", place(to, id));
    },
    async react(to, id, emoji) {
      const reaction = emoji ? [{ type: "emoji", emoji } as ReactionTypeEmoji] : [];
      await client.call("setMessageReaction", { ...place(to, id), reaction });
    },
    async poll(to, { question, options, maxSelections, durationHours }) {
      const seconds = durationHours === undefined ? undefined : Math.round(durationHours * 3600);
      const message = await client.call("sendPoll", {
        ...whereOf(to),
        question,
        options: options.map((text) => ({ text })),
        allows_multiple_answers: maxSelections > 1,
        ...(seconds !== undefined && {
          open_period: Math.min(LONGEST_POLL, Math.max(SHORTEST_POLL, seconds)),
        }),
      });
      sent.add(messageRef(to.chatId, message.message_id));
      return {
        ids: [String(message.message_id)],
        at: Date.now(),
        ...(message.poll && { pollId: message.poll.id }),
      };
    },
    async pin(to, id) {
      await client.call("pinChatMessage", { ...place(to, id), disable_notification: true });
    },
    async unpin(to, id) {
      await client.call("unpinChatMessage", place(to, id));
    },
    async sticker(to, id) {
      const message = await client.call("sendSticker", { ...whereOf(to), sticker: id });
      sent.add(messageRef(to.chatId, message.message_id));
      return { ids: [String(message.message_id)], at: Date.now() };
    },
    async threadCreate(to, { name }) {
      const topic = await client.call("createForumTopic", {
        chat_id: chatOf(to),
        name: name.slice(0, 128),
      });
      const { channel, account, chatId } = to;
      return { channel, account, chatId, threadId: String(topic.message_thread_id) };
    },
  };
}

/** Throws `channel_rejected`: the core hands on what a person or a model wrote. */
function numberOf(id: string): number {
  const number = messageNumber(id);
  if (number !== undefined) return number;
  throw new AppError("channel_rejected", `\`${id}\` is no message on Telegram.`, {
    hint: "It is a number, as in 42.",
  });
}
