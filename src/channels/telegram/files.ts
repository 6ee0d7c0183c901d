/** The files of a message: fetched from the platform into the media store, or told about when they cannot be. */
import type { Message } from "grammy/types";

import { AppError, toAppError } from "../../base/errors.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { MediaRef } from "../../flow.ts";
import { kindOf } from "../../media/sniff.ts";
import type { ChannelContext } from "../channel.ts";
import type { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";

/** What the platform lets a bot fetch, in MB; a server of one's own has no such limit. */
const FETCH_MB = 20;
const MB = 1_000_000;
const TRIES = 3;
const PAUSE_MS = 500;

type Part = { fileId: string; size?: number; mime?: string; name?: string; as?: MediaRef["as"] };

/** The file of one message; moving stickers are left out, a note says that they were there. */
export function partOf(message: Message): Part | undefined {
  const { photo, video, video_note, voice, audio, animation, document, sticker } = message;
  // Sizes come smallest first, but that is nowhere promised.
  const largest = photo?.toSorted((a, b) => b.width * b.height - a.width * a.height)[0];
  if (largest) return part(largest, { mime: "image/jpeg" });
  if (voice) return part(voice, { mime: "audio/ogg", as: "voice" });
  if (audio) return part(audio, { mime: "audio/mpeg" });
  // Comes with `document` for the same file.
  if (animation) return part(animation, { mime: "video/mp4", as: "animation" });
  if (video) return part(video, { mime: "video/mp4" });
  if (video_note) return part(video_note, { mime: "video/mp4" });
  if (document) return part(document, {});
  if (sticker && !sticker.is_animated && !sticker.is_video)
    return part(sticker, { mime: "image/webp", as: "sticker" });
  return undefined;
}

/** What stands for the files of a message that are not fetched: their kinds, without the bytes. */
export function unfetched(parts: Message[]): { media: MediaRef[]; notes: string[] } {
  const media = parts.flatMap((each) => {
    const found = partOf(each);
    if (!found) return [];
    const { mime = "application/octet-stream", name, as } = found;
    return [{ kind: kindOf(mime), mime, ...(name && { name }), ...(as && { as }) }];
  });
  return { media, notes: [] };
}

const part = (
  file: { file_id: string; file_size?: number; mime_type?: string; file_name?: string },
  { mime, as }: { mime?: string; as?: MediaRef["as"] },
): Part => ({
  fileId: file.file_id,
  ...(file.file_size !== undefined && { size: file.file_size }),
  ...((file.mime_type ?? mime) && { mime: file.mime_type ?? mime }),
  ...(file.file_name && { name: file.file_name }),
  ...(as && { as }),
});

/**
 * Fetches the files of all parts, in order. What is too large or cannot be had becomes a note, so that the words are answered all
 * the same. Throws when there is no place to put a file: then the message has to be offered again.
 */
export async function fetchFiles(
  parts: Message[],
  client: Client,
  ctx: Pick<ChannelContext<TelegramConfig>, "config" | "media" | "signal" | "log">,
): Promise<{ media: MediaRef[]; notes: string[] }> {
  const media: MediaRef[] = [];
  const notes: string[] = [];
  for (const each of parts) {
    const wanted = partOf(each);
    if (!wanted) continue;
    const limitMb = fetchLimit(ctx.config.mediaMaxMb, client.isOfficial);
    try {
      media.push(await fetchPart(wanted, limitMb * MB, client, ctx));
    } catch (cause) {
      const error = toAppError(cause);
      const name = (wanted.name ?? wanted.as ?? wanted.mime ?? "a file").replace(/\s+/g, " ");
      if (error.code === "media_too_large") notes.push(tooLarge(name, wanted.size, limitMb));
      else if (error.code === "channel_rejected" || error.code === "channel_unreachable") {
        if (ctx.signal.aborted) throw error;
        ctx.log.warn("a file could not be fetched", { error: error.message });
        notes.push(`a file could not be fetched: ${name}`);
      } else throw error;
    }
  }
  return { media, notes };
}

const fetchLimit = (configuredMb: number | undefined, isOfficial: boolean): number =>
  isOfficial ? Math.min(configuredMb ?? FETCH_MB, FETCH_MB) : (configuredMb ?? FETCH_MB);

function tooLarge(name: string, size: number | undefined, limitMb: number): string {
  const had = size === undefined ? "" : ` ${Math.ceil(size / MB)} MB;`;
  return `a file was too large: ${name},${had} at most ${limitMb} MB`;
}

async function fetchPart(
  { fileId, size, ...about }: Part,
  maxBytes: number,
  client: Client,
  { media, signal }: Pick<ChannelContext<TelegramConfig>, "media" | "signal">,
): Promise<MediaRef> {
  const tooBig = () => new AppError("media_too_large", "The file is too large.");
  if ((size ?? 0) > maxBytes) throw tooBig();
  for (let tries = 1; ; tries++) {
    try {
      const file = await client.call("getFile", { file_id: fileId });
      if ((file.file_size ?? 0) > maxBytes) throw tooBig();
      const bytes = await client.download(file.file_path ?? "");
      return await media.save(guarded(bytes), { ...about, maxBytes });
    } catch (cause) {
      const error = toAppError(cause);
      if (/file is too big/i.test(error.message)) throw tooBig();
      if (error.code !== "channel_unreachable" || tries >= TRIES) throw error;
      if (!(await pause(systemClock, error.retryAfterMs ?? PAUSE_MS * tries, signal))) throw error;
    }
  }
}

/** A connection that breaks in the middle of a file is the platform's failure, not ours. */
function guarded(bytes: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = bytes.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch {
        // Without the cause: it may have the address with the token in it.
        controller.error(new AppError("channel_unreachable", "The file broke off."));
      }
    },
    cancel: () => reader.cancel(),
  });
}
