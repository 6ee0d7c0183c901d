/** The text that is being written: a cursor between characters as people see them, lines, words, what was cut, and what was sent before. */
import { cleanText, graphemes, widthOf } from "../screen/text.ts";

/** More than this is not kept of what was sent before. */
const MAX_HISTORY = 200;
/** Longest text, in characters: what the gateway takes. */
const MAX_TEXT = 1_000_000;
/** Steps back. */
const MAX_UNDO = 100;

const WORD = /[\p{L}\p{N}_]/u;

type Snapshot = { before: string; after: string };

/** One message in the making. Every change goes through `press`, `insert` and `set`. */
export class Editor {
  /** The text on both sides of the cursor. */
  private before = "";
  private after = "";
  private cut = "";
  private readonly sent: string[] = [];
  /** Place in `sent` while one looks back; its length is the text that was being written. */
  private at = 0;
  private draft = "";
  private readonly past: Snapshot[] = [];

  get text(): string {
    return this.before + this.after;
  }

  get beforeCursor(): string {
    return this.before;
  }

  get isEmpty(): boolean {
    return this.before === "" && this.after === "";
  }

  /** Puts text in at the cursor: typed or pasted. What would steer the terminal is left out. */
  insert(text: string): void {
    this.keep();
    const room = MAX_TEXT - this.text.length;
    this.before += cleanText(text).slice(0, Math.max(0, room)).toWellFormed();
  }

  /** Replaces everything; the cursor is at the end. */
  set(text: string): void {
    this.keep();
    this.before = cleanText(text);
    this.after = "";
  }

  clear(): void {
    this.set("");
    this.at = this.sent.length;
    this.draft = "";
  }

  /** Takes the text for sending; it can be called back with `up`. */
  take(): string {
    const text = this.text;
    this.remember(text);
    this.clear();
    this.past.length = 0;
    return text;
  }

  /** Adds to what `up` calls back. */
  remember(text: string): void {
    if (text.trim() && this.sent.at(-1) !== text) this.sent.push(text);
    if (this.sent.length > MAX_HISTORY) this.sent.shift();
    this.at = this.sent.length;
  }

  /** @returns whether the key means something here */
  press(name: string): boolean {
    const action = ACTIONS[name];
    if (!action) return false;
    action(this);
    return true;
  }

  /** Moves the cursor by one character. */
  step(by: -1 | 1): void {
    this.move(by < 0 ? back(this) : forward(this));
  }

  move(to: number): void {
    const { text } = this;
    const at = Math.max(0, Math.min(text.length, to));
    this.before = text.slice(0, at);
    this.after = text.slice(at);
  }

  lineStart(): number {
    return this.before.lastIndexOf("\n") + 1;
  }

  lineEnd(): number {
    const end = this.after.indexOf("\n");
    return this.before.length + (end < 0 ? this.after.length : end);
  }

  wordLeft(): number {
    const chars = graphemes(this.before);
    while (chars.length && !WORD.test(chars.at(-1)!)) chars.pop();
    while (chars.length && WORD.test(chars.at(-1)!)) chars.pop();
    return chars.join("").length;
  }

  wordRight(): number {
    const chars = graphemes(this.after);
    let i = 0;
    while (i < chars.length && !WORD.test(chars[i]!)) i++;
    while (i < chars.length && WORD.test(chars[i]!)) i++;
    return this.before.length + chars.slice(0, i).join("").length;
  }

  /** Where the word before the cursor begins that only spaces end, as Ctrl-W takes it in a shell. */
  spaceLeft(): number {
    return this.before.replace(/\S+\s*$/, "").length;
  }

  /** Removes what is between the cursor and `to`. */
  remove(to: number, kept: boolean): void {
    this.keep();
    const from = this.before.length;
    const [start, end] = [Math.min(from, to), Math.max(from, to)];
    const { text } = this;
    if (kept && end > start) this.cut = text.slice(start, end);
    this.before = text.slice(0, start);
    this.after = text.slice(end);
  }

  paste(): void {
    if (this.cut) this.insert(this.cut);
  }

  undo(): void {
    const last = this.past.pop();
    if (last) Object.assign(this, last);
  }

  /** A line up or down; on the first and the last line, what was sent before. */
  vertical(by: -1 | 1): void {
    const start = this.lineStart();
    const column = widthOf(this.text.slice(start, this.before.length));
    if (by < 0 && start === 0) return this.recall(-1);
    if (by > 0 && this.lineEnd() === this.text.length) return this.recall(1);
    const from = by < 0 ? this.text.lastIndexOf("\n", start - 2) + 1 : this.lineEnd() + 1;
    const lineEnd = this.text.indexOf("\n", from);
    const line = this.text.slice(from, lineEnd < 0 ? undefined : lineEnd);
    this.move(from + offsetAt(line, column));
  }

  recall(by: -1 | 1): void {
    const to = this.at + by;
    if (to < 0 || to > this.sent.length) return;
    if (this.at === this.sent.length) this.draft = this.text;
    this.at = to;
    this.set(to === this.sent.length ? this.draft : this.sent[to]!);
  }

  private keep(): void {
    const { before, after } = this;
    const last = this.past.at(-1);
    if (last?.before === before && last.after === after) return;
    this.past.push({ before, after });
    if (this.past.length > MAX_UNDO) this.past.shift();
  }
}

/** How many code units of the line are left of the cell. */
function offsetAt(line: string, column: number): number {
  let [cells, units] = [0, 0];
  for (const char of graphemes(line)) {
    cells += widthOf(char);
    if (cells > column) break;
    units += char.length;
  }
  return units;
}

const ACTIONS: Record<string, (editor: Editor) => void> = {
  left: (e) => e.step(-1),
  "ctrl+b": (e) => e.step(-1),
  right: (e) => e.step(1),
  "ctrl+f": (e) => e.step(1),
  up: (e) => e.vertical(-1),
  down: (e) => e.vertical(1),
  "ctrl+n": (e) => e.recall(1),
  home: (e) => e.move(e.lineStart()),
  "ctrl+a": (e) => e.move(e.lineStart()),
  end: (e) => e.move(e.lineEnd()),
  "ctrl+e": (e) => e.move(e.lineEnd()),
  "ctrl+home": (e) => e.move(0),
  "ctrl+end": (e) => e.move(e.text.length),
  "alt+b": (e) => e.move(e.wordLeft()),
  "alt+left": (e) => e.move(e.wordLeft()),
  "ctrl+left": (e) => e.move(e.wordLeft()),
  "alt+f": (e) => e.move(e.wordRight()),
  "alt+right": (e) => e.move(e.wordRight()),
  "ctrl+right": (e) => e.move(e.wordRight()),
  backspace: (e) => e.remove(back(e), false),
  "ctrl+h": (e) => e.remove(back(e), false),
  "shift+backspace": (e) => e.remove(back(e), false),
  delete: (e) => e.remove(forward(e), false),
  "ctrl+d": (e) => e.remove(forward(e), false),
  "ctrl+w": (e) => e.remove(e.spaceLeft(), true),
  "alt+backspace": (e) => e.remove(e.wordLeft(), true),
  "ctrl+backspace": (e) => e.remove(e.wordLeft(), true),
  "alt+d": (e) => e.remove(e.wordRight(), true),
  "ctrl+u": (e) => e.remove(e.lineStart(), true),
  "ctrl+k": (e) => e.remove(e.lineEnd(), true),
  "ctrl+y": (e) => e.paste(),
  "ctrl+31": (e) => e.undo(),
  "ctrl+z": (e) => e.undo(),
  "shift+enter": (e) => e.insert("\n"),
  "alt+enter": (e) => e.insert("\n"),
  "ctrl+enter": (e) => e.insert("\n"),
  "ctrl+j": (e) => e.insert("\n"),
  space: (e) => e.insert(" "),
  "shift+space": (e) => e.insert(" "),
};

const back = (e: Editor): number =>
  e.beforeCursor.length - (graphemes(e.beforeCursor.slice(-64)).at(-1)?.length ?? 0);
const forward = (e: Editor): number => {
  const after = e.text.slice(e.beforeCursor.length);
  return e.beforeCursor.length + (graphemes(after.slice(0, 64))[0]?.length ?? 0);
};

export type EditorView = { rows: string[]; row: number; column: number };

/** The text as rows of `width` cells, and where the cursor is. Rows break anywhere, so that typing never moves a word. */
export function editorRows(text: string, cursor: number, width: number): EditorView {
  const rows: string[] = [];
  const view: EditorView = { rows, row: 0, column: 0 };
  let units = 0;
  for (const line of text.split("\n")) {
    let row = "";
    let cells = 0;
    const place = () => {
      if (units !== cursor) return;
      view.row = rows.length;
      view.column = cells;
    };
    for (const char of graphemes(line)) {
      const wide = widthOf(char);
      if (cells + wide > width) {
        rows.push(row);
        row = "";
        cells = 0;
      }
      place();
      row += char;
      cells += wide;
      units += char.length;
    }
    if (cells >= width) {
      rows.push(row);
      row = "";
      cells = 0;
    }
    place();
    rows.push(row);
    units++;
  }
  return view;
}
