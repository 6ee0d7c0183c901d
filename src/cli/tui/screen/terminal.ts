/**
 * The terminal while a program has it for itself: raw keys, no echo, marks around pastes. Whatever ends the program, the terminal is given
 * back as it was: the cursor shown, every mode reset.
 */
import { constants } from "node:os";

import type { Out } from "../../out.ts";
import { type Key, KeyReader } from "../input/keys.ts";

export type Size = { columns: number; rows: number };

export type TerminalEvents = {
  key(key: Key): void;
  resized(): void;
  /** The terminal is gone or somebody ends the program: the exit code. */
  ended(code: number): void;
  /** An error that nobody caught. */
  failed(cause: unknown): void;
};

export type Terminal = {
  size(): Size;
  write(text: string): void;
  /** Gives the terminal back; safe to call twice. Nothing is written by `write` afterwards. */
  close(): void;
};

/** Pastes are marked; keys with modifiers are told apart where the terminal can. */
const ENTER = "\u001b[?2004h\u001b[>1u";
/** Also ends a frame that was cut in the middle. */
const LEAVE = "\u001b[?2026l\u001b[<u\u001b[?2004l\u001b[?7h\u001b[0m\u001b[?25h";
/** How long an escape waits to be the beginning of a sequence, in ms. */
const ESCAPE_MS = 40;
const MIN: Size = { columns: 10, rows: 4 };

/** Takes standard input and output, which both have to be terminals. */
export function openTerminal(out: Out, events: TerminalEvents): Terminal {
  const { stdin, stdout } = process;
  const reader = new KeyReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let open = true;

  const guarded =
    <A extends unknown[]>(work: (...args: A) => void) =>
    (...args: A): void => {
      try {
        work(...args);
      } catch (cause) {
        events.failed(cause);
      }
    };
  const data = guarded((bytes: Buffer) => {
    clearTimeout(timer);
    for (const key of reader.push(bytes)) events.key(key);
    if (!reader.waits) return;
    timer = setTimeout(
      guarded(() => {
        for (const key of reader.flush()) events.key(key);
      }),
      ESCAPE_MS,
    );
  });
  const ended = (signal: NodeJS.Signals) => () => events.ended(128 + constants.signals[signal]);
  const signals = (["SIGTERM", "SIGHUP", "SIGINT"] as const).map(
    (signal) => [signal, ended(signal)] as const,
  );
  const gone = ended("SIGHUP");
  const resized = guarded(() => events.resized());
  const failed = (cause: unknown) => events.failed(cause);

  stdin.setRawMode(true);
  stdin.on("data", data);
  stdin.on("end", gone);
  stdin.on("error", gone);
  stdin.resume();
  stdout.on("resize", resized);
  for (const [signal, take] of signals) process.on(signal, take);
  process.on("uncaughtException", failed);
  process.on("unhandledRejection", failed);
  out.raw(ENTER);

  return {
    size: () => ({
      columns: Math.max(MIN.columns, stdout.columns || 80),
      rows: Math.max(MIN.rows, stdout.rows || 24),
    }),
    write(text) {
      if (!open || text === "") return;
      out.raw(text);
      if (out.closed) gone();
    },
    close() {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      out.raw(LEAVE);
      stdin.off("data", data);
      stdin.off("end", gone);
      // The terminal may be gone; there is nothing to set back then.
      stdin.off("error", gone).on("error", () => undefined);
      if (!out.closed) stdin.setRawMode(false);
      stdin.pause();
      stdout.off("resize", resized);
      for (const [signal, take] of signals) process.off(signal, take);
      process.off("uncaughtException", failed);
      process.off("unhandledRejection", failed);
    },
  };
}
