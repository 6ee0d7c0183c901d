/** What the library has to say, at level debug and without its objects: they hold keys and people's messages. */
import type { Logger } from "../../base/log.ts";

/** The library's idea of a logger (that of pino). */
type LibraryLogger = {
  level: string;
  child(about: Record<string, unknown>): LibraryLogger;
  trace(about: unknown, message?: string): void;
  debug(about: unknown, message?: string): void;
  info(about: unknown, message?: string): void;
  warn(about: unknown, message?: string): void;
  error(about: unknown, message?: string): void;
};

export function libraryLogger(log: Logger): LibraryLogger {
  const say = (about: unknown, message?: string): void => {
    const cause = errorIn(about);
    log.debug(message ?? (typeof about === "string" ? about : "library"), {
      ...(cause && { error: cause }),
    });
  };
  const logger: LibraryLogger = {
    // Anything but `trace`, which would make it print every stanza.
    level: "info",
    child: () => logger,
    trace: () => undefined,
    debug: () => undefined,
    info: say,
    warn: say,
    error: say,
  };
  return logger;
}

function errorIn(about: unknown): string | undefined {
  if (typeof about !== "object" || about === null) return undefined;
  const row = about as Record<string, unknown>;
  const cause = row.err ?? row.error ?? row.e ?? row.trace;
  if (cause instanceof Error) return cause.message;
  return typeof cause === "string" ? cause.split("\n")[0] : undefined;
}

/**
 * The Signal library prints whole sessions, private keys included, on the standard output when it closes one, and has no switch
 * for it. These are its lines by their beginnings; whatever else is printed passes.
 */
const SIGNAL_LINES =
  /^(?:Closing session:|Opening session:|Removing old closed session:|Session already (?:closed|open)|Migrating session to:|Closing (?:stale )?open session|Decrypted message with closed session|Failed to decrypt message with any known session|Session error:|V1 session storage migration error|WARNING: Expected pubkey of length 33|Unhandled bucket type)/;
const MUTED = Symbol.for("whatsapp.signal.muted");

/** Keeps the Signal library from printing. Process-wide, since it is; a second call changes nothing. */
export function muteSignal(target: Record<string, unknown> = globalThis.console as never): void {
  if (MUTED in target) return;
  Object.defineProperty(target, MUTED, { value: true });
  for (const name of ["log", "info", "warn", "error"]) {
    const print = target[name] as (...what: unknown[]) => void;
    target[name] = (...what: unknown[]) => {
      if (typeof what[0] !== "string" || !SIGNAL_LINES.test(what[0])) print.apply(target, what);
    };
  }
}
