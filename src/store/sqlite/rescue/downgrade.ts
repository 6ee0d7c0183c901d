/**
 * Takes a database that a newer version has migrated back to an older schema, with everything that has been written since: what is
 * accepted stays accepted, whichever version accepted it. The newer file is kept aside, whole.
 *
 * Where the newer schema still has every table and column of the older one (steps add, they rarely take away), its rows are the truth:
 * they are copied into an empty database of the older schema, so that what was deleted meanwhile stays deleted. Where it lacks some,
 * the newest backup of before is the base, and what can be read of the newer file goes over it.
 */
import { Database } from "bun:sqlite";
import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, renameSync } from "node:fs";

import { Connection } from "../database.ts";
import { storeError } from "../failure.ts";
import { latest, migrate, MIGRATIONS, TABLES } from "../migrations.ts";
import { listBackups, stamp } from "./backup.ts";
import { draftOf, removeDatabase } from "./recovery.ts";
import { schemaOf } from "./snapshot.ts";

export type Downgrade = {
  /** Where the newer database is now. */
  movedTo: string;
  from: number;
  to: number;
  rows: number;
  /** Rows of the newer schema that the older one does not take. */
  left: number;
  /** The backup under them, when the newer schema lacks something. */
  base?: string;
};

/**
 * Only under the gateway's lock. A kill at any point leaves the newer database or the older one, whole; calling it again ends what was
 * begun. Undefined when there is nothing to do. Throws store_failed, disk_full; then the newer one is in its place.
 */
export function downgrade(
  path: string,
  now: number,
  to: number = latest(MIGRATIONS),
): Downgrade | undefined {
  finish(path, now);
  const from = schemaOf(path);
  if (from <= to || to < 1) return undefined;
  const draft = draftOf(path);
  try {
    removeDatabase(draft);
    const made = fill(path, draft, to);
    const file = openSync(draft, "r+");
    fsyncSync(file);
    closeSync(file);
    return { from, to, ...made, movedTo: exchange(path, now) };
  } catch (cause) {
    if (existsSync(path)) removeDatabase(draft);
    throw storeError(cause, path);
  }
}

function exchange(path: string, now: number): string {
  const movedTo = `${path}.newer-${stamp(now)}`;
  // Its journals first: the older database must never meet them.
  for (const suffix of ["-wal", "-shm", "-journal", ""])
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix);
  renameSync(draftOf(path), path);
  return movedTo;
}

/** A kill between the two renames: the older database is whole, and nothing is in its place. */
function finish(path: string, now: number): void {
  if (!existsSync(path) && existsSync(draftOf(path))) exchange(path, now);
}

type Filled = Pick<Downgrade, "rows" | "left" | "base">;

function fill(path: string, draft: string, to: number): Filled {
  const steps = MIGRATIONS.filter(({ version }) => version <= to);
  // Brings the journal into the file too, so that one file is all there is.
  const source = new Database(path, { create: false, readwrite: true, strict: true });
  let connection: Connection | undefined;
  try {
    source.run("PRAGMA busy_timeout = 5000");
    source.run("PRAGMA wal_checkpoint(TRUNCATE)");
    connection = Connection.open(draft);
    migrate(connection, steps);
    const older = connection;
    const whole = TABLES.every((table) => {
      const there = new Set(columnsOf(source, table));
      return columnsOf(older.db, table).every((name) => there.has(name));
    });
    const base = whole ? undefined : backupOf(path, to);
    if (base) {
      connection.close();
      copyFileSync(base, draft);
      connection = Connection.open(draft);
      migrate(connection, steps);
    }
    const found = copyAll(source, connection);
    connection.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    return { ...found, ...(base && { base }) };
  } finally {
    connection?.close();
    source.close(true);
  }
}

/** The newest backup with a schema that the older program knows. */
const backupOf = (path: string, to: number): string | undefined =>
  listBackups(path).find((backup) => {
    const schema = schemaOf(backup.path);
    return schema > 0 && schema <= to;
  })?.path;

/** Without those that SQLite makes itself; none when there is no such table. */
const columnsOf = (db: Database, table: string): string[] =>
  db
    .query<{ name: string }, [string]>("SELECT name FROM pragma_table_info(?1)")
    .all(table)
    .map(({ name }) => name);

function copyAll(source: Database, into: Connection): { rows: number; left: number } {
  const result = { rows: 0, left: 0 };
  into.db.run("PRAGMA foreign_keys = OFF");
  into.db.run("BEGIN IMMEDIATE");
  try {
    for (const table of TABLES) {
      const there = new Set(columnsOf(source, table));
      const columns = columnsOf(into.db, table).filter((name) => there.has(name));
      if (columns.length > 0) copyTable(source, into, table, columns, result);
    }
    into.db.run("COMMIT");
  } finally {
    if (into.db.inTransaction) into.db.run("ROLLBACK");
  }
  return result;
}

function copyTable(
  source: Database,
  into: Connection,
  table: string,
  columns: string[],
  result: { rows: number; left: number },
): void {
  const names = columns.join(", ");
  const insert = into.db.prepare<unknown, (string | number | null)[]>(
    `INSERT OR REPLACE INTO ${table} (${names}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  try {
    const rows = source
      .query<Record<string, string | number | null>, []>(
        `SELECT ${names} FROM ${table} ORDER BY id`,
      )
      .iterate();
    for (const row of rows)
      try {
        insert.run(...columns.map((name) => row[name] ?? null));
        result.rows++;
      } catch (cause) {
        // A value that the older schema forbids. The row stays in the newer file.
        if (!/^SQLITE_(CONSTRAINT|MISMATCH)/.test(String((cause as { code?: unknown }).code)))
          throw cause;
        result.left++;
      }
  } finally {
    insert.finalize();
  }
}
