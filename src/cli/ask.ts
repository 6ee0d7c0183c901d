/** Questions to the person at the terminal. On stderr, so that a result on stdout stays clean. Used by onboarding. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

import { AppError } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import { type Out, safeText } from "./out.ts";

export type Option = { value: string; label: string };

export type Ask = {
  /** Enter alone takes `otherwise`. */
  yes(question: string, otherwise: boolean): Promise<boolean>;
  /** One of the options, by number or by value; Enter takes the first. Asks again for anything else. */
  choose(question: string, options: readonly Option[]): Promise<string>;
  /** What is typed is not shown. Empty for Enter alone. */
  secret(question: string): Promise<string>;
  close(): void;
};

/** Whether there is somebody to ask. */
export const canAsk = (): boolean => isTerminal(0) && isTerminal(2);

/** Every question throws `aborted` on Ctrl-C and when the terminal goes away. */
export function openAsk(out: Out): Ask {
  let shown = true;
  const screen = new Writable({
    write(chunk: Buffer, _, done) {
      if (shown) out.prompt(chunk.toString());
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: screen, terminal: true });
  const ask = (question: string, { hidden = false } = {}) =>
    readAnswer(lines, safeText(question), (visible) => (shown = visible), hidden).finally(() => {
      shown = true;
      if (hidden) out.prompt("\n");
    });
  return {
    async yes(question, otherwise) {
      for (;;) {
        const answer = (await ask(`${question} [${otherwise ? "Y/n" : "y/N"}] `)).toLowerCase();
        if (answer === "") return otherwise;
        if (/^(?:y|yes|n|no)$/.test(answer)) return answer.startsWith("y");
        out.note("Please answer y or n.");
      }
    },
    async choose(question, options) {
      out.note(question);
      options.forEach(({ label }, i) => out.note(`  ${i + 1}) ${safeText(label)}`));
      for (;;) {
        const answer = await ask(`Choose 1 to ${options.length} [1] `);
        const chosen =
          options.find(({ value }) => value === answer) ?? options[Number(answer || "1") - 1];
        if (chosen) return chosen.value;
        out.note(`Please type a number from 1 to ${options.length}.`);
      }
    },
    secret: (question) => ask(`${question} `, { hidden: true }),
    close: () => lines.close(),
  };
}

/** The readline callback API, because its promises do not settle when the terminal goes away. */
function readAnswer(
  lines: Interface,
  text: string,
  show: (visible: boolean) => void,
  hidden: boolean,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = () => reject(new AppError("aborted", "Stopped; nothing was changed."));
  lines.once("SIGINT", stop);
  lines.once("close", stop);
  lines.question(text, (answer) => resolve(answer.trim()));
  // After the question itself is on the screen.
  if (hidden) show(false);
  return promise.finally(() => {
    lines.off("SIGINT", stop);
    lines.off("close", stop);
  });
}
