/** The list of commands that the app shows when somebody types `/`. */
import type { BotCommand } from "grammy/types";

import type { ChannelContext } from "../channel.ts";
import type { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";

/** Key of the account's state: what the platform has already. */
const KEY = "menu";
const MOST = 100;
const NAME = /^[a-z0-9_]{1,32}$/;

/** Sets it when it is not what it was. Does nothing when the core leaves the menu alone. Throws as every call does. */
export async function setMenu(
  client: Client,
  botId: number,
  ctx: Pick<ChannelContext<TelegramConfig>, "commands" | "config" | "state" | "log">,
): Promise<void> {
  const wanted = ctx.commands();
  if (!wanted) return;
  const own = wanted.length === 0 ? [] : (ctx.config.customCommands ?? []);
  const rows = new Map<string, BotCommand>();
  for (const { name, description } of wanted) {
    const command = name.replaceAll("-", "_").toLowerCase();
    if (NAME.test(command)) rows.set(command, row(command, description));
  }
  for (const { command: raw, description } of own) {
    const command = raw.replace(/^\//, "");
    const problem = NAME.test(command)
      ? rows.has(command)
        ? "there is one of that name"
        : description.trim()
          ? undefined
          : "it has no description"
      : "only small letters, digits and _, at most 32";
    if (problem) ctx.log.warn("a custom command is left out", { command: raw, problem });
    else rows.set(command, row(command, description));
  }
  if (rows.size > MOST)
    ctx.log.warn("the menu has room for 100 commands, the rest is left out", { had: rows.size });
  const commands = [...rows.values()].slice(0, MOST);
  const hash = new Bun.CryptoHasher("sha256")
    .update(JSON.stringify([botId, commands]))
    .digest("hex");
  if ((await ctx.state.get<string>(KEY)) === hash) return;
  await client.call("setMyCommands", { commands });
  await ctx.state.put({ [KEY]: hash });
}

const row = (command: string, description: string): BotCommand => ({
  command,
  description: (description.trim() || command).slice(0, 256).toWellFormed(),
});
