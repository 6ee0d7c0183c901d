import { toAppError } from "./errors.ts";
import type { Logger } from "./log.ts";

/** The only way to start work without awaiting it: a failure becomes one log line instead of an unhandled rejection. */
export function background(name: string, work: Promise<unknown>, log: Logger): void {
  work.then(undefined, (cause: unknown) => {
    const error = toAppError(cause);
    log.error(`${name} failed`, { code: error.code, error: error.message, stack: error.stack });
  });
}
