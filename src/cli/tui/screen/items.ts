/** What stands in the transcript, one entry after the other, and how each looks. Pure. */
import type { Block } from "./blocks.ts";
import { codeLines, markdownLines } from "./markdown.ts";
import { cleanLine, cleanText, shorten, type Theme, widthOf, wrapWords } from "./text.ts";

/** One entry. A long answer is many `text` entries, one for each block. */
export type Item =
  | { kind: "user"; text: string; images: number }
  | { kind: "text"; block: Block; start: boolean }
  | { kind: "thinking"; text: string }
  | ToolItem
  | { kind: "note"; level: "info" | "error"; text: string; hint?: string }
  | { kind: "rule"; text: string };
export type ToolItem = {
  kind: "tool";
  id: string;
  name: string;
  args: unknown;
  output?: string;
  /** Undefined: it has not ended, or nobody knows how. */
  failed?: boolean;
  ms?: number;
};

export type Look = {
  width: number;
  theme: Theme;
  /** What tools answered, and what the model thought, in full. */
  unfolded: boolean;
};

/** Lines of an unfolded tool or thought at most; the Control UI has all of it. */
const UNFOLDED_LINES = 30;
/** A message of the person of more lines is shortened in the transcript. */
const USER_LINES = 200;

/** The lines of an entry; the first is empty where it is set apart from what stands above. */
export function linesOf(item: Item, look: Look): string[] {
  const { width, theme } = look;
  switch (item.kind) {
    case "user":
      return ["", ...userLines(item, look)];
    case "text":
      return [...(item.start || item.block.gap ? [""] : []), ...blockLines(item.block, look)];
    case "thinking":
      // Folded it is nothing at all: every answer of some models begins with one.
      return look.unfolded ? ["", ...thinkingLines(item.text, look)] : [];
    case "tool":
      return ["", ...toolLines(item, look)];
    case "note": {
      const paint = item.level === "error" ? theme.bad : theme.dim;
      const mark = item.level === "error" ? "✗ " : "· ";
      return [
        "",
        ...hanging(cleanText(item.text), mark, width).map(paint),
        ...(item.hint ? hanging(cleanText(item.hint), "  ", width).map(theme.dim) : []),
      ];
    }
    case "rule": {
      const title = shorten(cleanLine(item.text), Math.max(1, width - 6));
      const rest = Math.max(0, Math.min(width, 72) - widthOf(title) - 4);
      return ["", theme.dim(`── ${title} ${"─".repeat(rest)}`)];
    }
  }
}

export function blockLines(block: Block, { width, theme }: Look): string[] {
  if (block.kind === "text") return markdownLines(block.text, width, theme);
  const label =
    block.first && block.language ? [theme.dim(`  ${cleanLine(block.language).slice(0, 30)}`)] : [];
  return [...label, ...(block.text ? codeLines(block.text, width, theme) : [])];
}

/** Lines with something before the first one, and room under it before the others. */
export function hanging(text: string, mark: string, width: number): string[] {
  const room = Math.max(1, width - widthOf(mark));
  const under = " ".repeat(widthOf(mark));
  return text
    .split("\n")
    .flatMap((line) => wrapWords(line, room))
    .map((line, i) => ((i === 0 ? mark : under) + line).trimEnd());
}

function userLines(item: Extract<Item, { kind: "user" }>, { width, theme }: Look): string[] {
  const all = hanging(cleanText(item.text).replace(/\n+$/, ""), "› ", width);
  const shown = all.length > USER_LINES ? all.slice(0, USER_LINES) : all;
  const more = all.length > shown.length ? [`  … ${all.length - shown.length} more lines`] : [];
  const images = item.images
    ? [`  [${item.images === 1 ? "a picture" : `${item.images} pictures`}]`]
    : [];
  return [...shown, ...more, ...images].map((line) => theme.accent(line));
}

function thinkingLines(text: string, look: Look): string[] {
  return capped(hanging(cleanText(text).trim(), "∴ ", look.width)).map(look.theme.dim);
}

const capped = (lines: string[]): string[] =>
  lines.length <= UNFOLDED_LINES
    ? lines
    : [
        ...lines.slice(0, UNFOLDED_LINES),
        `  … ${lines.length - UNFOLDED_LINES} more lines, in the Control UI`,
      ];

/** What a call is about, in a few words: its most telling argument. */
export function gistOf(args: unknown): string {
  if (typeof args === "string") return cleanLine(args);
  if (typeof args !== "object" || args === null) return "";
  const values = args as Record<string, unknown>;
  const telling = ["command", "path", "url", "query", "pattern", "text", "message", "action"];
  const name = telling.find((key) => typeof values[key] === "string");
  const text = name ? String(values[name]) : JSON.stringify(values);
  return text === "{}" ? "" : cleanLine(text.slice(0, 2000));
}

/** `● exec  ls -la  · 12 lines · 0.3 s`; what it answered below, when unfolded. */
export function toolLines(item: ToolItem, { width, theme, unfolded }: Look): string[] {
  const running = item.failed === undefined;
  const mark = running ? theme.warn("●") : item.failed ? theme.bad("✗") : theme.good("✓");
  const output = cleanText((item.output ?? "").slice(0, 100_000)).replace(/\s+$/, "");
  const count = output ? output.split("\n").length : 0;
  const end = [
    ...(item.failed ? ["failed"] : []),
    ...(count > 0 && !running ? [`${count} ${count === 1 ? "line" : "lines"}`] : []),
    ...((item.ms ?? 0) < 100 ? [] : [`${(item.ms! / 1000).toFixed(1)} s`]),
  ];
  const tail = end.length ? ` · ${end.join(" · ")}` : "";
  const name = cleanLine(item.name) || "tool";
  const gist = gistOf(item.args);
  const room = Math.max(8, width - 4 - widthOf(tail));
  const title = shorten(gist ? `${name}  ${gist}` : name, room);
  const line = shorten(`${mark} ${title}${theme.dim(tail)}`, width);
  if (!unfolded || !output) return [line];
  const rows = capped(hanging(output, "  ", width));
  return [line, ...rows.map((row) => theme.dim(row))];
}
