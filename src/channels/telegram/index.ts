/**
 * Telegram, through the Bot API with grammY's client. Fetches messages (poll.ts) or has them brought (webhook.ts), reads them
 * (updates.ts, inbound.ts) and sends answers (outbound.ts). Its settings at the platform: docs/channels/telegram.md.
 */
import { channel } from "../channel.ts";
import { startAccount } from "./account.ts";
import { TelegramConfig } from "./config.ts";
import { CAPTION_LIMIT } from "./outbound.ts";

export default channel({
  id: "telegram",
  config: TelegramConfig,
  // The platform takes 4096; some room is left for what markup and prefixes add.
  limits: { text: 4000, caption: CAPTION_LIMIT },
  render: "html",
  start: async (ctx) => startAccount(ctx),
});
