/** What was printed for good, as far back as it may have to be drawn again. */
import { type Item, linesOf, type Look } from "./items.ts";

/** Entries that are remembered; what is older stands in the terminal's own scroll-back only. */
const MAX_ITEMS = 600;

export class Transcript {
  private items: { item: Item; rows: number }[] = [];

  /** @returns the lines of new entries */
  add(items: readonly Item[], look: Look): string[] {
    const lines: string[] = [];
    for (const item of items) {
      const own = linesOf(item, look);
      for (const line of own) lines.push(line);
      this.items.push({ item, rows: own.length });
    }
    if (this.items.length > MAX_ITEMS) this.items.splice(0, this.items.length - MAX_ITEMS);
    return lines;
  }

  /** The lines of the entries that took the last `rows` rows, as they look now. */
  again(rows: number, look: Look): string[] {
    let [from, height] = [this.items.length, 0];
    while (from > 0 && height < rows) height += this.items[--from]!.rows;
    const kept = this.items.slice(from);
    this.items = this.items.slice(0, from);
    return this.add(
      kept.map(({ item }) => item),
      look,
    );
  }
}
