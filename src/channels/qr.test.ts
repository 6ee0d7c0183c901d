import { expect, test } from "bun:test";
import { inflateSync } from "node:zlib";

import { encode } from "uqr";

import { qrPng, qrText } from "./qr.ts";

const TEXT = "2@Q3LkUzQ4dH3m5oN7o0aXc9TqO0kQ1yZ5p,abcdefghijklmnop,qrstuvwxyz0123456789==";

/** The modules back from the picture: the middle pixel of each. */
function modulesOf(url: string): boolean[][] {
  const png = Buffer.from(url.replace("data:image/png;base64,", ""), "base64");
  const width = png.readUInt32BE(16);
  let at = 8;
  const data: Buffer[] = [];
  while (at < png.length) {
    const size = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + size);
    expect(png.readUInt32BE(at + 8 + size)).toBe(Bun.hash.crc32(body));
    if (body.toString("latin1", 0, 4) === "IDAT") data.push(body.subarray(4));
    at += size + 12;
  }
  const pixels = inflateSync(Buffer.concat(data));
  const stride = 1 + Math.ceil(width / 8);
  return Array.from({ length: width / 6 }, (_, row) =>
    Array.from({ length: width / 6 }, (__, column) => {
      const x = column * 6 + 3;
      return (pixels[(row * 6 + 3) * stride + 1 + (x >> 3)]! & (0x80 >> (x & 7))) === 0;
    }),
  );
}

test("the picture is a PNG with the code's modules and four light ones around it", async () => {
  const { data } = encode(TEXT, { border: 4 });
  expect(modulesOf(qrPng(TEXT))).toEqual(data);
  expect(data[3]!.every((dark) => !dark)).toBe(true);
  // Another reader of PNG takes it too.
  const bytes = Buffer.from(qrPng(TEXT).split(",")[1]!, "base64");
  const { width, height, format } = await new Bun.Image(bytes).metadata();
  expect({ width, height, format }).toEqual({
    width: data.length * 6,
    height: data.length * 6,
    format: "png",
  });
});

const BLOCKS: Record<string, [boolean, boolean]> = {
  "█": [true, true],
  "▀": [true, false],
  "▄": [false, true],
  " ": [false, false],
};

test("in the terminal every half block is a module, dark on light in any theme", () => {
  const read = (text: string) =>
    Bun.stripANSI(text)
      .split("\n")
      .flatMap((line) => {
        const pairs = Array.from(line, (each) => BLOCKS[each]!);
        return [pairs.map(([top]) => top), pairs.map(([, bottom]) => bottom)];
      });
  const coloured = qrText(TEXT, { colour: true });
  expect(coloured.split("\n").every((line) => line.startsWith("\u001b[30;107m"))).toBe(true);
  const { data, size } = encode(TEXT, { border: 4 });
  expect(read(coloured).slice(0, size)).toEqual(data);
  // Without colours the ink is the light of a dark terminal, so it is the other way round.
  const bare = encode(TEXT, { border: 2 });
  const inverted = bare.data.map((row) => row.map((dark) => !dark));
  expect(read(qrText(TEXT, { colour: false })).slice(0, bare.size)).toEqual(inverted);
});
