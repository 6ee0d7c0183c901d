/** Pictures on their way into a message. */
import type { Attachment } from "../outbox.ts";
import { strings } from "../strings.ts";
import { toast } from "../toasts.ts";

/** The gateway's limit per picture, in bytes. */
const MAX_BYTES = 5_000_000;
const MAX_IMAGES = 8;
const KINDS = /^image\/(png|jpeg|gif|webp)$/;

export const dataUrl = (image: Attachment): string =>
  `data:${image.mimeType};base64,${image.content}`;

const base64Of = (file: File): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error ?? new Error("The file could not be read."));
    reader.readAsDataURL(file);
  });

/** The pictures so far and those of `files` that can be sent; each of the others is explained. */
export async function addImages(
  files: Iterable<File>,
  before: Attachment[],
): Promise<Attachment[]> {
  const images = [...before];
  for (const file of files) {
    const name = file.name || "image";
    if (!KINDS.test(file.type)) toast(strings.imageKind(name), { kind: "error" });
    else if (file.size > MAX_BYTES) toast(strings.imageTooLarge(name), { kind: "error" });
    else if (images.length >= MAX_IMAGES) toast(strings.tooManyImages, { kind: "error" });
    else images.push({ mimeType: file.type, fileName: name, content: await base64Of(file) });
  }
  return images;
}
