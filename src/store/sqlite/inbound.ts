/** The ledger of what arrived. A message is in it before its platform is told so. */
import type { Address, Inbound, Route } from "../../flow.ts";
import type { Store, TurnRow } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { putValues } from "./kv.ts";
import { chatOf, putOutbox } from "./outbox.ts";
import { excerpt, parseJson, SELECT_TURN, toJson, type TurnRecord, turnRow } from "./rows.ts";
import { ensureSession } from "./sessions.ts";
import { CONTEXT, traceCalls } from "./trace.ts";

export type InboundDeps = {
  connection: Connection;
  units: Units;
  /** Throws `disk_full` when new work must not be taken. */
  admit: () => void;
  now: () => number;
};

export function inboundCalls({ connection, units, admit, now }: InboundDeps): Store["inbound"] {
  const earlier = (inbound: Inbound, runId: string) => {
    const known = connection.get<{ id: number }>(
      "SELECT id FROM inbound WHERE channel = ?1 AND account = ?2 AND message_id = ?3",
      inbound.from.channel,
      inbound.from.account,
      inbound.id,
    );
    // A client that repeats itself with its run id and another message id is repeating itself all the same.
    const row = known
      ? connection.get<TurnRecord>(`${SELECT_TURN} WHERE t.inbound_id = ?1`, known.id)
      : connection.get<TurnRecord>(`${SELECT_TURN} WHERE t.run_id = ?1`, runId);
    if (!known && !row) return undefined;
    return { turn: row && turnRow(row), duplicate: true };
  };

  const stored = (from: Pick<Address, "channel" | "account">, id: string) =>
    connection.get<{ id: number; decision: string; body: string; outcome: string | null }>(
      "SELECT id, decision, body, outcome FROM inbound WHERE channel = ?1 AND account = ?2 AND message_id = ?3",
      from.channel,
      from.account,
      id,
    );

  const touchSession = (
    inbound: Inbound,
    route: Extract<Route, { kind: "turn" }>,
    at: number,
  ): void => {
    ensureSession(connection, route.sessionKey, route.agentId, at);
    connection.run(
      `UPDATE sessions SET chat = ?2, route = ?3, title = coalesce(title, ?4), preview = coalesce(?5, preview),
         updated_at = max(updated_at, ?6) WHERE key = ?1`,
      route.sessionKey,
      inbound.chat,
      toJson(route.reply),
      excerpt(inbound.text, 60) ?? null,
      excerpt(inbound.text, 120) ?? null,
      at,
    );
  };

  const openTurn = (
    inbound: Inbound,
    inboundId: number,
    route: Extract<Route, { kind: "turn" }>,
    runId: string,
    at: number,
  ): TurnRow => {
    connection.run(
      `INSERT INTO turns (run_id, inbound_id, agent_id, session_key, state, reply, accepted_at, trust)
       VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7)`,
      runId,
      inboundId,
      route.agentId,
      route.sessionKey,
      toJson(route.reply),
      at,
      route.trust,
    );
    return {
      id: runId,
      inboundId,
      agentId: route.agentId,
      sessionKey: route.sessionKey,
      state: "queued",
      attempts: 0,
      inbound,
      reply: route.reply,
      trust: route.trust,
      acceptedAt: at,
    };
  };

  return {
    accept(inbound, route, runId, more = {}) {
      return units.write(true, () => {
        // Also for a repeat: the offset behind it must go on.
        if (more.state) putValues(connection, more.state.scope, more.state.entries);
        // First, so that a platform that repeats a stored message is answered even when the disk is full.
        const known = earlier(inbound, runId);
        if (known) return known;
        admit();
        const at = now();
        const row = connection.get<{ id: number }>(
          `INSERT INTO inbound (channel, account, message_id, accepted_at, decision, body, chat, outcome, run_id)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id`,
          inbound.from.channel,
          inbound.from.account,
          inbound.id,
          at,
          toJson(route),
          toJson(inbound),
          chatOf(inbound.from),
          route.kind === "drop" ? route.reason : route.kind,
          // A turn has a row of its own, which names it.
          route.kind === "answer" ? runId : null,
        );
        if (more.outbox) putOutbox(connection, more.outbox, at);
        if (route.kind !== "turn") return { turn: undefined, duplicate: false };
        touchSession(inbound, route, at);
        return { turn: openTurn(inbound, row!.id, route, runId, at), duplicate: false };
      });
    },

    find(from, id) {
      return units.read(() => {
        const row = stored(from, id);
        const route = row && parseJson<Route>(row.decision);
        const inbound = row && parseJson<Inbound>(row.body);
        if (!row || !route || !inbound) return undefined;
        const turn = connection.get<TurnRecord>(`${SELECT_TURN} WHERE t.inbound_id = ?1`, row.id);
        return { inbound, route, turn: turn && turnRow(turn) };
      });
    },

    amend(from, id, text) {
      return units.write(true, () => {
        const row = stored(from, id);
        const inbound = row && parseJson<Inbound>(row.body);
        const turn =
          row && connection.get<TurnRecord>(`${SELECT_TURN} WHERE t.inbound_id = ?1`, row.id);
        if (!row || !inbound) return undefined;
        const run = turn && { runId: turn.run_id };
        const free = turn ? turn.state === "queued" : row.outcome === CONTEXT;
        if (!free) return { ...run, late: true };
        connection.run(
          "UPDATE inbound SET body = ?2 WHERE id = ?1",
          row.id,
          toJson({ ...inbound, text }),
        );
        return { ...run, late: false };
      });
    },

    ...traceCalls({ connection, units }),
  };
}
