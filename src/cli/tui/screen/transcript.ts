/** What was printed for good, as far back as it may have to be drawn again. */
import { type Item, linesOf, type Look } from "./items.ts";
import { widthOf } from "./text.ts";

/** Entries that are remembered; what is older stands in the terminal's own scroll-back only. */
const MAX_ITEMS = 600;

/** How many rows a line takes on a terminal of this width, which breaks what is too wide. */
export const rowsOf = (width: number, columns: number): number =>
  Math.max(1, Math.ceil(width / columns));

export class Transcript {
  /** `widths`: of its lines as they were printed. */
  private items: { item: Item; widths: number[] }[] = [];

  /** @returns the lines of new entries */
  add(items: readonly Item[], look: Look): string[] {
    const lines: string[] = [];
    for (const item of items) {
      const own = linesOf(item, look);
      for (const line of own) lines.push(line);
      this.items.push({ item, widths: own.map(widthOf) });
    }
    if (this.items.length > MAX_ITEMS) this.items.splice(0, this.items.length - MAX_ITEMS);
    return lines;
  }

  /** The newest entries that take `rows` rows: how many rows they take on the screen now, and their lines as they should look. */
  again(rows: number, look: Look): { above: number; lines: string[] } {
    let [from, above] = [this.items.length, 0];
    while (from > 0 && above < rows)
      for (const width of this.items[--from]!.widths) above += rowsOf(width, look.width);
    const kept = this.items.splice(from).map(({ item }) => item);
    return { above, lines: this.add(kept, look) };
  }
}
