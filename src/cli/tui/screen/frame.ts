/**
 * Draws below what the terminal already shows, without its alternate screen: finished lines are written once and scroll away as that of any
 * program's output does, so that scrolling back, searching and copying are the terminal's own. Only the rows of the live part are drawn
 * again, and of these only the ones that changed. Pure: gives what to write.
 */

import { widthOf } from "./text.ts";
import { rowsOf } from "./transcript.ts";

export type Frame = {
  /** Finished lines above the live part, once each. */
  done: string[];
  /** The live part; the screen must have at least as many rows. */
  live: string[];
  /** Row of the live part, and cell; undefined hides it. */
  cursor: { row: number; column: number } | undefined;
};

/** A terminal that knows this shows the frame as a whole; any other ignores it. */
const BEGIN = "\u001b[?2026h\u001b[?25l\u001b[?7l";
const END = "\u001b[?7h";
const COMMIT = "\u001b[?2026l";
const SHOW_CURSOR = "\u001b[?25h";

const move = (rows: number): string =>
  rows > 0 ? `\u001b[${rows}B` : rows < 0 ? `\u001b[${-rows}A` : "";

export class Painter {
  /** The live rows that are on the screen. */
  private shown: string[] = [];
  /** Row of the live part that the cursor is in. */
  private row = 0;
  private cursor = "";

  /** @returns what to write; empty when nothing changed */
  paint({ done, live, cursor }: Frame): string {
    const rows = [...done, ...live];
    const place = cursor ? `${cursor.row},${cursor.column}` : "";
    const { shown } = this;
    const same = rows.length === shown.length && rows.every((line, i) => line === shown[i]);
    if (same && place === this.cursor) return "";
    let out = `${BEGIN}${move(-this.row)}\r`;
    let at = 0;
    const last = Math.max(0, shown.length - 1);
    rows.forEach((line, i) => {
      if (i < shown.length && line === shown[i]) return;
      // Rows that are there are gone to; a new one is made by a line end below the last.
      const to = Math.min(i, Math.max(at, last));
      out += `${move(to - at)}${"\r\n".repeat(i - to)}\r\u001b[2K${line}`;
      at = i;
    });
    if (shown.length > rows.length && rows.length > 0) {
      out += `${move(rows.length - at)}\r\u001b[J`;
      at = rows.length;
    }
    const target = cursor ? done.length + cursor.row : Math.max(0, rows.length - 1);
    out += `${move(target - at)}\r`;
    if (cursor?.column) out += `\u001b[${cursor.column}C`;
    this.shown = live;
    this.row = target - done.length;
    this.cursor = place;
    return `${out}${END}${cursor ? SHOW_CURSOR : ""}${COMMIT}`;
  }

  /** Leaves the live part for good: with `keep` its rows stay, else they are removed; the cursor is at the start of a free line. */
  leave(keep = false): string {
    const below = this.shown.length - 1 - this.row;
    const out = keep
      ? `${move(Math.max(0, below))}${this.shown.length ? "\r\n" : ""}`
      : `${move(-this.row)}\r\u001b[J`;
    this.forget();
    return out;
  }

  /**
   * Takes off the live part and `above` rows of finished lines, to draw them another way. What else is on the screen stays: it is the
   * shell's. On a terminal that has become narrower, rows were broken; this counts them as most terminals do.
   */
  rewind(above: number, columns: number): string {
    const over = this.shown
      .slice(0, this.row)
      .reduce((sum, line) => sum + rowsOf(widthOf(line), columns), 0);
    const within = Math.floor(Number(this.cursor.split(",")[1] ?? 0) / columns);
    this.forget();
    return `${move(-(above + over + within))}\r\u001b[J`;
  }

  private forget(): void {
    this.shown = [];
    this.row = 0;
    this.cursor = "";
  }
}
