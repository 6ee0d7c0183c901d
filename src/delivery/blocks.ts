/** An answer sent paragraph by paragraph while it is written: where one may be cut, and which are sent together. Pure but for its timer. */
import { after as behind, type Fence } from "./fences.ts";

export type BlockSettings = {
  /** In characters. A block is cut from `minChars` on where it suits, and at `maxChars` wherever it must. */
  minChars: number;
  maxChars: number;
  prefer: "paragraph" | "newline" | "sentence";
  coalesce: { minChars: number; maxChars: number; idleMs: number };
  /** `text_end`: while it is written. `message_end`: when the model has ended a message. */
  at: "text_end" | "message_end";
  /** Between two blocks, in ms, as a person would need. */
  delay?: { minMs: number; maxMs: number };
};

type Cutting = Pick<BlockSettings, "minChars" | "maxChars" | "prefer">;

/** Where the next block that begins at `from` ends; undefined while it is still being written. Never inside of a code fence. */
export function blockEnd(
  text: string,
  from: number,
  { minChars, maxChars, prefer }: Cutting,
): number | undefined {
  const ends = { paragraph: -1, newline: -1, sentence: -1, space: -1 };
  const least = from + Math.min(minChars, maxChars);
  const most = from + maxChars;
  let open: Fence | undefined;
  for (let start = from; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    const inside = open !== undefined;
    if (newline >= 0) open = behind(line, open);
    if (!inside && !open) noteSentences(text, start, Math.min(end, most), least, ends);
    if (newline < 0) break;
    const at = end + 1;
    if (!open && at >= least && (at <= most || ends.newline < 0)) {
      ends.newline = at;
      if (text[at] === "\n" || (inside && at < text.length)) ends.paragraph = at;
    }
    if (at > most && !open) break;
    start = at;
  }
  const order = ["paragraph", "newline", "sentence"] as const;
  const wanted = order.slice(0, order.indexOf(prefer) + 1).map((kind) => ends[kind]);
  const good = wanted.find((end) => end > from);
  if (good !== undefined) return good;
  if (text.length - from < maxChars) return undefined;
  // Neither a code block that is longer than a block may be nor a word of that length is cut: it is waited for.
  return [ends.newline, ends.sentence, ends.space].find((end) => end > from);
}

function noteSentences(
  text: string,
  from: number,
  to: number,
  least: number,
  ends: { sentence: number; space: number },
): void {
  for (let at = Math.max(from, least - 1); at < to; at++) {
    if (!/\s/.test(text[at]!)) continue;
    ends.space = at + 1;
    if (/[.!?…]/.test(text[at - 1] ?? "")) ends.sentence = at + 1;
  }
}

/** The blocks of one run, cut and joined. `emit` gets what is to be sent now, and up to where it goes in the text. */
export class Blocks {
  private text = "";
  /** Up to here it was cut, up to here sent. */
  private cut = 0;
  private sent = 0;
  private checked = 0;
  private idle: (() => void) | undefined;

  constructor(
    private readonly settings: BlockSettings,
    private readonly emit: (text: string) => void,
    /** Calls back after so many ms; gives what calls it off. */
    private readonly timer: (ms: number, over: () => void) => () => void,
  ) {}

  /** `source` gives the answer so far, without what nobody may see. Looked at only when enough has come for it to matter. */
  grow(length: number, source: () => string): void {
    const { at, minChars } = this.settings;
    if (at === "message_end" || length - this.checked < Math.max(16, (length - this.cut) / 8))
      return;
    this.checked = length;
    const text = source();
    if (!text.startsWith(this.text.slice(0, this.cut))) return;
    this.text = text;
    if (text.length - this.cut < Math.min(minChars, 16)) return;
    for (;;) {
      const end = blockEnd(this.text, this.cut, this.settings);
      if (end === undefined) break;
      this.take(end);
    }
  }

  /** The message has ended, and another follows: all of it is sent. */
  flush(text: string): void {
    const rest = this.rest(text);
    this.forget();
    if (rest.trim()) this.emit(rest);
  }

  /** What of the whole text has not been sent; everything, if it is not the text that was being written. */
  rest(text: string): string {
    return text.startsWith(this.text.slice(0, this.sent)) ? text.slice(this.sent) : text;
  }

  /** What was written is void. */
  forget(): void {
    this.idle?.();
    this.idle = undefined;
    this.text = "";
    this.cut = this.sent = this.checked = 0;
  }

  private take(end: number): void {
    const { coalesce } = this.settings;
    // What waits and this one would be too much together.
    if (this.cut > this.sent && end - this.sent > coalesce.maxChars) this.send();
    this.cut = end;
    this.idle?.();
    this.idle = undefined;
    if (end - this.sent >= Math.min(coalesce.minChars, coalesce.maxChars)) this.send();
    else this.idle = this.timer(coalesce.idleMs, () => this.send());
  }

  private send(): void {
    const block = this.text.slice(this.sent, this.cut);
    this.sent = this.cut;
    if (block.trim()) this.emit(block);
  }
}
