/**
 * What a command shows: results on stdout, notes and errors on stderr. The only place that writes to the terminal.
 * Writes are synchronous, so that a large answer into a pipe is complete when the process ends. A reader that goes away
 * (`… | head`) ends the output quietly.
 */
import { writeSync } from "node:fs";

import { errnoOf } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
const CODES: Record<Style, string> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36",
};

export type Column = { title: string; align?: "right" };

export type OutOptions = {
  /** Only JSON on stdout; notes are left out. */
  json: boolean;
  /** Undefined: colours when stdout is a terminal. */
  colour?: boolean;
  /** File descriptors, for tests. */
  stdout?: number;
  stderr?: number;
  /** Width of the terminal, for tests. */
  columns?: number;
};

/** What a terminal is taken for that does not tell its width. */
const USUAL_COLUMNS = 80;

export class Out {
  readonly json: boolean;
  readonly tty: boolean;
  readonly colour: boolean;
  private readonly fds: { stdout: number; stderr: number };
  private readonly width: number | undefined;
  private gone = false;

  constructor(options: OutOptions) {
    this.json = options.json;
    this.fds = { stdout: options.stdout ?? 1, stderr: options.stderr ?? 2 };
    this.tty = isTerminal(this.fds.stdout);
    this.colour = options.colour ?? this.tty;
    this.width = options.columns;
  }

  /** Where lines should end: never in a file or a pipe, whose reader counts on whole lines. */
  get columns(): number {
    if (this.width !== undefined) return this.width;
    return this.tty ? process.stdout.columns || USUAL_COLUMNS : Number.POSITIVE_INFINITY;
  }

  /** The reader of stdout went away; there is nobody left to work for. */
  get closed(): boolean {
    return this.gone;
  }

  line(text = ""): void {
    this.raw(`${text}\n`);
  }

  /** Without a line end: streamed text. */
  raw(text: string): void {
    if (!this.gone) this.gone = !writeAll(this.fds.stdout, text);
  }

  /** A result as pretty JSON. */
  data(value: unknown): void {
    this.line(JSON.stringify(value, null, 2));
  }

  /** One JSON value per line, for streams. */
  jsonLine(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A question and what is typed after it, on stderr. */
  prompt(text: string): void {
    writeAll(this.fds.stderr, text);
  }

  /** Progress and advice for people, on stderr; nothing with --json. */
  note(text: string): void {
    if (!this.json) this.error(text);
  }

  error(text: string): void {
    writeAll(this.fds.stderr, `${text}\n`);
  }

  /**
   * Aligned columns; on a terminal that is too narrow for them, one value a line, so that nothing is cut and every id can be copied.
   * Cells are made safe for the terminal here.
   */
  table(columns: Column[], rows: string[][]): void {
    const cells = [columns.map((c) => c.title), ...rows.map((row) => row.map(safeText))];
    const width = columns.map((_, i) => Math.max(...cells.map((r) => Bun.stringWidth(r[i] ?? ""))));
    const total = width.reduce((sum, each) => sum + each, 2 * (width.length - 1));
    if (total > this.columns) return this.records(columns, cells.slice(1));
    const pad = (cell: string, i: number) => {
      const space = " ".repeat(width[i]! - Bun.stringWidth(cell));
      return columns[i]!.align === "right" ? space + cell : cell + space;
    };
    for (const [n, row] of cells.entries()) {
      const line = columns.map((_, i) => pad(row[i] ?? "", i)).join("  ");
      this.line(n === 0 ? this.paint("dim", line.trimEnd()) : line.trimEnd());
    }
  }

  /** The rows below each other; the first value of each is its head. */
  private records(columns: Column[], rows: string[][]): void {
    for (const [first = "", ...others] of rows) {
      this.line(first || "-");
      for (const [i, value] of others.entries())
        if (value && value !== "-") {
          const name = `${columns[i + 1]!.title}:`;
          const fits = Bun.stringWidth(name) + Bun.stringWidth(value) + 3 <= this.columns;
          this.line(`  ${this.paint("dim", name)}${fits ? " " : "\n    "}${value}`);
        }
    }
  }

  /** `Name: value` lines with the values under each other; one that does not fit a terminal begins on a line of its own. */
  pairs(rows: [name: string, value: string][]): void {
    const width = Math.max(...rows.map(([name]) => name.length)) + 1;
    for (const [name, given] of rows) {
      const value = safeText(given);
      const fits = width + 1 + Bun.stringWidth(value) <= this.columns;
      if (fits) this.line(`${this.paint("dim", `${name}:`.padEnd(width))} ${value}`);
      else this.line(`${this.paint("dim", `${name}:`)}\n  ${value}`);
    }
  }

  paint(style: Style, text: string): string {
    return this.colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  }
}

/** Text from elsewhere without what would steer the terminal: escape sequences and control characters but line end and tab. */
export const safeText = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  Bun.stripANSI(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");

/** The pipe, the socket or the terminal behind the descriptor has no other end any more. */
const GONE = new Set(["EPIPE", "ECONNRESET", "EIO", "EBADF"]);

/** False when nobody reads any more. */
function writeAll(fd: number, text: string): boolean {
  let bytes = Buffer.from(text);
  while (bytes.length > 0)
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (cause) {
      const code = errnoOf(cause);
      if (code !== undefined && GONE.has(code)) return false;
      if (code !== "EAGAIN") throw cause;
      // A pipe that the reader made non-blocking and does not empty; wait a moment instead of losing the rest.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  return true;
}

const NOISY = ["log", "info", "warn", "error", "debug", "trace"] as const;

/** What libraries print goes to `heard` instead of the terminal: its first words only. The result undoes it. */
export function silenceConsole(heard: (text: string) => void): () => void {
  const before = NOISY.map((name) => [name, console[name]] as const);
  for (const name of NOISY)
    console[name] = (first: unknown) => {
      if (typeof first === "string") heard(first.slice(0, 200));
    };
  return () => {
    for (const [name, print] of before) console[name] = print;
  };
}
