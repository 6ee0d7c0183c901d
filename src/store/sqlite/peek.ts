/** A look at the database from outside while no gateway runs: nothing is written, created, migrated or repaired. */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";

import type { SessionPage } from "../store.ts";
import { storeError } from "./failure.ts";
import { SESSION_COLUMNS, type SessionRecord, sessionRow } from "./rows.ts";

/** The newest sessions, or none when there is no database yet. Throws `store_failed` for a damaged one. */
export function peekSessions(
  path: string,
  { limit, since = 0 }: { limit: number; since?: number },
): SessionPage {
  if (!existsSync(path)) return { rows: [], total: 0 };
  let db: Database | undefined;
  try {
    db = new Database(path, { readonly: true });
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
  } catch (cause) {
    throw storeError(cause, path);
  } finally {
    db?.close();
  }
}
