import { beforeAll, expect, test } from "bun:test";

import fc from "fast-check";

import { EMPTY, loadReader, parseMarkdown, reader, safeHref } from "./markdown.ts";

beforeAll(loadReader);
const raws = (text: string) =>
  parseMarkdown(text)
    .blocks.map((block) => block.raw)
    .join("");
const kinds = (text: string) =>
  parseMarkdown(text).blocks.map((block) => block.token?.type ?? "plain");

const fragment = fc.constantFrom(
  "word ",
  "**bold** ",
  "\n",
  "\n\n",
  "- item\n",
  "1. first\n",
  "# head\n",
  "```js\n",
  "```\n",
  "> quote\n",
  "| a | b |\n| - | - |\n",
  "<b>",
  "  ",
  "[x](http://y) ",
  "---\n",
  "`code` ",
  "\r\n",
  "é漢👍",
);
const text = fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join(""));

test("nothing that was said is lost: the blocks join back to the text", () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ maxLength: 300 })), (source) => {
      expect(raws(source)).toBe(source.replace(/\r\n?/g, "\n"));
    }),
  );
});

test("a text that grows piece by piece loses nothing either", () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(12), { maxLength: 40 }), (source, steps) => {
      let parsed = EMPTY;
      let at = 0;
      for (const step of [...steps, source.length]) {
        at = Math.min(source.length, at + step);
        parsed = parseMarkdown(source.slice(0, at), parsed);
        expect(parsed.blocks.map((b) => b.raw).join("")).toBe(parsed.source);
      }
    }),
  );
});

test("an answer that streams in is read as it is read whole", () => {
  const answer =
    "# Title\n\nSome **bold** text\nover two lines.\n\n- one\n- two\n\n  more of two\n\n```sh\nls\n\n# not a heading\n```\n\n| a | b |\n| - | -: |\n| 1 | 2 |\n\n> quote\n> goes on\n\nEnd.";
  let parsed = EMPTY;
  for (let i = 1; i <= answer.length; i++) parsed = parseMarkdown(answer.slice(0, i), parsed);
  const shape = (blocks: typeof parsed.blocks) => blocks.map((b) => [b.token?.type, b.raw]);
  expect(shape(parsed.blocks)).toEqual(shape(parseMarkdown(answer).blocks));
});

test("finished blocks keep their identity while the text grows", () => {
  const first = parseMarkdown("one\n\ntwo\n\nthree\n\nfour");
  const second = parseMarkdown(`${first.source} and more\n\nfive`, first);
  expect(second.blocks[0]).toBe(first.blocks[0]!);
  expect(second.blocks[2]).toBe(first.blocks[2]!);
  expect(second.blocks.at(-1)!.raw).toBe("five");
});

test("a text that was replaced is read anew", () => {
  const first = parseMarkdown("one\n\ntwo\n\nthree");
  expect(parseMarkdown("other", first).blocks.map((b) => b.raw)).toEqual(["other"]);
});

test("what would take the reader for ever is shown as it is", () => {
  for (const hostile of [">".repeat(100_000), "- ".repeat(100_000)])
    expect(kinds(hostile)).toEqual(["plain"]);
  expect(kinds("x".repeat(1_000_000))).toEqual(["plain"]);
  const long = parseMarkdown("_a_".repeat(20_000)).blocks[0]!.token!;
  expect(long).toMatchObject({ type: "paragraph", tokens: [{ type: "text" }] });
  expect(parseMarkdown("_a_").blocks[0]!.token).toMatchObject({ tokens: [{ type: "em" }] });
});

test("a long text is cut where something new begins, never inside a fence", () => {
  const code = `\`\`\`\n${"line\n\n".repeat(30_000)}\`\`\`\n\n`;
  const long = `${"A paragraph.\n\n".repeat(8_000)}${code}The end.`;
  const parsed = parseMarkdown(long);
  expect(parsed.blocks.filter((b) => b.token?.type === "code").length).toBe(1);
  expect(parsed.blocks.at(-1)!.raw).toBe("The end.");
});

test("before the reader is there, the text is shown as it is written", () => {
  const loaded = reader.value;
  reader.value = undefined;
  expect(kinds("**bold**")).toEqual(["plain"]);
  reader.value = loaded;
});

test("only http, https and mailto addresses are followed", () => {
  expect(safeHref("https://example.com/a?b#c")).toBe("https://example.com/a?b#c");
  expect(safeHref(" http://example.com")).toBe("http://example.com/");
  expect(safeHref("mailto:kim@example.com")).toBe("mailto:kim@example.com");
  for (const bad of [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://example.com/1",
    "//example.com",
    "/relative",
    "#fragment",
    "",
  ])
    expect(safeHref(bad), bad).toBeUndefined();
});
