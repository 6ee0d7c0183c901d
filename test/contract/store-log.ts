/** Loggers for tests of the store: one that says nothing, one that keeps the lines. */
import type { Logger } from "../../src/base/log.ts";

export type Line = { level: string; message: string; data?: Record<string, unknown> };

export function recordingLog(lines: Line[]): Logger {
  const at = (level: string) => (message: string, data?: Record<string, unknown>) =>
    void lines.push({ level, message, data });
  const log: Logger = {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    child: () => log,
  };
  return log;
}

export const quiet: Logger = recordingLog([]);
