/** A copy of the database as it is at one moment, taken from another process while the gateway goes on. */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs";

import { Connection } from "../database.ts";
import { storeError } from "../failure.ts";
import { settle } from "./recovery.ts";

/** How long another program's lock is waited for, in ms. */
const WAIT_MS = 5000;

/**
 * Copies `from` to the new file `to` (0600), whole and on the disk. False when there is no database. Throws store_failed, disk_full,
 * and the system's error when `to` is there already; then there is no copy. Stops this process while it copies.
 */
export function snapshot(from: string, to: string): boolean {
  if (!existsSync(from)) return false;
  // Empty and private first: SQLite fills an empty file, but makes a new one with the mode of the umask.
  closeSync(openSync(to, "wx", 0o600));
  let db: Database | undefined;
  try {
    db = new Database(from, { readonly: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${WAIT_MS}`);
    db.run("VACUUM INTO ?1", [to]);
    const file = openSync(to, "r+");
    fsyncSync(file);
    closeSync(file);
    return true;
  } catch (cause) {
    rmSync(to, { force: true });
    throw storeError(cause, from);
  } finally {
    db?.close();
  }
}

/** The number of the last schema step that a database has seen; 0 when there is none. Throws store_failed. */
export function schemaOf(path: string): number {
  if (!existsSync(path)) return 0;
  let db: Database | undefined;
  try {
    db = new Database(path, { readonly: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${WAIT_MS}`);
    return db.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version;
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}

/**
 * Makes a copy harmless: whoever opens it finds nothing to go on with, so no message is answered and none is sent a second time. Called
 * on the copy that a new version is tried with. Throws store_failed.
 */
export function quiet(path: string, now: number): void {
  let connection: Connection | undefined;
  try {
    connection = Connection.open(path);
    settle(connection, now);
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    connection?.close();
  }
}
