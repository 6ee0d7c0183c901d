/**
 * Where log lines go: the console (stderr) for whoever started the program, and a rolling JSON-lines file for the Control UI,
 * `logs` and bug reports. Every line passes the redactor. Logging never throws and never waits for the disk.
 */
import { createConsola } from "consola/core";

import { openLogFile } from "./log-file.ts";
import type { ConsoleStyle, LogRecord } from "./log-lines.ts";
import { consoleLine, createCalm, fileLine, messageText, plainData } from "./log-lines.ts";
import type { Logger, LogLevel } from "./log.ts";
import { LOG_LEVELS } from "./log.ts";
import type { Redactor } from "./redact.ts";
import { createRedactor } from "./redact.ts";
import type { Clock } from "./time.ts";
import { systemClock } from "./time.ts";

/** What may change while the program runs, when the config is read or edited. */
export type LogLevels = {
  /** Of the file. */
  level: LogLevel;
  consoleLevel: LogLevel;
  consoleStyle: ConsoleStyle;
};

/** Where the lines of the file go; `file` is an absolute path instead of a dated file. */
export type LogTarget = { file?: string; maxBytes?: number };

export type LoggingOptions = Partial<LogLevels> & {
  /** Folder of the dated files; see `findPaths`. */
  dir: string;
  /** An absolute path instead of a dated file. */
  file?: string;
  redact?: Redactor;
  /** Colours on the console; decided by the caller (terminal, NO_COLOR). */
  colour?: boolean;
  maxBytes?: number;
  /** Log files kept, the current one included. */
  keep?: number;
  clock?: Clock;
  /** Takes one console line without its line end; stderr by default. */
  console?: (line: string) => void;
};

export type Logging = {
  logger(subsystem: string): Logger;
  /** One line on the console only, unmasked: the sign-in link, which must not stay on a disk that tools can read. */
  tell(subsystem: string, message: string): void;
  /** The current log file; empty when no place was safe to write to. */
  readonly file: string;
  readonly redact: Redactor;
  configure(change: Partial<LogLevels>): void;
  /** Writes to another file from now on. Lines that wait go to the one they were meant for. */
  redirect(target: LogTarget): Promise<void>;
  /** Resolves when every line so far is in the file. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** Lines of one level per second; more are counted, not written. */
const PER_SECOND = 200;
/** Largest log file where nobody says, as in the config's own default: reading the config must not open the file anew. */
const MAX_BYTES = 20 * 1024 * 1024;
/** A repeated line is summed up at the latest after this long, in ms. */
const SUM_UP_MS = 2000;

export function createLogging(options: LoggingOptions): Logging {
  const clock = options.clock ?? systemClock;
  const redact = options.redact ?? createRedactor();
  const levels: LogLevels = {
    level: options.level ?? "info",
    consoleLevel: options.consoleLevel ?? "info",
    consoleStyle: options.consoleStyle ?? "compact",
  };
  const calm = createCalm(PER_SECOND);
  const output = options.console ? { write: options.console, close() {} } : stderrLines();
  const show = consoleOutput(options, levels, output.write);
  // Before the file registers its own listener: what is summed up at the end must still reach the file.
  const onExit = () => sumUp();
  process.on("exit", onExit);
  const openFile = ({ file: path, maxBytes = MAX_BYTES }: LogTarget) =>
    openLogFile({
      dir: options.dir,
      ...(path && { file: path }),
      clock,
      maxBytes,
      keep: options.keep ?? 5,
      onTrouble: (message) =>
        show({
          at: clock.now(),
          level: "warn",
          subsystem: "log",
          message,
          data: undefined,
          times: 1,
        }),
    });
  let target: LogTarget = { file: options.file, maxBytes: options.maxBytes };
  let file = openFile(target);
  let timer: ReturnType<typeof setTimeout> | undefined;

  const put = (records: LogRecord[]): void => {
    for (const record of records) {
      show(record);
      if (allows(levels.level, record.level)) file.write(fileLine(record));
    }
  };
  const sumUp = (): void => {
    clearTimeout(timer);
    timer = undefined;
    put(calm.rest());
  };
  const take = (
    level: LogRecord["level"],
    subsystem: string,
    message: string,
    data: Record<string, unknown> | undefined,
  ): void => {
    if (!allows(levels.level, level) && !allows(levels.consoleLevel, level)) return;
    const mask = (text: string) => redact.text(text);
    put(
      calm.pass({
        at: clock.now(),
        level,
        subsystem,
        message: mask(messageText(message)),
        data: data && plainData(data, mask),
        times: 1,
      }),
    );
    timer ??= setTimeout(sumUp, SUM_UP_MS).unref();
  };
  const logger = (subsystem: string): Logger => ({
    error: (message, data) => take("error", subsystem, message, data),
    warn: (message, data) => take("warn", subsystem, message, data),
    info: (message, data) => take("info", subsystem, message, data),
    debug: (message, data) => take("debug", subsystem, message, data),
    child: (name) => logger(`${subsystem}/${name}`),
  });
  return {
    logger,
    tell: (subsystem, message) =>
      show({ at: clock.now(), level: "info", subsystem, message, data: undefined, times: 1 }),
    redact,
    get file() {
      return file.path();
    },
    configure: (change) => void Object.assign(levels, change),
    async redirect(wanted) {
      const sameSize = (wanted.maxBytes ?? MAX_BYTES) === (target.maxBytes ?? MAX_BYTES);
      if (wanted.file === target.file && sameSize) return;
      const before = file;
      target = wanted;
      file = openFile(wanted);
      await before.close();
    },
    async flush() {
      sumUp();
      await file.flush();
    },
    async close() {
      sumUp();
      process.off("exit", onExit);
      output.close();
      await file.close();
    },
  };
}

const allows = (setting: LogLevel, level: LogLevel): boolean =>
  LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(setting);

function consoleOutput(
  options: LoggingOptions,
  levels: LogLevels,
  write: (line: string) => void,
): (record: LogRecord) => void {
  const consola = createConsola({
    level: Number.POSITIVE_INFINITY,
    // Repeats are counted before (createCalm), for both outputs alike.
    throttle: 0,
    reporters: [{ log: ({ args }) => write(String(args[0])) }],
  });
  return (record) => {
    if (!allows(levels.consoleLevel, record.level)) return;
    consola[record.level](consoleLine(record, levels.consoleStyle, options.colour ?? false));
  };
}

/** Stays for the whole process: a line that comes after `close` must not end it for want of a reader. */
const readerGone = (): void => undefined;

function stderrLines(): { write(line: string): void; close(): void } {
  let gone = false;
  // The terminal was closed or the reader of the pipe went away; the file still has every line.
  const onError = () => {
    gone = true;
  };
  if (!process.stderr.listeners("error").includes(readerGone))
    process.stderr.on("error", readerGone);
  process.stderr.on("error", onError);
  return {
    write(line) {
      if (!gone) process.stderr.write(`${line}\n`);
    },
    close: () => void process.stderr.off("error", onError),
  };
}
