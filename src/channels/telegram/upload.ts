/** Files on their way out: each kind has a call of its own, and pictures go together as an album. */
import { InputFile } from "grammy";
import type { InlineKeyboardMarkup, InputMediaPhoto, InputMediaVideo, Message } from "grammy/types";

import { AppError } from "../../base/errors.ts";
import type { MediaRef } from "../../flow.ts";
import { isBadPicture, isVoiceForbidden } from "./errors.ts";
import { orPlain, type Sender, type Where } from "./sending.ts";

const MB = 1_000_000;
/** The platform's limits, in MB. A larger picture goes as a file. */
const PHOTO_MB = 10;
const FILE_MB = 50;
const ALBUM = 10;

export type Caption = { text: string; plain: string };
type Kind = "photo" | "video" | "animation" | "voice" | "audio" | "sticker" | "document";

/** Neighbours that can be shown together, in order: pictures and films, 2 to 10. */
export function albums(media: MediaRef[]): MediaRef[][] {
  const rows: MediaRef[][] = [];
  for (const each of media) {
    const last = rows.at(-1);
    const fits = last && last.length < ALBUM && isPictorial(last[0]!) && isPictorial(each);
    if (fits) last.push(each);
    else rows.push([each]);
  }
  return rows;
}

const isPictorial = (media: MediaRef): boolean => {
  const kind = kindOf(media);
  return kind === "photo" || kind === "video";
};

function kindOf({ kind, mime, as, size = 0 }: MediaRef): Kind {
  if (as === "sticker" && /webp|webm|tgs/.test(mime)) return "sticker";
  if (as === "animation" || mime === "image/gif") return "animation";
  // Voice notes are Opus; the platform also takes these two.
  if (as === "voice" && /ogg|opus|mpeg|mp4|m4a/.test(mime)) return "voice";
  if (kind === "audio") return "audio";
  if (kind === "video") return "video";
  const isPicture = kind === "image" && /jpeg|png|webp|bmp/.test(mime);
  return isPicture && size <= PHOTO_MB * MB ? "photo" : "document";
}

/** Gives the ids of the new messages. */
export async function sendFile(
  media: MediaRef,
  where: Where,
  caption: Caption | undefined,
  keyboard: InlineKeyboardMarkup | undefined,
  by: Sender,
): Promise<number[]> {
  const kind = kindOf(media);
  const go = (as: Kind) => {
    const common = { ...where, ...(keyboard && { reply_markup: keyboard }) };
    const marked = caption && { caption: caption.text, parse_mode: "HTML" as const };
    const bare = caption && { caption: caption.plain };
    return orPlain(
      async () => sendKind(as, await inputFile(media, by), { ...common, ...marked }, by),
      async () => sendKind(as, await inputFile(media, by), { ...common, ...bare }, by),
      by,
    );
  };
  try {
    return [(await go(kind)).message_id];
  } catch (cause) {
    // Some people take no voice notes from anybody; a picture may be one that only the sender's machine can show.
    const instead = isVoiceForbidden(cause)
      ? "audio"
      : isBadPicture(cause)
        ? "document"
        : undefined;
    if (!instead) throw cause;
    return [(await go(instead)).message_id];
  }
}

type Extra = Where & {
  caption?: string;
  parse_mode?: "HTML";
  reply_markup?: InlineKeyboardMarkup;
};

function sendKind(kind: Kind, file: InputFile, extra: Extra, { client }: Sender): Promise<Message> {
  const upload = { upload: true } as const;
  switch (kind) {
    case "photo":
      return client.call("sendPhoto", { ...extra, photo: file }, upload);
    case "video":
      return client.call("sendVideo", { ...extra, video: file, supports_streaming: true }, upload);
    case "animation":
      return client.call("sendAnimation", { ...extra, animation: file }, upload);
    case "voice":
      return client.call("sendVoice", { ...extra, voice: file }, upload);
    case "audio":
      return client.call("sendAudio", { ...extra, audio: file }, upload);
    case "sticker": {
      const { caption: _, parse_mode: __, ...rest } = extra;
      return client.call("sendSticker", { ...rest, sticker: file }, upload);
    }
    case "document":
      return client.call("sendDocument", { ...extra, document: file }, upload);
  }
}

/** The words stand under the first one, which is how the app shows them under all. */
export async function sendAlbum(
  group: MediaRef[],
  where: Where,
  caption: Caption | undefined,
  by: Sender,
): Promise<number[]> {
  const go = async (words: object | undefined) => {
    const media = await Promise.all(
      group.map(async (each, i): Promise<InputMediaPhoto | InputMediaVideo> => ({
        type: kindOf(each) === "video" ? "video" : "photo",
        media: await inputFile(each, by),
        ...(i === 0 && words),
      })),
    );
    return by.client.call("sendMediaGroup", { ...where, media }, { upload: true });
  };
  try {
    const sent = await orPlain(
      () => go(caption && { caption: caption.text, parse_mode: "HTML" }),
      () => go(caption && { caption: caption.plain }),
      by,
    );
    return sent.map((message) => message.message_id);
  } catch (cause) {
    if (!isBadPicture(cause)) throw cause;
    // One of them is no picture: each on its own, so that the others are shown.
    const ids: number[] = [];
    for (const [i, each] of group.entries())
      ids.push(...(await sendFile(each, where, i === 0 ? caption : undefined, undefined, by)));
    return ids;
  }
}

/** A new one for every call: its bytes can be read once. Throws `channel_rejected` for a file that is too large. */
async function inputFile(media: MediaRef, { ctx }: Sender): Promise<InputFile> {
  const blob = await ctx.media.open(media);
  const limitMb = Math.min(ctx.config.mediaMaxMb ?? FILE_MB, FILE_MB);
  if (blob.size > limitMb * MB)
    throw new AppError(
      "channel_rejected",
      `${media.name ?? "The file"} is too large for Telegram: ${Math.ceil(blob.size / MB)} MB, at most ${limitMb} MB.`,
    );
  return new InputFile(blob.stream(), fileName(media));
}

/** The platform tells the kind of a file by its name too. The name stands in a header line. */
function fileName({ name, mime, kind }: MediaRef): string {
  const plain = (name ?? "").replace(/[\p{Cc}";\\/]+/gu, "_").trim();
  if (plain) return plain.slice(-120);
  const extension = mime.split("/")[1]?.replace(/^x-|\W.*$/g, "") || "bin";
  return `${kind}.${extension}`;
}
