/** What a process printed, within a bound: the beginning and the newest part are kept, the middle is counted and dropped. */

/** Shown where text was dropped. */
export const leftOut = (count: number): string =>
  `\n[... ${count} characters left out: narrow the output with grep, head or tail ...]\n`;

/** Dropping is done in steps of this many characters, so that a chatty process costs no copy per line. */
const SLACK = 16_384;

/** Positions count every character ever appended, so a reader can ask for what is new since its last visit. */
export class Output {
  #head = "";
  #tail: string[] = [];
  #tailLength = 0;
  #total = 0;
  readonly #headLimit: number;
  readonly #tailLimit: number;

  /** `limit`: most characters kept, a fifth of them from the beginning. */
  constructor(limit: number) {
    this.#headLimit = Math.floor(limit / 5);
    this.#tailLimit = limit - this.#headLimit;
  }

  /** Characters ever appended, kept or not. */
  get total(): number {
    return this.#total;
  }

  append(text: string): void {
    this.#total += text.length;
    const room = this.#headLimit - this.#head.length;
    if (room > 0) {
      this.#head += text.slice(0, room);
      text = text.slice(room);
    }
    if (!text) return;
    const last = this.#tail.length - 1;
    if (last >= 0 && this.#tail[last]!.length < 4096) this.#tail[last] += text;
    else this.#tail.push(text);
    this.#tailLength += text.length;
    if (this.#tailLength > this.#tailLimit + SLACK) this.#trim();
  }

  #trim(): void {
    let excess = this.#tailLength - this.#tailLimit;
    this.#tailLength = this.#tailLimit;
    while (excess > 0) {
      const first = this.#tail[0]!;
      if (first.length > excess) this.#tail[0] = first.slice(excess);
      else this.#tail.shift();
      excess -= first.length;
    }
  }

  /** Everything kept from position `from` on, with a mark where something is missing. */
  since(from: number): string {
    const tail = this.#tail.join("").slice(-this.#tailLimit);
    const tailStart = this.#total - tail.length;
    if (from >= tailStart) return tail.slice(from - tailStart).toWellFormed();
    const head = this.#head.slice(from);
    const missing = tailStart - Math.max(from, this.#head.length);
    return `${head}${missing > 0 ? leftOut(missing) : ""}${tail}`.toWellFormed();
  }

  text(): string {
    return this.since(0);
  }

  /** The newest `count` characters at most. */
  last(count: number): string {
    return this.since(Math.max(0, this.#total - count));
  }
}
