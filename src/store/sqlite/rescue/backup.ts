/**
 * Copies of the database in `backups/` beside it. A copy is taken from one moment (a read transaction of its own connection) in
 * small steps, so that the program goes on meanwhile; it gets its name only when it is whole and on the disk.
 */
import { Database } from "bun:sqlite";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

import { errnoOf } from "../../../base/errors.ts";
import { Connection } from "../database.ts";
import { migrate, TABLES } from "../migrations.ts";

export const DAY_MS = 86_400_000;
const KEEP = 7;
/** A step of the copy aims at this much time, in ms. */
const STEP_MS = 3;

export type Backup = { path: string; at: number };

const folderOf = (path: string) => join(dirname(path), "backups");
const stemOf = (path: string) => basename(path, extname(path));

/** `2026-01-31T12:00:00.000Z` without what some file systems refuse; sorts by time. */
export const stamp = (at: number): string => new Date(at).toISOString().replace(/[-:.]/g, "");

const STAMP = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.sqlite$/;

/** Newest first. */
export function listBackups(path: string): Backup[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(path));
  } catch (cause) {
    // No backup was ever made.
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
  return names
    .filter((name) => name.startsWith(`${stemOf(path)}-`))
    .flatMap((name) => {
      const [, y, mo, d, h, mi, s, ms] = STAMP.exec(name) ?? [];
      if (y === undefined) return [];
      const at = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}.${ms}Z`);
      return { path: join(folderOf(path), name), at };
    })
    .sort((a, b) => b.at - a.at);
}

/** Whether the newest one is more than a day old. A backup from the future (a wrong clock) counts as old. */
export function backupDue(path: string, now: number): boolean {
  const newest = listBackups(path)[0];
  return !newest || Math.abs(now - newest.at) >= DAY_MS;
}

export type BackupOptions = {
  now: number;
  /** Called between two steps; the copy goes on when it resolves, and is given up when it rejects. */
  pause: () => Promise<void>;
};

/** Makes a backup and removes the oldest beyond seven. Gives its path. Throws SQLite's and the system's errors. */
export async function makeBackup(source: Connection, options: BackupOptions): Promise<string> {
  const { target, draft } = prepare(source.path, options.now);
  try {
    emptyCopy(draft);
    // With a rollback journal a reader stops the writer, so there it must be over at once.
    await copyRows(source.path, draft, source.wal ? options.pause : undefined);
    await onDisk(draft);
    renameSync(draft, target);
    await onDisk(dirname(target));
  } finally {
    rmSync(draft, { force: true });
  }
  forgetOld(source.path);
  return target;
}

/** The same at once, whatever the schema: for a small database at the end, and before its schema changes. */
export function backupNow(source: Connection, now: number): string {
  const { target, draft } = prepare(source.path, now);
  try {
    // Empty and private first: SQLite fills an empty file, but makes a new one with the mode of the umask.
    closeSync(openSync(draft, "w", 0o600));
    source.db.run("VACUUM INTO ?1", [draft]);
    const file = openSync(draft, "r+");
    fsyncSync(file);
    closeSync(file);
    renameSync(draft, target);
  } finally {
    rmSync(draft, { force: true });
  }
  forgetOld(source.path);
  return target;
}

function prepare(path: string, now: number): { target: string; draft: string } {
  const folder = folderOf(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder))
    if (name.startsWith(`${stemOf(path)}-`) && name.endsWith(".sqlite.tmp"))
      rmSync(join(folder, name), { force: true });
  const target = join(folder, `${stemOf(path)}-${stamp(now)}.sqlite`);
  return { target, draft: `${target}.tmp` };
}

function forgetOld(path: string): void {
  for (const old of listBackups(path).slice(KEEP)) rmSync(old.path, { force: true });
}

function emptyCopy(draft: string): void {
  const copy = Connection.open(draft);
  try {
    migrate(copy);
    copy.db.run("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}

async function copyRows(from: string, to: string, pause?: () => Promise<void>): Promise<void> {
  const db = new Database(from, { create: false, readwrite: true, strict: true });
  try {
    db.run("PRAGMA busy_timeout = 50");
    db.run("ATTACH ?1 AS copy", [to]);
    db.run("PRAGMA copy.journal_mode = OFF");
    db.run("PRAGMA copy.synchronous = OFF");
    db.run("BEGIN");
    for (const table of TABLES) await copyTable(db, table, pause);
    db.run("COMMIT");
  } finally {
    db.close(true);
  }
}

async function copyTable(db: Database, table: string, pause?: () => Promise<void>): Promise<void> {
  const columns = db
    .query<{ name: string }, [string]>("SELECT name FROM pragma_table_info(?1)")
    .all(table)
    .map(({ name }) => name)
    .join(", ");
  const step = db.prepare<unknown, [number, number]>(
    `INSERT INTO copy.${table} (${columns}) SELECT ${columns} FROM main.${table} WHERE id > ?1 ORDER BY id LIMIT ?2`,
  );
  const last = db.prepare<{ id: number | null }, []>(`SELECT max(id) AS id FROM copy.${table}`);
  let limit = 64;
  for (;;) {
    const started = performance.now();
    const copied = step.run(last.get()?.id ?? Number.MIN_SAFE_INTEGER, limit).changes;
    if (copied < limit) return;
    const took = performance.now() - started;
    if (took > STEP_MS) limit = Math.max(1, limit >> 1);
    else if (took < STEP_MS / 2) limit = Math.min(65_536, limit * 2);
    await pause?.();
  }
}

/** Waits until a file or folder is on the disk, without stopping the program. */
async function onDisk(path: string): Promise<void> {
  // Windows opens no folders, and keeps renames in order by itself.
  if (process.platform === "win32" && statSync(path).isDirectory()) return;
  const file = await open(path, statSync(path).isDirectory() ? "r" : "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
