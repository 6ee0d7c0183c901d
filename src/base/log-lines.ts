/** What a log line looks like on the console and in the file, and the calming of loops that repeat themselves. */
import type { LogLevel } from "./log.ts";

export type LogRecord = {
  at: number;
  level: Exclude<LogLevel, "silent">;
  /** The part that speaks, as in `gateway/ws`. */
  subsystem: string;
  message: string;
  /** Plain JSON values only; see `plainData`. */
  data: Record<string, unknown> | undefined;
  /** How often the same line came, when it is more than once. */
  times: number;
};

export type ConsoleStyle = "pretty" | "compact" | "json";

const LONGEST_MESSAGE = 8000;
const LONGEST_STACK = 8000;
const LONGEST_VALUE = 1000;
/** On the console, per value. */
const LONGEST_SHOWN = 256;
const MOST_KEYS = 40;
const DEEPEST = 4;

/** Control characters, and the marks that turn the direction of text: they could forge lines or hide what they say. */
const CONTROL =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/**
 * Text from a stranger (a header, a name, a close reason), safe inside a log line: one line, no control characters, at most
 * `max` characters.
 */
export function remoteText(text: string, max = 256): string {
  const line = text.slice(0, max + 1).replace(CONTROL, " ");
  return line.length > max ? `${line.slice(0, max)}…` : line;
}

/** The data object as JSON values: errors, big numbers and deep or endless objects are cut to what a line can hold. */
export function plainData(
  data: Record<string, unknown>,
  mask: (text: string) => string,
): Record<string, unknown> {
  const plain = (value: unknown, key: string, depth: number): unknown => {
    if (typeof value === "string") return mask(text(value, key));
    if (typeof value === "bigint" || typeof value === "symbol") return String(value);
    if (typeof value === "function") return "[function]";
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Error)
      return plain({ message: value.message, stack: value.stack }, key, depth);
    if (depth >= DEEPEST) return Array.isArray(value) ? `[${value.length} items]` : "[object]";
    if (value instanceof Date) return value.toJSON();
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value))
      return value.slice(0, MOST_KEYS).map((item) => plain(item, key, depth + 1));
    return Object.fromEntries(
      Object.entries(value)
        .slice(0, MOST_KEYS)
        .map(([name, item]) => [name, plain(item, name, depth + 1)]),
    );
  };
  return plain(data, "", 0) as Record<string, unknown>;
}

/** A stack keeps its lines: in the file they are escaped. */
const text = (value: string, key: string): string =>
  key === "stack"
    ? value.slice(0, LONGEST_STACK).replace(/[^\S\n]+/g, " ")
    : remoteText(value, LONGEST_VALUE);

export const messageText = (message: string): string => remoteText(message, LONGEST_MESSAGE);

/** One JSON line as the Control UI and `logs` of every client generation read it (protocol: logs.tail). */
export function fileLine(record: LogRecord): string {
  const time = new Date(record.at).toISOString();
  return JSON.stringify({
    "0": JSON.stringify({ subsystem: record.subsystem }),
    "1": record.message + repeatMark(record.times),
    ...(record.data && { "2": record.data }),
    _meta: { logLevelName: record.level.toUpperCase(), date: time, name: record.subsystem },
    time,
  });
}

export type ParsedLine = {
  /** ISO 8601. */
  time: string;
  /** Upper case. */
  level: string;
  subsystem: string;
  message: string;
  data?: unknown;
};

/** A line of the file taken apart again; undefined when it is none (an older format, a half written line). */
export function parseLogLine(raw: string): ParsedLine | undefined {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(raw) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
  const meta = line?._meta as { logLevelName?: unknown; date?: unknown } | undefined;
  const time = line?.time ?? meta?.date;
  if (typeof time !== "string" || typeof meta?.logLevelName !== "string") return undefined;
  const name = /"(?:subsystem|module)":"([^"]*)"/.exec(String(line["0"]))?.[1];
  const [first, second] = name === undefined ? [line["0"], line["1"]] : [line["1"], line["2"]];
  return {
    time,
    level: meta.logLevelName,
    subsystem: name ?? "",
    message: typeof first === "string" ? first : (JSON.stringify(first) ?? ""),
    ...(second !== undefined && { data: second }),
  };
}

const COLOUR: Partial<Record<LogRecord["level"], string>> = {
  fatal: "31",
  error: "31",
  warn: "33",
  debug: "90",
  trace: "90",
};

/** One line for people: `[gateway] listening on … key=value`; `pretty` puts the time before it. */
export function consoleLine(record: LogRecord, style: ConsoleStyle, colour: boolean): string {
  if (style === "json") return fileLine(record);
  const paint = (code: string | undefined, part: string) =>
    colour && code ? `\u001b[${code}m${part}\u001b[0m` : part;
  const label = record.level === "info" ? "" : `${record.level}: `;
  const pairs = Object.entries(record.data ?? {})
    .filter(([key, value]) => key !== "stack" && value !== undefined)
    .map(([key, value]) => `${key}=${shown(value)}`);
  return [
    ...(style === "pretty" ? [paint("90", clockTime(record.at))] : []),
    // The published guides search for `[discord] logged in …`.
    paint("36", `[${record.subsystem.replace(/^channels\//, "")}]`),
    paint(COLOUR[record.level], label + record.message + repeatMark(record.times)),
    ...(pairs.length > 0 ? [paint("90", pairs.join(" "))] : []),
  ].join(" ");
}

const repeatMark = (times: number): string => (times > 1 ? ` (×${times})` : "");

const clockTime = (at: number): string => {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, "0"))
    .join(":");
};

function shown(value: unknown): string {
  if (typeof value === "string" && value !== "" && !/[\s"=]/.test(value))
    return remoteText(value, LONGEST_SHOWN);
  return remoteText(JSON.stringify(value), LONGEST_SHOWN);
}

export type Calm = {
  /** Gives the records to write now: none while a line repeats itself or too many come. */
  pass(record: LogRecord): LogRecord[];
  /** What is held back, so that nothing waits for ever. */
  rest(): LogRecord[];
};

/**
 * An error loop must not fill the disk: a line that repeats itself is written once and then counted, and beyond
 * `perSecond` lines of one level per second the others are only counted.
 */
export function createCalm(perSecond: number): Calm {
  let last: { record: LogRecord; key: string; more: number } | undefined;
  let second = -1;
  let spent: Partial<Record<LogLevel, number>> = {};
  let dropped = 0;

  const repeats = (): LogRecord[] => {
    const held = last && last.more > 0 ? [{ ...last.record, times: last.more }] : [];
    if (last) last.more = 0;
    return held;
  };
  const drops = (at: number): LogRecord[] => {
    if (dropped === 0) return [];
    const data = { lines: dropped };
    dropped = 0;
    const message = "too many log lines; some were left out";
    return [{ at, level: "warn", subsystem: "log", message, data, times: 1 }];
  };
  return {
    pass(record) {
      const key = `${record.level} ${record.subsystem} ${record.message} ${JSON.stringify(record.data)}`;
      if (last?.key === key) {
        last.more++;
        last.record.at = record.at;
        return [];
      }
      const now = Math.floor(record.at / 1000);
      const before = now === second ? repeats() : [...repeats(), ...drops(record.at)];
      if (now !== second) {
        second = now;
        spent = {};
      }
      const used = (spent[record.level] ?? 0) + 1;
      spent[record.level] = used;
      if (used > perSecond) {
        dropped++;
        last = undefined;
        return before;
      }
      last = { record: { ...record }, key, more: 0 };
      return [...before, record];
    },
    rest: () => [...repeats(), ...drops(last?.record.at ?? second * 1000)],
  };
}
