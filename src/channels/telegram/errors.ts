/**
 * What the platform's refusals mean. The token stands in every address, so nothing of an address, and no error that has one in
 * it, gets further than this file.
 */
import { GrammyError, HttpError } from "grammy";

import { AppError, errnoOf } from "../../base/errors.ts";

/** In `details` of every error that the platform itself answered with. */
export type Refusal = {
  method: string;
  status: number;
  description: string;
  /** The id that the group has now. */
  movedTo?: string;
};

/** Of a 429 that does not say how long, in ms. */
const PAUSE_MS = 5_000;

type Rule = { test: RegExp; hint: string };
const HINTS: Rule[] = [
  {
    test: /chat not found/i,
    hint: "A bot cannot begin a conversation: the person has to send it `/start` first, and into a group it has to be added. Check the id too, and that it is the right bot's token.",
  },
  {
    test: /bot was blocked by the user/i,
    hint: "This person has blocked the bot. They can unblock it in their chat with it.",
  },
  { test: /user is deactivated/i, hint: "This person's account is gone." },
  {
    test: /bot was kicked|not a member|CHANNEL_PRIVATE/i,
    hint: "Add the bot to that group or channel again.",
  },
  {
    test: /not enough rights|need administrator rights|CHAT_ADMIN_REQUIRED|have no rights|CHAT_WRITE_FORBIDDEN/i,
    hint: "Make the bot an administrator of that chat, with the right that this needs.",
  },
  {
    test: /bots? can't initiate conversation/i,
    hint: "The person has to send `/start` to the bot first.",
  },
  {
    test: /message thread not found|TOPIC_(?:CLOSED|DELETED)/i,
    hint: "That topic was closed or deleted.",
  },
  {
    test: /REACTION_INVALID/i,
    hint: "A bot can only react with the emoji that Telegram offers: 👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🙏 👌 👀 and some others.",
  },
  { test: /message is too long|caption is too long/i, hint: "Send it in several parts." },
  { test: /not a forum/i, hint: "Topics have to be switched on in the settings of that group." },
  {
    test: /wrong file_?id|wrong remote file/i,
    hint: "Stickers and files have another id for every bot: use one that this bot has received.",
  },
];

/** Anything that a call threw, as what the core understands. `timedOut`: our own clock ended it. */
export function toChannelError(method: string, cause: unknown, timedOut: boolean): AppError {
  if (cause instanceof AppError) return cause;
  if (cause instanceof GrammyError) return refused(method, cause);
  if (timedOut) return new AppError("channel_unreachable", `Telegram did not answer (${method}).`);
  const inner = cause instanceof HttpError ? cause.error : cause;
  // A stranger may have put words of ours into the stream of a file: they have a code of their own.
  if (inner instanceof AppError) return inner;
  const code = errnoOf(inner) ?? (inner instanceof Error ? inner.name : "unknown");
  // Without the cause on purpose: it has the address with the token in it.
  return new AppError("channel_unreachable", `Telegram cannot be reached (${method}: ${code}).`, {
    hint: "Check the connection of this machine to api.telegram.org, and `channels.telegram.proxy` if it needs one.",
  });
}

function refused(method: string, cause: GrammyError): AppError {
  const { error_code: status, description, parameters } = cause;
  const movedTo = parameters.migrate_to_chat_id;
  const details: Refusal = {
    method,
    status,
    description,
    ...(movedTo !== undefined && { movedTo: String(movedTo) }),
  };
  if (status === 429) {
    const seconds = parameters.retry_after;
    return new AppError("channel_unreachable", `Telegram wants a pause (${method}).`, {
      details,
      retryAfterMs: seconds === undefined ? PAUSE_MS : seconds * 1000,
    });
  }
  if (status >= 500)
    return new AppError(
      "channel_unreachable",
      `Telegram has a problem of its own (${method}: ${status}).`,
      { details },
    );
  const text = description.replace(/^(?:Bad Request|Forbidden|Unauthorized): /, "");
  return new AppError("channel_rejected", `Telegram refused (${method}): ${text}.`, {
    details,
    hint: HINTS.find(({ test }) => test.test(description))?.hint,
  });
}

/** The platform's own answer, when the error came from there. */
export function refusalOf(cause: unknown): Refusal | undefined {
  const details = cause instanceof AppError ? cause.details : undefined;
  return typeof details === "object" && details !== null && "description" in details
    ? (details as Refusal)
    : undefined;
}

/** The token is not (or no longer) one that the platform knows: 401 for a revoked one, 404 for one that never was. */
export function isTokenRefused(cause: unknown): boolean {
  const refusal = refusalOf(cause);
  return (
    refusal !== undefined &&
    (refusal.status === 401 || (refusal.status === 404 && refusal.description === "Not Found"))
  );
}

const says = (pattern: RegExp) => (cause: unknown) =>
  pattern.test(refusalOf(cause)?.description ?? "");

/** Markup that the platform cannot read: send the plain text. */
export const isBadMarkup = says(
  /can't parse entities|find end of the entity|unsupported start tag/i,
);
export const isNotModified = says(/message is not modified/i);
/** What was to be edited is gone, too old, or not ours. */
export const isNotEditable = says(
  /message to edit not found|message can't be edited|MESSAGE_ID_INVALID|no text in the message to edit/i,
);
export const isVoiceForbidden = says(/VOICE_MESSAGES_FORBIDDEN/i);
/** A picture that is none, or whose sides are too long; it can still go as a file. */
export const isBadPicture = says(
  /PHOTO_INVALID_DIMENSIONS|IMAGE_PROCESS_FAILED|PHOTO_EXT_INVALID|PHOTO_SAVE_FILE_INVALID/i,
);
export const isConflict = (cause: unknown): boolean => refusalOf(cause)?.status === 409;

const FIRST_MS = 500;
const FACTOR = 1.8;
const LONGEST_MS = 30_000;
const JITTER = 0.25;

/**
 * How long to wait after a failure, in ms: what the platform says, else growing pauses with chance in them.
 * @param failures in a row, 1 or more
 */
export function waitAfter(error: AppError, failures: number, random = Math.random): number {
  const growing = Math.min(LONGEST_MS, FIRST_MS * FACTOR ** Math.min(failures - 1, 12));
  const spread = Math.round(growing * (1 - JITTER + 2 * JITTER * random()));
  return Math.max(error.retryAfterMs ?? 0, spread);
}
