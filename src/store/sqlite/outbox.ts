/** What goes out. pending → sending → delivered; back to pending by `retry`; dead and unknown are where it gives up. */
import type { Address } from "../../flow.ts";
import type { NewOutbox, OutboxRow, Store } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { type OutboxRecord, outboxRow, toJson } from "./rows.ts";

/** Inside a unit. A key that is there already stays as it is. */
export function putOutbox(connection: Connection, rows: NewOutbox[], at: number): void {
  for (const { key, runId, ...body } of rows)
    connection.run(
      "INSERT OR IGNORE INTO outbox (key, run_id, chat, body, due_at, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
      key,
      runId ?? null,
      chatOf(body.to),
      toJson(body),
      at,
    );
}

/** Channel, account, chat and thread as one word. Ids never hold a line break. */
export const chatOf = ({ channel, account, chatId, threadId = "" }: Address): string =>
  [channel, account, chatId, threadId].join("\n");

export const OUTBOX_COLUMNS =
  "key, run_id, body, state, attempts, due_at, created_at, receipt, error";

export function outboxCalls(
  connection: Connection,
  units: Units,
  /** Called with the key of a row whose address or text a damaged disk has changed. */
  unreadable: (key: string) => void,
): Store["outbox"] {
  const read = (sql: string, ...values: (string | number)[]): Promise<OutboxRow[]> =>
    units.read(() =>
      connection.all<OutboxRecord>(sql, ...values).flatMap((record) => {
        const row = outboxRow(record);
        if (!row) unreadable(record.key);
        return row ?? [];
      }),
    );

  return {
    put(rows, at) {
      return units.write(true, () => putOutbox(connection, rows, at));
    },

    due(now, limit) {
      return read(
        `SELECT ${OUTBOX_COLUMNS} FROM outbox WHERE state = 'pending' AND due_at <= ?1 AND NOT EXISTS (
           SELECT 1 FROM outbox AS before WHERE before.chat = outbox.chat AND before.id < outbox.id
             AND before.state IN ('pending', 'sending') AND (before.state = 'sending' OR before.due_at > ?1)
         ) ORDER BY id LIMIT ?2`,
        now,
        Math.max(0, limit),
      );
    },

    sending(key) {
      return units.write(true, () => {
        const taken = connection.run(
          "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE key = ?1 AND state = 'pending'",
          key,
        );
        return taken > 0;
      });
    },

    delivered(key, receipt) {
      return units.write(true, () => {
        // From any other state: a platform's receipt is the truth, however late it comes.
        connection.run(
          `UPDATE outbox SET state = 'delivered', receipt = ?2, error = NULL WHERE key = ?1 AND state <> 'delivered'`,
          key,
          toJson(receipt),
        );
      });
    },

    retry(key, at, error) {
      return units.write(false, () => {
        connection.run(
          "UPDATE outbox SET state = 'pending', due_at = ?2, error = ?3 WHERE key = ?1 AND state IN ('sending', 'pending')",
          key,
          at,
          error,
        );
      });
    },

    giveUp(key, state, error) {
      return units.write(false, () => {
        connection.run(
          "UPDATE outbox SET state = ?2, error = ?3 WHERE key = ?1 AND state IN ('sending', 'pending')",
          key,
          state,
          error,
        );
      });
    },

    interrupted() {
      return read(`SELECT ${OUTBOX_COLUMNS} FROM outbox WHERE state = 'sending' ORDER BY id`);
    },

    list({ limit, states }) {
      const chosen = states?.length
        ? `WHERE state IN (${states.map((s) => `'${s}'`).join(", ")})`
        : "";
      return read(
        `SELECT ${OUTBOX_COLUMNS} FROM outbox ${chosen} ORDER BY id DESC LIMIT ?1`,
        limit,
      );
    },

    async get(key) {
      return (await read(`SELECT ${OUTBOX_COLUMNS} FROM outbox WHERE key = ?1`, key))[0];
    },
  };
}
