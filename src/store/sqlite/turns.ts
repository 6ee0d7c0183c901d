/**
 * Turns: queued → running → done | failed | aborted; or queued → merged, and then the lead's end is theirs.
 * Each call changes the turn, its transcript and what goes out in one unit, so a crash finds all of it or nothing.
 */
import { AppError } from "../../base/errors.ts";
import type { SessionKey } from "../../flow.ts";
import type { NewEntry, Store, TurnRow, TurnState } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { putOutbox } from "./outbox.ts";
import { previewOf, SELECT_TURN, toJson, type TurnRecord, turnRow } from "./rows.ts";
import { ensureSession } from "./sessions.ts";
import { appendEntries } from "./transcript.ts";

type Standing = Pick<TurnRecord, "state" | "session_id" | "session_key" | "agent_id">;

const FINAL: ReadonlySet<TurnState> = new Set<TurnState>(["done", "failed", "aborted"]);

/** Without the messages of turns that were not taken (aborted while they waited): an entry names its turn by `runId`. */
const without = (entries: NewEntry[], ids: string[]): NewEntry[] =>
  entries.filter(
    ({ body }) => body.kind === "kept" || body.runId === undefined || !ids.includes(body.runId),
  );

export function turnCalls(
  connection: Connection,
  units: Units,
  /** Called with the id of a turn whose message a damaged disk has changed. */
  unreadable: (id: string) => void,
): Store["turns"] {
  const standing = (id: string) =>
    connection.get<Standing>(
      "SELECT state, session_id, session_key, agent_id FROM turns WHERE run_id = ?1",
      id,
    );

  const find = (id: string): TurnRow | undefined => {
    const row = connection.get<TurnRecord>(`${SELECT_TURN} WHERE t.run_id = ?1`, id);
    return row && turnRow(row);
  };

  const running = (id: string): Standing => {
    const turn = standing(id);
    if (!turn) throw new AppError("not_found", `There is no turn with the id ${id}.`);
    return turn;
  };

  const mergeInto = (id: string, leadId: string): boolean => {
    if (id === leadId) return false;
    const taken = connection.run(
      `UPDATE turns SET state = 'merged', lead_id = ?2
       WHERE run_id = ?1 AND (state IN ('queued', 'running') OR state = 'merged' AND lead_id = ?2)`,
      id,
      leadId,
    );
    // What an interrupted run had taken in moves along with it.
    if (taken) connection.run("UPDATE turns SET lead_id = ?2 WHERE lead_id = ?1", id, leadId);
    return taken > 0;
  };

  /**
   * Appends to the transcript that the turn began with, or to the current one when it never began. Gives its id; undefined, and the
   * entries are dropped, when the session was deleted meanwhile: a late answer must not bring it back.
   */
  const append = (turn: Standing, entries: NewEntry[]): string | undefined => {
    const current = connection.get<{ session_id: string }>(
      "SELECT session_id FROM sessions WHERE key = ?1",
      turn.session_key,
    );
    const sessionId = turn.session_id ?? current?.session_id;
    if (sessionId !== undefined && entries.length > 0)
      appendEntries(connection, sessionId, entries);
    return sessionId;
  };

  return {
    get(id) {
      return units.read(() => find(id));
    },

    unfinished() {
      return units.read(() => {
        const rows = connection.all<TurnRecord>(
          `${SELECT_TURN} WHERE t.ended_at IS NULL ORDER BY t.id`,
        );
        return rows.flatMap((row) => {
          const turn = turnRow(row);
          if (!turn) unreadable(row.run_id);
          return turn ?? [];
        });
      });
    },

    begin(ids, entries, at) {
      return units.write(false, () => {
        const [id, ...others] = ids;
        if (id === undefined) return undefined;
        const turn = standing(id);
        // A merged turn is being answered by its lead; beginning it too would answer twice.
        if (!turn || (turn.state !== "queued" && turn.state !== "running")) return undefined;
        const sessionId = ensureSession(
          connection,
          turn.session_key as SessionKey,
          turn.agent_id,
          at,
        );
        connection.run(
          `UPDATE turns SET state = 'running', attempts = attempts + 1, session_id = ?2,
             started_at = coalesce(started_at, ?3) WHERE run_id = ?1`,
          id,
          sessionId,
          at,
        );
        const left = others.filter((other) => !mergeInto(other, id));
        const kept = without(entries, left);
        if (kept.length > 0) appendEntries(connection, sessionId, kept);
        return find(id);
      });
    },

    release(ids) {
      // A stop with nothing running must not fail on a full disk.
      if (ids.length === 0) return Promise.resolve();
      return units.write(false, () => {
        for (const id of ids)
          connection.run(
            "UPDATE turns SET attempts = max(attempts - 1, 0) WHERE run_id = ?1 AND state = 'running'",
            id,
          );
      });
    },

    merge(ids, leadId, entries) {
      return units.write(false, () => {
        const lead = standing(leadId);
        if (!lead || lead.state !== "running") return [];
        const taken = ids.filter((id) => standing(id)?.state === "queued" && mergeInto(id, leadId));
        const left = ids.filter((id) => !taken.includes(id));
        if (taken.length > 0) append(lead, without(entries, left));
        return taken;
      });
    },

    append(id, entries) {
      return units.write(false, () => {
        const turn = running(id);
        // A run that was aborted may still hand in what it had; its turn is closed.
        if (FINAL.has(turn.state)) return;
        append(turn, entries);
      });
    },

    finish(id, end) {
      return units.write(true, () => {
        const turn = running(id);
        if (FINAL.has(turn.state)) return false;
        const error = end.error ? toJson(end.error) : null;
        connection.run(
          "UPDATE turns SET state = ?2, ended_at = ?3, error = ?4 WHERE run_id = ?1",
          id,
          end.state,
          end.at,
          error,
        );
        connection.run(
          "UPDATE turns SET state = ?2, ended_at = ?3, error = ?4 WHERE lead_id = ?1 AND ended_at IS NULL",
          id,
          end.state,
          end.at,
          error,
        );
        const sessionId = append(turn, end.entries);
        const { usage } = end;
        connection.run(
          `UPDATE sessions SET updated_at = max(updated_at, ?2), preview = coalesce(?3, preview),
             input = input + ?4, output = output + ?5, cache_read = cache_read + ?6, cache_write = cache_write + ?7,
             context_tokens = coalesce(?8, context_tokens), aborted_last_run = ?9 WHERE session_id = ?1`,
          sessionId ?? null,
          end.at,
          previewOf(end.entries) ?? null,
          usage?.input ?? 0,
          usage?.output ?? 0,
          usage?.cacheRead ?? 0,
          usage?.cacheWrite ?? 0,
          end.contextTokens ?? null,
          end.state === "aborted" ? 1 : 0,
        );
        putOutbox(connection, end.outbox, end.at);
        return true;
      });
    },
  };
}
