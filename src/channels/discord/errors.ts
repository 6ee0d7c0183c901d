/** What Discord answers instead of what was asked, as an AppError: for a person to act on, for the outbox to decide on. */
import { DiscordAPIError, HTTPError, RateLimitError } from "discord.js";

import { AppError } from "../../base/errors.ts";

/** Numbers of the platform, and what they mean to the owner of the bot. */
const KNOWN: Readonly<Record<number, { message: string; hint?: string }>> = {
  10003: {
    message: "Discord does not know this channel, or the bot is not in its server.",
    hint: "Look at the id; the bot must be a member of the server.",
  },
  10004: { message: "Discord does not know this server.", hint: "The bot must be a member of it." },
  10008: { message: "This message does not exist any more." },
  10013: { message: "Discord does not know this user.", hint: "Look at the id." },
  10014: { message: "Discord does not know this emoji." },
  10062: { message: "The command was not answered in time." },
  30003: { message: "This channel has no room for another pinned message." },
  40005: {
    message: "The file is too large for this Discord server.",
    hint: "Set `channels.discord.mediaMaxMb` lower, or send a link.",
  },
  50001: {
    message: "The bot may not see this channel.",
    hint: "Give its role View Channels there.",
  },
  50005: { message: "Somebody else wrote this message, so the bot cannot change it." },
  50007: {
    message:
      "This person does not take direct messages from the bot (DMs blocked, or no server in common).",
    hint: "They can allow it in the privacy settings of a server that both are in.",
  },
  50013: { message: "The bot lacks a permission in this channel." },
  50033: { message: "Discord does not know this user.", hint: "Look at the id." },
  50083: { message: "This thread is archived." },
  50278: { message: "This person and the bot have no server in common." },
  160005: { message: "This thread is locked." },
};

/** When the platform does not say how long to wait, in ms. */
const DEFAULT_WAIT_MS = 1_000;

/** The platform's number for what is wrong, when the error came from `apiError`. */
export function numberOf(cause: unknown): number | undefined {
  const details = cause instanceof AppError ? cause.details : undefined;
  return typeof details === "object" && details !== null && "number" in details
    ? Number(details.number)
    : undefined;
}

export function apiError(cause: unknown, tokenKey: string): AppError {
  if (cause instanceof AppError) return cause;
  if (cause instanceof RateLimitError)
    return new AppError("channel_unreachable", "Discord limits the rate of messages.", {
      retryAfterMs: Math.max(cause.retryAfter, cause.sublimitTimeout, DEFAULT_WAIT_MS),
      details: { global: cause.global },
      cause,
    });
  if (cause instanceof HTTPError)
    return new AppError("channel_unreachable", `Discord has a problem (HTTP ${cause.status}).`, {
      cause,
    });
  if (cause instanceof DiscordAPIError) return fromApi(cause, tokenKey);
  const why = cause instanceof Error && cause.message ? cause.message : String(cause);
  return new AppError("channel_unreachable", `Discord cannot be reached: ${why}`, {
    hint: "Look at the network of this machine.",
    cause,
  });
}

function fromApi(cause: DiscordAPIError, tokenKey: string): AppError {
  const number = Number(cause.code);
  if (cause.status === 401 && !(number > 0)) return tokenRefused(tokenKey, cause);
  const known = KNOWN[number];
  return new AppError(
    "channel_rejected",
    known?.message ?? `Discord refused: ${oneLine(cause.message)}`,
    {
      ...(known?.hint && { hint: known.hint }),
      details: { number, status: cause.status },
      cause,
    },
  );
}

export const tokenRefused = (tokenKey: string, cause?: unknown): AppError =>
  new AppError("channel_misconfigured", `Discord does not accept the bot token of ${tokenKey}.`, {
    hint: `Make a new one in the developer portal (Bot, Reset Token) and set ${tokenKey}.`,
    cause,
  });

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 300);
