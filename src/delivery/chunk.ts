/**
 * Cuts a long text into messages that a channel takes. Markdown stays whole: a code fence that goes across a cut is closed in
 * the one message and opened again in the next, with the same words behind it.
 */
import { after, closed, type Fence } from "./fences.ts";

export type ChunkOptions = {
  /** Most UTF-16 units of one message, added fences included; at least 2. */
  limit: number;
  /** Most lines of one message. Added fences count as far as there is room for a line between them. */
  lines?: number;
  /** `newline`: at every blank line outside of code, and by length only what is still too long. */
  mode?: "length" | "newline";
};

/** More paragraphs than this are a flood of messages; then they are cut by length. */
const MOST_PARAGRAPHS = 40;
/** The part of a message that its added fences may take. */
const MOST_FOR_FENCE = 0.5;
/** Units around a hard cut that are looked at for a character that is made of several. */
const CLUSTER = 64;

/**
 * Nothing is lost but white space around the cuts, nothing is added but fences. Cuts at a line's end, else at white space outside
 * of parentheses, else between two characters as people see them. A text of white space is no message.
 */
export function chunk(text: string, { limit, lines, mode }: ChunkOptions): string[] {
  if (mode === "newline") {
    const parts = paragraphs(text);
    if (parts.length <= MOST_PARAGRAPHS)
      return parts.flatMap((part) => byLength(part, limit, lines));
  }
  return byLength(text, limit, lines);
}

/** At blank lines outside of code. */
function paragraphs(text: string): string[] {
  const parts: string[] = [];
  let open: Fence | undefined;
  let current: string[] = [];
  for (const line of text.split("\n")) {
    if (!open && !line.trim()) {
      if (current.length) parts.push(current.join("\n"));
      current = [];
      continue;
    }
    open = after(line, open);
    current.push(line);
  }
  if (current.length) parts.push(current.join("\n"));
  return parts;
}

type Cut = {
  /** What the message ends before, and where the next one begins. */
  end: number;
  next: number;
  /** The fence that is open there. */
  open: Fence | undefined;
};
type Limits = { limit: number; lines: number };

function byLength(text: string, limit: number, lines = Number.MAX_SAFE_INTEGER): string[] {
  const whole = text.trim();
  if (whole.length <= limit && linesIn(whole, lines) <= lines) return whole ? [whole] : [];
  const out: string[] = [];
  let at = 0;
  let open: Fence | undefined;
  for (;;) {
    if (open) {
      // The next line would end the fence, and the cut has done that already.
      const end = lineEnd(text, at);
      if (closed(text.slice(at, end), open)) {
        open = undefined;
        at = end;
      }
    }
    if (!open) at = skipSpace(text, at);
    if (at >= text.length) return out;
    const cut = findCut(text, at, open, { limit, lines });
    const content = text.slice(at, cut.end);
    const body = cut.open ? content : content.trimEnd();
    if (body.trim())
      out.push(
        (open ? `${opening(open)}\n` : "") + body + (cut.open ? `\n${closing(cut.open)}` : ""),
      );
    open = cut.open;
    at = cut.next;
  }
}

const opening = ({ prefix, mark, info }: Fence): string => prefix + mark + info;
const closing = ({ prefix, mark }: Fence): string => prefix + mark;
const headOf = (fence: Fence | undefined): number => (fence ? opening(fence).length + 1 : 0);
const tailOf = (fence: Fence | undefined): number => (fence ? closing(fence).length + 1 : 0);

/** Counts lines, at most one more than `most`. */
function linesIn(text: string, most: number): number {
  let count = 1;
  for (let at = text.indexOf("\n"); at >= 0 && count <= most; at = text.indexOf("\n", at + 1))
    count++;
  return count;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at]!)) at++;
  return at;
}

/** The fence behind a line; one that would fill the messages by itself counts as text. */
function behindLine(line: string, open: Fence | undefined, limit: number): Fence | undefined {
  const fence = after(line, open);
  return headOf(fence) + tailOf(fence) <= limit * MOST_FOR_FENCE ? fence : undefined;
}

/** Where the message that begins at `from` ends. Always behind `from`. */
function findCut(
  text: string,
  from: number,
  open: Fence | undefined,
  { limit, lines }: Limits,
): Cut {
  const most = from + limit - headOf(open);
  let fence = open;
  let best: Cut | undefined;
  let start = from;
  for (let count = 1; ; count++) {
    const end = lineEnd(text, start);
    if (end > most) break;
    const behind = behindLine(text.slice(start, end), fence, limit);
    if (best && count + (open ? 1 : 0) + (behind ? 1 : 0) > lines) return best;
    if (end + tailOf(behind) > most) break;
    if (end === text.length) return { end, next: end, open: behind };
    // Not right behind the first line of a fence: an empty block of code helps nobody.
    if (!behind || behind === fence) best = { end, next: end + 1, open: behind };
    fence = behind;
    start = end + 1;
  }
  return best ?? insideLine(text, from, start, most, fence);
}

/** A cut in the line at `start`, which is too long for the message that begins at `from`. */
function insideLine(
  text: string,
  from: number,
  start: number,
  most: number,
  fence: Fence | undefined,
): Cut {
  const room = most - tailOf(fence);
  const open = room > start ? fence : undefined;
  const limit = Math.max(from + 1, open ? room : most);
  const space = open ? -1 : lastSpace(text, start, limit);
  if (space > start) return { end: space, next: space + 1, open };
  const end = between(text, Math.max(from, Math.min(start, limit - 1)), limit);
  return { end, next: end, open };
}

/** The last white space outside of parentheses; -1 without one. The unit at `limit` may be the one. */
function lastSpace(text: string, from: number, limit: number): number {
  let depth = 0;
  let found = -1;
  for (let at = from; at <= limit && at < text.length; at++) {
    const unit = text[at]!;
    if (unit === "(") depth++;
    else if (unit === ")") depth = Math.max(0, depth - 1);
    else if (depth === 0 && /\s/.test(unit)) found = at;
  }
  return found;
}

/** The last place at or before `limit` where no character is cut: no emoji of several parts, and never a surrogate pair. */
function between(text: string, from: number, limit: number): number {
  if (limit >= text.length) return text.length;
  const start = Math.max(from, limit - CLUSTER);
  const piece = text.slice(start, limit + CLUSTER);
  const goal = limit - start;
  let best = 0;
  for (const { index } of new Intl.Segmenter().segment(piece)) {
    if (index > goal) break;
    best = index;
  }
  if (best > 0) return start + best;
  const pair = isHigh(text[limit - 1]) && isLow(text[limit]);
  return pair && limit - 1 > from ? limit - 1 : limit;
}

const isHigh = (unit = ""): boolean => unit >= "\uD800" && unit <= "\uDBFF";
const isLow = (unit = ""): boolean => unit >= "\uDC00" && unit <= "\uDFFF";
