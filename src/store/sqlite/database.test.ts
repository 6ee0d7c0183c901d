import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Connection, isRemote } from "./database.ts";
import { latest, migrate, MIGRATIONS, TABLES } from "./migrations.ts";
import { TRACE_SQL } from "./trace.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-database-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a local folder may have a WAL; a Windows share may not", () => {
  expect(isRemote(folder)).toBe(false);
  expect(isRemote("\\\\server\\share", "win32")).toBe(true);
  expect(isRemote("C:\\Users\\me", "win32")).toBe(false);
});

test("a database that is used stays open although nothing else refers to it", () => {
  const connection = Connection.open(join(folder, "a.sqlite"));
  for (let i = 0; i < 5; i++) {
    Bun.gc(true);
    expect(connection.get<{ n: number }>("SELECT 1 AS n")).toEqual({ n: 1 });
  }
  connection.close();
});

test("the schema has the pragmas and shapes that backup and salvage need", () => {
  const connection = Connection.open(":memory:");
  migrate(connection);
  const tables = connection
    .all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .map((row) => row.name);
  expect(tables).toEqual([...TABLES].sort());
  for (const table of TABLES)
    expect(
      connection.get(`SELECT name, pk FROM pragma_table_info('${table}') WHERE name = 'id'`),
    ).toEqual({ name: "id", pk: 1 });
  expect(connection.pragma("user_version")).toBe(latest(MIGRATIONS));
  expect(connection.get("PRAGMA trusted_schema")).toEqual({ trusted_schema: 0 });
  expect(connection.get("PRAGMA foreign_keys")).toEqual({ foreign_keys: 1 });
  connection.close();
});

test("every list and count of a hot path is answered by an index", () => {
  const connection = Connection.open(":memory:");
  migrate(connection);
  const queries = [
    "SELECT * FROM entries WHERE session_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 9",
    "SELECT * FROM sessions ORDER BY updated_at DESC, key DESC LIMIT 9",
    "SELECT * FROM sessions WHERE (updated_at, key) < (?1, ?2) ORDER BY updated_at DESC, key DESC LIMIT 9",
    "SELECT * FROM sessions WHERE agent_id = ?1 ORDER BY updated_at DESC, key DESC LIMIT 9",
    "SELECT * FROM sessions WHERE label = ?1 ORDER BY updated_at DESC, key DESC LIMIT 9",
    "SELECT * FROM sessions WHERE spawned_by = ?1 ORDER BY updated_at DESC, key DESC LIMIT 9",
    "SELECT * FROM turns t JOIN inbound i ON i.id = t.inbound_id WHERE t.ended_at IS NULL ORDER BY t.id",
    "SELECT 1 FROM outbox WHERE chat = ?1 AND id < ?2 AND state IN ('pending', 'sending') AND (state = 'sending' OR due_at > ?3)",
    "SELECT * FROM outbox WHERE state = 'sending' ORDER BY id",
    "SELECT count(*) FROM turns WHERE ended_at IS NULL",
    "SELECT count(*) FROM outbox WHERE state = 'pending'",
    "SELECT id FROM turns WHERE ended_at < ?1 ORDER BY ended_at LIMIT 9",
    "SELECT * FROM pairing WHERE channel = ?1 AND account = ?2 AND sender = ?3",
    "SELECT * FROM outbox WHERE state IN ('dead', 'unknown') ORDER BY id DESC LIMIT 9",
    "SELECT key FROM kv WHERE scope = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
    ...Object.entries(TRACE_SQL).flatMap(([name, query]) =>
      // Looks through a bounded number of the newest rows.
      name === "runOfReceipt" ? [] : [query],
    ),
  ];
  for (const query of queries) {
    const plan = connection
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`)
      .map((row) => row.detail);
    expect([
      query,
      plan.filter((line) => !/USING (COVERING )?INDEX|USING INTEGER|^CORRELATED/.test(line)),
    ]).toEqual([query, []]);
  }
  connection.close();
});
