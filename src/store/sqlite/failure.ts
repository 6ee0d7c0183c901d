/** What SQLite's error codes mean for us: a full disk, a damaged file, another program's lock, or anything else. */
import { AppError, errnoOf } from "../../base/errors.ts";

const FULL = new Set(["SQLITE_FULL", "ENOSPC", "EDQUOT", "SQLITE_IOERR_SHMSIZE"]);

export const isFull = (cause: unknown): boolean => FULL.has(errnoOf(cause) ?? "");

/** Another connection holds the lock; the same call may succeed a moment later. */
export const isBusy = (cause: unknown): boolean =>
  /^SQLITE_(BUSY|LOCKED)/.test(errnoOf(cause) ?? "");

/** The content of the file is wrong; opening it again will not help. */
export const isDamage = (cause: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ|IOERR_CORRUPTFS)/.test(errnoOf(cause) ?? "");

/** The error that callers of the store see. An AppError passes unchanged. */
export function storeError(cause: unknown, path: string): AppError {
  if (cause instanceof AppError) return cause;
  const code = errnoOf(cause);
  const details = { file: path, code };
  if (isFull(cause))
    return new AppError("disk_full", `The disk that holds ${path} is full.`, { cause, details });
  if (isBusy(cause))
    return new AppError("store_failed", `Another program keeps the database ${path} locked.`, {
      cause,
      details,
      hint: "Close the program that has the file open, then try again.",
    });
  if (isDamage(cause))
    return new AppError("store_failed", `The database ${path} is damaged.`, {
      cause,
      details,
      hint: "Restart the gateway: it sets the file aside and restores the newest good copy.",
    });
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AppError("store_failed", `The database ${path} cannot be used: ${reason}.`, {
    cause,
    details,
  });
}
