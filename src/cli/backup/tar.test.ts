import { expect, test } from "bun:test";

import fc from "fast-check";

import { type Entry, headerOf, paddingOf, readTar, tarEnd } from "./tar.ts";

type File = Entry & { content: Uint8Array };
const file = (path: string, content: Uint8Array, mode = 0o600): File => ({
  path,
  type: "file",
  size: content.length,
  mode,
  mtime: 1_700_000_000,
  content,
});
const pack = (files: File[]): Uint8Array =>
  Buffer.concat([
    ...files.flatMap((each) => [headerOf(each), each.content, paddingOf(each.size)]),
    tarEnd(),
  ]);

/** The archive in pieces of any sizes, as a stream gives it. */
async function* pieces(bytes: Uint8Array, sizes: number[]) {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
async function read(bytes: Uint8Array, sizes = [4096]): Promise<File[]> {
  const found: File[] = [];
  for await (const { body, ...entry } of readTar(pieces(bytes, sizes))) {
    const all: Uint8Array[] = [];
    for await (const piece of body) all.push(Buffer.from(piece));
    found.push({ ...entry, content: new Uint8Array(Buffer.concat(all)) });
  }
  return found;
}

test("what is written is read again, whatever the names, sizes and pieces are", async () => {
  const name = fc.stringMatching(/^[A-Za-z0-9 äöü._-]{1,120}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
          content: fc.uint8Array({ maxLength: 2000 }),
          mode: fc.constantFrom(0o600, 0o755),
        }),
        { maxLength: 5 },
      ),
      fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 4 }),
      async (given, sizes) => {
        const files = given.map(({ path, content, mode }) =>
          file(path, new Uint8Array(content), mode),
        );
        expect(await read(pack(files), sizes)).toEqual(files);
      },
    ),
    { numRuns: 60 },
  );
});

test("any tar can open it", async () => {
  const long = `a/${"b".repeat(150)}/c.txt`;
  const archive = new Bun.Archive(
    pack([file(long, Buffer.from("hello")), file("x", Buffer.alloc(0))]),
  );
  const found = await archive.files();
  expect([...found.keys()].sort()).toEqual([long, "x"].sort());
  expect(await found.get(long)!.text()).toBe("hello");
});

test("sizes that the header has no room for are told beside it", async () => {
  const huge = { ...file("huge", Buffer.alloc(0)), size: 9 * 1024 ** 3 };
  const [entry] = [await readTar(pieces(headerOf(huge), [512])).next()];
  expect(entry.value).toMatchObject({ path: "huge", size: 9 * 1024 ** 3 });
});

test("a cut at any place, and a changed header, are found", async () => {
  const whole = pack([file("a", Buffer.alloc(700, 1)), file("b".repeat(200), Buffer.from("x"))]);
  for (let at = 0; at < whole.length - 1024; at += 100)
    expect(read(whole.subarray(0, at))).rejects.toThrow("is cut off");
  const changed = Buffer.from(whole);
  changed[3] = 65;
  expect(read(changed)).rejects.toThrow("not one of clawdbot");
});

test("links, devices and other kinds of entries are refused", async () => {
  for (const type of ["1", "2", "3", "4", "6", "7", "L", "g"]) {
    const head = Buffer.from(headerOf(file("evil", Buffer.alloc(0))));
    head.write(type, 156);
    head.write(" ".repeat(8), 148);
    const sum = head.reduce((total, each) => total + each, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    expect(read(Buffer.concat([head, tarEnd()]))).rejects.toThrow("that is no file");
  }
});
