/** A set-up at a terminal, and one that nobody is asked in. The other front end is wizard/session.ts. */
import { AppError } from "../../base/errors.ts";
import type { Guide, Question } from "../../wizard/guide.ts";
import type { Ask } from "../ask.ts";
import { openScreen } from "../channels/sign-in.ts";
import type { Out } from "../out.ts";

/** Asks at the terminal. Every question throws `aborted` on Ctrl-C; `ask.close()` is the caller's. */
export function terminalGuide(out: Out, ask: Ask): Guide {
  const tell = ({ about }: Question) => {
    if (about) ask.say(about);
  };
  const again = (problem: string | undefined): boolean => {
    if (problem !== undefined) ask.say(problem);
    return problem !== undefined;
  };
  return {
    signal: ask.signal,
    async note(message, title) {
      ask.say(title ? `${title}: ${message}` : message);
    },
    confirm(question) {
      tell(question);
      return ask.yes(question.message, question.initial);
    },
    select(question) {
      tell(question);
      return ask.choose(question.message, question.options, question.initial);
    },
    multiselect(question) {
      tell(question);
      return ask.several(question.message, question.options, question.initial);
    },
    async text(question) {
      tell(question);
      const { message, initial, placeholder, check } = question;
      for (;;) {
        const example = placeholder && !initial ? ` (as in ${placeholder})` : "";
        const value = await ask.text(`${message}${example}`, initial);
        if (!again(check?.(value))) return value;
      }
    },
    async secret(question) {
      tell(question);
      for (;;) {
        const value = await ask.secret(`${question.message} (it is not shown):`);
        if (!again(question.check?.(value))) return value;
      }
    },
    async progress(message, work) {
      ask.say(message);
      const screen = openScreen(out);
      const { promise, reject } = Promise.withResolvers<never>();
      const leave = () => reject(ask.left());
      if (ask.signal.aborted) leave();
      ask.signal.addEventListener("abort", leave, { once: true });
      try {
        const shown = work((step) =>
          step.qr || step.code ? screen.show(step) : ask.say(step.message),
        );
        return await Promise.race([shown, promise]);
      } finally {
        ask.signal.removeEventListener("abort", leave);
      }
    },
  };
}

/** For scripts: what is told goes to stderr, and a question is a mistake of the program. */
export function quietGuide(out: Out): Guide {
  const asked = (): never => {
    throw new AppError("internal", "A question came up where nobody can be asked.");
  };
  return {
    signal: new AbortController().signal,
    note: async (message, title) => out.note(title ? `${title}: ${message}` : message),
    confirm: async () => asked(),
    select: async () => asked(),
    multiselect: async () => asked(),
    text: async () => asked(),
    secret: async () => asked(),
    async progress(message, work) {
      out.note(message);
      return work((step) => out.note(step.message));
    },
  };
}
