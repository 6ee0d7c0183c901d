/** Is this file a whole database of ours? Asked at every open, in bounded time. */
import {
  closeSync,
  existsSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";

import { AppError, errnoOf } from "../../../base/errors.ts";
import { Connection } from "../database.ts";
import { isDamage } from "../failure.ts";
import { APPLICATION_ID, latest, MIGRATIONS, TABLES } from "../migrations.ts";

/** Larger files are checked whole only when something was wrong with them; reading this much takes about 20 ms. */
const WHOLE_CHECK_BYTES = 32 * 1024 * 1024;

/** A file beside the database that says: the last run met damage in it. */
export const suspectPath = (path: string) => `${path}.suspect`;

/** Remembers damage that was met while running, for the next open. */
export function suspect(path: string, reason: string): void {
  if (path === ":memory:") return;
  try {
    writeFileSync(suspectPath(path), `${reason}\n`, { mode: 0o600 });
  } catch (cause) {
    // A full or read-only disk. The damage stays where it is, so it will be met again.
    if (errnoOf(cause) === undefined) throw cause;
  }
}

export type Opened = { connection: Connection } | { damage: string };

/**
 * Opens and checks. `damage` says in one line what is wrong with the content; the file is then closed and unchanged.
 * Throws what is not damage: no permission, a locked file, a database of another program.
 */
export function openChecked(path: string, hasBackups: boolean, remote?: boolean): Opened {
  if (path === ":memory:") return { connection: Connection.open(path, remote) };
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return { damage: "there is a directory in its place" };
  if (stat?.size === 0 && hasBackups) return { damage: "the file is empty" };
  if (isForeign(path)) {
    // Where backups of ours lie beside it, it was ours.
    if (hasBackups) return { damage: "its header is not that of this program" };
    throw foreign(path);
  }
  const walBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  let connection: Connection | undefined;
  try {
    connection = Connection.open(path, remote);
    const damage =
      missingPages(connection, stat?.size ?? 0, walBytes) ??
      problemOf(connection, existsSync(suspectPath(path)));
    if (damage === undefined) {
      rmSync(suspectPath(path), { force: true });
      return { connection };
    }
    connection.close();
    return { damage };
  } catch (cause) {
    connection?.close();
    if (isDamage(cause)) return { damage: (cause as Error).message };
    throw cause;
  }
}

/**
 * Looks at the header before SQLite opens the file, because even opening it our way would change it. A file with a WAL says
 * less than both together; problemOf asks again after opening. Offsets: sqlite.org/fileformat.html.
 */
function isForeign(path: string): boolean {
  if (!existsSync(path)) return false;
  const header = Buffer.alloc(100);
  const file = openSync(path, "r");
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  const hasSchema = header.readUInt32BE(40) !== 0;
  return (
    header.toString("latin1", 0, 16) === "SQLite format 3\0" &&
    hasSchema &&
    header.readUInt32BE(68) !== APPLICATION_ID &&
    !existsSync(`${path}-wal`)
  );
}

/** What of a connection is asked; enough for a file that is only looked at. */
export type Asked = Pick<Connection, "all" | "get" | "pragma" | "path">;

/** A cut file of any size. Pages that are still in the WAL need not be in the file yet. */
export function missingPages(
  connection: Asked,
  size: number,
  walBytes: number,
): string | undefined {
  const expected = connection.pragma("page_count") * connection.pragma("page_size");
  if (walBytes > 0 || size === 0 || size >= expected) return undefined;
  return `the file was cut: ${size} of ${expected} bytes are there`;
}

/** What is wrong with the content, or undefined. `thorough` reads all of it whatever its size. */
export function problemOf(connection: Asked, thorough: boolean): string | undefined {
  const names = connection.all<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table'",
  );
  const version = connection.pragma("user_version");
  const application = connection.pragma("application_id");
  const fresh = names.length === 0 && version === 0;
  if (fresh) return undefined;
  if (application !== APPLICATION_ID) throw foreign(connection.path);
  const missing = TABLES.filter((table) => !names.some(({ name }) => name === table));
  if (version === latest(MIGRATIONS) && missing.length > 0)
    return `tables are missing: ${missing.join(", ")}`;
  const bytes = connection.pragma("page_count") * connection.pragma("page_size");
  if (!thorough && bytes > WHOLE_CHECK_BYTES) return undefined;
  const answer = connection.get<{ quick_check: string }>("PRAGMA quick_check(1)")?.quick_check;
  return answer === "ok" ? undefined : answer;
}

const foreign = (path: string) =>
  new AppError("store_failed", `${path} is the database of another program.`, {
    hint: "Move that file away, or use another state directory.",
  });
