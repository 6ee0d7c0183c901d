/** Images as a model may see them: known formats, whole, at most 2,000 px a side and within the providers' size limit. */
import type { FileHandle } from "node:fs/promises";

import { AppError, errnoOf } from "../base/errors.ts";
import type { ToolResult } from "../flow.ts";
import { type Place, shorten } from "./place.ts";

const MAX_SIDE = 2000;
/** Anthropic's limit is 5 MB of base64, which is 3.75 MB of bytes. */
const MAX_SENT = 3_700_000;
const MAX_FILE = 30_000_000;
/** Decoded size: a small file can unpack to gigabytes. */
const MAX_PIXELS = 100_000_000;

/** By the first bytes; names lie. Undefined for anything else. */
export function imageMime(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 12)).toString(
    "latin1",
  );
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (/^GIF8[79]a/.test(text)) return "image/gif";
  if (/^RIFF[^]{4}WEBP/.test(text)) return "image/webp";
  return undefined;
}

/** Throws bad_request for an image that is too large or damaged: a provider would refuse the whole conversation for it. */
export async function readImage(
  file: FileHandle,
  size: number,
  mime: string,
  place: Place,
): Promise<ToolResult> {
  const name = shorten(place.given);
  if (size > MAX_FILE)
    throw new AppError("bad_request", `${name} is too large for an image (${size} bytes).`, {
      hint: "Make it smaller first, for example with exec and ImageMagick.",
    });
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, 0);
  try {
    const shown = await fitted(bytes, mime);
    return {
      text: `Image ${place.path} (${shown.mime}, ${shown.width}x${shown.height}${shown.note})`,
      images: [{ mime: shown.mime, data: Buffer.from(shown.bytes).toString("base64") }],
      details: { path: place.path, mime: shown.mime, width: shown.width, height: shown.height },
    };
  } catch (cause) {
    const code = errnoOf(cause);
    if (!code?.startsWith("ERR_IMAGE_")) throw cause;
    const message =
      code === "ERR_IMAGE_TOO_MANY_PIXELS" ? "has too many pixels" : "is damaged or not supported";
    throw new AppError("bad_request", `The image ${name} ${message}.`, { cause });
  }
}

type Shown = { bytes: Uint8Array; mime: string; width: number; height: number; note: string };

async function fitted(bytes: Buffer, mime: string): Promise<Shown> {
  const image = () => new Bun.Image(bytes, { maxPixels: MAX_PIXELS });
  const { width, height } = await image().metadata();
  // Decodes all of it without keeping it: the header alone does not show that the rest is missing.
  await image().resize(1, 1).png().bytes();
  const fits = width <= MAX_SIDE && height <= MAX_SIDE;
  if (fits && bytes.length <= MAX_SENT) return { bytes, mime, width, height, note: "" };

  const small = () =>
    image().resize(MAX_SIDE, MAX_SIDE, { fit: "inside", withoutEnlargement: true });
  let result = await small().png().bytes();
  let sent = "image/png";
  if (mime === "image/jpeg" || result.length > MAX_SENT) {
    result = await small().jpeg({ quality: 80 }).bytes();
    sent = "image/jpeg";
  }
  const now = await new Bun.Image(result).metadata();
  return {
    bytes: result,
    mime: sent,
    width: now.width,
    height: now.height,
    note: `, reduced from ${width}x${height}`,
  };
}
