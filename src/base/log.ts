/** What every part logs through. Constant text plus a data object, so that lines can be searched and counted. */
export interface Logger {
  /** Someone must act. */
  error(message: string, data?: Record<string, unknown>): void;
  /** Degraded but handled. */
  warn(message: string, data?: Record<string, unknown>): void;
  /** The state changed, once. */
  info(message: string, data?: Record<string, unknown>): void;
  /** Per message or per request. */
  debug(message: string, data?: Record<string, unknown>): void;
  /** A logger for a part of this part: `gateway` → `gateway/ws`. */
  child(name: string): Logger;
}

/** For parts that are asked for an answer and nothing else: what they would log is in the answer. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
};

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
