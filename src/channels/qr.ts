/** A text as a QR code: for the terminal, and as a picture for pages. Used by sign-ins. */
import { deflateSync } from "node:zlib";

import { encode } from "uqr";

/** Light modules around the code; the standard asks for four. */
const MARGIN = 4;
/** Pixels of one module in the picture. */
const SCALE = 6;

const BLACK_ON_WHITE = "\u001b[30;107m";
const PLAIN = "\u001b[0m";

/**
 * Two rows of modules per line, in half blocks. With `colour` it is dark on light whatever the terminal's colours are; without, the
 * terminal is taken for a dark one, as nearly all are.
 */
export function qrText(text: string, { colour }: { colour: boolean }): string {
  const { data, size } = encode(text, { border: colour ? MARGIN : 2 });
  // Ink is what a block character draws: the dark modules when the colours are ours, else the light ones.
  const ink = (row: number, column: number): boolean =>
    row < size ? data[row]![column]! === colour : !colour;
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column++) {
      const [top, bottom] = [ink(row, column), ink(row + 1, column)];
      line += top ? (bottom ? "█" : "▀") : bottom ? "▄" : " ";
    }
    lines.push(colour ? `${BLACK_ON_WHITE}${line}${PLAIN}` : line);
  }
  return lines.join("\n");
}

/** The same as a PNG, as a `data:` address that a page can show. */
export function qrPng(text: string): string {
  const { data, size } = encode(text, { border: MARGIN });
  const width = size * SCALE;
  const rows: Uint8Array[] = [];
  for (const modules of data) {
    // Every row begins with its filter (none); one bit per pixel, 1 is white.
    const row = new Uint8Array(1 + Math.ceil(width / 8));
    for (let x = 0; x < width; x++)
      if (!modules[Math.floor(x / SCALE)]!) row[1 + (x >> 3)]! |= 0x80 >> (x & 7);
    for (let i = 0; i < SCALE; i++) rows.push(row);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(width, 4);
  // One bit of grey; the three methods after it are the only ones that PNG has.
  head.writeUInt8(1, 8);
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  return `data:image/png;base64,${png.toString("base64")}`;
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(Bun.hash.crc32(body), body.length + 4);
  return frame;
}
