/** Slash commands while they are typed: which fit, and what Tab makes of it. Pure. */
import { cleanLine, shorten, type Theme, widthOf } from "../screen/text.ts";

export type SlashCommand = {
  /** Without the slash. */
  name: string;
  doc: string;
  /** Choices of the first argument; absent when it takes none, empty when it takes any text. */
  choices?: readonly string[];
};

type Match = { insert: string; label: string; doc: string };

/** Rows of the menu at most. */
const MAX_ROWS = 6;

/** What could stand in the place of a text that begins with a slash, best first. */
export function matchesOf(text: string, commands: readonly SlashCommand[]): Match[] {
  const typed = /^\/(\S*)$/.exec(text)?.[1]?.toLowerCase();
  if (typed !== undefined) {
    const rank = ({ name }: SlashCommand) =>
      name.startsWith(typed) ? 0 : name.includes(typed) ? 1 : 2;
    return commands
      .filter((each) => rank(each) < 2)
      .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
      .map(({ name, doc, choices }) => ({
        insert: `/${name}${choices ? " " : ""}`,
        label: `/${name}`,
        doc,
      }));
  }
  const [, name, argument] = /^\/(\S+) +(\S*)$/.exec(text) ?? [];
  const choices = commands.find((each) => each.name === name?.toLowerCase())?.choices ?? [];
  return choices
    .filter((choice) => choice.startsWith(argument!.toLowerCase()) && choice !== argument)
    .map((choice) => ({ insert: `/${name} ${choice}`, label: choice, doc: "" }));
}

/** The menu below the editor. It is open while something fits and nobody closed it for this text. */
export class Menu {
  private matches: Match[] = [];
  private index = 0;
  private closedFor: string | undefined;

  update(text: string, commands: readonly SlashCommand[]): void {
    const before = this.matches[this.index]?.label;
    this.matches = text.startsWith("/") && text !== this.closedFor ? matchesOf(text, commands) : [];
    if (text !== this.closedFor) this.closedFor = undefined;
    this.index = Math.max(
      0,
      this.matches.findIndex(({ label }) => label === before),
    );
  }

  get open(): boolean {
    return this.matches.length > 0;
  }

  move(by: -1 | 1): void {
    const { length } = this.matches;
    if (length) this.index = (this.index + by + length) % length;
  }

  close(text: string): void {
    this.closedFor = text;
    this.matches = [];
  }

  /** What Tab puts in the place of the text. */
  get chosen(): string | undefined {
    return this.matches[this.index]?.insert;
  }

  lines(width: number, height: number, theme: Theme): string[] {
    const room = Math.max(0, Math.min(MAX_ROWS, height));
    const from = Math.max(0, Math.min(this.index - (room >> 1), this.matches.length - room));
    const shown = this.matches.slice(from, from + room);
    const column = Math.max(0, ...shown.map(({ label }) => widthOf(label)));
    return shown.map(({ label, doc }, i) => {
      const chosen = from + i === this.index;
      const name = label + " ".repeat(column - widthOf(label));
      const text = `${chosen ? theme.bold(theme.accent(name)) : name}  ${theme.dim(cleanLine(doc))}`;
      return shorten(`${chosen ? theme.accent("❯") : " "} ${text}`, width).trimEnd();
    });
  }
}
