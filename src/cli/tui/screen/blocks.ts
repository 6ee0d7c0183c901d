/**
 * Cuts Markdown into blocks that never change again, while it is still being written: what is above the last one can be printed for
 * good, and only the last one is drawn anew. So an answer of 10,000 lines costs as much per frame as one of ten.
 */

/**
 * `code` has the lines of a fence without its marks; a long one comes in several pieces, of which only the first is `first`.
 * `gap`: an empty line stands before it.
 */
export type Block =
  | { kind: "text"; text: string; gap: boolean }
  | { kind: "code"; text: string; gap: boolean; language: string; first: boolean };

/** More lines than this are cut, wherever that is: nobody writes such a paragraph, and a list or a fence goes on behind it. */
const MAX_LINES = 60;
const MAX_CHARS = 16_000;

const FENCE = /^(`{3,}|~{3,})\s*([^`]*)$/;
const INNER_FENCE = /^\s+(?:[-*+]\s+|\d+[.)]\s+)?(`{3,}|~{3,})|^(?:[-*+]|\d+[.)])\s+(`{3,}|~{3,})/;
const ITEM = /^(?:[-*+]|\d{1,9}[.)])\s/;
const HEADING = /^#{1,6}(?:\s|$)/;

/** Fed with text as it grows; gives the finished blocks once each, and what is still open on request. */
export class BlockReader {
  /** The line that is not ended yet. */
  private partial = "";
  private lines: string[] = [];
  private size = 0;
  private gap = false;
  /** An empty line was seen, and what follows decides whether the block ends there. */
  private blank = false;
  private fence: { mark: string; language: string; first: boolean } | undefined;
  private inner: string | undefined;
  private readonly done: Block[] = [];
  private began = false;

  push(text: string): void {
    const lines = (this.partial + text).split("\n");
    this.partial = lines.pop()!;
    for (const line of lines) this.line(line);
    // Behind an empty line its first letter says that the block above is finished.
    if (this.blank && !this.fence && this.inner === undefined && /^\S/.test(this.partial))
      this.close();
    // A line without an end cannot be drawn again and again in full.
    while (this.partial.length > MAX_CHARS) {
      const cut = this.partial.lastIndexOf(" ", MAX_CHARS);
      const at = cut > MAX_CHARS / 2 ? cut + 1 : MAX_CHARS;
      this.line(this.partial.slice(0, at));
      this.partial = this.partial.slice(at);
      this.close();
    }
  }

  /** The blocks that were finished since the last call. */
  take(): Block[] {
    return this.done.splice(0);
  }

  /** What has been written of the block that is not finished; undefined for nothing to see. */
  open(): Block | undefined {
    const apart = this.blank ? [""] : [];
    const lines = this.partial ? [...this.lines, ...apart, this.partial] : this.lines;
    const text = lines.join("\n");
    const closing = this.fence && this.isEnd(this.partial);
    if (this.fence) return this.code(closing ? this.lines.join("\n") : text);
    // Marks of a fence that is just being typed are no text yet.
    if (!text.trim() || /^(?:`{1,}|~{2,})[^`\n]*$/.test(text)) return undefined;
    return { kind: "text", text, gap: this.gap };
  }

  /** The text is complete. */
  end(): void {
    if (this.partial) {
      const line = this.partial;
      this.partial = "";
      this.line(line);
    }
    this.close();
    this.fence = undefined;
  }

  private line(line: string): void {
    if (this.fence) return this.fenced(line);
    if (this.inner !== undefined) {
      if (line.trim().startsWith(this.inner) && !line.trim().slice(this.inner.length).trim())
        this.inner = undefined;
      return this.add(line);
    }
    if (!line.trim()) {
      if (this.lines.length) this.blank = true;
      else this.gap ||= this.began;
      return;
    }
    const opening = FENCE.exec(line);
    const item = ITEM.test(line);
    const apart = this.blank && !/^\s/.test(line);
    const nextItem = item && ITEM.test(this.lines[0] ?? "");
    const heading = HEADING.test(line) || HEADING.test(this.lines.at(-1) ?? "");
    if (opening || apart || nextItem || heading || this.isLong()) this.close();
    else if (this.blank) this.add("");
    this.blank = false;
    if (opening) {
      this.fence = { mark: opening[1]!, language: opening[2]!.trim(), first: true };
      this.began = true;
      return;
    }
    const inner = INNER_FENCE.exec(line);
    this.inner = inner?.[1] ?? inner?.[2];
    this.add(line);
  }

  private fenced(line: string): void {
    if (this.isEnd(line)) {
      if (this.lines.length || this.fence?.first) this.done.push(this.code(this.lines.join("\n")));
      this.lines = [];
      this.size = 0;
      this.fence = undefined;
      this.gap = false;
      return;
    }
    this.add(line);
    if (this.isLong()) this.close();
  }

  private isEnd(line: string): boolean {
    const { mark } = this.fence!;
    const bare = line.trim();
    return bare.length >= mark.length && bare === mark[0]!.repeat(bare.length);
  }

  private isLong(): boolean {
    return this.lines.length >= MAX_LINES || this.size >= MAX_CHARS;
  }

  private add(line: string): void {
    this.lines.push(line);
    this.size += line.length;
    this.began = true;
  }

  private code(text: string): Block {
    const { language, first } = this.fence!;
    return { kind: "code", text, gap: first && this.gap, language, first };
  }

  private close(): void {
    if (this.lines.length) {
      const text = this.lines.join("\n");
      this.done.push(this.fence ? this.code(text) : { kind: "text", text, gap: this.gap });
      if (this.fence) this.fence.first = false;
      this.gap = this.blank;
    } else this.gap ||= this.blank;
    this.lines = [];
    this.size = 0;
    this.inner = undefined;
    this.blank = false;
  }
}

/** All blocks of a finished text. */
export function blocksOf(text: string): Block[] {
  const reader = new BlockReader();
  reader.push(text);
  reader.end();
  return reader.take();
}
