/** Files for tests of media: a folder that goes away, and pictures made of nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

export function folder() {
  const path = mkdtempSync(join(tmpdir(), "clawdbot-media-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A PNG whose header says so many pixels; noise makes it large. `alpha`: it can be seen through. */
export function png(
  width: number,
  height: number,
  how: { noise?: boolean; alpha?: boolean; empty?: boolean } = {},
): Buffer {
  const row = width * (how.alpha ? 4 : 3) + 1;
  const pixels = Buffer.alloc(how.empty ? 10 : row * height, 100);
  if (how.noise)
    for (let i = 0, x = 1; i < pixels.length; i++)
      pixels[i] = (x = (x * 48_271) % 2_147_483_647) & 255;
  if (!how.empty) for (let y = 0; y < height; y++) pixels[y * row] = 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = how.alpha ? 6 : 2;
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    part("IHDR", header),
    part("IDAT", deflateSync(pixels, { level: 1 })),
    part("IEND", Buffer.alloc(0)),
  ]);
}

function part(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(Bun.hash.crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** The beginning of a voice note as phones make it. */
export const ogg = Buffer.concat([
  Buffer.from("OggS"),
  Buffer.alloc(24),
  Buffer.from("OpusHead"),
  Buffer.alloc(100),
]);
