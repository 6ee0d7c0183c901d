import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { type Bench, openBench } from "../../test/contract/tool-context.ts";
import { edit, replaceOnce } from "./edit.ts";
import { runTool } from "./tool.ts";

const change = async (
  bench: Bench,
  before: string | Uint8Array,
  oldText: string,
  newText: string,
) => {
  const path = join(bench.ctx.workspace, "f.txt");
  await Bun.write(path, before);
  const result = await runTool(edit, { path: "f.txt", oldText, newText }, bench.ctx);
  return { ...result, after: await readFile(path, "utf8") };
};

test("a passage that is there once is replaced; the diff and the first changed line are given", async () => {
  await using bench = await openBench();
  const result = await change(bench, "one\ntwo\nthree\nfour\n", "two\nthree", "2\n3\n3a");
  expect(result.after).toBe("one\n2\n3\n3a\nfour\n");
  expect(result.details).toMatchObject({
    firstChangedLine: 2,
    diff: "@@ -1,5 +1,6 @@\n one\n-two\n-three\n+2\n+3\n+3a\n four\n ",
  });
});

test("Claude's names of the parameters work", async () => {
  await using bench = await openBench();
  await Bun.write(join(bench.ctx.workspace, "f"), "a");
  const args = { file_path: "f", old_string: "a", new_string: "b" };
  expect((await runTool(edit, args, bench.ctx)).isError).toBeUndefined();
});

test("several places are an error that lists their lines", async () => {
  await using bench = await openBench();
  const result = await change(bench, "x\ny\nx\n", "x", "z");
  expect(result).toMatchObject({ isError: true, after: "x\ny\nx\n" });
  expect(result.text).toContain("occurs 2 times in f.txt (lines 1, 3)");
  expect((await change(bench, "aaa", "aa", "b")).isError).toBe(true);
});

test("no change is an error", async () => {
  await using bench = await openBench();
  expect((await change(bench, "a", "a", "a")).text).toContain("nothing would change");
  expect((await change(bench, "a\r\nb", "a\nb", "a\r\nb")).text).toContain("nothing would change");
  expect((await change(bench, "a", "", "b")).text).toContain("oldText is empty");
});

test("what is not found names the closest line and how it differs", async () => {
  await using bench = await openBench();
  const code = "function total(items) {\n    return items.length;\n}\n";
  expect(
    (await change(bench, code, "function total(items) {\n  return items.length;\n}", "x")).text,
  ).toBe(
    'oldText was not found in f.txt. Line 2 is "    return items.length;", but oldText has "  return items.length;".',
  );
  expect((await change(bench, code, "function totals(item) {", "x")).text).toContain(
    'The closest line is 1: "function total(items) {".',
  );
  expect((await change(bench, code, "zzzz", "x")).text).toContain(
    "Read the file and quote it exactly",
  );
});

test("line ends stay those of the file, its byte order mark stays first", async () => {
  await using bench = await openBench();
  const result = await change(bench, "\ufeffone\r\ntwo\r\nthree\r\n", "one\ntwo", "1\n2\n2a");
  expect(result.after).toBe("\ufeff1\r\n2\r\n2a\r\nthree\r\n");
  expect((await change(bench, "a\nb\n", "a", "x\r\ny")).after).toBe("x\ny\nb\n");
});

test("a quotation that begins or ends with a line end does not cut CRLF in two", () => {
  expect(replaceOnce("a\r\nb\r\nc", "\nb", "\nB", "f")).toBe("a\r\nB\r\nc");
  expect(replaceOnce("a\r\nb", "a\r", "A", "f")).toBe("A\r\nb");
});

test("in a file with mixed line ends only the passage changes", () => {
  const before = "a\r\nb\nc\r\nd\n";
  expect(replaceOnce(before, "c\nd", "C\nD", "f")).toBe("a\r\nb\nC\r\nD\n");
});

test.each([
  ["curly quotes", "say(“hi”, ‘x’);\n", `say("hi", 'x');`],
  ["dashes", "1–2 — 3\n", "1-2 - 3"],
  ["odd spaces", "a\u00a0b\u202fc\n", "a b c"],
  ["trailing blanks", "one  \ntwo\t\nthree", "one\ntwo\nthree"],
  ["full-width letters", "ＡＢＣ x", "ABC x"],
  ["decomposed letters", "cafe\u0301 au lait", "café au lait"],
  ["composed letters", "café au lait", "cafe\u0301 au lait"],
  ["blanks at the end of the quotation", "one\ntwo\n", "one\ntwo  "],
])("%s do not keep a passage from being found", (_, before, oldText) => {
  expect(replaceOnce(`<<${before}>>`, oldText, "NEW", "f")).toMatch(/^<<NEW\s*>>$/);
});

test("what is outside a loosely matched passage stays byte for byte", () => {
  const before = "“keep”  \n“change” me \n“keep”\t\n";
  expect(replaceOnce(before, '"change" me', "x", "f")).toBe("“keep”  \nx \n“keep”\t\n");
});

test("a match inside what one character stands for is none", () => {
  expect(() => replaceOnce("oﬃce", "fi", "x", "f")).toThrow("not found");
  expect(replaceOnce("oﬃce", "office", "x", "f")).toBe("x");
});

test("an exact match wins over look-alikes; two look-alikes are ambiguous", () => {
  expect(replaceOnce('"a" “a”', '"a"', "x", "f")).toBe("x “a”");
  expect(() => replaceOnce("“a” ”a“", '"a"', "x", "f")).toThrow("occurs 2 times");
});

test("files that are not UTF-8, or too large, are left alone", async () => {
  await using bench = await openBench();
  const latin = await change(bench, new Uint8Array([97, 233, 98]), "a", "b");
  expect(latin.text).toContain("is not UTF-8 text");
  const large = await change(bench, "x".repeat(5_000_001), "x", "y");
  expect(large.text).toContain("too large to edit");
});

test("texts made to be slow are not", () => {
  const blanks = " ".repeat(300_000);
  const marks = "\u0301".repeat(300_000);
  expect(() => replaceOnce(`a${blanks}b${marks}c`, "zz “", "x", "f")).toThrow("not found");
});

test("two edits of one file at once: both are in, or one says that the file changed", async () => {
  await using bench = await openBench();
  const path = join(bench.ctx.workspace, "f.txt");
  for (let round = 0; round < 30; round++) {
    await Bun.write(path, "a\nb\n");
    const results = await Promise.all(
      ["a", "b"].map((old) =>
        runTool(edit, { path, oldText: old, newText: old.toUpperCase() }, bench.ctx),
      ),
    );
    const after = await readFile(path, "utf8");
    results.forEach((result, i) => {
      if (!result.isError) expect(after).toContain("AB"[i]!);
      else expect(result.text).toContain("changed by somebody else");
    });
    expect(results.some((result) => !result.isError)).toBe(true);
  }
});
