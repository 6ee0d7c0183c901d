/** What happens when the database is found damaged: nothing of it is thrown away, and the gateway starts with the best there is. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";

import type { Logger } from "../../../base/log.ts";
import { Connection } from "../database.ts";
import { isDamage } from "../failure.ts";
import { withFirstPage } from "../first-page.ts";
import { migrate, type Migration } from "../migrations.ts";
import { type Backup, listBackups, stamp } from "./backup.ts";
import { openChecked, problemOf } from "./damage.ts";
import { type Salvage, salvage } from "./salvage.ts";

export type Recovery = {
  /** The database file. */
  file: string;
  reason: string;
  /** Where the damaged file is now; its -wal and -shm lie beside it. */
  movedTo: string;
  /** The backup that was put in its place. */
  restoredFrom?: string;
  /** When that backup was made, epoch ms. */
  backupAt?: number;
  /** Rows that could be read from the damaged file and are in the new one. */
  salvaged: number;
  /** For people: what is not there any more. */
  lost: string;
};

export type Opening = {
  path: string;
  log: Logger;
  /** Epoch ms. */
  now: number;
  migrations: Migration[];
  /** The file system is no place for a WAL; found out when absent. */
  remote?: boolean;
};

/** Opens `path`, recovering it when it is damaged. Throws SQLite's and the system's errors when it cannot be used at all. */
export function openOrRecover(opening: Opening): { connection: Connection; recovery?: Recovery } {
  const { path, log, now, remote } = opening;
  if (path === ":memory:") return { connection: Connection.open(path) };
  finishSwap(path, now);
  const opened = openChecked(path, listBackups(path).length > 0, remote);
  if ("connection" in opened) return opened;
  log.error("the database is damaged; it will be set aside", { file: path, reason: opened.damage });
  const { found, backup } = rebuild(opening);
  const recovery: Recovery = {
    file: path,
    reason: opened.damage,
    movedTo: swap(path, now),
    restoredFrom: backup?.path,
    backupAt: backup?.at,
    salvaged: found.rows,
    lost: lossOf(found, backup),
  };
  log.error("the database was recovered", { ...recovery });
  return { connection: Connection.open(path, remote), recovery };
}

/** The new database beside the old one; at the next open it takes the place of one that is gone. */
export const draftOf = (path: string): string => `${path}.recovering`;

/**
 * Makes the best database there is beside the damaged one, which stays in its place until the new one is whole: a kill or a full
 * disk in the middle leaves everything as it was, and the next start begins again.
 */
function rebuild(opening: Opening): { found: Salvage; backup?: Backup } {
  const { path, now, migrations, remote } = opening;
  const draft = draftOf(path);
  removeDatabase(draft);
  const restored = restoreNewest(opening);
  const connection = restored?.connection ?? Connection.open(draft, remote);
  try {
    migrate(connection, migrations);
    if (restored) settle(connection, now);
    const found = withFirstPage(path, (readable) => salvage(readable, connection));
    mend(connection, now);
    return { found, backup: restored?.backup };
  } finally {
    connection.close();
    const file = openSync(draft, "r+");
    fsyncSync(file);
    closeSync(file);
  }
}

/** Puts the new database in the place of the damaged one. Gives where the damaged one is now. */
function swap(path: string, now: number): string {
  const movedTo = setAside(path, now);
  renameSync(draftOf(path), path);
  return movedTo;
}

/** A kill between the two renames of a swap: the new database is whole, and nothing is in its place. */
function finishSwap(path: string, now: number): void {
  if (existsSync(path) || !existsSync(draftOf(path))) return;
  setAside(path, now);
  renameSync(draftOf(path), path);
}

/** The file and its journals. */
export function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

function lossOf(found: Salvage, backup: Backup | undefined): string {
  if (found.complete) return "nothing: every row could be read from the damaged file";
  if (backup) {
    const time = new Date(backup.at).toISOString();
    return found.rows > 0
      ? `what changed after ${time} and could not be read from the damaged file`
      : `messages after ${time}`;
  }
  return found.rows > 0
    ? "what could not be read from the damaged file; there was no backup"
    : "all conversations: nothing could be read, and there was no backup";
}

/** Renames the file with its journals. SQLite finds them under the new name too, so they stay readable. */
function setAside(path: string, now: number): string {
  const movedTo = `${path}.damaged-${stamp(now)}`;
  for (const suffix of ["", "-wal", "-shm", "-journal"])
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix);
  rmSync(`${path}.suspect`, { force: true });
  return movedTo;
}

function restoreNewest({
  path,
  log,
  remote,
}: Opening): { connection: Connection; backup: Backup } | undefined {
  const draft = draftOf(path);
  for (const backup of listBackups(path)) {
    copyFileSync(backup.path, draft);
    const connection = openGood(draft, remote);
    if (connection) return { connection, backup };
    log.warn("a backup is damaged too and was passed over", { file: backup.path });
    removeDatabase(draft);
  }
  return undefined;
}

function openGood(path: string, remote?: boolean): Connection | undefined {
  let connection: Connection | undefined;
  try {
    connection = Connection.open(path, remote);
    if (connection.pragma("user_version") > 0 && problemOf(connection, true) === undefined)
      return connection;
  } catch (cause) {
    connection?.close();
    if (isDamage(cause)) return undefined;
    throw cause;
  }
  connection.close();
  return undefined;
}

/**
 * What was under way when the backup was made has long been answered or sent. Beginning it again would answer yesterday's
 * messages twice, so it is closed; what the damaged file still knows of it is put over this afterwards.
 */
export function settle(connection: Connection, now: number): void {
  connection.run(
    `UPDATE turns SET state = 'failed', ended_at = ?1, error = ?2 WHERE ended_at IS NULL`,
    now,
    JSON.stringify({
      code: "store_failed",
      message: "The database was restored from a backup that is older than the end of this turn.",
    }),
  );
  connection.run(
    `UPDATE outbox SET state = 'unknown', error = 'restored from a backup' WHERE state IN ('pending', 'sending')`,
  );
}

/** Joins again what a lost page has parted, so that a conversation whose entries are there is in the list. */
function mend(connection: Connection, now: number): void {
  connection.db.run("BEGIN IMMEDIATE");
  connection.run(
    `INSERT OR IGNORE INTO transcripts (session_id, session_key, agent_id, created_at)
     SELECT session_id, key, agent_id, created_at FROM sessions`,
  );
  connection.run(
    `INSERT OR IGNORE INTO transcripts (session_id, session_key, agent_id, created_at)
     SELECT session_id, session_key, agent_id, min(accepted_at) FROM turns WHERE session_id IS NOT NULL GROUP BY session_id`,
  );
  // The newest transcript of a key is the current one. SQLite takes the other columns from the row of the maximum.
  connection.run(
    `INSERT OR IGNORE INTO sessions (key, agent_id, session_id, created_at, updated_at)
     SELECT session_key, agent_id, session_id, max(created_at), created_at FROM transcripts
     WHERE session_key NOT IN (SELECT key FROM sessions) GROUP BY session_key`,
  );
  connection.run(
    `UPDATE turns SET state = 'failed', ended_at = ?1, error = ?2
     WHERE ended_at IS NULL AND inbound_id NOT IN (SELECT id FROM inbound)`,
    now,
    JSON.stringify({
      code: "store_failed",
      message: "The message was lost with a damaged database.",
    }),
  );
  connection.db.run("COMMIT");
}
