/** Forgetting what is only kept against repeats: finished turns, their messages in the ledger, and delivered sends. */
import type { Connection } from "./database.ts";

/** Platforms repeat a message for at most a day or two. Transcripts are not touched: they are the user's. */
export const KEEP_MS = 7 * 86_400_000;

/**
 * Inside a unit: removes at most `limit` rows of each kind that ended before `cutoff`. Gives how many it removed;
 * the caller repeats it until that is 0.
 */
export function pruneStep(connection: Connection, cutoff: number, limit: number): number {
  const turns = connection.run(
    `DELETE FROM turns WHERE id IN (SELECT id FROM turns WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)`,
    cutoff,
    limit,
  );
  const inbound = connection.run(
    `DELETE FROM inbound WHERE id IN (SELECT i.id FROM inbound i WHERE i.accepted_at < ?1
       AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.inbound_id = i.id) ORDER BY i.accepted_at LIMIT ?2)`,
    cutoff,
    limit,
  );
  const outbox = connection.run(
    `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'delivered' AND created_at < ?1
       ORDER BY created_at LIMIT ?2)`,
    cutoff,
    limit,
  );
  return turns + inbound + outbox;
}
