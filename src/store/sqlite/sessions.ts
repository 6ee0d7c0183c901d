/** Sessions: one row per key, pointing at its current transcript. */
import type { SessionKey } from "../../flow.ts";
import type { SessionPage, SessionQuery, SessionRow, SessionSettings, Store } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { SESSION_COLUMNS, type SessionRecord, sessionRow, toJson } from "./rows.ts";

const findSession = (connection: Connection, key: SessionKey): SessionRow | undefined => {
  const row = connection.get<SessionRecord>(
    `SELECT ${SESSION_COLUMNS} FROM sessions WHERE key = ?1`,
    key,
  );
  return row && sessionRow(row);
};

function openTranscript(
  connection: Connection,
  key: SessionKey,
  agentId: string,
  at: number,
): string {
  const sessionId = crypto.randomUUID();
  connection.run(
    "INSERT INTO transcripts (session_id, session_key, agent_id, created_at) VALUES (?1, ?2, ?3, ?4)",
    sessionId,
    key,
    agentId,
    at,
  );
  return sessionId;
}

/** Inside a unit: the current session id of the key; makes the row and an empty transcript when they are missing. */
export function ensureSession(
  connection: Connection,
  key: SessionKey,
  agentId: string,
  at: number,
): string {
  const row = connection.get<{ session_id: string }>(
    "SELECT session_id FROM sessions WHERE key = ?1",
    key,
  );
  if (row) return row.session_id;
  const sessionId = openTranscript(connection, key, agentId, at);
  connection.run(
    `INSERT INTO sessions (key, agent_id, session_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)`,
    key,
    agentId,
    sessionId,
    at,
  );
  return sessionId;
}

/** Lower case in every script; SQLite's own knows ASCII only. */
const fold = (text: string) => text.toLowerCase();

/** A bounded set of texts (each condition is present or not), so that the statements can be kept. */
function conditions(query: SessionQuery): { where: string[]; values: (string | number)[] } {
  const where: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | number | undefined) => {
    if (value === undefined) return;
    where.push(condition);
    values.push(value);
  };
  add("agent_id = ?", query.agentId);
  add("updated_at >= ?", query.since);
  add("label = ?", query.label);
  add("spawned_by = ?", query.spawnedBy);
  const search = query.search?.trim();
  add(
    "instr(fold(key || char(10) || ifnull(label, '') || char(10) || ifnull(title, '') || char(10) || session_id), ?) > 0",
    search ? fold(search) : undefined,
  );
  return { where, values };
}

const clause = (where: string[]) => (where.length > 0 ? `WHERE ${where.join(" AND ")}` : "");

function listSessions(connection: Connection, query: SessionQuery): SessionPage {
  const { where, values } = conditions(query);
  const total = connection.get<{ n: number }>(
    `SELECT count(*) AS n FROM sessions ${clause(where)}`,
    ...values,
  );
  const page = [...where];
  const pageValues = [...values];
  if (query.before !== undefined && query.beforeKey !== undefined) {
    page.push("(updated_at, key) < (?, ?)");
    pageValues.push(query.before, query.beforeKey);
  } else if (query.before !== undefined) {
    page.push("updated_at < ?");
    pageValues.push(query.before);
  }
  const rows = connection.all<SessionRecord>(
    `SELECT ${SESSION_COLUMNS} FROM sessions ${clause(page)} ORDER BY updated_at DESC, key DESC LIMIT ?`,
    ...pageValues,
    Math.max(0, query.limit),
  );
  return { rows: rows.map(sessionRow), total: total?.n ?? 0 };
}

export function sessionCalls(connection: Connection, units: Units): Store["sessions"] {
  connection.db.function("fold", { deterministic: true }, (text: unknown) => fold(String(text)));
  return {
    get(key) {
      return units.read(() => findSession(connection, key));
    },

    byId(sessionId) {
      return units.read(() => {
        const row = connection.get<SessionRecord>(
          `SELECT ${SESSION_COLUMNS} FROM sessions WHERE session_id = ?1`,
          sessionId,
        );
        return row && sessionRow(row);
      });
    },

    list(query) {
      return units.read(() => listSessions(connection, query));
    },

    async ensure(key, agentId, at) {
      // Nearly always there: a look is enough, and a commit costs a hundred times as much.
      const known = await units.read(() => findSession(connection, key));
      if (known) return known;
      return units.write(false, () => {
        ensureSession(connection, key, agentId, at);
        return findSession(connection, key)!;
      });
    },

    patch(key, agentId, patch, at) {
      return units.write(false, () => {
        ensureSession(connection, key, agentId, at);
        const settings: SessionSettings = { ...findSession(connection, key)!.settings };
        for (const [name, value] of Object.entries(patch) as [keyof SessionSettings, unknown][])
          if (value === null) delete settings[name];
          else if (value !== undefined) Object.assign(settings, { [name]: value });
        connection.run(
          "UPDATE sessions SET settings = ?2, updated_at = max(updated_at, ?3) WHERE key = ?1",
          key,
          toJson(settings),
          at,
        );
        return findSession(connection, key)!;
      });
    },

    setContextFrom(key, sessionId, seq) {
      return units.write(false, () => {
        connection.run(
          "UPDATE sessions SET context_from = ?3 WHERE key = ?1 AND session_id = ?2",
          key,
          sessionId,
          seq,
        );
      });
    },

    reset(key, agentId, at) {
      return units.write(false, () => {
        const sessionId = openTranscript(connection, key, agentId, at);
        connection.run(
          `INSERT INTO sessions (key, agent_id, session_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
           ON CONFLICT (key) DO UPDATE SET session_id = ?3, created_at = ?4, updated_at = max(updated_at, ?4),
             title = NULL, preview = NULL, input = 0, output = 0, cache_read = 0, cache_write = 0,
             context_tokens = 0, context_from = 1, aborted_last_run = 0`,
          key,
          agentId,
          sessionId,
          at,
        );
        return findSession(connection, key)!;
      });
    },

    rename(from, to) {
      return units.write(true, () => {
        const taken = connection.get("SELECT 1 AS found FROM sessions WHERE key = ?1", to);
        if (taken) return false;
        const moved = connection.run("UPDATE sessions SET key = ?2 WHERE key = ?1", from, to);
        if (moved === 0) return false;
        connection.run("UPDATE transcripts SET session_key = ?2 WHERE session_key = ?1", from, to);
        connection.run(
          "UPDATE turns SET session_key = ?2 WHERE session_key = ?1 AND ended_at IS NULL",
          from,
          to,
        );
        return true;
      });
    },

    delete(key, keepTranscript) {
      return units.write(false, () => {
        const had = connection.run("DELETE FROM sessions WHERE key = ?1", key) > 0;
        if (!keepTranscript) {
          // Those from before a reset too: whoever deletes a conversation means all of it.
          connection.run(
            "DELETE FROM entries WHERE session_id IN (SELECT session_id FROM transcripts WHERE session_key = ?1)",
            key,
          );
          connection.run("DELETE FROM transcripts WHERE session_key = ?1", key);
        }
        return had;
      });
    },
  };
}
