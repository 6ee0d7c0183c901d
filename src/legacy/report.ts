/** What a takeover or an export has found and done, for people and for `--json`. */

/** One kind of thing: how many there are, and where they go. */
export type Row = {
  what: string;
  count: number;
  /** Where it goes, or that it stays where it is. */
  to: string;
  /** `new` here, `there` already from an earlier run or because it is used in place, `kept` unused, `not taken`. */
  state: "new" | "there" | "kept" | "not taken";
  note?: string;
};

/** Something that could not be read or used. Everything else goes on. */
export type Problem = {
  /** Within the state folder that was read. */
  path: string;
  /** From 1. */
  line?: number;
  text: string;
  /** What a person can do. */
  hint?: string;
};

/** Problems that are told one by one; a folder with a million broken files must not fill the screen. */
const MOST = 200;

/** Collects problems. */
export class Told {
  readonly problems: Problem[] = [];
  /** Those beyond the first 200. */
  more = 0;

  problem(problem: Problem): void {
    if (this.problems.length < MOST) this.problems.push(problem);
    else this.more += 1;
  }
}

/** As one line: `agents/main/sessions/x.jsonl:7: the line is no JSON object`. */
export const lineOfProblem = ({ path, line, text, hint }: Problem): string =>
  `${path}${line === undefined ? "" : `:${line}`}: ${text}.${hint ? ` ${hint}` : ""}`;

/** `1 conversation`, `3 conversations`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
