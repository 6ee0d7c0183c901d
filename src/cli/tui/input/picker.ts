/** A list to choose from: typed letters leave fewer rows, arrows move, Enter takes, Escape leaves. Pure. */
import { cleanLine, shorten, type Theme, widthOf } from "../screen/text.ts";

export type Choice = { value: string; label: string; note?: string };

/** Rows of the list at most. */
const MAX_ROWS = 10;

export class Picker {
  private filter = "";
  private index = 0;

  constructor(
    readonly title: string,
    private readonly choices: readonly Choice[],
    current?: string,
  ) {
    this.index = Math.max(
      0,
      choices.findIndex(({ value }) => value === current),
    );
  }

  private get found(): readonly Choice[] {
    const words = this.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text: string) => words.every((word) => text.toLowerCase().includes(word));
    // Those that are called so stand before those that only have to do with it.
    const named = this.choices.filter(({ label }) => has(label));
    const others = this.choices.filter(
      (choice) => !named.includes(choice) && has(`${choice.value} ${choice.label} ${choice.note}`),
    );
    return [...named, ...others];
  }

  type(text: string): void {
    this.filter = (this.filter + cleanLine(text)).slice(0, 60);
    this.index = 0;
  }

  /** @returns the chosen one, `closed`, or nothing while it goes on */
  press(name: string): Choice | "closed" | undefined {
    const { found } = this;
    const last = Math.max(0, found.length - 1);
    if (name === "escape" || name === "ctrl+c") return "closed";
    if (name === "enter" || name === "tab") return found[this.index];
    if (name === "up" || name === "ctrl+p") this.index = this.index > 0 ? this.index - 1 : last;
    if (name === "down" || name === "ctrl+n") this.index = this.index < last ? this.index + 1 : 0;
    if (name === "pageup") this.index = Math.max(0, this.index - MAX_ROWS);
    if (name === "pagedown") this.index = Math.min(last, this.index + MAX_ROWS);
    if (name === "home") this.index = 0;
    if (name === "end") this.index = last;
    if (name === "space") this.type(" ");
    if (name === "backspace") {
      this.filter = this.filter.slice(0, -1);
      this.index = 0;
    }
    if (name === "ctrl+u") this.filter = "";
    return undefined;
  }

  /** @param height rows that there are for it, title included */
  lines(width: number, height: number, theme: Theme): { rows: string[]; column: number } {
    const { found } = this;
    const room = Math.max(1, Math.min(MAX_ROWS, height - 2));
    const from = Math.max(0, Math.min(this.index - (room >> 1), found.length - room));
    const head = `${this.title}: ${this.filter}`;
    const rows = found.slice(from, from + room).map(({ label, note }, i) => {
      const chosen = from + i === this.index;
      const text = cleanLine(label) + (note ? `  ${theme.dim(cleanLine(note))}` : "");
      return shorten(chosen ? `${theme.accent("❯")} ${theme.bold(text)}` : `  ${text}`, width);
    });
    const more = found.length > room ? `${this.index + 1} of ${found.length} · ` : "";
    const help = theme.dim(shorten(`  ${more}type to filter · Enter takes · Esc leaves`, width));
    return {
      rows: [shorten(head, width), ...(rows.length ? rows : ["  nothing matches"]), help],
      column: Math.min(width - 1, widthOf(head)),
    };
  }
}
