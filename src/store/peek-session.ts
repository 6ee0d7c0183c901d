import { peek } from "./sqlite/peek.ts";
import {
  type EntryRecord,
  entryRow,
  parseJson,
  SESSION_COLUMNS,
  type SessionRecord,
  sessionRow,
} from "./sqlite/rows.ts";
/** More of what can be looked at while no gateway runs: one session, and the small values of one owner. */
import type { Entry, SessionRow } from "./store.ts";

/** One session and its newest entries, in order; undefined when there is no such session, or no database yet. */
export const peekSession = (
  path: string,
  key: string,
  limit: number,
): { row: SessionRow; entries: Entry[] } | undefined =>
  peek<{ row: SessionRow; entries: Entry[] } | undefined>(path, "sessions", undefined, (db) => {
    const record = db
      .query<SessionRecord, [string]>(`SELECT ${SESSION_COLUMNS} FROM sessions WHERE key = ?1`)
      .get(key);
    if (!record) return undefined;
    const row = sessionRow(record);
    const entries = db
      .query<EntryRecord, [string, number]>(
        "SELECT seq, at, body FROM entries WHERE session_id = ?1 ORDER BY seq DESC LIMIT ?2",
      )
      .all(row.sessionId, limit);
    return { row, entries: entries.reverse().map(entryRow) };
  });

/** All values of a scope by their keys; none when there is no database yet. */
export const peekScope = (path: string, scope: string): Record<string, unknown> =>
  peek<Record<string, unknown>>(path, "kv", {}, (db) =>
    Object.fromEntries(
      db
        .query<{ key: string; value: string }, [string]>(
          "SELECT key, value FROM kv WHERE scope = ?1 ORDER BY key",
        )
        .all(scope)
        .map(({ key, value }) => [key, parseJson<unknown>(value)]),
    ),
  );
