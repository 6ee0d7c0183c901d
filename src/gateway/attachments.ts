/** What a client attaches to a message: images only, in base64, known by their bytes and not by what the client calls them. */
import { z } from "zod";

import { AppError } from "../base/errors.ts";
import type { MediaRef } from "../flow.ts";

/** Largest attachment, in bytes after decoding. */
export const ATTACHMENT_BYTES = 5_000_000;
const MAX_ATTACHMENTS = 20;

export const Attachment = z.object({
  type: z.string().optional().describe("`image`; the bytes decide."),
  mimeType: z.string().optional(),
  fileName: z.string().max(1_024).optional(),
  content: z.unknown().describe("Base64, or a data: URL."),
});
export const Attachments = z.array(Attachment).max(MAX_ATTACHMENTS);

const SIGNATURES: [mime: string, test: (b: Buffer) => boolean][] = [
  ["image/png", (b) => b.subarray(0, 8).equals(Buffer.from("89504e470d0a1a0a", "hex"))],
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff],
  ["image/gif", (b) => /^GIF8[79]a$/.test(b.toString("latin1", 0, 6))],
  [
    "image/webp",
    (b) => b.toString("latin1", 0, 4) === "RIFF" && b.toString("latin1", 8, 12) === "WEBP",
  ],
];

/** The kind of an image by its first bytes; undefined when it is none that models take. */
export const sniffImage = (bytes: Buffer): string | undefined =>
  SIGNATURES.find(([, test]) => test(bytes))?.[0];

/**
 * Images as the agent takes them. Throws bad_request with the original's texts for content that is not base64 or is too large,
 * and names what is empty, no image, or an image whose head cannot be read.
 */
export async function readAttachments(list: z.infer<typeof Attachments>): Promise<MediaRef[]> {
  const media: MediaRef[] = [];
  for (const [i, item] of list.entries()) {
    const label = (item.fileName ?? item.type ?? `#${i + 1}`).slice(0, 100);
    const bytes = decode(item.content, label);
    const mime = sniffImage(bytes);
    if (!mime)
      throw new AppError(
        "bad_request",
        `${label} is not a picture that the model can see: PNG, JPEG, GIF and WebP are.`,
      );
    await checkHead(bytes, label);
    media.push({
      kind: "image",
      mime,
      data: bytes.toString("base64"),
      ...(item.fileName ? { name: item.fileName } : {}),
    });
  }
  return media;
}

/** Only the head is read: cheap, and enough to find a file that was cut or is something else under a picture's first bytes. */
async function checkHead(bytes: Buffer, label: string): Promise<void> {
  try {
    await new Bun.Image(bytes).metadata();
  } catch (cause) {
    throw new AppError("bad_request", `${label} is broken: it cannot be read as a picture.`, {
      cause,
    });
  }
}

function decode(content: unknown, label: string): Buffer {
  const fault = (what: string) => new AppError("bad_request", `attachment ${label}: ${what}`);
  if (typeof content !== "string") throw fault("content must be base64 string");
  const base64 = content.trim().replace(/^data:[^,]{0,200};base64,/, "");
  if (!base64) throw new AppError("bad_request", `${label} is empty.`);
  if (base64.length * 0.75 > ATTACHMENT_BYTES + 8)
    throw fault(
      `exceeds size limit (${Math.round(base64.length * 0.75)} > ${ATTACHMENT_BYTES} bytes)`,
    );
  if (base64.length % 4 === 1 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(base64))
    throw fault("invalid base64 content");
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length > ATTACHMENT_BYTES)
    throw fault(`exceeds size limit (${bytes.length} > ${ATTACHMENT_BYTES} bytes)`);
  return bytes;
}
