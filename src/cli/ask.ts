/** Questions to the person at the terminal. On stderr, so that a result on stdout stays clean. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

import { AppError } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import { type Out, safeText } from "./out.ts";

export type Option = { value: string; label: string; hint?: string | undefined };

export type Ask = {
  /** Ends when the person presses Ctrl-C or the terminal goes away, also between two questions. */
  readonly signal: AbortSignal;
  /** What to throw then. */
  left(): AppError;
  /** Lines to read, as wide as the terminal. */
  say(text: string): void;
  /** Enter alone takes `otherwise`. */
  yes(question: string, otherwise: boolean): Promise<boolean>;
  /** One of the options, by number or by value; Enter takes `first`, or the first. Asks again for anything else. */
  choose(question: string, options: readonly Option[], first?: string): Promise<string>;
  /** Any of the options, by numbers; Enter takes `first`. */
  several(
    question: string,
    options: readonly Option[],
    first: readonly string[],
  ): Promise<string[]>;
  /** Trimmed; Enter alone takes `otherwise`, which may be empty. */
  text(question: string, otherwise?: string): Promise<string>;
  /** What is typed is not shown. Empty for Enter alone. */
  secret(question: string): Promise<string>;
  close(): void;
};

/** Whether there is somebody to ask. */
export const canAsk = (): boolean => isTerminal(0) && isTerminal(2);

/** Room for the text of a question; narrower than this nothing is broken into lines. */
const NARROWEST = 20;

/** What a person who leaves is told: what has become of everything, and what to do next. */
export type Leave = { message?: string; hint?: string };

/** Every question throws `aborted` on Ctrl-C and when the terminal goes away, with `leave` as its words. */
export function openAsk(out: Out, leave: Leave = {}): Ask {
  let shown = true;
  const screen = new Writable({
    write(chunk: Buffer, _, done) {
      if (shown) out.prompt(chunk.toString());
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: screen, terminal: true });
  const leaving = new AbortController();
  const stop = () => leaving.abort();
  lines.on("SIGINT", stop);
  lines.once("close", stop);
  // In a container there may be nobody else who ends it: the first process gets no default action.
  process.on("SIGTERM", stop);
  const left = () =>
    new AppError("aborted", leave.message ?? "Stopped; nothing was changed.", {
      ...(leave.hint && { hint: leave.hint }),
    });
  // Also with --json: whoever is asked has to see it.
  const say = (text: string) => out.error(wrapped(safeText(text)));
  const ask = async (question: string, { hidden = false } = {}) => {
    if (leaving.signal.aborted) throw left();
    const rows = wrapped(safeText(question)).split("\n");
    const last = rows.pop()!;
    if (rows.length > 0) out.error(rows.join("\n"));
    try {
      return await readAnswer(lines, last, (visible) => (shown = visible), {
        hidden,
        signal: leaving.signal,
        left,
      });
    } finally {
      shown = true;
      if (hidden || leaving.signal.aborted) out.prompt("\n");
    }
  };
  const list = (question: string, options: readonly Option[]) => {
    say(question);
    options.forEach(({ label, hint }, i) => say(`  ${i + 1}) ${label}${hint ? ` (${hint})` : ""}`));
  };
  const find = (options: readonly Option[], answer: string): Option | undefined =>
    options.find(({ value }) => value === answer) ??
    (/^\d{1,4}$/.test(answer) ? options[Number(answer) - 1] : undefined);
  return {
    signal: leaving.signal,
    left,
    say,
    async yes(question, otherwise) {
      for (;;) {
        const answer = (await ask(`${question} [${otherwise ? "Y/n" : "y/N"}] `)).toLowerCase();
        if (answer === "") return otherwise;
        if (/^(?:y|yes|n|no)$/.test(answer)) return answer.startsWith("y");
        out.error("Please answer y or n.");
      }
    },
    async choose(question, options, first) {
      list(question, options);
      const offered = Math.max(
        0,
        options.findIndex(({ value }) => value === first),
      );
      for (;;) {
        const answer = await ask(`Choose 1 to ${options.length} [${offered + 1}] `);
        const chosen = find(options, answer || String(offered + 1));
        if (chosen) return chosen.value;
        out.error(`Please type a number from 1 to ${options.length}.`);
      }
    },
    async several(question, options, first) {
      list(question, options);
      const numbers = options.flatMap(({ value }, i) => (first.includes(value) ? [i + 1] : []));
      for (;;) {
        const answer = await ask(`Numbers with commas [${numbers.join(",") || "none"}] `);
        if (answer === "") return [...first];
        if (answer === "none") return [];
        const chosen = answer.split(/[\s,]+/).map((each) => find(options, each));
        if (chosen.every((each) => each !== undefined))
          return options.filter((each) => chosen.includes(each)).map(({ value }) => value);
        out.error(`Please type numbers from 1 to ${options.length}, as in 1,2, or none.`);
      }
    },
    text: async (question, otherwise) =>
      (await ask(`${question}${otherwise ? ` [${otherwise}]` : ""}: `)) || (otherwise ?? ""),
    secret: (question) => ask(`${question} `, { hidden: true }),
    close() {
      process.off("SIGTERM", stop);
      lines.close();
    },
  };
}

/** Broken into lines between words; a space at the end stays, because what is typed comes after it. */
function wrapped(text: string): string {
  const columns = process.stderr.columns || 80;
  if (columns < NARROWEST) return text;
  const end = /\s*$/.exec(text)![0];
  return Bun.wrapAnsi(text.trimEnd(), columns - 1, { trim: false }) + end;
}

type Reading = { hidden: boolean; signal: AbortSignal; left(): AppError };

/** The readline callback API, because its promises do not settle when the terminal goes away. */
function readAnswer(
  lines: Interface,
  text: string,
  show: (visible: boolean) => void,
  { hidden, signal, left }: Reading,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = () => reject(left());
  signal.addEventListener("abort", stop, { once: true });
  lines.question(text, (answer) => resolve(answer.trim()));
  // After the question itself is on the screen.
  if (hidden) show(false);
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
