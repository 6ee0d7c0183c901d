/** Attachments of messages: fetched into the media store, or named where they are not fetched. */
import { AppError } from "../../base/errors.ts";
import type { MediaRef } from "../../flow.ts";
import type { ChannelContext } from "../channel.ts";
import type { WireAttachment } from "./wire.ts";

/** In MB, when the config says nothing. */
export const MEDIA_MAX_MB = 8;
/** Where the platform keeps files. Anything else in a message is an address that somebody made up. */
const CDN_HOSTS: ReadonlySet<string> = new Set(["cdn.discordapp.com", "media.discordapp.net"]);
const TIMEOUT_MS = 120_000;
const TRIES = 2;
/** Of a message that is a voice recording. */
const VOICE_FLAG = 1 << 13;

export type MediaDeps = Pick<ChannelContext<unknown>, "media" | "signal" | "log"> & {
  maxBytes: number;
  /** Host of the API when it is not the platform's own. */
  apiHost?: string;
};

/** What could be fetched, and a line for each file that could not. Never throws, except when the account ends meanwhile. */
export async function fetchAttachments(
  list: readonly WireAttachment[],
  flags: number,
  deps: MediaDeps,
): Promise<{ media: MediaRef[]; notes: string[] }> {
  const results = await Promise.all(list.map((each) => fetchOne(each, flags, deps)));
  return {
    media: results.flatMap((each) => (typeof each === "string" ? [] : [each])),
    notes: results.filter((each) => typeof each === "string"),
  };
}

/** For a message whose files are not wanted. */
export const listed = (list: readonly WireAttachment[]): string[] =>
  list.map((each) => `a file was not fetched: ${nameOf(each)}`);

const nameOf = ({ filename }: WireAttachment): string =>
  (filename ?? "file").replace(/[\p{C}\s]+/gu, " ").slice(0, 100) || "file";
const inMb = (bytes: number): string => `${Math.max(0.1, Math.round(bytes / 100_000) / 10)} MB`;

async function fetchOne(
  attachment: WireAttachment,
  flags: number,
  { media, signal, log, maxBytes, apiHost }: MediaDeps,
): Promise<MediaRef | string> {
  const name = nameOf(attachment);
  const { url = "", size = 0, content_type: mime } = attachment;
  const real = size > maxBytes ? inMb(size) : `more than ${inMb(maxBytes)}`;
  const tooLarge = `a file was too large: ${name}, ${real}; at most ${inMb(maxBytes)}`;
  if (size > maxBytes) return tooLarge;
  if (!isOurs(url, apiHost)) return `a file was not fetched: ${name}`;
  for (let n = 1; ; n++) {
    try {
      const response = await fetch(url, {
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      if (!response.ok || !response.body) {
        await response.body?.cancel();
        if (response.status < 500 || n >= TRIES) return `a file is not there any more: ${name}`;
        continue;
      }
      return await media.save(response.body, {
        name,
        maxBytes,
        ...(mime && { mime }),
        ...(flags & VOICE_FLAG && { as: "voice" as const }),
      });
    } catch (cause) {
      if (signal.aborted) throw cause;
      if (cause instanceof AppError && cause.code === "media_too_large") return tooLarge;
      // A full disk is not the file's fault: the message waits until there is room.
      if (cause instanceof AppError) throw cause;
      if (n < TRIES) continue;
      log.warn("a file could not be fetched", {
        error: cause instanceof Error ? cause.message : String(cause),
      });
      return `a file could not be fetched: ${name}`;
    }
  }
}

function isOurs(text: string, apiHost: string | undefined): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username || url.password) return false;
  if (apiHost !== undefined && url.host === apiHost) return /^https?:$/.test(url.protocol);
  return url.protocol === "https:" && url.port === "" && CDN_HOSTS.has(url.hostname);
}
