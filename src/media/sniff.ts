/** What a file is, by its first bytes and not by what somebody calls it. */
import type { MediaRef } from "../flow.ts";

type Rule = [mime: string, test: (bytes: Buffer) => boolean];

const text = (bytes: Buffer, from: number, to: number) => bytes.toString("latin1", from, to);

const RULES: Rule[] = [
  ["image/png", (b) => b.subarray(0, 8).equals(Buffer.from("89504e470d0a1a0a", "hex"))],
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff],
  ["image/gif", (b) => /^GIF8[79]a$/.test(text(b, 0, 6))],
  ["image/webp", (b) => text(b, 0, 4) === "RIFF" && text(b, 8, 12) === "WEBP"],
  ["image/heic", (b) => text(b, 4, 8) === "ftyp" && /^(heic|heix|mif1|hevc)$/.test(text(b, 8, 12))],
  ["image/avif", (b) => text(b, 4, 8) === "ftyp" && text(b, 8, 12) === "avif"],
  ["image/bmp", (b) => text(b, 0, 2) === "BM" && b.length > 26],
  ["audio/ogg", (b) => text(b, 0, 4) === "OggS"],
  ["audio/mpeg", (b) => text(b, 0, 3) === "ID3" || (b[0] === 0xff && (b[1]! & 0xe6) === 0xe2)],
  ["audio/wav", (b) => text(b, 0, 4) === "RIFF" && text(b, 8, 12) === "WAVE"],
  ["audio/flac", (b) => text(b, 0, 4) === "fLaC"],
  ["audio/mp4", (b) => text(b, 4, 8) === "ftyp" && text(b, 8, 11) === "M4A"],
  ["video/quicktime", (b) => text(b, 4, 8) === "ftyp" && text(b, 8, 10) === "qt"],
  ["video/mp4", (b) => text(b, 4, 8) === "ftyp"],
  ["video/webm", (b) => b.subarray(0, 4).equals(Buffer.from("1a45dfa3", "hex"))],
  ["application/pdf", (b) => text(b, 0, 5) === "%PDF-"],
  ["application/gzip", (b) => b[0] === 0x1f && b[1] === 0x8b],
  ["application/zip", (b) => text(b, 0, 4) === "PK\u0003\u0004"],
];

/** The type of a file whose first bytes are known; undefined when they say nothing (text, or something rare). */
export function sniff(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  return RULES.find(([, test]) => test(bytes))?.[0];
}

/** How a chat network would show it. */
export function kindOf(mime: string): MediaRef["kind"] {
  const head = mime.split("/")[0];
  return head === "image" || head === "audio" || head === "video" ? head : "file";
}

/** Whether a file's first bytes are those of Opus sound in Ogg: the only kind that networks take for a voice note. */
export const isVoice = (head: Uint8Array): boolean => {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  return text(bytes, 0, 4) === "OggS" && bytes.subarray(0, 512).includes("OpusHead");
};
