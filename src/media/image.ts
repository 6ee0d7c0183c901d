/** Pictures made to fit: for a model's eyes, and for what a chat network takes. One at a time: a large one takes 200 MB while it is open. */
import { AppError, errnoOf } from "../base/errors.ts";
import { sniff } from "./sniff.ts";
import { tooLarge } from "./store.ts";

export type Picture = { mime: string; data: Uint8Array };

/** Pixels of a picture that is opened at all. A file of a few kB can claim to have billions. */
const MOST_PIXELS = 50_000_000;
/** Vendors take 5 MB of base64, and look at no more than this many pixels of a side. */
const MODEL_BYTES = 3_700_000;
const MODEL_SIDE = 2_000;
const SIDES = [2_048, 1_536, 1_280, 1_024, 800];
const QUALITIES = [80, 70, 60, 50, 40];

export class Pictures {
  private turn: Promise<unknown> = Promise.resolve();

  /** JPEG or PNG of at most 2,000 pixels a side; else a line that says why there is none. Never throws. */
  forModel(bytes: Uint8Array): Promise<Picture | { note: string }> {
    return this.inTurn(async () => {
      try {
        const { width, height } = await looked(bytes);
        const mime = sniff(bytes) ?? "";
        const fits = Math.max(width, height) <= MODEL_SIDE && bytes.length <= MODEL_BYTES;
        if (fits && /^image\/(?:jpeg|png)$/.test(mime)) return { mime, data: bytes };
        return await shrunk(bytes, MODEL_BYTES, [MODEL_SIDE, ...SIDES.slice(1)]);
      } catch (cause) {
        return { note: `a picture could not be looked at: ${reasonOf(cause)}` };
      }
    });
  }

  /**
   * A picture of at most `maxBytes`, never larger than it was; the same one when it fits. Moving pictures are left alone.
   * Throws `media_too_large`, and `bad_request` for what is no picture.
   */
  fit(picture: Picture, maxBytes: number): Promise<Picture> {
    const known = /^image\/(?:jpeg|png|gif|webp)$/.test(picture.mime);
    if (known && picture.data.length <= maxBytes) return Promise.resolve(picture);
    if (picture.mime === "image/gif")
      return Promise.reject(tooLarge(maxBytes, picture.data.length));
    return this.inTurn(async () => {
      try {
        await looked(picture.data);
        return await shrunk(picture.data, maxBytes, SIDES);
      } catch (cause) {
        if (cause instanceof AppError) throw cause;
        throw new AppError("bad_request", `The picture cannot be sent: ${reasonOf(cause)}.`, {
          cause,
        });
      }
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.turn.then(work, work);
    this.turn = next.then(
      () => undefined,
      () => undefined,
    );
    return next;
  }
}

/** Only its header is read. */
async function looked(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  const { width, height } = await new Bun.Image(bytes).metadata();
  if (width * height > MOST_PIXELS)
    throw new AppError(
      "media_too_large",
      `The picture has ${width} × ${height} pixels, and at most ${MOST_PIXELS / 1e6} million are opened.`,
    );
  return { width, height };
}

async function shrunk(bytes: Uint8Array, maxBytes: number, sides: number[]): Promise<Picture> {
  const scaled = (side: number) =>
    new Bun.Image(bytes, { maxPixels: MOST_PIXELS }).resize(side, side, {
      fit: "inside",
      withoutEnlargement: true,
    });
  // What shows through must not become black.
  if (hasAlpha(bytes))
    for (const side of sides) {
      const data = await scaled(side).png({ compressionLevel: 9 }).bytes();
      if (data.length <= maxBytes) return { mime: "image/png", data };
    }
  for (const side of sides)
    for (const quality of QUALITIES) {
      const data = await scaled(side).jpeg({ quality }).bytes();
      if (data.length <= maxBytes) return { mime: "image/jpeg", data };
    }
  throw tooLarge(maxBytes, bytes.length);
}

/** By the colour type in a PNG's header. */
const hasAlpha = (bytes: Uint8Array): boolean =>
  sniff(bytes) === "image/png" && (bytes[25] === 4 || bytes[25] === 6);

function reasonOf(cause: unknown): string {
  if (cause instanceof AppError) return cause.message.replace(/\.$/, "");
  const code = errnoOf(cause);
  if (code === "ERR_IMAGE_FORMAT_UNSUPPORTED")
    return "this machine cannot read its format (HEIC, AVIF or TIFF)";
  return "it is damaged, or no picture";
}
