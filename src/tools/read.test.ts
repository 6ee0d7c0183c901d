import { expect, test } from "bun:test";
import { mkdir, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";

import { type Bench, openBench } from "../../test/contract/tool-context.ts";
import { read } from "./read.ts";
import { runTool } from "./tool.ts";

const put = (bench: Bench, name: string, data: string | Uint8Array) =>
  Bun.write(join(bench.ctx.workspace, name), data);
const get = (bench: Bench, path: string, more: object = {}) =>
  runTool(read, { path, ...more }, bench.ctx);
const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join("");

test("a text file is given as it is, without byte order mark and with plain line ends", async () => {
  await using bench = await openBench();
  await put(bench, "a.txt", "\ufeffone\r\ntwo\r\n");
  const result = await get(bench, "a.txt");
  expect(result.text).toBe("one\ntwo\n");
  expect(result.isError).toBeUndefined();
});

test("a long file stops after 2,000 lines and says how to go on", async () => {
  await using bench = await openBench();
  await put(bench, "long.txt", numbered(2500));
  const first = await get(bench, "long.txt");
  expect(first.text).toEndWith("line 2000\n\n[Lines 1-2000 of 2500. Go on with offset=2001.]");
  const rest = await get(bench, "long.txt", { offset: 2001 });
  expect(rest.text).toBe(numbered(2500).split("\n").slice(2000).join("\n"));
});

test("offset and limit choose lines, also as text and under other names", async () => {
  await using bench = await openBench();
  await put(bench, "f", numbered(10));
  expect((await get(bench, "f", { offset: 3, limit: 2 })).text).toBe(
    "line 3\nline 4\n\n[Lines 3-4 of 10. Go on with offset=5.]",
  );
  const lax = await runTool(read, { file_path: "f", offset: "9", limit: null }, bench.ctx);
  expect(lax.text).toBe("line 9\nline 10\n");
});

test("a file without a last line end, and an empty one", async () => {
  await using bench = await openBench();
  await put(bench, "f", "a\nb");
  expect((await get(bench, "f")).text).toBe("a\nb");
  await put(bench, "empty", "");
  expect((await get(bench, "empty")).text).toBe("(empty file)");
});

test("50 KB are the limit, cut at whole lines", async () => {
  await using bench = await openBench();
  const line = `${"x".repeat(999)}\n`;
  await put(bench, "wide.txt", line.repeat(100));
  const result = await get(bench, "wide.txt");
  expect(result.text).toBe(`${line.repeat(51)}\n[Lines 1-51 of 100. Go on with offset=52.]`);
});

test("a line over 50 KB is not shown; the hint says how to see it", async () => {
  await using bench = await openBench();
  await put(bench, "min.js", `short\n${"x".repeat(200_000)}\nend\n`);
  expect((await get(bench, "min.js")).text).toContain("[Lines 1-1 of 3. Go on with offset=2.]");
  expect((await get(bench, "min.js", { offset: 2 })).text).toMatch(
    /^\[Line 2 alone has 200001 bytes.*sed -n '2p'/,
  );
  expect((await get(bench, "min.js", { offset: 3 })).text).toBe("end\n");
});

test("a line that is not there is an error that says how many there are", async () => {
  await using bench = await openBench();
  await put(bench, "f", numbered(3));
  const result = await get(bench, "f", { offset: 4 });
  expect(result).toMatchObject({
    isError: true,
    text: "There is no line 4: the file has 3 lines.",
  });
});

test("a huge file costs no more than its beginning", async () => {
  await using bench = await openBench();
  const path = join(bench.ctx.workspace, "huge");
  await Bun.write(path, numbered(5000));
  await truncate(path, 50_000_000_000);
  const result = await get(bench, "huge");
  expect(result.text).toContain("line 2000\n\n[Lines 1-2000. Go on with offset=2001.]");
});

test("binary files are refused with a hint, wherever their name says they are text", async () => {
  await using bench = await openBench();
  await put(bench, "a.txt", new Uint8Array([80, 75, 3, 4, 0, 0, 1]));
  const result = await get(bench, "a.txt");
  expect(result.isError).toBe(true);
  expect(result.text).toContain("a.txt is a binary file (7 bytes). Use exec");
});

test("a directory shows what it holds", async () => {
  await using bench = await openBench();
  await mkdir(join(bench.ctx.workspace, "docs/sub"), { recursive: true });
  await put(bench, "docs/a.md", "x");
  expect((await get(bench, "docs/")).text).toEndWith("is a directory. It holds:\na.md\nsub/");
});

test("names with look-alike spaces and quotes are found", async () => {
  await using bench = await openBench();
  await put(bench, "Screenshot at 1.00.00\u202fPM.txt", "shot");
  await put(bench, "it\u2019s.txt", "quote");
  expect((await get(bench, "Screenshot at 1.00.00 PM.txt")).text).toBe("shot");
  expect((await get(bench, "it's.txt")).text).toBe("quote");
});

test("a missing file names its neighbours", async () => {
  await using bench = await openBench();
  await put(bench, "README.md", "x");
  const result = await get(bench, "readme.md");
  expect(result.text).toContain("There is no file readme.md. Did you mean");
  expect(result.text).toContain("README.md");
  expect((await get(bench, "README.md/x")).text).toContain("is a file, not a directory");
});

test("~ and file:// lead where they say", async () => {
  await using bench = await openBench();
  await Bun.write(join(bench.home, "note.txt"), "at home");
  expect((await get(bench, "~/note.txt")).text).toBe("at home");
  expect((await get(bench, `file://${bench.home}/note.txt`)).text).toBe("at home");
});

const png = async (width: number, height: number) => {
  const dot = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  return new Bun.Image(dot).resize(width, height).png().bytes();
};

test("images are recognised by their bytes and given as images", async () => {
  await using bench = await openBench();
  const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
  const small = new Bun.Image(await png(20, 10));
  const kinds = {
    "image/png": await png(20, 10),
    "image/jpeg": await small.jpeg().bytes(),
    "image/webp": await small.webp().bytes(),
    "image/gif": gif,
  };
  for (const [mime, bytes] of Object.entries(kinds)) {
    await put(bench, "picture.txt", bytes);
    const { images } = await get(bench, "picture.txt");
    expect(images).toEqual([{ mime, data: Buffer.from(bytes).toString("base64") }]);
  }
});

test("a large image is reduced to 2,000 px", async () => {
  await using bench = await openBench();
  await put(bench, "wide.png", await png(4000, 100));
  const result = await get(bench, "wide.png");
  const sent = Buffer.from(result.images![0]!.data, "base64");
  expect(await new Bun.Image(sent).metadata()).toMatchObject({ width: 2000, height: 50 });
  expect(result.text).toContain("2000x50, reduced from 4000x100");
});

test("a damaged image and one that unpacks to too much are refused: they would spoil the conversation", async () => {
  await using bench = await openBench();
  const whole = await png(300, 300);
  await put(bench, "cut.png", whole.subarray(0, whole.length - 20));
  expect((await get(bench, "cut.png")).text).toContain("is damaged or not supported");
  const bomb = Buffer.from(whole);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  await put(bench, "bomb.png", bomb);
  const result = await get(bench, "bomb.png");
  expect(result.isError).toBe(true);
  expect(result.images).toBeUndefined();
});

test("a link to a file in the workspace is followed", async () => {
  await using bench = await openBench();
  await put(bench, "real.txt", "x");
  await symlink("real.txt", join(bench.ctx.workspace, "link.txt"));
  expect((await get(bench, "link.txt")).text).toBe("x");
});
