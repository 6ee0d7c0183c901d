/** /whoami: how a person is known here, for allow lists. */
import { z } from "zod";

import { shown } from "./arguments.ts";
import { command } from "./command.ts";

const SAID = {
  owner: "you are the owner",
  known: "you are on a list or were approved",
  guest: "you are on no list",
} as const;

export const whoami = command({
  name: "whoami",
  aliases: ["id"],
  doc: "Your id on this channel, as allow lists want it.",
  args: z.object({}),
  access: "anyone",
  async run(_, { caller: { inbound, trust } }) {
    const { from, sender, chat } = inbound;
    return {
      text: [
        `Your id: \`${shown(sender.id)}\``,
        `Channel: ${from.channel}${from.account === "default" ? "" : ` (${from.account})`}`,
        ...(chat === "dm" ? [] : [`This chat: \`${shown(from.chatId)}\``]),
        `For lists: \`${from.channel}:${shown(sender.id)}\``,
        `Here ${SAID[trust]}.`,
      ].join("\n"),
    };
  },
});
