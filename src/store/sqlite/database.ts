/**
 * One connection to the database file: pragmas, prepared statements, nothing of the schema.
 * Whoever opens a Connection must keep it referenced: a Database that nothing refers to is collected and closes itself.
 */
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import { Database } from "bun:sqlite";
import { chmodSync, closeSync, openSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

import { errnoOf } from "../../base/errors.ts";

type Value = string | number | null;

/**
 * `statfs` types (linux/magic.h and the file systems' own sources) whose shared memory or locks may not reach every
 * process that sees the file; SQLite's WAL needs both. Two of these have corrupted databases of users on Docker Desktop.
 */
const REMOTE = new Set([
  0x6969, // nfs
  0x517b, // smb
  0xfe534d42, // smb2
  0xff534d42, // cifs
  0x01021997, // 9p
  0x65735546, // fuse, virtiofs
  0x6a656a63, // fakeowner of Docker Desktop
  0x786f4256, // VirtualBox
  0xbacbacbc, // VMware
  0x7c7c6673, // Parallels
  0x00c36400, // ceph
  0x5346414f, // afs
  0x73757245, // coda
  0x564c, // ncp
  0x0bd00bd0, // lustre
]);

/** Whether WAL is unsafe for a file in this directory. Outside Linux the numbers mean other things, so only shares are known. */
export function isRemote(directory: string, platform: string = process.platform): boolean {
  if (platform === "win32") return directory.startsWith("\\\\");
  if (platform !== "linux") return false;
  // Some runtimes give the 32-bit number with its sign.
  return REMOTE.has(statfsSync(directory).type >>> 0);
}

/** Makes the file if needed, readable by its owner only; SQLite gives -wal and -shm the same mode. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  try {
    chmodSync(path, 0o600);
  } catch (cause) {
    // Volumes that keep no modes, or a file of another owner; the open above has proved that it can be used.
    if (!["EPERM", "ENOTSUP", "EACCES", "EROFS"].includes(errnoOf(cause) ?? "")) throw cause;
  }
}

export class Connection {
  /** WAL: readers do not stop the writer, and NORMAL is safe. Otherwise a rollback journal with FULL throughout. */
  readonly wal: boolean;
  private readonly statements = new Map<string, Statement<unknown, SQLQueryBindings[]>>();
  private full: boolean | undefined;

  private constructor(
    readonly db: Database,
    readonly path: string,
    remote: boolean,
  ) {
    // Before anything that may have to wait for another process that is just closing.
    db.run("PRAGMA busy_timeout = 5000");
    db.run("PRAGMA trusted_schema = OFF");
    db.run("PRAGMA foreign_keys = ON");
    db.run("PRAGMA temp_store = MEMORY");
    const mode = db.query<{ journal_mode: string }, []>(
      `PRAGMA journal_mode = ${remote ? "DELETE" : "WAL"}`,
    );
    this.wal = mode.get()?.journal_mode === "wal";
    db.run("PRAGMA journal_size_limit = 4194304");
    // Waiting in SQLite stops the whole program, so only shortly; commit.ts waits longer without blocking.
    db.run("PRAGMA busy_timeout = 50");
  }

  /**
   * Throws SQLite's own errors: the caller tells damage from everything else (failure.ts).
   * `remote` says that the file system is no place for a WAL.
   */
  static open(path: string, remote?: boolean): Connection {
    const memory = path === ":memory:";
    if (!memory) makePrivate(path);
    const db = new Database(path, { strict: true });
    try {
      return new Connection(db, path, remote ?? (!memory && isRemote(dirname(path))));
    } catch (cause) {
      db.close(true);
      throw cause;
    }
  }

  get memory(): boolean {
    return this.path === ":memory:";
  }

  private prepared(sql: string): Statement<unknown, SQLQueryBindings[]> {
    let statement = this.statements.get(sql);
    if (!statement) {
      statement = this.db.prepare<unknown, SQLQueryBindings[]>(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  /** Statements are kept for ever, so `sql` must come from a bounded set of texts. */
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return (this.prepared(sql).get(...values) as Row | null) ?? undefined;
  }
  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.prepared(sql).all(...values) as Row[];
  }
  /** Gives the number of rows that changed. */
  run(sql: string, ...values: Value[]): number {
    return this.prepared(sql).run(...values).changes;
  }
  pragma(name: "user_version" | "application_id" | "page_count" | "page_size"): number {
    return this.get<Record<string, number>>(`PRAGMA ${name}`)?.[name] ?? 0;
  }

  /** What the next commit waits for: the disk (true), or only the operating system. Not inside a transaction. */
  synchronous(full: boolean): void {
    const wanted = full || !this.wal;
    if (this.full === wanted) return;
    this.db.run(`PRAGMA synchronous = ${wanted ? "FULL" : "NORMAL"}`);
    this.full = wanted;
  }

  /** Brings the WAL into the main file and closes; safe to call twice. */
  close(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
    this.db.close(true);
  }
}
