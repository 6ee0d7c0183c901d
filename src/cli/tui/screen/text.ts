/** Text for the screen: what strangers and models wrote without what would steer the terminal, its width in cells, and lines that fit. */
import { safeText } from "../../out.ts";

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** Marks that turn the direction of writing, and soft hyphens and the like, which every terminal counts otherwise. */
const UNSEEN = /[\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
// oxlint-disable-next-line no-control-regex
const PLAIN = /^[\u0020-\u007e]*$/;

/** Text from elsewhere, safe to print: line ends are `\n`, tabs are spaces, and nothing of it moves the cursor or hides a word. */
export function cleanText(text: string): string {
  if (PLAIN.test(text)) return text;
  return safeText(text.replace(/\r\n?|[\u0085\u2028\u2029]/g, "\n"))
    .replace(UNSEEN, "")
    .replaceAll("\t", "    ")
    .toWellFormed();
}

/** The same in one line, for names and titles. */
export const cleanLine = (text: string): string => cleanText(text).replace(/\s+/g, " ").trim();

/** What a person sees as one character each: an emoji of several code points is one. */
export const graphemes = (text: string): string[] =>
  PLAIN.test(text) ? text.split("") : Array.from(GRAPHEMES.segment(text), (s) => s.segment);

/** Cells that the text takes on the screen; escape sequences take none. */
export const widthOf = (text: string): number => Bun.stringWidth(text);

/** The beginning of a line that fits, with `…` when something is left out. Styles stay whole. */
export const shorten = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text;
  if (width <= 0) return "";
  const short = Bun.sliceAnsi(text, 0, width, "…");
  // A wide character at the edge takes a cell too much.
  return widthOf(short) <= width ? short : shorten(text, width - 1);
};

/** Lines of at most `width` cells, broken between words where possible. Never empty. */
export const wrapWords = (text: string, width: number): string[] =>
  widthOf(text) <= width
    ? [text]
    : Bun.wrapAnsi(text, Math.max(1, width), { hard: true }).split("\n");

/** Lines of at most `width` cells, broken wherever the edge is: for code, whose spaces count. */
export const wrapHard = (text: string, width: number): string[] =>
  widthOf(text) <= width
    ? [text]
    : Bun.wrapAnsi(text, Math.max(1, width), { hard: true, wordWrap: false, trim: false }).split(
        "\n",
      );

/** How text is set off. Without colours it is plain, and marks stand in where they carry a meaning. */
export type Theme = {
  colour: boolean;
  bold(text: string): string;
  dim(text: string): string;
  italic(text: string): string;
  underline(text: string): string;
  strike(text: string): string;
  accent(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
  inverse(text: string): string;
};

/** @param colour false: no escape sequence at all (NO_COLOR, a dumb terminal) */
export function themeOf(colour: boolean): Theme {
  const style = (on: number, off: number) => (text: string) =>
    colour && text ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    colour,
    bold: style(1, 22),
    dim: style(2, 22),
    italic: style(3, 23),
    underline: style(4, 24),
    strike: style(9, 29),
    accent: style(36, 39),
    good: style(32, 39),
    warn: style(33, 39),
    bad: style(31, 39),
    inverse: style(7, 27),
  };
}
