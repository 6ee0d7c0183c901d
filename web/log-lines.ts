/** A line of the gateway's log file, read for people. Pure. */
export const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

export type LogLine = { key: number; at?: number; level: Level; unit: string; text: string };

const asText = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);

function levelOf(value: unknown): Level {
  const name = String(value ?? "info").toLowerCase();
  if (name === "fatal") return "error";
  return LEVELS.find((level) => level === name) ?? "info";
}

/** The unit is the first argument, as JSON text (`{"subsystem":"gateway"}`) or plain. */
function unitOf(value: unknown): string | undefined {
  if (typeof value !== "string" || !value.startsWith("{")) return undefined;
  const found = parsed(value);
  const unit = found?.subsystem ?? found?.module;
  return typeof unit === "string" ? unit : undefined;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (cause) {
    // Not every line is JSON: a crash report of the runtime is plain text, and is shown as such.
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** Reads one line. What is no JSON is shown as it is. */
export function readLine(line: string, key: number): LogLine {
  const record = parsed(line);
  if (!record) return { key, level: "info", unit: "", text: line };
  const meta = (record._meta ?? {}) as Record<string, unknown>;
  const unit = unitOf(record["0"]);
  const args = Object.keys(record)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => record[name]);
  const words = (unit === undefined ? args : args.slice(1)).map(asText).filter(Boolean);
  const at = Date.parse(asText(record.time ?? meta.date));
  return {
    key,
    at: Number.isNaN(at) ? undefined : at,
    level: levelOf(meta.logLevelName ?? record.level),
    unit: unit ?? "",
    text: words.join(" "),
  };
}
