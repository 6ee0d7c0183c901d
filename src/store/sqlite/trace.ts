/** Looking back at what arrived: what was never answered in a chat, and what became of one message. */
import { OPERATOR_CHANNEL } from "../../channels/operators.ts";
import type { DropReason, Inbound, Route } from "../../flow.ts";
import type { EntryBody, OutboxRow, Store, Trace, TurnRow } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { chatOf, OUTBOX_COLUMNS } from "./outbox.ts";
import {
  type OutboxRecord,
  outboxRow,
  parseJson,
  SELECT_TURN,
  type TurnRecord,
  turnRow,
} from "./rows.ts";

type Calls = Pick<Store["inbound"], "unanswered" | "talked" | "trace" | "recent">;
type InboundRecord = {
  id: number;
  accepted_at: number;
  decision: string;
  body: string;
  run_id: string | null;
};

/** Messages with this outcome are context of the next turn in their chat. */
export const CONTEXT: DropReason = "not_mentioned";

const COLUMNS = "i.id, i.accepted_at, i.decision, i.body, i.run_id";
const SELECT = `SELECT ${COLUMNS} FROM inbound i`;
/** Sent messages, newest first, that are looked through for an id that the platform gave. */
const MAX_RECEIPTS = 5_000;
/** Entries that are looked at for the tools of one run. */
const MAX_ENTRIES = 500;

/** Every query of this file, so that a test can look at how each is answered. */
export const TRACE_SQL = {
  lastTurn: "SELECT max(id) AS id FROM inbound WHERE chat = ?1 AND outcome = 'turn'",
  context: `${SELECT} WHERE i.chat = ?1 AND i.outcome = '${CONTEXT}' AND i.id > ?2 ORDER BY i.id DESC LIMIT ?3`,
  byRun: `${SELECT} JOIN turns t ON t.inbound_id = i.id WHERE t.run_id = ?1`,
  byAnswer: `${SELECT} WHERE i.run_id = ?1`,
  byMessage: `${SELECT} WHERE i.message_id = ?1 ORDER BY i.id DESC LIMIT 1`,
  runOfKey: "SELECT run_id FROM outbox WHERE key = ?1",
  runOfReceipt: `SELECT o.run_id FROM (
      SELECT id, run_id, receipt FROM outbox WHERE run_id IS NOT NULL AND receipt IS NOT NULL ORDER BY id DESC LIMIT ${MAX_RECEIPTS}
    ) o, json_each(o.receipt, '$.ids') r WHERE r.value = ?1 ORDER BY o.id DESC LIMIT 1`,
  outbox: `SELECT ${OUTBOX_COLUMNS} FROM outbox WHERE run_id = ?1 ORDER BY id`,
  recent: recentSql(),
  recentOfChannel: recentSql("i.channel = ?3"),
  unanswered: recentSql(unansweredSql()),
  unansweredOfChannel: recentSql("i.channel = ?3", unansweredSql()),
  startedAfter: "SELECT at FROM entries WHERE session_id = ?1 AND seq = ?2",
  lastSeq: "SELECT max(seq) AS seq FROM entries WHERE session_id = ?1",
  entries: `SELECT at, body FROM entries WHERE session_id = ?1 AND seq >= ?2 AND seq < ?2 + ${MAX_ENTRIES} AND at <= ?3 ORDER BY seq`,
};

function recentSql(...conditions: string[]): string {
  return `${SELECT} WHERE ${["i.id < ?1", ...conditions].join(" AND ")} ORDER BY i.id DESC LIMIT ?2`;
}

function unansweredSql(): string {
  return `NOT EXISTS (SELECT 1 FROM outbox o WHERE o.run_id = i.run_id AND o.state = 'delivered') AND NOT EXISTS (
    SELECT 1 FROM turns t JOIN outbox o ON o.run_id = coalesce(t.lead_id, t.run_id)
    WHERE t.inbound_id = i.id AND o.state = 'delivered') AND NOT (i.channel = '${OPERATOR_CHANNEL}' AND EXISTS (
    SELECT 1 FROM turns t LEFT JOIN turns lead ON lead.run_id = t.lead_id
    WHERE t.inbound_id = i.id AND coalesce(lead.state, t.state) = 'done'))`;
}

/** A database that is only looked at will do (peek.ts). */
type TraceDeps = { connection: Pick<Connection, "get" | "all">; units: Pick<Units, "read"> };

export function traceCalls({ connection, units }: TraceDeps): Calls {
  const turnWhere = (where: string, value: string | number): TurnRow | undefined => {
    const row = connection.get<TurnRecord>(`${SELECT_TURN} WHERE ${where}`, value);
    return row && turnRow(row);
  };

  /** The first entry of a transcript that is not older than `at`. Entries are numbered without gaps, and time goes on with them. */
  const seqAt = (sessionId: string, at: number): number => {
    let low = 1;
    let high = (connection.get<{ seq: number | null }>(TRACE_SQL.lastSeq, sessionId)?.seq ?? 0) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const entry = connection.get<{ at: number }>(TRACE_SQL.startedAfter, sessionId, middle);
      if (entry && entry.at < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const toolsOf = (runId: string): Trace["tools"] => {
    const turn = connection.get<{
      session_id: string | null;
      started_at: number | null;
      ended_at: number | null;
    }>("SELECT session_id, started_at, ended_at FROM turns WHERE run_id = ?1", runId);
    if (!turn?.session_id || turn.started_at === null) return [];
    const rows = connection.all<{ at: number; body: string }>(
      TRACE_SQL.entries,
      turn.session_id,
      seqAt(turn.session_id, turn.started_at),
      turn.ended_at ?? Number.MAX_SAFE_INTEGER,
    );
    return rows.flatMap(({ at, body }) => {
      const entry = parseJson<EntryBody>(body);
      if (entry?.kind !== "message" || entry.runId !== runId) return [];
      return entry.message.blocks.flatMap((block) =>
        block.type === "tool_result"
          ? [{ name: block.name, at, failed: block.isError === true }]
          : [],
      );
    });
  };

  const outboxOf = (runId: string): OutboxRow[] =>
    connection.all<OutboxRecord>(TRACE_SQL.outbox, runId).flatMap((row) => outboxRow(row) ?? []);

  const follow = (row: InboundRecord): Trace | undefined => {
    const inbound = parseJson<Inbound>(row.body);
    const route = parseJson<Route>(row.decision);
    if (!inbound || !route) return undefined;
    const turn = turnWhere("t.inbound_id = ?1", row.id);
    const lead = turn?.leadId ? turnWhere("t.run_id = ?1", turn.leadId) : undefined;
    const runId = lead?.id ?? turn?.id ?? row.run_id;
    return {
      inbound,
      route,
      acceptedAt: row.accepted_at,
      ...(turn && { turn }),
      ...(lead && { lead }),
      tools: runId === null ? [] : toolsOf(runId),
      outbox: runId === null ? [] : outboxOf(runId),
    };
  };

  const one = (sql: string, id: string): InboundRecord | undefined =>
    connection.get<InboundRecord>(sql, id);
  const ofRun = (id: string) => one(TRACE_SQL.byRun, id) ?? one(TRACE_SQL.byAnswer, id);

  /** The inbound row that an id of any kind leads to. */
  const find = (id: string): InboundRecord | undefined => {
    const direct = ofRun(id) ?? one(TRACE_SQL.byMessage, id);
    if (direct) return direct;
    const sent =
      connection.get<{ run_id: string | null }>(TRACE_SQL.runOfKey, id) ??
      connection.get<{ run_id: string | null }>(TRACE_SQL.runOfReceipt, id);
    return sent?.run_id == null ? undefined : ofRun(sent.run_id);
  };

  return {
    unanswered(chat, limit) {
      return units.read(() => {
        const place = chatOf(chat);
        const last = connection.get<{ id: number | null }>(TRACE_SQL.lastTurn, place);
        const rows = connection.all<InboundRecord>(
          TRACE_SQL.context,
          place,
          last?.id ?? 0,
          Math.max(0, limit),
        );
        return rows.reverse().flatMap((row) => {
          const inbound = parseJson<Inbound>(row.body);
          return inbound ? [{ inbound, at: row.accepted_at }] : [];
        });
      });
    },

    talked({ channel, account, chatId }) {
      return units.read(() => {
        // All threads of the chat: its key is what their keys begin with.
        const place = chatOf({ channel, account, chatId });
        const row = connection.get(
          `SELECT 1 AS found FROM inbound i WHERE i.chat >= ?1 AND i.chat < ?1 || x'f48fbfbf' AND i.decision ->> '$.kind' = 'turn' LIMIT 1`,
          place,
        );
        return row !== undefined && row !== null;
      });
    },

    trace(id) {
      return units.read(() => {
        const row = find(id);
        return row && follow(row);
      });
    },

    recent({ limit, before = Number.MAX_SAFE_INTEGER, channel, unanswered }) {
      return units.read(() => {
        const page: [number, number] = [before, Math.max(0, limit)];
        const rows =
          channel === undefined
            ? connection.all<InboundRecord>(
                unanswered ? TRACE_SQL.unanswered : TRACE_SQL.recent,
                ...page,
              )
            : connection.all<InboundRecord>(
                unanswered ? TRACE_SQL.unansweredOfChannel : TRACE_SQL.recentOfChannel,
                ...page,
                channel,
              );
        return {
          rows: rows.flatMap((row) => {
            const trace = follow(row);
            return trace ? [{ ...trace, inboundId: row.id }] : [];
          }),
        };
      });
    },
  };
}
