/**
 * The schema, as numbered steps. A step is never edited after a release: a change is a new file and a new line here.
 * `user_version` of the database is the number of the last step that ran.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";

import { AppError, errnoOf } from "../../base/errors.ts";
import type { Connection } from "./database.ts";
import start from "./migrations/0001-start.sql" with { type: "text" };
import channels from "./migrations/0002-channels.sql" with { type: "text" };

export type Migration = { version: number; sql: string };

export const MIGRATIONS: Migration[] = [
  { version: 1, sql: start },
  { version: 2, sql: channels },
];

/** Marks the file as ours ("claw"), so that another program's database is never taken for a damaged one of ours. */
export const APPLICATION_ID = 0x636c6177;

/** The tables of the newest schema, parents first; what backup and salvage copy. */
export const TABLES = [
  "inbound",
  "turns",
  "transcripts",
  "entries",
  "sessions",
  "outbox",
  "kv",
  "pairing",
  "allowed",
] as const;

export const latest = (steps: Migration[]): number => steps.at(-1)?.version ?? 0;

/**
 * Runs the missing steps, all in one transaction. `before` is called first when an existing database is about to change.
 * Throws `store_newer` when the file was written by a newer program; nothing is touched then.
 */
export function migrate(
  connection: Connection,
  steps: Migration[] = MIGRATIONS,
  before?: (from: number) => void,
): void {
  const version = connection.pragma("user_version");
  if (version > latest(steps)) throw newer(connection.path, version, latest(steps));
  if (version === latest(steps)) return;
  if (version > 0) before?.(version);
  connection.db.run("BEGIN IMMEDIATE");
  try {
    for (const step of steps) if (step.version > version) connection.db.run(step.sql);
    connection.db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    connection.db.run(`PRAGMA user_version = ${latest(steps)}`);
    connection.db.run("COMMIT");
  } finally {
    if (connection.db.inTransaction) connection.db.run("ROLLBACK");
  }
}

const newer = (path: string, version: number, known: number): AppError =>
  new AppError(
    "store_newer",
    `The database ${path} was written by a newer version (its schema is ${version}, this program knows ${known}).`,
  );

/**
 * Looks whether the database, if there is one, is of this version or an older one; nothing is written. For commands that change what
 * stands beside it. Throws `store_newer`, and nothing for a file that cannot be read: whoever opens it says that better.
 */
export function refuseNewer(path: string): void {
  if (!existsSync(path)) return;
  let db: Database | undefined;
  try {
    db = new Database(path, { readonly: true });
    const { user_version: version } = db
      .query<{ user_version: number }, []>("PRAGMA user_version")
      .get()!;
    if (version > latest(MIGRATIONS)) throw newer(path, version, latest(MIGRATIONS));
  } catch (cause) {
    if (cause instanceof AppError || errnoOf(cause) === undefined) throw cause;
  } finally {
    db?.close();
  }
}
