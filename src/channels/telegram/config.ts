/** The section `channels.telegram`; its keys are those of the published configs. */
import { z } from "zod";

import { apiRootShape, channelSection, commonShape, roomShape } from "../config.ts";

const Group = z.lazy(() =>
  z.looseObject({
    ...roomShape(),
    topics: z.record(z.string(), z.looseObject(roomShape())).optional().meta({
      title: "Topics",
      description: "Of a forum, by the number of the topic (1 is General), or `*`.",
    }),
  }),
);

const shape = () => ({
  ...commonShape(),
  botToken: z.string().optional().meta({
    title: "Bot token",
    description: "From @BotFather. Unset: the environment's `TELEGRAM_BOT_TOKEN`.",
    sensitive: true,
  }),
  tokenFile: z.string().optional().meta({
    title: "File with the bot token",
    description: "Counts before the token in this file.",
    advanced: true,
  }),
  dangerouslyAllowNameMatching: z.boolean().default(false).meta({
    title: "Names in lists",
    description:
      "Entries such as `@ann` count too. Names change hands: whoever takes one is let in.",
    advanced: true,
  }),
  groups: z.record(z.string(), Group).optional().meta({
    title: "Groups",
    description:
      "By the group's id, or `*`. When there is one, only groups that are named here are answered.",
  }),
  streamMode: z.enum(["off", "partial", "block"]).default("partial").meta({
    title: "Show answers while they are written",
    description: "`partial`: the message grows. `block`: in larger pieces. `off`: when finished.",
  }),
  draftChunk: z
    .looseObject({
      minChars: z.int().min(1).default(200).meta({
        title: "At least",
        description: "In characters.",
      }),
      maxChars: z
        .int()
        .min(1)
        .default(800)
        .meta({ title: "At most", description: "In characters." }),
      breakPreference: z.enum(["paragraph", "newline", "sentence"]).default("paragraph").meta({
        title: "Cut at",
      }),
    })
    .optional()
    .meta({
      title: "Pieces of a growing answer",
      description: "For `streamMode: block`. Unset: 200 to 800 characters, at paragraphs.",
      advanced: true,
    }),
  replyToMode: z.enum(["off", "first", "all"]).default("first").meta({
    title: "Answers point at the question",
    description: "`first`: only the first message of an answer.",
  }),
  linkPreview: z.boolean().default(false).meta({
    title: "Link previews",
    description:
      "Telegram opens every link of an answer to make one, so a link that a stranger talked the assistant into can carry away what it knows.",
  }),
  ackReaction: z.string().optional().meta({
    title: "Reaction on what is being answered",
    description: "An emoji. Unset: `messages.ackReaction`. Empty: none.",
  }),
  reactionNotifications: z.enum(["off", "own", "all"]).default("own").meta({
    title: "Reactions of people",
    description:
      "The assistant learns of them. `own`: those on its own messages of the last 24 hours.",
    advanced: true,
  }),
  mediaMaxMb: z.number().min(0).optional().meta({
    title: "Largest file",
    description:
      "In MB, both ways. Unset: 20 for what arrives and 50 for what is sent, the most that Telegram lets a bot have.",
  }),
  customCommands: z
    .array(
      z.looseObject({
        command: z.string().meta({
          title: "Command",
          description: "Without `/`: small letters, digits and `_`, at most 32.",
        }),
        description: z.string().meta({ title: "Description" }),
      }),
    )
    .optional()
    .meta({ title: "More commands in the menu", advanced: true }),
  webhookUrl: z.string().optional().meta({
    title: "Address for Telegram",
    description:
      "HTTPS, and it must lead to the listener below. Unset: messages are fetched, which needs no open port.",
    advanced: true,
  }),
  webhookSecret: z.string().optional().meta({
    title: "Secret of the webhook",
    description: "Needed with an address: 1 to 256 letters, digits, `_` and `-`.",
    sensitive: true,
    advanced: true,
  }),
  webhookPath: z.string().default("/telegram-webhook").meta({
    title: "Path of the webhook",
    advanced: true,
  }),
  webhookHost: z.string().default("127.0.0.1").meta({
    title: "Webhook listens on",
    advanced: true,
  }),
  webhookPort: z.int().min(0).max(65_535).default(8787).meta({
    title: "Webhook listens on port",
    description: "0: a free one.",
    advanced: true,
  }),
  proxy: z.string().optional().meta({
    title: "Proxy",
    description: "`http://` or `https://` address through which Telegram is reached.",
    advanced: true,
  }),
  timeoutSeconds: z.int().min(1).default(60).meta({
    title: "Longest wait for an answer",
    description: "In seconds, of one call. Files get ten times as long.",
    advanced: true,
  }),
  ...apiRootShape(),
});

export const TelegramConfig = channelSection(shape, "Telegram");
export type TelegramConfig = z.output<typeof TelegramConfig>;
