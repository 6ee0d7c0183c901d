/** The bot token of an account: where it comes from, and how the setting is called that must be mended. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { AppError, errnoOf } from "../../base/errors.ts";
import type { AccountPlan } from "../channel.ts";
import type { TelegramConfig } from "./config.ts";

export const TOKEN_ENV = "TELEGRAM_BOT_TOKEN";
export const DEFAULT_ACCOUNT = "default";
export const NEW_TOKEN =
  "Open @BotFather in Telegram, send /mybots, choose the bot, then API Token. Put it in with `clawdbot channels add --channel telegram --token <token>`.";

/** `<number>:<secret>`, and nothing that could lead an address elsewhere. */
const TOKEN = /^\d{1,20}:[\w-]{3,128}$/;

export type Token = {
  source: AccountPlan<unknown>["credential"]["source"];
  /** `channels.telegram.botToken`, for messages. */
  setting: string;
  token?: string;
  problem?: string;
};

type TokenKeys = Pick<TelegramConfig, "botToken" | "tokenFile">;

/**
 * Reads the token of one account, whose `config` has only keys that count for it (`accounts` in facts.ts takes care of that).
 * A file that is named and cannot be read is a problem: nothing else is tried in its place.
 */
export function tokenOf(
  config: TokenKeys,
  account: string,
  env: (name: string) => string | undefined,
  prefix = account === DEFAULT_ACCOUNT
    ? "channels.telegram"
    : `channels.telegram.accounts.${account}`,
): Token {
  if (config.tokenFile?.trim()) {
    const setting = `${prefix}.tokenFile`;
    return { source: "tokenFile", ...readToken(config.tokenFile.trim(), setting, env) };
  }
  if (config.botToken?.trim())
    return { source: "config", ...checked(config.botToken, `${prefix}.botToken`) };
  const fromEnv = account === DEFAULT_ACCOUNT ? env(TOKEN_ENV)?.trim() : undefined;
  if (fromEnv) return { source: "env", ...checked(fromEnv, TOKEN_ENV) };
  return { source: "none", setting: `${prefix}.botToken` };
}

/** The error of a token that the platform does not know (any more). */
export const tokenRefused = (setting: string): AppError =>
  new AppError(
    "channel_misconfigured",
    `Telegram does not accept the bot token of ${setting === TOKEN_ENV ? `the environment variable ${TOKEN_ENV} (channels.telegram)` : setting}.`,
    { hint: `It was revoked, or is not complete. ${NEW_TOKEN}` },
  );

function checked(raw: string, setting: string): Pick<Token, "setting" | "token" | "problem"> {
  const token = raw.trim();
  if (TOKEN.test(token)) return { setting, token };
  return {
    setting,
    problem: `${setting} is no bot token; one looks like 123456789:AAE... ${NEW_TOKEN}`,
  };
}

function readToken(
  path: string,
  setting: string,
  env: (name: string) => string | undefined,
): Pick<Token, "setting" | "token" | "problem"> {
  const file = path.startsWith("~/") ? join(env("HOME") ?? "/", path.slice(2)) : path;
  try {
    const text = readFileSync(file, "utf8").trim();
    if (text) return checked(text, setting);
    return { setting, problem: `The file of ${setting} is empty: ${path}` };
  } catch (cause) {
    const code = errnoOf(cause);
    if (!code) throw cause;
    const why = code === "ENOENT" ? "is not there" : `cannot be read (${code})`;
    return { setting, problem: `The file of ${setting} ${why}: ${path}` };
  }
}
