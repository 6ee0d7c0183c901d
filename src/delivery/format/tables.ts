/** Tables, which no chat network shows: as a grid of fixed width in a code block, or as a list. Before a text is cut. */
import { linesOf } from "../fences.ts";
import { plain } from "./plain.ts";

/** `off` leaves them as they are written. */
export type TableMode = "off" | "bullets" | "code";

/** A table that would grow further than this (one long cell in a column of many) is left as it is written. */
const MOST_GROWTH = 4;
const ROOM = 1_000;

/** Every table of a text as `mode` wants it; the rest is unchanged. */
export function convertTables(markdown: string, mode: TableMode): string {
  if (mode === "off" || !markdown.includes("|")) return markdown;
  const lines = [...linesOf(markdown)];
  const out: string[] = [];
  for (let at = 0; at < lines.length;) {
    const end = tableEnd(lines, at);
    const source = lines.slice(at, Math.max(end, at + 1)).map(({ line }) => line);
    out.push(end > at ? converted(source, mode) : source[0]!);
    at += source.length;
  }
  return out.join("\n");
}

type Line = { line: string; code: boolean };

/** Behind the last row of the table that begins at `at`; `at` itself when there is none. */
function tableEnd(lines: Line[], at: number): number {
  const head = lines[at]!;
  const rule = lines[at + 1];
  if (head.code || !rule || rule.code || !head.line.includes("|") || !isRule(rule.line)) return at;
  let end = at + 2;
  while (end < lines.length && !lines[end]!.code && lines[end]!.line.includes("|")) end++;
  return end;
}

const isRule = (line: string): boolean =>
  line.includes("-") && line.includes("|") && cellsOf(line).every((cell) => /^:?-+:?$/.test(cell));

/** The cells of a row. `\|` is a bar of the text. */
function cellsOf(line: string): string[] {
  const cells: string[] = [];
  let cell = "";
  for (let at = 0; at < line.length; at++) {
    const unit = line[at]!;
    if (unit === "\\" && line[at + 1] === "|") cell += line[++at];
    else if (unit === "|") {
      cells.push(cell.trim());
      cell = "";
    } else cell += unit;
  }
  cells.push(cell.trim());
  if (cells[0] === "") cells.shift();
  if (cells.at(-1) === "") cells.pop();
  return cells;
}

function converted(source: string[], mode: "bullets" | "code"): string {
  const rows = source.filter((_, i) => i !== 1).map(cellsOf);
  const size = source.reduce((sum, line) => sum + line.length + 1, 0);
  const most = size * MOST_GROWTH + ROOM;
  const text = mode === "code" ? grid(rows, most) : bullets(rows, most);
  return text ?? source.join("\n");
}

/** Undefined when it would be longer than `most`. */
function grid(rows: string[][], most: number): string | undefined {
  const cells = rows.map((row) => row.map(unmarked));
  const widths: number[] = [];
  for (const row of cells)
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell));
  const width = widths.reduce((sum, each) => sum + each + 3, 0);
  if (width * (rows.length + 1) > most) return undefined;
  const line = (row: string[]) =>
    widths
      .map((each, i) => (row[i] ?? "") + " ".repeat(each - Bun.stringWidth(row[i] ?? "")))
      .join(" | ")
      .trimEnd();
  const rule = widths.map((each) => "-".repeat(each)).join("-|-");
  const body = [line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n");
  const fence = body.includes("```") ? "~~~~" : "```";
  return [fence, body, fence].join("\n");
}

function bullets(rows: string[][], most: number): string | undefined {
  const [head = [], ...body] = rows;
  const out: string[] = [];
  let size = 0;
  for (const row of body) {
    const lines = row.flatMap((cell, i) => {
      if (!cell) return [];
      return head[i] ? [`• ${head[i]}: ${cell}`] : [`• ${cell}`];
    });
    if (lines.length) out.push(lines.join("\n"));
    size += out.at(-1)?.length ?? 0;
    if (size > most) return undefined;
  }
  return body.length ? out.join("\n\n") : head.map((cell) => `• ${cell}`).join("\n");
}

const unmarked = (cell: string): string =>
  /[*_~`[\]<&\\]/.test(cell) ? plain(cell).replace(/\s+/g, " ") : cell;
