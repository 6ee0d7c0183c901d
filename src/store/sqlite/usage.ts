/** What models have used, added up from the answers in the transcripts, in steps of bounded size. */
import type { UsagePage, UsageQuery, UsageRow } from "../store.ts";
import type { Connection } from "./database.ts";

/** Entries that one step reads: some milliseconds. */
const STEP = 1_000;
/** Transcripts that one step passes over because they are too old. */
const SKIPPED = 200;
/** Sums are by this much time, in ms: days of every time zone begin with one. */
export const USAGE_SLOT_MS = 900_000;

type Place = { id: number; session_id: string; agent_id: string };
type Sum = {
  slot: number;
  provider: string | null;
  model: string | null;
  calls: number;
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
};

const sum = (name: string): string => `sum(coalesce(body ->> '$.usage.${name}', 0)) AS ${name}`;
const SUMS = `SELECT at / ${USAGE_SLOT_MS} AS slot, body ->> '$.choice.provider' AS provider, body ->> '$.choice.model' AS model,
  count(*) AS calls, ${["input", "output", "cacheRead", "cacheWrite"].map(sum).join(", ")}
  FROM entries WHERE session_id = ?1 AND seq >= ?2 AND seq < ?3 AND at >= ?4
    AND json_valid(body) AND body ->> '$.kind' = 'message' AND body -> '$.usage' IS NOT NULL
  GROUP BY 1, 2, 3`;

/** One step of the walk, the newest entries of each transcript first. */
export function readUsage(
  connection: Pick<Connection, "get" | "all">,
  { since, after }: UsageQuery,
): UsagePage {
  let place = after && placeAt(connection, after.transcript);
  let before = place ? after?.before : undefined;
  let last = after?.transcript ?? 0;
  for (let skipped = 0; skipped < SKIPPED; skipped++) {
    place ??= connection.get<Place>(
      "SELECT id, session_id, agent_id FROM transcripts WHERE id > ?1 ORDER BY id LIMIT 1",
      last,
    );
    if (!place) return { rows: [] };
    const top = before ?? endOf(connection, place.session_id, since);
    if (top > 1) return step(connection, place, top, since);
    last = place.id;
    place = undefined;
    before = undefined;
  }
  return { rows: [], next: { transcript: last, before: 1 } };
}

const placeAt = (connection: Pick<Connection, "get">, id: number): Place | undefined =>
  connection.get<Place>("SELECT id, session_id, agent_id FROM transcripts WHERE id = ?1", id);

/** One more than the last `seq`; 1 for a transcript that has nothing so new. */
function endOf(connection: Pick<Connection, "get">, sessionId: string, since: number): number {
  const last = connection.get<{ seq: number; at: number }>(
    "SELECT seq, at FROM entries WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1",
    sessionId,
  );
  return last && last.at >= since ? last.seq + 1 : 1;
}

function step(
  connection: Pick<Connection, "get" | "all">,
  place: Place,
  before: number,
  since: number,
): UsagePage {
  const from = Math.max(1, before - STEP);
  const rows = connection
    .all<Sum>(SUMS, place.session_id, from, before, since)
    .map(({ slot, provider, model, calls, ...usage }): UsageRow => ({
      at: slot * USAGE_SLOT_MS,
      agentId: place.agent_id,
      provider: provider ?? "unknown",
      model: model ?? "unknown",
      calls,
      usage,
    }));
  const first = connection.get<{ at: number }>(
    "SELECT at FROM entries WHERE session_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1",
    place.session_id,
    from,
  );
  const done = from === 1 || !first || first.at < since;
  return { rows, next: { transcript: place.id, before: done ? 1 : from } };
}
