/**
 * Reads what can still be read from a damaged database and puts it into a good one. What is unreadable is narrowed down by
 * halving ranges of ids, so one bad page costs only its own rows.
 */
import { Database } from "bun:sqlite";

import { errnoOf } from "../../../base/errors.ts";
import type { Connection } from "../database.ts";
import { isDamage, storeError } from "../failure.ts";
import { TABLES } from "../migrations.ts";
import { parseJson } from "../rows.ts";

/** No longer than this, in ms: the gateway is waiting to start. */
const LIMIT_MS = 5_000;
/** Ranges that failed one after another, without a row between them: the rest of the table is gone. */
const MAX_FAILURES = 2_000;

const JSON_COLUMNS = new Set([
  "body",
  "decision",
  "reply",
  "route",
  "settings",
  "value",
  "receipt",
  "meta",
]);

export type Salvage = {
  /** Rows that were read and stored. */
  rows: number;
  /** Whether everything was read: no page and no row was refused. */
  complete: boolean;
};

type Row = Record<string, string | number | null>;

/**
 * Nothing that the damaged file holds makes it throw; an error of the target does (AppError), because then the target is not whole.
 * SQLite may bring the file's own WAL into it; nothing else is written there.
 */
export function salvage(from: string, into: Connection): Salvage {
  const result: Salvage = { rows: 0, complete: true };
  const until = performance.now() + LIMIT_MS;
  let source: Database | undefined;
  try {
    source = new Database(from, { create: false, readwrite: true, strict: true });
    source.run("PRAGMA query_only = ON");
  } catch (cause) {
    source?.close(true);
    if (!unreadable(cause)) throw cause;
    return { rows: 0, complete: false };
  }
  try {
    for (const table of TABLES) salvageTable(source, table, into, until, result);
  } finally {
    source.close(true);
  }
  return result;
}

const unreadable = (cause: unknown) =>
  isDamage(cause) || (cause instanceof Error && cause.name === "SQLiteError");

function salvageTable(
  source: Database,
  table: string,
  into: Connection,
  until: number,
  result: Salvage,
): void {
  /** Makes an error of the target another kind than those of the source. */
  const own = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw storeError(cause, into.path);
    }
  };
  const columns = into
    .all<{ name: string }>(`SELECT name FROM pragma_table_info('${table}')`)
    .map(({ name }) => name);
  const insert = into.db.prepare<unknown, (string | number | null)[]>(
    `INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  const store = (row: Row) => {
    if (!columns.every((name) => isWhole(name, row[name]))) {
      result.complete = false;
      return;
    }
    try {
      insert.run(...columns.map((name) => row[name] ?? null));
      result.rows++;
    } catch (cause) {
      // A value of the wrong type, read from a damaged page.
      if (!/^SQLITE_(CONSTRAINT|MISMATCH)/.test(errnoOf(cause) ?? "")) throw cause;
      result.complete = false;
    }
  };
  const rows = (low: number, high: number) =>
    source
      .query<Row, [number, number]>(
        `SELECT ${columns.join(", ")} FROM ${table} WHERE id BETWEEN ?1 AND ?2 ORDER BY id`,
      )
      .iterate(low, high);
  let failures = 0;

  /** Stores the rows of [low, high]; where reading fails, halves what is left of the range. */
  const range = (low: number, high: number): void => {
    let next = low;
    try {
      for (const row of rows(low, high)) {
        own(() => store(row));
        failures = 0;
        next = Number(row.id) + 1;
        if (performance.now() > until) break;
      }
    } catch (cause) {
      if (!unreadable(cause)) throw cause;
      result.complete = false;
      if (next >= high || ++failures > MAX_FAILURES) return;
      const middle = next + Math.floor((high - next) / 2);
      range(next, middle);
      range(middle + 1, high);
    }
    if (performance.now() > until) result.complete = false;
  };

  own(() => into.db.run("BEGIN IMMEDIATE"));
  try {
    range(1, lastId(source, table));
    own(() => into.db.run("COMMIT"));
  } finally {
    if (into.db.inTransaction) into.db.run("ROLLBACK");
    insert.finalize();
  }
}

const isWhole = (name: string, value: unknown) =>
  !JSON_COLUMNS.has(name) || typeof value !== "string" || parseJson(value) !== undefined;

/** The largest id, or a bound above every id when the right edge of the table cannot be read. */
function lastId(source: Database, table: string): number {
  try {
    return (
      source.query<{ id: number | null }, []>(`SELECT max(id) AS id FROM ${table}`).get()?.id ?? 0
    );
  } catch (cause) {
    if (!unreadable(cause)) throw cause;
    return 2 ** 32;
  }
}
