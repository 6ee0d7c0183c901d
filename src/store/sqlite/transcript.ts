/** Transcripts: append only, numbered from 1 without gaps within a session id. */
import { AppError } from "../../base/errors.ts";
import type { Entry, NewEntry, Store } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { type EntryRecord, entryRow, toJson } from "./rows.ts";
import { readUsage } from "./usage.ts";

/** Inside a unit: appends and gives the first `seq`, or undefined when the transcript was deleted in the meantime. */
export function appendEntries(
  connection: Connection,
  sessionId: string,
  entries: NewEntry[],
): number | undefined {
  const row = connection.get<{ last: number | null }>(
    `SELECT (SELECT max(seq) FROM entries WHERE session_id = ?1) AS last
     FROM transcripts WHERE session_id = ?1`,
    sessionId,
  );
  if (!row) return undefined;
  const first = (row.last ?? 0) + 1;
  entries.forEach((entry, i) =>
    connection.run(
      "INSERT INTO entries (session_id, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
      sessionId,
      first + i,
      entry.at,
      toJson(entry.body),
    ),
  );
  return first;
}

export const transcriptCalls = (connection: Connection, units: Units): Store["transcript"] => ({
  page(sessionId, { before, limit }) {
    return units.read(() =>
      connection
        .all<EntryRecord>(
          "SELECT seq, at, body FROM entries WHERE session_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
          sessionId,
          before ?? Number.MAX_SAFE_INTEGER,
          Math.max(0, limit),
        )
        .reverse()
        .map(entryRow),
    );
  },

  from(sessionId, from) {
    return units.read(() =>
      connection
        .all<EntryRecord>(
          "SELECT seq, at, body FROM entries WHERE session_id = ?1 AND seq >= ?2 ORDER BY seq",
          sessionId,
          from,
        )
        .map(entryRow),
    );
  },

  usage(query) {
    return units.read(() => readUsage(connection, query));
  },

  append(sessionId, entries) {
    return units.write(false, (): Entry[] => {
      const first = appendEntries(connection, sessionId, entries);
      if (first === undefined)
        throw new AppError("not_found", `There is no session with the id ${sessionId}.`);
      return entries.map((entry, i) => ({ ...entry, seq: first + i }));
    });
  },
});
