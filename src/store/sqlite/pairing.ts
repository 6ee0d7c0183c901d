/** Strangers who wait for approval, and those who have it. */

import { AppError, invariant } from "../../base/errors.ts";
import type { AllowedRow, PairingRow, Store } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { parseJson, toJson } from "./rows.ts";

/** Nobody confuses these when reading them out: no I, O, 0, 1. Eight of them are 40 bits. */
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_LENGTH = 8;
const MAX_TRIES = 500;

export type PairingRecord = {
  channel: string;
  account: string;
  sender: string;
  code: string;
  meta: string;
  created_at: number;
  last_seen_at: number;
};
export const PAIRING_COLUMNS = "channel, account, sender, code, meta, created_at, last_seen_at";

export const pairingRow = (row: PairingRecord): PairingRow => ({
  channel: row.channel,
  account: row.account,
  sender: row.sender,
  code: row.code,
  meta: parseJson<Record<string, string>>(row.meta) ?? {},
  createdAt: row.created_at,
  lastSeenAt: row.last_seen_at,
});

function newCode(): string {
  // Loaded with the first stranger: node:crypto takes 2 ms of the start.
  const { randomInt } = process.getBuiltinModule("node:crypto");
  return Array.from({ length: CODE_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

export function pairingCalls(connection: Connection, units: Units): Store["pairing"] {
  const expire = (at: number, ttlMs: number) =>
    connection.run("DELETE FROM pairing WHERE created_at <= ?1", at - ttlMs);

  const freeCode = (): string => {
    for (let i = 0; i < MAX_TRIES; i++) {
      const code = newCode();
      if (!connection.get("SELECT 1 AS found FROM pairing WHERE code = ?1", code)) return code;
    }
    invariant(false, "no pairing code is free");
    return "";
  };

  /** Whoever is let in does not wait any more. */
  const allow = ({ channel, account, sender, addedAt }: AllowedRow): void => {
    connection.run(
      "DELETE FROM pairing WHERE channel = ?1 AND account = ?2 AND sender = ?3",
      channel,
      account,
      sender,
    );
    connection.run(
      "INSERT OR IGNORE INTO allowed (channel, account, sender, added_at) VALUES (?1, ?2, ?3, ?4)",
      channel,
      account,
      sender,
      addedAt,
    );
  };

  return {
    request({ channel, account, sender, meta }, at, { ttlMs, cap }) {
      return units.write(true, () => {
        expire(at, ttlMs);
        const known = connection.get<PairingRecord>(
          `SELECT ${PAIRING_COLUMNS} FROM pairing WHERE channel = ?1 AND account = ?2 AND sender = ?3`,
          channel,
          account,
          sender,
        );
        if (known) {
          connection.run("UPDATE pairing SET last_seen_at = ?2 WHERE code = ?1", known.code, at);
          return { code: known.code, created: false };
        }
        connection.run(
          `DELETE FROM pairing WHERE id IN (SELECT id FROM pairing WHERE channel = ?1 AND account = ?2
             ORDER BY id DESC LIMIT -1 OFFSET ?3)`,
          channel,
          account,
          Math.max(0, cap - 1),
        );
        const code = freeCode();
        connection.run(
          `INSERT INTO pairing (${PAIRING_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)`,
          channel,
          account,
          sender,
          code,
          toJson(meta),
          at,
        );
        return { code, created: true };
      });
    },

    list(at, ttlMs, channel) {
      return units.read(() =>
        connection
          .all<PairingRecord>(
            `SELECT ${PAIRING_COLUMNS} FROM pairing WHERE created_at > ?1 AND (?2 IS NULL OR channel = ?2) ORDER BY id`,
            at - ttlMs,
            channel ?? null,
          )
          .map(pairingRow),
      );
    },

    approve(code, at, ttlMs, channel) {
      return units.write(true, () => {
        expire(at, ttlMs);
        const row = connection.get<PairingRecord>(
          `SELECT ${PAIRING_COLUMNS} FROM pairing WHERE code = ?1 AND (?2 IS NULL OR channel = ?2)`,
          code.trim().toUpperCase(),
          channel ?? null,
        );
        if (!row) return undefined;
        allow({ channel: row.channel, account: row.account, sender: row.sender, addedAt: at });
        return pairingRow(row);
      });
    },

    dismiss(code) {
      return units.write(
        true,
        () => connection.run("DELETE FROM pairing WHERE code = ?1", code.trim().toUpperCase()) > 0,
      );
    },

    allowed() {
      return units.read(() =>
        connection
          .all<{ channel: string; account: string; sender: string; added_at: number }>(
            "SELECT channel, account, sender, added_at FROM allowed ORDER BY id",
          )
          .map(({ added_at: addedAt, ...row }) => ({ ...row, addedAt })),
      );
    },

    allow(row) {
      return units.write(true, () => {
        // `*` in a list is everybody; nobody may come in by that name.
        if (row.sender.trim() === "" || row.sender.includes("*"))
          throw new AppError("bad_request", `"${row.sender}" is no id of a person.`);
        allow(row);
      });
    },

    revoke({ channel, account, sender }) {
      return units.write(
        true,
        () =>
          connection.run(
            "DELETE FROM allowed WHERE channel = ?1 AND account = ?2 AND sender = ?3",
            channel,
            account,
            sender,
          ) > 0,
      );
    },
  };
}
