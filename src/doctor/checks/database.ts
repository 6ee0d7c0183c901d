/** The database: whole, of this version, and with copies. */
import { existsSync } from "node:fs";

import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { peekHealth } from "../../store/sqlite/peek.ts";
import { listBackups } from "../../store/sqlite/rescue/backup.ts";
import type { Check, Finding } from "../check.ts";
import { lookAt } from "./files.ts";

/** A gateway makes a copy a day; without one for so long something keeps it from that, in ms. */
const COPY_MS = 3 * 86_400_000;

/** What `read` finds in the database, or `none` when it cannot be read: that is told once, by the check of the database. */
export function fromDatabase<T>(none: T, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "store_failed") return none;
    throw cause;
  }
}

export const databaseCheck: Check = {
  id: "database",
  title: "Database",
  async run({ paths, deep, command }) {
    const found = existsSync(paths.databasePath) && look(paths.databasePath, deep, command);
    return found ? [found] : [];
  },
};

export const copiesCheck: Check = {
  id: "copies",
  title: "Copies of the database",
  async run({ paths, now, command }) {
    const path = paths.databasePath;
    const found = lookAt(path);
    if (!found?.isFile()) return [];
    const [copy] = listBackups(path);
    const since = now - (copy?.at ?? (found.birthtimeMs || now));
    if (since <= COPY_MS) return [];
    return [
      {
        severity: "warning",
        message: copy
          ? `The newest copy of the database is ${formatAge(since)} old; after a damage everything since then would be gone.`
          : "There is no copy of the database; after a damage everything would be gone.",
        fixHint: `Start the gateway, which makes one: ${command} gateway restart`,
        path,
        audit: { id: "backup.missing", title: "No recent copy of the database" },
      },
    ];
  },
};

function look(path: string, deep: boolean, command: string): Finding | undefined {
  try {
    const { known, version, damage } = peekHealth(path, deep);
    if (version > known)
      return {
        severity: "critical",
        message: `The database was written by a newer version (its schema is ${version}, this program knows ${known}), so this gateway does not start on it.`,
        fixHint:
          "Use that version again, or put back a copy from the `backups` folder beside the database.",
        path,
      };
    if (damage === undefined) return undefined;
    return broken(path, `The database is damaged: ${damage.replace(/\.$/, "")}.`, command);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return broken(path, cause.message, command);
  }
}

const broken = (path: string, what: string, command: string): Finding => ({
  severity: "critical",
  message: `${what} Conversations may be missing, and messages may be refused.`,
  fixHint: `${command} gateway restart; at its start the gateway sets the file aside, restores the newest good copy and reads what it can from the old one`,
  path,
});
