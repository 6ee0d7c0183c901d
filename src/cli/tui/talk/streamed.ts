/** One text of an answer while it grows: which of its blocks are finished, and how the stored text goes on from what was streamed. */
import { type Block, BlockReader } from "../screen/blocks.ts";

/** A text that a run says; what was given out by `take` is on the screen for good. */
export class Streamed {
  private reader = new BlockReader();
  private text = "";
  private given = 0;
  private over = false;
  private restarted = false;

  get ended(): boolean {
    return this.over;
  }

  get isBlank(): boolean {
    return this.text.trim() === "";
  }

  /** The whole text so far. One that does not go on from the last begins anew. */
  update(whole: string): void {
    // A shorter one is the same text, told again after a lost connection, until it says otherwise.
    if (this.over || this.text.startsWith(whole)) return;
    if (whole.startsWith(this.text)) this.reader.push(whole.slice(this.text.length));
    else this.begin(whole);
    this.text = whole;
  }

  /**
   * The stored text, which may have other spaces than the streamed one. Nothing comes after it.
   * @param whole undefined: what was streamed is all
   */
  end(whole?: string): void {
    if (this.over) return;
    const rest = whole === undefined ? "" : restOf(whole, this.text);
    if (rest === undefined) this.begin(whole!);
    else this.reader.push(rest);
    this.reader.end();
    this.over = true;
  }

  /** Blocks that are finished and were not given out; `anew` when they replace what was given out before. */
  take(): { blocks: Block[]; first: boolean; anew: boolean } {
    const blocks = this.reader.take();
    const first = this.given === 0 && blocks.length > 0;
    const anew = this.restarted && blocks.length > 0;
    if (anew) this.restarted = false;
    this.given += blocks.length;
    return { blocks, first: first || anew, anew };
  }

  /** What is written of the block that is not finished. */
  open(): Block | undefined {
    return this.over ? undefined : this.reader.open();
  }

  get isFirst(): boolean {
    return this.given === 0;
  }

  private begin(whole: string): void {
    this.reader = new BlockReader();
    this.reader.push(whole);
    this.restarted = this.given > 0;
  }
}

/** What stands in `whole` behind `begun`, spaces and line ends not counted; undefined when it does not begin so. */
export function restOf(whole: string, begun: string): string | undefined {
  if (whole.startsWith(begun)) return whole.slice(begun.length);
  let at = 0;
  for (const char of begun) {
    if (/\s/.test(char)) continue;
    while (at < whole.length && /\s/.test(whole[at]!)) at++;
    if (!whole.startsWith(char, at)) return undefined;
    at += char.length;
  }
  return whole.slice(at).replace(/^[ \t]+/, "");
}
