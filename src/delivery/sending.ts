/** One row of the outbox on its way to its channel: files fetched, text rendered, tried a few times at once. */
import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Address, MediaRef, Outbound, Receipt } from "../flow.ts";
import type { OutboxRow } from "../store/store.ts";
import { render } from "./format/render.ts";
import { joined, mediaFailed, partKey, textParts } from "./reply.ts";
import type { Retry, Target } from "./target.ts";

/** Files for messages, as media/outgoing.ts has them. */
export interface OutgoingMedia {
  /** Copies a file of an agent's workspace, so that it is still there when it is sent. Throws when it may not be sent. */
  take(path: string, workspace: string): MediaRef;
  /** A file from the web, to be fetched when it is sent. */
  web(url: string): MediaRef;
  /** Fetched if it is on the web, and made small enough. Throws `media_too_large`, `not_found`, `forbidden` and the like. */
  ready(media: MediaRef, maxBytes: number, signal: AbortSignal): Promise<MediaRef>;
}

export type SendingDeps = {
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Throws `channel_rejected` or `channel_unreachable`. */
  send(out: Outbound): Promise<Receipt>;
  media: OutgoingMedia;
  /** Masks the secrets that the program knows. */
  redact(text: string): string;
  /** Between 0 and 1. */
  random(): number;
};

type Row = Pick<OutboxRow, "key" | "to" | "text" | "media" | "buttons" | "silent" | "edits">;

/** A row that can be sent at once: its files are on this machine, or named as failed. */
export type Ready = { row: Row; media: MediaRef[]; failed: string };

/** Fetches what is to be fetched. Before the row is marked as being sent: a crash in here means nothing. Never throws. */
export async function prepare(row: Row, target: Target, deps: SendingDeps): Promise<Ready> {
  return { row, ...(await readyMedia(row.media ?? [], target, deps)) };
}

/** Sends it, at most `retry.attempts` times. Throws the channel's error. `edits` is a real message id here. */
export async function sendReady(
  { row, media, failed }: Ready,
  target: Target,
  deps: SendingDeps,
): Promise<Receipt> {
  const text = joined(row.text, failed);
  try {
    return await sendParts(row, text, media, target, deps);
  } catch (cause) {
    const error = toAppError(cause);
    // A file that is refused must not take the words with it. Nothing has arrived: the platform said no.
    if (!media.length || !isFinal(error)) throw error;
    deps.log.warn("a file was refused, its text goes alone", {
      key: row.key,
      error: error.message,
    });
    const alone = joined(row.text, failed || mediaFailed(reasonOf(error)));
    return sendParts(row, alone, [], target, deps);
  }
}

/** Almost always one: rows are cut when they are made. Another account, or a limit that was lowered since, may need more. */
async function sendParts(
  row: Row,
  text: string,
  media: MediaRef[],
  target: Target,
  deps: SendingDeps,
): Promise<Receipt> {
  const [first = "", ...rest] = textParts(deps.redact(text), target);
  const receipt = await tries(outbound(row, first, media, target), target.retry, deps);
  const { replyToId: _, ...to } = row.to;
  for (const [i, part] of rest.entries()) {
    const next = outbound({ key: partKey(row.key, i + 1), to, text: part }, part, [], target);
    const { ids, at } = await tries(next, target.retry, deps);
    receipt.ids.push(...ids);
    receipt.at = at;
  }
  return receipt;
}

async function readyMedia(refs: MediaRef[], target: Target, deps: SendingDeps) {
  const media: MediaRef[] = [];
  let failed = "";
  for (const ref of refs) {
    try {
      media.push(await deps.media.ready(ref, target.mediaMaxBytes, deps.signal));
    } catch (cause) {
      const error = toAppError(cause);
      deps.log.warn("a file cannot be sent", { code: error.code, error: error.message });
      failed = joined(failed, mediaFailed(reasonOf(error)));
    }
  }
  return { media, failed };
}

/** For the person in the chat: what we say ourselves, and nothing that a stranger's server or the system said. */
const reasonOf = (error: AppError): string =>
  error.code === "internal" ? "It cannot be read." : error.message;

/** `text` has no secrets any more. */
function outbound(
  { key, to, buttons, silent, edits }: Row,
  text: string,
  media: MediaRef[],
  { render: kind }: Target,
): Outbound {
  return {
    to,
    text: render(kind, text, { tables: "off" }),
    plain: render("plain", text, { tables: "off" }),
    media,
    key,
    ...(buttons && { buttons }),
    ...(silent && { silent }),
    ...(edits !== undefined && { edits }),
  };
}

/** Another try of the same would end the same way. */
export const isFinal = ({ code }: AppError): boolean =>
  code === "channel_rejected" ||
  code === "media_too_large" ||
  code === "not_found" ||
  code === "bad_request";

async function tries(out: Outbound, retry: Retry, deps: SendingDeps): Promise<Receipt> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.send(out);
    } catch (cause) {
      const error = toAppError(cause);
      const again =
        error.code === "channel_unreachable" &&
        // A platform that names a time wants the outbox to wait.
        error.retryAfterMs === undefined &&
        attempt < retry.attempts;
      if (!again || !(await pause(deps.clock, delayOf(retry, attempt, deps.random()), deps.signal)))
        throw error;
    }
  }
}

const delayOf = (
  { minDelayMs, maxDelayMs, jitter }: Retry,
  attempt: number,
  random: number,
): number =>
  Math.round(
    Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1)) * (1 + jitter * (random * 2 - 1)),
  );

/** The account whose every message has to wait, if the platform said so: `details.scope` is `account`, or `details.global` is true. */
export function isForAccount({ details }: AppError): boolean {
  const { scope, global } = (details ?? {}) as { scope?: unknown; global?: unknown };
  return scope === "account" || global === true;
}

/** Chats are kept in order, each by itself. Ids never hold a line break. */
export const chatOf = ({ channel, account, chatId, threadId = "" }: Address): string =>
  [channel, account, chatId, threadId].join("\n");
export const accountOf = ({ channel, account }: Pick<Address, "channel" | "account">): string =>
  `${channel}\n${account}`;

/** For the log: `clawdbot message trace` takes the run's id, and the key where there is no run. */
export const traceOf = (row: OutboxRow) => ({
  trace: row.runId ?? row.key,
  key: row.key,
  channel: row.to.channel,
});
