/**
 * A terminal's screen, as far as our own programs use one: rows, scroll-back, cursor, modes. Strict: a sequence that it does not know is
 * kept in `strange`, so that a test sees whatever text from elsewhere could have steered.
 */

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** `style`: the numbers of its styles, as `1;36`. */
export type Cell = { char: string; style: string };
/** What the number of a style takes back. */
const OFF: Record<number, (style: number) => boolean> = {
  0: () => true,
  22: (style) => style < 3,
  23: (style) => style === 3,
  24: (style) => style === 4,
  27: (style) => style === 7,
  29: (style) => style === 9,
  39: (style) => style >= 30,
};
const BLANK: Cell = { char: " ", style: "" };
const textOf = (cells: Cell[]): string =>
  cells
    .map(({ char }) => char)
    .join("")
    .trimEnd();

export class Screen {
  private grid: Cell[][] = [];
  private style: number[] = [];
  private readonly decoder = new TextDecoder();
  private rest = "";
  private wrap = false;
  /** Rows that scrolled away, and their texts. */
  private past: Cell[][] = [];
  scrolled: string[] = [];
  /** Rows that go on the row above, because it was full. */
  private readonly soft = new WeakSet<Cell[]>();
  readonly strange: string[] = [];
  row = 0;
  column = 0;
  /** Private modes that are set: 25 cursor, 7 line wrap, 2004 marked pastes, 2026 a frame is being drawn. */
  readonly modes = new Set([25, 7]);
  /** Depth of the stack of the keyboard protocol. */
  keyboard = 0;
  /** Written so far: bytes, sequences of any kind, and those that set a style. */
  bytes = 0;
  escapes = 0;
  styles = 0;

  constructor(
    public columns: number,
    public rows: number,
  ) {
    this.clear();
  }

  write(data: Uint8Array): void {
    this.bytes += data.length;
    this.rest += this.decoder.decode(data, { stream: true });
    for (;;) {
      const used = this.step();
      if (used === 0) return;
      this.rest = this.rest.slice(used);
    }
  }

  /** The rows of the screen without what is blank at their ends. */
  lines(): string[] {
    return this.grid.map(textOf);
  }

  /** Everything that a person can see, scrolling back included. */
  all(): string {
    return [...this.scrolled, ...this.lines()].join("\n");
  }

  /** As most terminals do it: rows that are too wide are broken, broken ones are joined again, and what scrolled away comes back. */
  resize(columns: number, rows: number): void {
    const last = Math.max(this.row, this.lines().findLastIndex(Boolean));
    const cursorAt = this.past.length + this.row;
    const lines: Cell[][] = [];
    let cursor = { line: 0, offset: 0 };
    [...this.past, ...this.grid.slice(0, last + 1)].forEach((row, i) => {
      if (!this.soft.has(row) || !lines.length) lines.push([]);
      const line = lines.at(-1)!;
      if (i === cursorAt) cursor = { line: lines.length - 1, offset: line.length + this.column };
      line.push(...row);
    });
    const made: Cell[][] = [];
    lines.forEach((line, i) => {
      let end = line.length;
      const keep = i === cursor.line ? cursor.offset : 0;
      while (end > keep && line[end - 1] === BLANK) end--;
      const first = made.length;
      for (let at = 0; at < end || at === 0; at += columns) {
        const row = line.slice(at, Math.min(end, at + columns));
        while (row.length < columns) row.push(BLANK);
        if (at > 0) this.soft.add(row);
        made.push(row);
      }
      if (i === cursor.line) this.row = first + Math.floor(cursor.offset / columns);
    });
    while (made.length <= this.row) made.push(Array.from({ length: columns }, () => BLANK));
    this.column = cursor.offset % columns;
    this.columns = columns;
    this.rows = rows;
    const from = Math.max(0, made.length - rows);
    this.past = made.slice(0, from);
    this.scrolled = this.past.map(textOf);
    this.grid = made.slice(from);
    this.row -= from;
    while (this.grid.length < rows) this.grid.push(this.blank());
  }

  /** The cells of the screen. */
  cells(): readonly (readonly Cell[])[] {
    return this.grid;
  }

  private blank = (): Cell[] => Array.from({ length: this.columns }, () => BLANK);

  private clear(): void {
    this.grid = Array.from({ length: this.rows }, this.blank);
  }

  /** @returns how many characters of `rest` were used; 0 for an unfinished sequence */
  private step(): number {
    const { rest } = this;
    if (rest === "") return 0;
    if (rest[0] === "\u001b") return this.sequence(rest);
    const code = rest.charCodeAt(0);
    if (code < 32 || (code >= 127 && code < 160)) return this.control(rest[0]!);
    // oxlint-disable-next-line no-control-regex
    const [text] = /^[^\u0000-\u001f\u007f-\u009f]+/.exec(rest)!;
    for (const { segment } of GRAPHEMES.segment(text)) this.put(segment);
    return text.length;
  }

  private put(char: string): void {
    const width = Bun.stringWidth(char);
    if (width === 0) return;
    if (this.wrap && this.modes.has(7)) this.breakLine();
    if (this.column + width > this.columns) {
      if (!this.modes.has(7)) this.column = this.columns - width;
      else this.breakLine();
    }
    const cells = this.grid[this.row]!;
    const style = this.style.join(";");
    cells[this.column] = { char, style };
    // The second half of a wide character.
    if (width === 2) cells[this.column + 1] = { char: "", style };
    this.column += width;
    this.wrap = this.column >= this.columns;
    if (this.wrap) this.column = this.columns - 1;
  }

  private breakLine(): void {
    this.column = 0;
    this.lineFeed();
    this.soft.add(this.grid[this.row]!);
  }

  private lineFeed(): void {
    this.wrap = false;
    if (this.row < this.rows - 1) this.row++;
    else {
      const top = this.grid.shift()!;
      this.past.push(top);
      this.scrolled.push(textOf(top));
      this.grid.push(this.blank());
    }
  }

  private control(char: string): number {
    if (char === "\n") this.lineFeed();
    else if (char === "\r") this.column = 0;
    else if (char === "\b") this.column = Math.max(0, this.column - 1);
    else if (char === "\t") this.column = Math.min(this.columns - 1, (this.column & ~7) + 8);
    else this.strange.push(JSON.stringify(char));
    if (char !== "\n") this.wrap = false;
    return 1;
  }

  private sequence(rest: string): number {
    this.escapes++;
    // oxlint-disable-next-line no-control-regex
    const csi = /^\u001b\[([?<>=]?)([\d;]*)([@-~])/.exec(rest);
    if (csi) {
      this.csi(csi[1]!, csi[2]!, csi[3]!, csi[0]);
      return csi[0].length;
    }
    // oxlint-disable-next-line no-control-regex
    if (/^\u001b(?:\[[?<>=]?[\d;]*)?$/.test(rest)) return 0;
    this.strange.push(JSON.stringify(rest.slice(0, 8)));
    return 1;
  }

  private csi(mark: string, parameters: string, final: string, whole: string): void {
    const numbers = parameters.split(";").map(Number);
    const count = numbers[0] || 1;
    if (mark === "?" && (final === "h" || final === "l")) {
      for (const mode of numbers)
        if (final === "h") this.modes.add(mode);
        else this.modes.delete(mode);
      return;
    }
    if (final === "u" && (mark === ">" || mark === "<")) {
      this.keyboard = Math.max(0, this.keyboard + (mark === ">" ? 1 : -count));
      return;
    }
    if (mark !== "" || !this.move(final, numbers, count)) this.strange.push(JSON.stringify(whole));
  }

  private move(final: string, numbers: number[], count: number): boolean {
    const last = this.rows - 1;
    if (final === "m") {
      if (numbers[0]) this.styles++;
      for (const number of numbers)
        if (OFF[number]) this.style = this.style.filter((style) => !OFF[number]!(style));
        else this.style.push(number);
      return true;
    }
    this.wrap = false;
    if (final === "A") this.row = Math.max(0, this.row - count);
    else if (final === "B") this.row = Math.min(last, this.row + count);
    else if (final === "C") this.column = Math.min(this.columns - 1, this.column + count);
    else if (final === "D") this.column = Math.max(0, this.column - count);
    else if (final === "G") this.column = Math.min(this.columns, count) - 1;
    else if (final === "H") {
      this.row = Math.min(last, (numbers[0] || 1) - 1);
      this.column = Math.min(this.columns, numbers[1] || 1) - 1;
    } else if (final === "J" && !numbers[0]) {
      this.grid[this.row]!.fill(BLANK, this.column);
      for (const cells of this.grid.slice(this.row + 1)) cells.fill(BLANK);
    } else if (final === "K" && numbers[0] === 2) this.grid[this.row]!.fill(BLANK);
    else if (final === "K" && !numbers[0]) this.grid[this.row]!.fill(BLANK, this.column);
    else return false;
    return true;
  }
}
