/** What stands where a message has media and no words. The spelling is the original's: prompts and skills of users know it. */
import type { MediaRef } from "../message.ts";

const WORDS = { image: "image", audio: "audio", video: "video", file: "document" } as const;
const MANY = { image: "images", audio: "files", video: "files", document: "files" } as const;

/** `<media:image>`, `<media:image> (2 images)`, `<media:document> (3 files)`; the first one decides. Empty without media. */
export function mediaPlaceholder(media: readonly Pick<MediaRef, "kind" | "as">[]): string {
  const [first] = media;
  if (!first) return "";
  if (first.as === "sticker") return "<media:sticker>";
  const word = WORDS[first.kind];
  const many = media.length > 1 ? ` (${media.length} ${MANY[word]})` : "";
  return `<media:${word}>${many}`;
}
