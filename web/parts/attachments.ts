/** Pictures on their way into a message. */
import type { Attachment } from "../outbox.ts";
import { strings } from "../strings.ts";
import { toast } from "../toasts.ts";

/** The gateway's limit per picture, in bytes. */
const MAX_BYTES = 5_000_000;
/** Models see no more than this; a larger picture is made smaller here. In px, of the longer side. */
const MAX_SIDE = 2048;
const QUALITY = 0.85;
export const MAX_IMAGES = 8;
const KINDS = /^image\/(png|jpeg|gif|webp)$/;

export const dataUrl = (image: Attachment): string =>
  `data:${image.mimeType};base64,${image.content}`;

const base64Of = (file: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error ?? new Error("The file could not be read."));
    reader.readAsDataURL(file);
  });

/** The picture in the file, or undefined when its bytes are none. */
async function decode(file: File): Promise<ImageBitmap | undefined> {
  try {
    return await createImageBitmap(file);
  } catch (cause) {
    // The browser's word for "no picture", also for an empty file and for one that is gone.
    if (cause instanceof DOMException) return undefined;
    throw cause;
  }
}

/** The same picture as a smaller JPEG. */
function shrink(picture: ImageBitmap): Promise<Blob | null> {
  const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext("2d")!;
  // JPEG knows no transparency; without this it would be black.
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}

/** The picture as it can be sent; undefined, with words on the screen, when it cannot. */
async function prepare(file: File): Promise<Attachment | undefined> {
  const fileName = file.name || "image";
  const refuse = (words: string) => void toast(words, { kind: "error" });
  const picture = KINDS.test(file.type) && file.size ? await decode(file) : undefined;
  if (!picture) return refuse(strings.imageKind(fileName));
  const large = file.size > MAX_BYTES || Math.max(picture.width, picture.height) > MAX_SIDE;
  const data = large ? await shrink(picture) : file;
  picture.close();
  if (!data || data.size > MAX_BYTES) return refuse(strings.imageTooLarge(fileName));
  return { mimeType: data.type, fileName, content: await base64Of(data) };
}

/** Those of `files` that can be sent, at most `room`; each of the others is explained. */
export async function readImages(files: Iterable<File>, room: number): Promise<Attachment[]> {
  const images: Attachment[] = [];
  for (const file of files) {
    const image = await prepare(file);
    if (!image) continue;
    if (images.length < room) images.push(image);
    else toast(strings.tooManyImages, { kind: "error" });
  }
  return images;
}
