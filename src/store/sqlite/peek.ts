/** A look at the database from outside while no gateway runs: nothing is written, created, migrated or repaired. */
import { Database } from "bun:sqlite";
import { existsSync, statSync } from "node:fs";

import { AppError } from "../../base/errors.ts";
import type {
  AllowedRow,
  OutboxRow,
  PairingRow,
  SessionPage,
  Store,
  UsagePage,
  UsageQuery,
} from "../store.ts";
import type { TakeoverReads } from "../takeover.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { storeError } from "./failure.ts";
import { latest, MIGRATIONS } from "./migrations.ts";
import { takeoverReads } from "./older/takeover.ts";
import { OUTBOX_COLUMNS } from "./outbox.ts";
import { type Asked, missingPages, problemOf, suspectPath } from "./rescue/damage.ts";
import {
  type OutboxRecord,
  outboxRow,
  parseJson,
  SESSION_COLUMNS,
  type SessionRecord,
  sessionRow,
} from "./rows.ts";
import { traceCalls } from "./trace.ts";
import { readUsage } from "./usage.ts";

type Look = Pick<Database, "query">;

/** `none` when there is no database yet, or it is of a version before the table. Throws `store_failed` for a damaged one. */
export function peek<T>(path: string, table: string, none: T, look: (db: Look) => T): T {
  if (!existsSync(path)) return none;
  let db: Database | undefined;
  try {
    refuseNoFile(path);
    db = new Database(path, { readonly: true });
    // A gateway that opens or closes it holds all of it for a moment.
    db.run("PRAGMA busy_timeout = 2000");
    const there = db
      .query<{ n: number }, [string]>(
        "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = ?1",
      )
      .get(table);
    return there?.n ? look(db) : none;
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}

/** Opening a pipe would wait for ever for somebody who writes to it. */
function refuseNoFile(path: string): void {
  if (!statSync(path).isFile())
    throw new AppError("store_failed", `${path} is not a file.`, {
      hint: "Move it away; the gateway makes a new database, or puts back a copy.",
    });
}

/** The newest sessions, or none when there is no database yet. */
export const peekSessions = (
  path: string,
  { limit, since = 0 }: { limit: number; since?: number },
): SessionPage =>
  peek<SessionPage>(path, "sessions", { rows: [], total: 0 }, (db) => {
    const where = "WHERE updated_at >= ?1";
    const records = db
      .query<SessionRecord, [number, number]>(
        `SELECT ${SESSION_COLUMNS} FROM sessions ${where} ORDER BY updated_at DESC LIMIT ?2`,
      )
      .all(since, limit);
    const total = db
      .query<{ n: number }, [number]>(`SELECT count(*) AS n FROM sessions ${where}`)
      .get(since)!.n;
    return { rows: records.map(sessionRow), total };
  });

/** Who waits since `since` or later (epoch ms), and who was let in. */
export const peekPairing = (
  path: string,
  since: number,
): { requests: PairingRow[]; allowed: AllowedRow[] } =>
  peek<{ requests: PairingRow[]; allowed: AllowedRow[] }>(
    path,
    "pairing",
    { requests: [], allowed: [] },
    (db) => ({
      requests: db
        .query<Omit<PairingRow, "meta"> & { meta: string }, [number]>(
          `SELECT channel, account, sender, code, meta, created_at AS createdAt, last_seen_at AS lastSeenAt
           FROM pairing WHERE created_at > ?1 ORDER BY id`,
        )
        .all(since)
        .map((row) => ({ ...row, meta: parseJson<Record<string, string>>(row.meta) ?? {} })),
      allowed: db
        .query<AllowedRow, []>(
          "SELECT channel, account, sender, added_at AS addedAt FROM allowed ORDER BY id",
        )
        .all(),
    }),
  );

/** Messages that were given up, newest first, at most `limit`. */
export const peekTroubled = (path: string, limit: number): OutboxRow[] =>
  peek<OutboxRow[]>(path, "pairing", [], (db) =>
    db
      .query<OutboxRecord, [number]>(
        `SELECT ${OUTBOX_COLUMNS} FROM outbox WHERE state IN ('dead', 'unknown') ORDER BY id DESC LIMIT ?1`,
      )
      .all(limit)
      .flatMap((record) => outboxRow(record) ?? []),
  );

/** A small value of one owner; undefined when there is none, or when a damaged disk has changed it. */
export const peekValue = <T>(path: string, scope: string, key: string): T | undefined =>
  peek<T | undefined>(path, "kv", undefined, (db) => {
    const row = db
      .query<{ value: string }, [string, string]>(
        "SELECT value FROM kv WHERE scope = ?1 AND key = ?2",
      )
      .get(scope, key);
    return row ? parseJson<T>(row.value) : undefined;
  });

/**
 * All that an export writes, as it was in one moment, also while a gateway goes on writing. Undefined when there is no database yet,
 * or it is of a version before the table of people.
 */
export async function peekTakeover<T>(
  path: string,
  use: (reads: TakeoverReads) => Promise<T>,
): Promise<T | undefined> {
  if (!existsSync(path)) return undefined;
  let db: Database | undefined;
  try {
    const opened = (db = new Database(path, { readonly: true }));
    opened.run("PRAGMA busy_timeout = 5000");
    const [table] = opened.query("SELECT 1 FROM sqlite_master WHERE name = 'allowed'").all();
    if (!table) return undefined;
    opened.run("BEGIN");
    const reader: Pick<Connection, "get" | "all"> = {
      get: <Row>(sql: string, ...values: (string | number | null)[]) =>
        (opened.query(sql).get(...values) as Row | null) ?? undefined,
      all: <Row>(sql: string, ...values: (string | number | null)[]) =>
        opened.query(sql).all(...values) as Row[],
    };
    return await use(takeoverReads(reader, { read: async (unit) => unit() }));
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}

/** The newest time that anything stored has, epoch ms; undefined where nothing is stored. */
export const peekNewest = (path: string): number | undefined =>
  peek<number | undefined>(path, "sessions", undefined, (db) => {
    const { at } = db
      .query<{ at: number | null }, []>(
        `SELECT max((SELECT coalesce(max(updated_at), 0) FROM sessions),
                    (SELECT coalesce(max(accepted_at), 0) FROM inbound)) AS at`,
      )
      .get()!;
    return at || undefined;
  });

export type DatabaseHealth = {
  /** Of the schema, as the file says, and the newest that this program knows. */
  version: number;
  known: number;
  /** What is wrong with the content; absent when nothing is. */
  damage?: string;
};

/**
 * Whether the file is whole, without changing it. A large one is read whole only with `thorough`, or when the last run met damage
 * in it. Throws `store_failed` for what cannot be read at all, and for another program's database.
 */
export function peekHealth(path: string, thorough: boolean): DatabaseHealth {
  const known = latest(MIGRATIONS);
  const found = statSync(path);
  if (!found.isFile())
    return { version: 0, known, damage: "something that is no file stands in its place" };
  if (found.size === 0) return { version: 0, known };
  let db: Database | undefined;
  try {
    const opened = (db = new Database(path, { readonly: true }));
    const asked: Asked = {
      path,
      get: <Row>(sql: string) => (opened.query(sql).get() as Row | null) ?? undefined,
      all: <Row>(sql: string) => opened.query(sql).all() as Row[],
      pragma: (name) =>
        (opened.query(`PRAGMA ${name}`).get() as Record<string, number> | null)?.[name] ?? 0,
    };
    const version = asked.pragma("user_version");
    if (version > known) return { version, known };
    const wal = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const damage =
      missingPages(asked, found.size, wal) ??
      problemOf(asked, thorough || existsSync(suspectPath(path)));
    return { version, known, ...(damage !== undefined && { damage }) };
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}

/** The same as the store's own `transcript.usage`; nothing when there is no database yet. */
export const peekUsage = (path: string, query: UsageQuery): UsagePage =>
  peek<UsagePage>(path, "entries", { rows: [] }, (db) =>
    readUsage(
      {
        get: <Row>(sql: string, ...values: (string | number | null)[]) =>
          (db.query(sql).get(...values) as Row | null) ?? undefined,
        all: <Row>(sql: string, ...values: (string | number | null)[]) =>
          db.query(sql).all(...values) as Row[],
      },
      query,
    ),
  );

type Reads = Pick<Store["inbound"], "trace" | "recent">;

/** The traces of messages; undefined when there is no database yet, or it is of a version before them. */
export async function peekTraces<T>(
  path: string,
  use: (reads: Reads) => Promise<T>,
): Promise<T | undefined> {
  if (!existsSync(path)) return undefined;
  let db: Database | undefined;
  try {
    refuseNoFile(path);
    const opened = (db = new Database(path, { readonly: true }));
    opened.run("PRAGMA busy_timeout = 2000");
    const [table] = opened.query("SELECT 1 FROM sqlite_master WHERE name = 'outbox_run'").all();
    if (!table) return undefined;
    // The reading half of a connection; the writing half has nothing to write to here.
    const connection = {
      get: (sql: string, ...values: (string | number | null)[]) =>
        opened.query(sql).get(...values) ?? undefined,
      all: (sql: string, ...values: (string | number | null)[]) => opened.query(sql).all(...values),
    } as Pick<Connection, "get" | "all"> as Connection;
    const units = { read: async (unit: () => unknown) => unit() } as Pick<Units, "read"> as Units;
    return await use(traceCalls({ connection, units }));
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}
