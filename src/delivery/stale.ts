/** What a chat is told in place of an answer that could not be delivered for a day. */
import type { NewOutbox, OutboxRow } from "../store/store.ts";
import { chatOf } from "./sending.ts";

const PREFIX = "stale:";

/** One note per chat and day; none for a note that has become old itself. */
export function staleNote(row: OutboxRow, now: number, everyMs: number): NewOutbox | undefined {
  if (row.key.startsWith(PREFIX)) return undefined;
  const { replyToId: _, ...to } = row.to;
  const when = new Date(row.createdAt).toISOString().slice(0, 16).replace("T", " ");
  return {
    key: `${PREFIX}${Math.floor(now / everyMs)}:${Bun.hash(chatOf(to)).toString(36)}`,
    to,
    text: `⚠️ An answer from ${when} UTC was not delivered in time and was dropped. Ask again if it still matters.`,
    ...(row.runId !== undefined && { runId: row.runId }),
    silent: true,
  };
}
