/** One look at the bot as the platform has it, and at what its settings there mean for the config here. */
import type { UserFromGetMe } from "grammy/types";

import { toAppError } from "../../base/errors.ts";
import type { Probe } from "../channel.ts";
import type { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";
import { refusalOf } from "./errors.ts";

/** Never throws: what is wrong is in the answer. */
export async function probe(
  client: Client,
  config: TelegramConfig,
  signal: AbortSignal,
): Promise<Probe> {
  const before = Date.now();
  try {
    const bot = await client.ask("getMe", { signal });
    const elapsedMs = Date.now() - before;
    const webhook = await client.ask("getWebhookInfo", { signal });
    const warnings = [
      ...privacyWarnings(bot, config),
      ...(await groupWarnings(client, bot, config, signal)),
    ];
    if (webhook.url && !config.webhookUrl)
      warnings.push("A webhook is set at Telegram, so nothing can be fetched until it is removed.");
    if (webhook.last_error_message && webhook.pending_update_count > 0)
      warnings.push(`Telegram cannot bring messages: ${webhook.last_error_message}`);
    return {
      ok: true,
      elapsedMs,
      detail: `@${bot.username} (${bot.id})`,
      facts: {
        bot: {
          id: bot.id,
          username: bot.username,
          canJoinGroups: bot.can_join_groups,
          canReadAllGroupMessages: bot.can_read_all_group_messages,
          supportsInlineQueries: bot.supports_inline_queries,
        },
        webhook: { url: webhook.url ?? "", hasCustomCert: webhook.has_custom_certificate },
      },
      ...(warnings.length > 0 && { warnings }),
    };
  } catch (cause) {
    const { message, hint } = toAppError(cause);
    return {
      ok: false,
      elapsedMs: Date.now() - before,
      detail: hint ? `${message} ${hint}` : message,
    };
  }
}

/** Groups in which everything is to be answered, of the bot's privacy that hides most of it. */
function privacyWarnings(bot: UserFromGetMe, config: TelegramConfig): string[] {
  const open = openGroups(config);
  const warnings = Object.keys(config.groups ?? {})
    .filter((key) => key !== "*" && !/^-?\d+$/.test(key))
    .map((key) => `channels.telegram.groups.${key} is no number, so it fits no group.`);
  if (open.length > 0 && !bot.can_read_all_group_messages)
    warnings.push(
      "channels.telegram.groups answers without a mention, but the bot's privacy mode hides such messages from it: send /setprivacy to @BotFather and choose Disable, then take the bot out of the group and add it again; or make it an administrator there.",
    );
  if (open.includes("*"))
    warnings.push(
      'channels.telegram.groups."*" answers without a mention in every group; which ones these are cannot be checked.',
    );
  return warnings;
}

const openGroups = (config: TelegramConfig): string[] =>
  Object.entries(config.groups ?? {})
    .filter(([, group]) => group.requireMention === false && group.enabled !== false)
    .map(([key]) => key);

async function groupWarnings(
  client: Client,
  bot: UserFromGetMe,
  config: TelegramConfig,
  signal: AbortSignal,
): Promise<string[]> {
  const numeric = openGroups(config).filter((key) => /^-?\d+$/.test(key));
  const rows = await Promise.all(
    numeric.map(async (key) => {
      const gone = `The bot is not in the group ${key} of channels.telegram.groups.`;
      try {
        const payload = { chat_id: Number(key), user_id: bot.id };
        const { status } = await client.call("getChatMember", payload, { signal });
        return status === "left" || status === "kicked" ? [gone] : [];
      } catch (cause) {
        // Expected for a group that the bot never was in.
        if (refusalOf(cause)) return [gone];
        throw cause;
      }
    }),
  );
  return rows.flat();
}
