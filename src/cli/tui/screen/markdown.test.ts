import { expect, test } from "bun:test";

import { type Block, BlockReader, blocksOf } from "./blocks.ts";
import { blockLines, type Item, linesOf } from "./items.ts";
import { markdownLines } from "./markdown.ts";
import { cleanText, themeOf, widthOf } from "./text.ts";

const plain = themeOf(false);
const look = (width: number) => ({ width, theme: plain, unfolded: false });
const show = (text: string, width = 40) => markdownLines(text, width, plain);

test("what follows a bullet, a number or a quote stands under its first word", () => {
  expect(show("- a rather long point that needs two lines", 20)).toEqual([
    "• a rather long",
    "  point that needs",
    "  two lines",
  ]);
  expect(show("9. nine\n10. ten ten ten ten", 12)).toEqual([
    "9. nine",
    "10. ten ten",
    "    ten ten",
  ]);
  expect(show("> a quote over lines", 12)).toEqual(["│ a quote", "│ over lines"]);
  expect(show("- one\n  - two\n    - three")).toEqual(["• one", "  • two", "    • three"]);
  expect(show("- [x] done\n- [ ] open")).toEqual(["☑ done", "☐ open"]);
});

test("without colours the marks say what a word is; with colours styles do", () => {
  const text = "**b** *i* `c` ~~s~~";
  expect(show(text)).toEqual([text]);
  const [line] = markdownLines(text, 40, themeOf(true));
  expect(line).toContain("\u001b[1mb\u001b[22m");
  expect(Bun.stripANSI(line!)).toBe("b i c s");
});

test("a table keeps its columns while there is room, and is a list below that", () => {
  const table = "| Name | N |\n|---|--:|\n| first | 1 |\n| second one | 22 |";
  expect(show(table)).toEqual([
    "Name       │  N",
    "───────────┼───",
    "first      │  1",
    "second one │ 22",
  ]);
  expect(show(table, 11)).toContain("Name: first");
  for (const width of [5, 12, 20, 80])
    for (const line of show(table, width))
      expect(widthOf(line)).toBeLessThanOrEqual(Math.max(width, 8));
});

/** Everything that could be an order to the terminal. */
const HOSTILE = [
  "\u001b[2J\u001b[H",
  "\u001b]0;title\u0007",
  "\u001b]52;c;ZXZpbA==\u001b\\",
  "\u001b[?1049h",
  "\u009b31m",
  "\r\b\b\u0007\u000b\u000c\u007f",
  "&#27;[2J&#x1b;]0;x&#7;",
  "&#155;2J",
  "\u001b[31m",
  "&#27;[31m&#27;[8m",
  "\u202e\u2066\u200f",
  "\u001b",
  "\ud800",
];

test("nothing that a model writes steers the terminal, wherever it stands", () => {
  const places = [
    "x",
    "`x`",
    "**x**",
    "```\nx\n```",
    "[x](x)",
    "![x](x)",
    "# x",
    "> x",
    "- x",
  ].concat(
    "| x |\n|---|\n| x |",
    "<b x>x</b>",
    "<!-- x -->",
    "    x",
    "[a]: x\n\n[a]",
    "<http://x>",
  );
  for (const evil of HOSTILE)
    for (const place of places)
      for (const block of blocksOf(place.replaceAll("x", evil)))
        for (const line of blockLines(block, look(40))) {
          // oxlint-disable-next-line no-control-regex
          expect([place, line]).toEqual([
            place,
            line.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ""),
          ]);
          expect(line.isWellFormed()).toBe(true);
        }
});

test("nor does a tool, a name, or what was typed elsewhere", () => {
  for (const evil of HOSTILE) {
    const items: Item[] = [
      { kind: "user", text: `a${evil}b`, images: 1 },
      { kind: "tool", id: "1", name: evil, args: { command: evil }, output: evil, failed: true },
      { kind: "note", level: "error", text: evil, hint: evil },
      { kind: "thinking", text: evil },
      { kind: "rule", text: evil },
    ];
    for (const item of items)
      for (const line of linesOf(item, { ...look(40), unfolded: true }))
        // oxlint-disable-next-line no-control-regex
        expect(/[\u0000-\u001f\u007f-\u009f]/.test(line)).toBe(false);
  }
  expect(cleanText("a\r\nb\rc\u2028d\te")).toBe("a\nb\nc\nd    e");
});

const SOURCES = [
  "# T\n\none\ntwo\n\n- a\n- b\n\n  more b\n- c\n\n```js\nx = 1\n\n\ny\n```\nafter\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n1. x\n2. y\n\nend",
  "~~~\nnever closed\n",
  "- item\n\n      code in item\n\n- ```\n  fence in item\n\n  more\n  ```\n- z",
  "text\n```\n```\n\n\n\ntext",
  Array.from({ length: 300 }, (_, i) => `line ${i}`).join("\n"),
  `\`\`\`\n${"code\n".repeat(300)}\`\`\`\ntail`,
  "word ".repeat(20_000),
];

test("blocks are the same however the text was cut, and nothing is lost or doubled", () => {
  for (const source of SOURCES) {
    const whole = blocksOf(source);
    for (const step of [1, 7, 100, 5000]) {
      if (source.length / step > 20_000) continue;
      const reader = new BlockReader();
      const blocks: Block[] = [];
      for (let at = 0; at < source.length; at += step) {
        reader.push(source.slice(at, at + step));
        blocks.push(...reader.take());
        reader.open();
      }
      reader.end();
      blocks.push(...reader.take());
      expect(blocks).toEqual(whole);
    }
    const words = (text: string) => text.replace(/^(?:```|~~~).*$/gm, "").match(/\w+/g) ?? [];
    expect(whole.flatMap(({ text }) => words(text))).toEqual(words(source));
  }
});

test("what belongs together is one block", () => {
  const texts = blocksOf("- a\n- b\n\n  more b\n\npara\nline\n\n> q\n> r").map(({ text }) => text);
  expect(texts).toEqual(["- a", "- b\n\n  more b", "para\nline", "> q\n> r"]);
});

test("the open block stays small, however long the answer is", () => {
  for (const line of ["a line of text\n", "- a point\n", "code\n", "x".repeat(99)]) {
    const reader = new BlockReader();
    if (line === "code\n") reader.push("```\n");
    for (let i = 0; i < 10_000; i++) reader.push(line);
    expect(reader.open()?.text.length ?? 0).toBeLessThan(20_000);
  }
});
