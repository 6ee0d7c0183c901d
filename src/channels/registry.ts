/** One row per channel. The schema is static (config needs it); everything else is loaded on first use. */
import { z } from "zod";

import { absentOr } from "../base/schema.ts";
import { ChannelDefaultsConfig, channelsMeta } from "./config.ts";
import { DiscordConfig } from "./discord/config.ts";
import { OPERATOR_CHANNEL } from "./operators.ts";
import { TelegramConfig } from "./telegram/config.ts";
import { WebchatConfig } from "./webchat/config.ts";
import { WhatsappConfig } from "./whatsapp/config.ts";

/**
 * The networks, in the order in which they are shown. `image` is a symbol of Apple's, which their apps draw; a variable of `env`
 * is enough to have the channel; `mediaMb` is the largest file and `tables` the form of tables where the config says
 * nothing.
 */
export const NETWORKS = {
  telegram: {
    label: "Telegram",
    detail: "Telegram Bot",
    image: "paperplane",
    mediaMb: 20,
    tables: "code",
    env: ["TELEGRAM_BOT_TOKEN"],
    menu: true,
    config: TelegramConfig,
    facts: async () => (await import("./telegram/facts.ts")).facts,
    legacy: async () => (await import("./telegram/legacy.ts")).legacy,
    load: () => import("./telegram/index.ts"),
  },
  whatsapp: {
    label: "WhatsApp",
    detail: "WhatsApp Web",
    image: "message",
    mediaMb: 50,
    tables: "bullets",
    env: [],
    menu: false,
    // Of the whole config, and part of what this channel is given.
    root: "web",
    // Its section has its own rules for reactions.
    ownAck: true,
    config: WhatsappConfig,
    facts: async () => (await import("./whatsapp/facts.ts")).facts,
    legacy: async () => (await import("./whatsapp/legacy.ts")).legacy,
    load: () => import("./whatsapp/index.ts"),
  },
  discord: {
    label: "Discord",
    detail: "Discord Bot",
    image: "bubble.left.and.bubble.right",
    mediaMb: 8,
    tables: "code",
    env: ["DISCORD_BOT_TOKEN"],
    menu: true,
    config: DiscordConfig,
    facts: async () => (await import("./discord/facts.ts")).facts,
    load: () => import("./discord/index.ts"),
  },
} as const;
export type NetworkId = keyof typeof NETWORKS;
export const NETWORK_IDS = Object.keys(NETWORKS) as NetworkId[];

/** The channel of signed-in clients: always there, and nothing about it is configured. */
export const OPERATORS = {
  id: OPERATOR_CHANNEL,
  label: "WebChat",
  config: WebchatConfig,
  load: () => import("./webchat/index.ts"),
} as const;

type Sections = {
  [K in NetworkId]: z.ZodOptional<z.ZodLazy<(typeof NETWORKS)[K]["config"]>>;
};

/** The section `channels` of the config: one section per network, and `defaults`. */
export const ChannelsConfig = z
  .looseObject({
    defaults: ChannelDefaultsConfig,
    ...(Object.fromEntries(
      Object.entries(NETWORKS).map(([id, { config }]) => [id, absentOr<z.ZodType>(() => config)]),
    ) as Sections),
  })
  .prefault({})
  .meta(channelsMeta);
export type ChannelsConfig = z.output<typeof ChannelsConfig>;

/** Bigger parts that few need, loaded on first use. */
export const PARTS = {
  qr: () => import("./qr.ts"),
  acting: () => import("./acting.ts"),
  capabilities: () => import("./capable-row.ts"),
};
