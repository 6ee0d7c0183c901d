/** One line per channel. The schema is static (config needs it); the code is loaded on first use. */
import { WebchatConfig } from "./webchat/config.ts";

export const CHANNELS = {
  webchat: { label: "WebChat", config: WebchatConfig, load: () => import("./webchat/index.ts") },
} as const;
export type ChannelId = keyof typeof CHANNELS;

/** The channel of signed-in clients; always there. */
export const OPERATOR_CHANNEL: ChannelId = "webchat";
