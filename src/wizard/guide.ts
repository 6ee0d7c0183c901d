/**
 * How a set-up asks. A set-up is an async function that is given a `Guide`: it asks, and gives what it has learned. It is written once
 * and has two front ends: a terminal (cli/onboard/terminal.ts), and a client of the gateway that is given one step after the other by the
 * methods `wizard.*` (session.ts), as the Control UI does. So a set-up knows neither: no colours, no key names, no HTML.
 *
 * Every question throws `aborted` when the person leaves. A set-up writes nothing before its last question is answered.
 */
export type Choice = {
  value: string;
  label: string;
  /** A few words behind the label. */
  hint?: string;
};

/** Why a value cannot be taken, as one sentence; undefined when it can. */
export type Check = (value: string) => string | undefined;

/** What goes on while nobody is asked. */
export type Shown = {
  message: string;
  /** A picture to scan, as its text. */
  qr?: string | undefined;
  /** A code to type into a phone. */
  code?: string | undefined;
};

/** `message` is the question in one sentence, `about` what has to be known to answer it. */
export type Question = { message: string; about?: string | undefined };

export interface Guide {
  /** Ends when the person leaves; long work listens to it. */
  readonly signal: AbortSignal;
  /** Something to read. Resolves when it was shown. */
  note(message: string, title?: string): Promise<void>;
  confirm(question: Question & { initial: boolean }): Promise<boolean>;
  /** Gives the `value` of one option; the first one is offered when `initial` names none. */
  select(
    question: Question & { options: readonly Choice[]; initial?: string | undefined },
  ): Promise<string>;
  /** Gives the values of any number of options, in their order. */
  multiselect(
    question: Question & { options: readonly Choice[]; initial: readonly string[] },
  ): Promise<string[]>;
  /** Gives trimmed text; `initial` when nothing was typed. Asked again while `check` objects. */
  text(
    question: Question & { initial?: string | undefined; placeholder?: string; check?: Check },
  ): Promise<string>;
  /** Trimmed text that is never shown, logged or given back. Empty when nothing was typed. */
  secret(question: Question & { placeholder?: string; check?: Check }): Promise<string>;
  /** Shows that `work` goes on, and what it says meanwhile. Throws what `work` throws, and `aborted` when the person leaves. */
  progress<T>(message: string, work: (show: (step: Shown) => void) => Promise<T>): Promise<T>;
}
