/** Code fences of Markdown, line by line: what opens one, and what ends it. */

export type Fence = {
  /** Quote marks and indentation before it; for a list item's marker as many spaces. */
  prefix: string;
  /** Three or more backticks or tildes. */
  mark: string;
  /** What follows in the same line: `ts`. */
  info: string;
};

const OPENS = /^((?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*)(`{3,}|~{3,})(.*)$/;
const CLOSES = /^(?:[ \t]*>)*[ \t]*(`{3,}|~{3,})[ \t]*$/;
/** Nobody indents a fence further, and hostile lines cost no more than this. */
const LOOK = 300;

/** The fence that this line opens, if it does. */
export function opened(line: string): Fence | undefined {
  const [, prefix = "", mark = "", info = ""] = OPENS.exec(line.slice(0, LOOK)) ?? [];
  if (!mark || (mark[0] === "`" && info.includes("`"))) return undefined;
  return { prefix: prefix.replace(/[^>\s]/g, " "), mark, info: info.trim() };
}

/** Whether the line ends this fence. */
export function closed(line: string, fence: Fence): boolean {
  const mark = CLOSES.exec(line.slice(0, LOOK))?.[1] ?? "";
  return mark[0] === fence.mark[0] && mark.length >= fence.mark.length;
}

/** The fence that is open behind a line, given the one that was open before it. */
export function after(line: string, open: Fence | undefined): Fence | undefined {
  if (open) return closed(line, open) ? undefined : open;
  return opened(line);
}

/** The lines of a text with what is code and what is not; the fences themselves are code. */
export function* linesOf(text: string): Generator<{ line: string; code: boolean }> {
  let open: Fence | undefined;
  let from = 0;
  while (from <= text.length) {
    const end = text.indexOf("\n", from);
    const line = text.slice(from, end < 0 ? text.length : end);
    const before = open;
    open = after(line, open);
    yield { line, code: before !== undefined || open !== undefined };
    if (end < 0) return;
    from = end + 1;
  }
}
