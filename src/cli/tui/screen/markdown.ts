/**
 * Markdown as lines of the terminal, with Bun's parser. Everything that ends on the screen goes through `cleanText` after the parser,
 * because it turns `&#27;` into the character that begins an escape sequence. Used by items.ts; knows nothing of conversations.
 */
import { cleanText, shorten, type Theme, widthOf, wrapHard, wrapWords } from "./text.ts";

// Marks inside of this file. Cleaned text has no control characters, so nobody else can write them.
/** Between what stands before a line (indent, bullet, bar of a quote) and the line. */
const AFTER_PREFIX = "\u0003";
/** Begins a line whose spaces count. */
const VERBATIM = "\u0002";
const CELL = "\u0004";
const ROW = "\u0005";

/** Whatever the parser may have made out of something: only our own styles, marks and line ends are left. */
// oxlint-disable-next-line no-control-regex
const FOREIGN =
  /\u001b(?!\[(?:[1-479]|2[2-79]|3[1-369])m)|[\u0000\u0001\u0006-\u0009\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;

/** Narrower than this a table is a list of its cells. */
const MIN_COLUMN = 5;

type Align = "left" | "center" | "right" | undefined;

/** Lines of at most `width` cells. No empty lines at the beginning and the end; none at all for nothing to see. */
export function markdownLines(text: string, width: number, theme: Theme): string[] {
  const made = Bun.markdown.render(text, callbacks(width, theme), {
    hardSoftBreaks: true,
  });
  const lines = made.replace(FOREIGN, "").split("\n");
  while (lines.length && !visible(lines[0]!)) lines.shift();
  while (lines.length && !visible(lines.at(-1)!)) lines.pop();
  return lines
    .filter((line, i) => visible(line) || visible(lines[i - 1] ?? ""))
    .flatMap((line) => laidOut(line, width, theme));
}

const visible = (line: string): boolean => line.replaceAll(AFTER_PREFIX, "").trim() !== "";

/** The lines of a fence: as they are, set off by an indent. */
export const codeLines = (text: string, width: number, theme: Theme): string[] =>
  cleanText(text)
    .split("\n")
    .flatMap((line) =>
      wrapHard(line.trimEnd(), Math.max(1, width - 2)).map((row) => `  ${theme.accent(row)}`),
    );

/** Puts something before every line of a block: `first` before the first one. */
function indented(block: string, first: string, rest: string): string {
  const lines = block.replace(/^\n+|\n+$/g, "").split("\n");
  return lines
    .filter((line, i) => line !== "" || lines[i - 1] !== "")
    .map((line, i) => {
      const before = i === 0 ? first : rest;
      return line.includes(AFTER_PREFIX) ? before + line : before + AFTER_PREFIX + line;
    })
    .join("\n");
}

function callbacks(width: number, theme: Theme): Bun.markdown.RenderCallbacks {
  // Without colours the marks of Markdown itself say what a word is.
  const marked = (mark: string, paint: (text: string) => string) => (children: string) =>
    theme.colour ? paint(children) : mark + children + mark;
  return {
    text: cleanText,
    heading: (children, { level }) =>
      `${theme.colour ? theme.bold(theme.underline(children)) : `${"#".repeat(level)} ${children}`}\n\n`,
    paragraph: (children) => `${children}\n\n`,
    blockquote: (children) => `${indented(children, "│ ", "│ ")}\n\n`,
    code: (children) =>
      `${cleanText(children)
        .replace(/\n+$/, "")
        .split("\n")
        .map((line) => `  ${AFTER_PREFIX}${VERBATIM}${theme.accent(line)}`)
        .join("\n")}\n\n`,
    list: (children, { depth }) => (depth > 0 ? `\n${children}` : `${children}\n`),
    listItem(children, { index, ordered, start, checked }) {
      const bullet = ordered ? `${(start ?? 1) + index}. ` : "• ";
      const mark = checked === undefined ? bullet : checked ? "☑ " : "☐ ";
      return `${indented(children.replace(/\n{2,}/g, "\n"), mark, " ".repeat(mark.length))}\n`;
    },
    hr: () => `${theme.dim("─".repeat(Math.min(width, 40)))}\n\n`,
    table: (children) => `${tableLines(children, width, theme).join("\n")}\n\n`,
    tr: (children) => children + ROW,
    th: (children, meta) => cell(theme.colour ? theme.bold(children) : children, meta?.align),
    td: (children, meta) => cell(children, meta?.align),
    html: (children) => cleanText(children),
    strong: marked("**", theme.bold),
    emphasis: marked("*", theme.italic),
    strikethrough: marked("~~", theme.strike),
    codespan: marked("`", theme.accent),
    link(children, { href }) {
      const address = cleanText(href);
      const same = address === children || address === `mailto:${children}`;
      return same ? theme.underline(children) : `${children} ${theme.dim(`(${address})`)}`;
    },
    image: (children, { src }) => `[${children || "image"}] ${theme.dim(`(${cleanText(src)})`)}`,
  };
}

const cell = (text: string, align: Align): string =>
  `${(align ?? "left")[0]}${text.replaceAll("\n", " ").trim()}${CELL}`;

/** One line with its prefix, broken so that what follows stands under the first word. */
function laidOut(line: string, width: number, theme: Theme): string[] {
  const at = line.lastIndexOf(AFTER_PREFIX);
  const prefix = line.slice(0, Math.max(0, at)).replaceAll(AFTER_PREFIX, "");
  const body = at < 0 ? line : line.slice(at + 1);
  const fits = shorten(prefix, Math.max(0, width - 4));
  const room = Math.max(1, width - widthOf(fits));
  const rows = body.startsWith(VERBATIM)
    ? wrapHard(body.slice(1), room)
    : wrapWords(body.trim(), room);
  const under = fits.replace(/[^│]/gu, " ");
  const paint = (text: string) => text.replaceAll("│", theme.dim("│"));
  return rows.map((row, i) => (paint(i === 0 ? fits : under) + row).trimEnd());
}

function tableLines(children: string, width: number, theme: Theme): string[] {
  const rows = children
    .split(ROW)
    .map((row) => row.replace(/^\n+/, ""))
    .filter(Boolean)
    .map((row) => row.split(CELL).slice(0, -1));
  const [head] = rows;
  if (!head) return [];
  const text = (row: string[], i: number) => (row[i] ?? "l").slice(1);
  const natural = head.map((_, i) => Math.max(1, ...rows.map((row) => widthOf(text(row, i)))));
  const room = width - 3 * (head.length - 1);
  const widths = columnWidths(natural, room);
  if (!widths) return stacked(rows, text, theme);
  const lines = rows.flatMap((row) => {
    const cells = head.map((_, i) => wrapWords(text(row, i), widths[i]!));
    const height = Math.max(...cells.map((cell) => cell.length));
    return Array.from({ length: height }, (_, n) => {
      const parts = cells.map((cell, i) => padded(cell[n] ?? "", widths[i]!, head[i]![0]!));
      return VERBATIM + parts.join(theme.dim(" │ ")).trimEnd();
    });
  });
  const headHeight = Math.max(...head.map((_, i) => wrapWords(text(head, i), widths[i]!).length));
  const rule = VERBATIM + theme.dim(widths.map((n) => "─".repeat(n)).join("─┼─"));
  return [...lines.slice(0, headHeight), rule, ...lines.slice(headHeight)];
}

function padded(text: string, width: number, align: string): string {
  const space = Math.max(0, width - widthOf(text));
  const left = align === "r" ? space : align === "c" ? space >> 1 : 0;
  return " ".repeat(left) + text + " ".repeat(space - left);
}

/** The widest columns give way first. Undefined when there is no room for a table. */
function columnWidths(natural: number[], room: number): number[] | undefined {
  if (room < natural.length * MIN_COLUMN && natural.reduce((a, b) => a + b, 0) > room)
    return undefined;
  const widths = [...natural];
  for (let over = widths.reduce((a, b) => a + b, 0) - room; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest]!--;
  }
  return widths;
}

/** A table without room for its columns: a line per cell under the name of its column. */
function stacked(
  rows: string[][],
  text: (row: string[], i: number) => string,
  theme: Theme,
): string[] {
  const [head = [], ...body] = rows;
  return body.flatMap((row, n) => [
    ...(n > 0 ? [theme.dim("─".repeat(8))] : []),
    ...head.map((_, i) => `${text(head, i)}: ${text(row, i)}`),
  ]);
}
