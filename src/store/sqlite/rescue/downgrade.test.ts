import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Connection } from "../database.ts";
import { latest, migrate, MIGRATIONS } from "../migrations.ts";
import { backupNow } from "./backup.ts";
import { downgrade } from "./downgrade.ts";
import { quiet, schemaOf, snapshot } from "./snapshot.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const KNOWN = latest(MIGRATIONS);
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clawdbot-downgrade-"));
  path = join(folder, "clawdbot.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (db: Connection, key: string) =>
  db.run("INSERT INTO kv (scope, key, value) VALUES ('test', ?1, '1')", key);
const keys = () => {
  const db = Connection.open(path);
  try {
    return db.all<{ key: string }>("SELECT key FROM kv ORDER BY key").map(({ key }) => key);
  } finally {
    db.close();
  }
};

/** A database as the present version makes it, then changed by a newer one. */
function newer(sql: string, before: string[] = [], after: string[] = []): void {
  const db = Connection.open(path);
  migrate(db);
  for (const key of before) put(db, key);
  backupNow(db, NOW - 1000);
  migrate(db, [...MIGRATIONS, { version: KNOWN + 1, sql }]);
  for (const key of after) put(db, key);
  db.close();
}

test("rows of both versions are there afterwards, what was deleted stays deleted, and the newer file is kept", () => {
  newer("ALTER TABLE kv ADD COLUMN mood TEXT", ["a", "gone"], ["b"]);
  const db = Connection.open(path);
  db.run("DELETE FROM kv WHERE key = 'gone'");
  db.close();
  const made = downgrade(path, NOW);
  expect(made).toMatchObject({ from: KNOWN + 1, to: KNOWN, rows: 2, left: 0 });
  expect(made?.base).toBeUndefined();
  expect(schemaOf(path)).toBe(KNOWN);
  expect(keys()).toEqual(["a", "b"]);
  expect(schemaOf(made!.movedTo)).toBe(KNOWN + 1);
  expect(downgrade(path, NOW)).toBeUndefined();
});

test("where the newer one has dropped a column the last backup is the base, and the rest goes over it", () => {
  newer(
    "ALTER TABLE transcripts RENAME COLUMN agent_id TO agent; DELETE FROM transcripts",
    ["a"],
    ["b"],
  );
  const made = downgrade(path, NOW);
  expect(made?.base).toContain("backups");
  expect(keys()).toEqual(["a", "b"]);
});

test("a row that the older schema forbids stays in the newer file, and is counted", () => {
  newer("CREATE TABLE kv2 AS SELECT * FROM kv; DROP TABLE kv; ALTER TABLE kv2 RENAME TO kv", ["a"]);
  const db = Connection.open(path);
  db.run("INSERT INTO kv (id, scope, key, value) VALUES (9, 'test', NULL, '1')");
  db.close();
  expect(downgrade(path, NOW)).toMatchObject({ rows: 1, left: 1 });
  expect(keys()).toEqual(["a"]);
});

test("a kill between the two renames is ended by the next call; one before leaves the newer file", () => {
  newer("ALTER TABLE kv ADD COLUMN mood TEXT", ["a"]);
  writeFileSync(`${path}.recovering`, "half");
  const made = downgrade(path, NOW)!;
  renameSync(path, `${path}.recovering`);
  expect(existsSync(path)).toBe(false);
  expect(downgrade(path, NOW)).toBeUndefined();
  expect(keys()).toEqual(["a"]);
  expect(existsSync(made.movedTo)).toBe(true);
});

test("no database, or one of this version, is left alone", () => {
  expect(downgrade(path, NOW)).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
  const db = Connection.open(path);
  migrate(db);
  db.close();
  expect(downgrade(path, NOW)).toBeUndefined();
});

test("a snapshot has what another connection has committed, is private, and can be made quiet", () => {
  const db = Connection.open(path);
  migrate(db);
  put(db, "a");
  db.run(
    "INSERT INTO turns (run_id, inbound_id, agent_id, session_key, state, reply, accepted_at) VALUES ('r', 1, 'main', 'k', 'running', '{}', 1)",
  );
  const copy = join(folder, "copy.sqlite");
  expect(snapshot(path, copy)).toBe(true);
  quiet(copy, NOW);
  const look = Connection.open(copy);
  expect(look.get<{ n: number }>("SELECT count(*) AS n FROM turns WHERE ended_at IS NULL")?.n).toBe(
    0,
  );
  expect(look.get<{ n: number }>("SELECT count(*) AS n FROM kv")?.n).toBe(1);
  look.close();
  db.close();
  expect(() => snapshot(path, copy)).toThrow();
  expect(snapshot(join(folder, "none.sqlite"), join(folder, "x"))).toBe(false);
  expect(schemaOf(copy)).toBe(KNOWN);
});
