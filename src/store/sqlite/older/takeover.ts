/** Taking over and giving back the state of older systems: whole transcripts and sessions with the ids that they had. */
import type { AllowedRow, SessionRow } from "../../store.ts";
import {
  type OlderSession,
  sessionMark,
  type SessionOutcome,
  TAKEOVER,
  type Takeover,
  type TakeoverReads,
} from "../../takeover.ts";
import type { Units } from "../commit.ts";
import type { Connection } from "../database.ts";
import { putValues, valueOf } from "../kv.ts";
import { PAIRING_COLUMNS, type PairingRecord, pairingRow } from "../pairing.ts";
import {
  type EntryRecord,
  entryRow,
  SESSION_COLUMNS,
  type SessionRecord,
  sessionRow,
  toJson,
} from "../rows.ts";
import { appendEntries } from "../transcript.ts";

/** The half of a connection that these need; a look from outside has no other. */
type Reader = Pick<Connection, "get" | "all">;

export const takeoverReads = (db: Reader, units: Pick<Units, "read">): TakeoverReads => ({
  mark: (name) => units.read(() => valueOf(db, TAKEOVER, name)),
  value: (scope, key) => units.read(() => valueOf(db, scope, key)),

  keys(scope, prefix) {
    return units.read(() =>
      db
        .all<{ key: string }>(
          "SELECT key FROM kv WHERE scope = ?1 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
          scope,
          prefix,
        )
        .map(({ key }) => key),
    );
  },

  sessions(after, limit) {
    return units.read(() =>
      db
        .all<SessionRecord>(
          `SELECT ${SESSION_COLUMNS} FROM sessions WHERE key > ?1 ORDER BY key LIMIT ?2`,
          after,
          limit,
        )
        .map(sessionRow),
    );
  },

  transcripts(after, limit) {
    return units.read(() =>
      db.all(
        `SELECT id, session_id AS sessionId, session_key AS key, agent_id AS agentId, created_at AS createdAt
         FROM transcripts WHERE id > ?1 ORDER BY id LIMIT ?2`,
        after,
        limit,
      ),
    );
  },

  entries(sessionId, seq, limit) {
    return units.read(() =>
      db
        .all<EntryRecord>(
          "SELECT seq, at, body FROM entries WHERE session_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
          sessionId,
          seq,
          limit,
        )
        .map(entryRow),
    );
  },

  people() {
    return units.read(() => ({
      allowed: db.all<AllowedRow>(
        "SELECT channel, account, sender, added_at AS addedAt FROM allowed ORDER BY id",
      ),
      waiting: db
        .all<PairingRecord>(`SELECT ${PAIRING_COLUMNS} FROM pairing ORDER BY id`)
        .map(pairingRow),
    }));
  },
});

export const takeoverCalls = (connection: Connection, units: Units): Takeover => ({
  ...takeoverReads(connection, units),

  remember(name, value) {
    return units.write(true, () => putValues(connection, TAKEOVER, { [name]: value }));
  },

  append(transcript, entries, { fresh, seq, mark, value }) {
    const { sessionId, key, agentId, createdAt } = transcript;
    return units.write(false, () => {
      if (fresh) connection.run("DELETE FROM entries WHERE session_id = ?1", sessionId);
      else if (lengthOf(connection, sessionId) !== seq) return false;
      connection.run(
        `INSERT INTO transcripts (session_id, session_key, agent_id, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (session_id) DO UPDATE SET session_key = ?2, agent_id = ?3, created_at = ?4`,
        sessionId,
        key,
        agentId,
        createdAt,
      );
      appendEntries(connection, sessionId, entries);
      putValues(connection, TAKEOVER, { [mark]: value });
      return true;
    });
  },

  length: (sessionId) => units.read(() => lengthOf(connection, sessionId)),

  session(older) {
    // Not durable by itself: the last step of a takeover is, and what came before it is on the disk with it.
    return units.write(false, () => takeSession(connection, older));
  },

  admit(allowed, waiting) {
    return units.write(true, () => {
      const added = { allowed: 0, waiting: 0 };
      for (const { channel, account, sender, addedAt } of allowed) {
        const mark = `person/${channel}/${account}/${sender}`;
        // Whoever was turned away here since does not come back.
        if (valueOf(connection, TAKEOVER, mark) !== undefined) continue;
        putValues(connection, TAKEOVER, { [mark]: addedAt });
        added.allowed += connection.run(
          "INSERT OR IGNORE INTO allowed (channel, account, sender, added_at) VALUES (?1, ?2, ?3, ?4)",
          channel,
          account,
          sender,
          addedAt,
        );
      }
      for (const row of waiting)
        added.waiting += connection.run(
          `INSERT OR IGNORE INTO pairing (${PAIRING_COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
           WHERE NOT EXISTS (SELECT 1 FROM allowed WHERE channel = ?1 AND account = ?2 AND sender = ?3)`,
          row.channel,
          row.account,
          row.sender,
          row.code,
          toJson(row.meta),
          row.createdAt,
          row.lastSeenAt,
        );
      return added;
    });
  },
});

/** Inside a unit. */
function lengthOf(connection: Connection, sessionId: string): number | undefined {
  return connection.get<{ n: number }>(
    `SELECT (SELECT ifnull(max(seq), 0) FROM entries WHERE session_id = ?1) AS n
     FROM transcripts WHERE session_id = ?1`,
    sessionId,
  )?.n;
}

/** Inside a unit. */
function takeSession(connection: Connection, older: OlderSession): SessionOutcome {
  const { row } = older;
  const mark = sessionMark(row.key);
  const before = valueOf<OlderSession>(connection, TAKEOVER, mark);
  if (before && Bun.deepEquals(before, JSON.parse(toJson(older)), true)) return "same";
  const found = connection.get<SessionRecord>(
    `SELECT ${SESSION_COLUMNS} FROM sessions WHERE key = ?1`,
    row.key,
  );
  const here = found && sessionRow(found);
  if (here && !isUntouched(connection, here, before)) return "kept";
  // Another key has this conversation already.
  if (
    connection.get(
      "SELECT 1 AS found FROM sessions WHERE session_id = ?1 AND key <> ?2",
      row.sessionId,
      row.key,
    )
  )
    return "kept";
  if (here) {
    connection.run("DELETE FROM sessions WHERE key = ?1", row.key);
    if (here.sessionId !== row.sessionId && lengthOf(connection, here.sessionId) === 0)
      connection.run("DELETE FROM transcripts WHERE session_id = ?1", here.sessionId);
  }
  insertSession(connection, row);
  putValues(connection, TAKEOVER, { [mark]: older });
  return here ? "changed" : "added";
}

/** Nothing was said in it here, and nobody changed it since it was taken over. */
function isUntouched(
  connection: Connection,
  here: SessionRow,
  before: OlderSession | undefined,
): boolean {
  if (before) return Bun.deepEquals(before.row, JSON.parse(toJson(here)), true);
  const turn = connection.get("SELECT 1 AS found FROM turns WHERE session_key = ?1", here.key);
  return !turn && lengthOf(connection, here.sessionId) === 0;
}

function insertSession(connection: Connection, row: SessionRow): void {
  connection.run(
    `INSERT INTO sessions (${SESSION_COLUMNS})
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)`,
    row.key,
    row.agentId,
    row.sessionId,
    row.createdAt,
    row.updatedAt,
    row.chat,
    row.route ? toJson(row.route) : null,
    row.title ?? null,
    row.preview ?? null,
    toJson(row.settings),
    row.usage.input,
    row.usage.output,
    row.usage.cacheRead,
    row.usage.cacheWrite,
    row.contextTokens,
    row.contextFrom,
    row.abortedLastRun ? 1 : 0,
  );
}
