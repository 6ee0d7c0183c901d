import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Line, type Lines, linesOfFile, MAX_LINE } from "./lines.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-lines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(text: string): Lines {
  const path = join(folder, "lines");
  writeFileSync(path, text);
  return linesOfFile(path, "lines", statSync(path).size);
}
const all = (lines: AsyncIterable<Line>) => Array.fromAsync(lines);

/** Lengths around the size of what is read at once, and empty lines in a row. */
const LENGTHS = [0, 1, 3, 0, 0, 262_143, 0, 262_144, 5, 262_145, 1, 700_000, 2];

test("forward and backward give the same lines, whatever their length and however the file ends", async () => {
  for (const end of ["", "\n", "\n\n"]) {
    const texts = LENGTHS.map((length, i) => String.fromCodePoint(97 + i).repeat(length));
    const source = fileOf(texts.join("\n") + end);
    const forward = await all(source.forward());
    const backward = (await all(source.backward())).reverse();
    const expected = (texts.join("\n") + end).split("\n");
    if (expected.at(-1) === "") expected.pop();
    expect(forward.map(({ text }) => text)).toEqual(expected);
    expect(backward.map(({ text }) => text)).toEqual(expected);
    expect(forward.map(({ number }) => number)).toEqual(expected.map((_, i) => i + 1));
    expect(backward.map(({ number }) => number)).toEqual(
      expected.map((_, i) => expected.length - i),
    );
  }
});

test("letters of several bytes are whole on both ways", async () => {
  const texts = Array.from({ length: 50 }, (_, i) => "äß💥".repeat(3_000 + i));
  const source = fileOf(texts.join("\n"));
  expect((await all(source.forward())).map(({ text }) => text)).toEqual(texts);
  expect((await all(source.backward())).reverse().map(({ text }) => text)).toEqual(texts);
});

test("an empty file has no lines", async () => {
  const source = fileOf("");
  expect(await all(source.forward())).toEqual([]);
  expect(await all(source.backward())).toEqual([]);
});

test("a line that is too long is passed over, and those around it are not", async () => {
  const path = join(folder, "long");
  writeFileSync(path, "first\n");
  // A power cut leaves zeros behind; the file takes no room on the disk.
  truncateSync(path, MAX_LINE + 100);
  const source = linesOfFile(path, "long", statSync(path).size);
  expect((await all(source.forward())).map(({ text }) => text)).toEqual(["first", undefined]);
  expect((await all(source.backward())).map(({ text }) => text)).toEqual([undefined, "first"]);
});

test("what is appended after a look is another content, and is not read with the first look", async () => {
  const source = fileOf("a\nb\n");
  const before = await source.fingerprint();
  writeFileSync(join(folder, "lines"), "a\nb\nc\n");
  expect((await all(source.forward())).length).toBe(2);
  const later = linesOfFile(join(folder, "lines"), "lines", 6);
  expect(await later.fingerprint()).not.toBe(before);
});
