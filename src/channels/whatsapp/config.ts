/** The section `channels.whatsapp`, whose keys are those of the published configs, and the root section `web`. */
import { z } from "zod";

import { channelSection, commonShape, roomShape } from "../config.ts";

const Reconnect = z.lazy(() =>
  z
    .looseObject({
      initialMs: z.int().min(250).default(2000).meta({
        title: "First pause",
        description: "In ms, before the first new connection.",
      }),
      maxMs: z.int().min(250).default(30_000).meta({
        title: "Longest pause",
        description: "In ms.",
      }),
      factor: z.number().min(1.1).max(10).default(1.8).meta({
        title: "Growth of the pause",
        description: "Every pause is so many times the one before.",
      }),
      jitter: z.number().min(0).max(1).default(0.25).meta({
        title: "Chance in the pause",
        description: "Part of it, 0 to 1.",
      }),
      maxAttempts: z.int().min(0).default(12).meta({
        title: "Attempts",
        description: "In a row. After them the account rests for minutes. 0: without end.",
      }),
    })
    .prefault({})
    .meta({ title: "Reconnect", advanced: true }),
);

/** The root section `web`: the connection to WhatsApp's servers. */
export const WebConfig = z.lazy(() =>
  z
    .looseObject({
      enabled: z.boolean().default(true).meta({
        title: "Enabled",
        description: "false: no WhatsApp account is started.",
      }),
      heartbeatSeconds: z.int().min(1).default(60).meta({
        title: "Heartbeat",
        description: "Seconds between two checks of the connection.",
      }),
      reconnect: Reconnect,
    })
    .meta({ title: "WhatsApp connection", group: "channels", advanced: true }),
);
export type WebConfig = z.output<typeof WebConfig>;

const shape = () => ({
  ...commonShape(),
  sendReadReceipts: z.boolean().default(true).meta({
    title: "Blue ticks",
    description: "Tell the sender that a message was read, once it is stored.",
  }),
  selfChatMode: z.boolean().default(false).meta({
    title: "This is my own number",
    description:
      "What you write to yourself is for the assistant. Also on when your own number is in `allowFrom`.",
  }),
  messagePrefix: z.string().optional().meta({
    title: "Before every received message",
    description: "Unset: nothing.",
    advanced: true,
  }),
  groups: z.record(z.string(), z.looseObject(roomShape())).optional().meta({
    title: "Groups by id",
    description:
      "`<digits>@g.us`, or `*` for all. When any is listed, the others are not answered.",
  }),
  ackReaction: z
    .looseObject({
      emoji: z.string().optional().meta({ title: "Emoji", description: "Unset: none." }),
      direct: z.boolean().default(true).meta({ title: "In direct messages" }),
      group: z.enum(["always", "mentions", "never"]).default("mentions").meta({
        title: "In groups",
      }),
    })
    .optional()
    .meta({ title: "Reaction when a message was taken" }),
  debounceMs: z.int().min(0).default(0).meta({
    title: "Wait for more",
    description: "In ms: messages of one person within it are answered together.",
  }),
  authDir: z.string().optional().meta({
    title: "Folder of an older link",
    description: "Read once, when the account is not linked here yet; never changed.",
    advanced: true,
  }),
  pace: z
    .looseObject({
      perMinute: z.number().min(1).max(6000).default(20).meta({
        title: "Messages a minute",
        description: "To all chats together, counted over time.",
      }),
      burst: z.int().min(1).max(1000).default(5).meta({
        title: "Messages at once",
        description: "So many may go out without a pause.",
      }),
      perChatMs: z.int().min(0).default(1000).meta({
        title: "Pause in one chat",
        description: "In ms, between two messages to the same chat.",
      }),
      newPeoplePerDay: z.int().min(0).default(10).meta({
        title: "New people a day",
        description: "People who never wrote to you. More than a few is what gets numbers blocked.",
      }),
    })
    .prefault({})
    .meta({
      title: "Pace",
      description: "Protects the number: WhatsApp blocks those that behave like a machine.",
      advanced: true,
    }),
  web: WebConfig.optional(),
});

export const WhatsappConfig = channelSection(shape, "WhatsApp");
export type WhatsappConfig = z.output<typeof WhatsappConfig>;
