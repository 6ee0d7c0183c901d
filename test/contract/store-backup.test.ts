import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/base/time.ts";
import { Connection } from "../../src/store/sqlite/database.ts";
import { openSqlite, type SqliteOptions, type SqliteStore } from "../../src/store/sqlite/index.ts";
import { APPLICATION_ID, latest, MIGRATIONS } from "../../src/store/sqlite/migrations.ts";
import { makeBackup } from "../../src/store/sqlite/rescue/backup.ts";
import { quiet } from "./store-log.ts";
import { address, inbound, key, said, turnRoute } from "./store.ts";

const NEWEST = latest(MIGRATIONS);

const DAY = 86_400_000;
let folder: string;
let path: string;
let now: number;
let store: SqliteStore;

const open = async (more: Partial<SqliteOptions> = {}) => {
  store = await openSqlite({
    path,
    log: quiet,
    clock: { ...systemClock, now: () => now },
    space: { reserve: 4096 },
    ...more,
  });
};
const backups = () =>
  existsSync(join(folder, "backups")) ? readdirSync(join(folder, "backups")).sort() : [];
const rows = (file: string, sql: string) => {
  const db = new Database(file, { readonly: true });
  const found = db.query<Record<string, unknown>, []>(sql).all();
  db.close(true);
  return found;
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "clawdbot-backup-"));
  path = join(folder, "clawdbot.sqlite");
  now = Date.UTC(2026, 0, 10);
  await open();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a backup holds one moment of the database, whole, while writing goes on", async () => {
  const session = await store.sessions.ensure(key("main"), "main", 1);
  const text = "x".repeat(400);
  for (let i = 0; i < 30; i++)
    await store.transcript.append(
      session.sessionId,
      Array.from({ length: 100 }, () => said("user", text)),
    );
  let during = 0;
  let over = false;
  const making = store.backup(now).finally(() => {
    over = true;
  });
  while (!over) {
    await store.transcript.append(session.sessionId, [said("user", "later")]);
    await store.kv.set("s", `k${during++}`, during);
  }
  const file = (await making)!;
  expect(during).toBeGreaterThan(3);
  expect(rows(file, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  expect(rows(file, "PRAGMA user_version")).toEqual([{ user_version: NEWEST }]);
  const [{ entries, keys }] = rows(
    file,
    "SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM kv) AS keys",
  ) as [{ entries: number; keys: number }];
  expect(entries).toBeGreaterThanOrEqual(3_000);
  // Both are written in turn: whatever moment it was, it is the same one for both tables.
  expect(Math.abs(entries - 3_000 - keys)).toBeLessThanOrEqual(1);
});

test("a copy is made in many small steps, so that the program goes on meanwhile", async () => {
  const session = await store.sessions.ensure(key("main"), "main", 1);
  for (let i = 0; i < 20; i++)
    await store.transcript.append(
      session.sessionId,
      Array.from({ length: 100 }, () => said("user", "x")),
    );
  const source = Connection.open(path);
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  await makeBackup(source, { now, pause });
  expect(pauses).toBeGreaterThanOrEqual(4);
  const stop = makeBackup(source, { now: now + 1, pause: () => Promise.reject(new Error("stop")) });
  expect(stop).rejects.toThrow("stop");
  await stop.catch((cause: unknown) => cause);
  expect(backups()).toHaveLength(1);
  source.close();
});

test("a backup is opened like any database", async () => {
  await store.inbound.accept(inbound("1"), turnRoute(), "r1");
  await store.turns.begin(["r1"], [said("user", "hello")], now);
  await store.outbox.put([{ key: "k", to: address, text: "hi" }], now);
  await store.kv.set("s", "k", { a: 1 });
  path = (await store.backup(now))!;
  await store.close();
  await open();
  expect(store.recovery).toBeUndefined();
  expect(await store.turns.get("r1")).toMatchObject({
    state: "running",
    inbound: { text: "hello" },
  });
  const session = (await store.sessions.get(key("main")))!;
  expect(await store.transcript.from(session.sessionId, 1)).toHaveLength(1);
  expect(await store.kv.get<object>("s", "k")).toEqual({ a: 1 });
  expect((await store.outbox.due(now, 1))[0]?.text).toBe("hi");
});

test("one is made a day, and the newest seven are kept", async () => {
  for (let day = 0; day < 10; day++) {
    expect(await store.backup(now)).toBeDefined();
    expect(await store.backup(now + DAY - 1)).toBeUndefined();
    now += DAY;
  }
  expect(backups()).toEqual(
    Array.from({ length: 7 }, (_, i) => `clawdbot-202601${13 + i}T000000000Z.sqlite`),
  );
});

test("asking twice at once makes one", async () => {
  const [one, two] = await Promise.all([store.backup(now), store.backup(now)]);
  expect(one).toBe(two);
  expect(backups()).toHaveLength(1);
});

test("a clean close makes one when the last is older than a day", async () => {
  await store.close();
  expect(backups()).toHaveLength(1);
  now += DAY / 2;
  await open();
  await store.close();
  expect(backups()).toHaveLength(1);
  now += DAY;
  await open();
  await store.close();
  expect(backups()).toHaveLength(2);
});

test("a close in the middle of a backup leaves no half file behind", async () => {
  const session = await store.sessions.ensure(key("main"), "main", 1);
  for (let i = 0; i < 20; i++)
    await store.transcript.append(
      session.sessionId,
      Array.from({ length: 100 }, () => said("user", "x".repeat(400))),
    );
  now += 1;
  const making = store.backup(now);
  await store.kv.set("s", "k", 1);
  await store.close();
  await making;
  expect(backups().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  for (const name of backups())
    expect(rows(join(folder, "backups", name), "SELECT count(*) AS n FROM entries")).toEqual([
      { n: 2_000 },
    ]);
});

test("what a killed backup left is cleaned up, and other files are left alone", async () => {
  await store.backup(now);
  writeFileSync(join(folder, "backups", "clawdbot-20250101T000000000Z.sqlite.tmp"), "half");
  writeFileSync(join(folder, "backups", "mine.sqlite"), "mine");
  now += DAY;
  await store.backup(now);
  expect(backups()).toEqual([
    "clawdbot-20260110T000000000Z.sqlite",
    "clawdbot-20260111T000000000Z.sqlite",
    "mine.sqlite",
  ]);
});

test("a week after the end of a turn its ledger rows are forgotten, the conversation is not", async () => {
  const accept = (id: string) => store.inbound.accept(inbound(id), turnRoute(id), id);
  await accept("old");
  await accept("waiting");
  await store.turns.begin(["old"], [said("user", "hello")], now);
  const end = { state: "done" as const, at: now, entries: [] };
  await store.turns.finish("old", { ...end, outbox: [{ key: "k", to: address, text: "x" }] });
  await store.outbox.delivered("k", { ids: ["1"], at: now });
  await store.inbound.accept(inbound("drop"), { kind: "drop", reason: "disabled" }, "drop");
  now += 6 * DAY;
  await store.backup(now);
  expect(await store.turns.get("old")).toBeDefined();
  expect((await accept("drop")).duplicate).toBe(true);
  now += 2 * DAY;
  await store.backup(now);
  expect(await store.turns.get("old")).toBeUndefined();
  expect(await store.outbox.get("k")).toBeUndefined();
  expect((await accept("drop")).duplicate).toBe(false);
  expect((await store.turns.unfinished()).map((t) => t.id)).toEqual(["waiting", "drop"]);
  const session = (await store.sessions.get(key("old")))!;
  expect(await store.transcript.from(session.sessionId, 1)).toHaveLength(1);
});

test("before the schema changes a copy of the old database is made, and a failing step changes nothing", async () => {
  await store.kv.set("s", "k", "before");
  await store.close();
  rmSync(join(folder, "backups"), { recursive: true });
  const broken = {
    version: NEWEST + 2,
    sql: "CREATE TABLE half (id INTEGER); SELECT * FROM nowhere;",
  };
  const added = { version: NEWEST + 1, sql: "ALTER TABLE kv ADD COLUMN note TEXT;" };
  const failure = await open({ migrations: [...MIGRATIONS, added, broken] }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toMatchObject({ code: "store_failed" });
  expect(rows(path, "PRAGMA user_version")).toEqual([{ user_version: NEWEST }]);
  expect(rows(path, "SELECT name FROM sqlite_schema WHERE name = 'half'")).toEqual([]);
  now += 1;
  await open({ migrations: [...MIGRATIONS, added] });
  expect(await store.kv.get<string>("s", "k")).toBe("before");
  const copies = backups().map((name) => join(folder, "backups", name));
  expect(copies.map((file) => rows(file, "PRAGMA user_version")[0])).toEqual([
    { user_version: NEWEST },
    { user_version: NEWEST },
  ]);
  await store.close();
});

test("on a network share there is no WAL, and a database that had one gives it up", async () => {
  await store.kv.set("s", "k", 1);
  await store.close();
  expect(rows(path, "PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]);
  await open({ remote: true });
  expect(await store.kv.get<number>("s", "k")).toBe(1);
  await store.kv.set("s", "k", 2);
  expect(rows(path, "PRAGMA journal_mode")).toEqual([{ journal_mode: "delete" }]);
  expect(existsSync(`${path}-wal`)).toBe(false);
  now += DAY;
  expect(rows((await store.backup(now))!, "SELECT value FROM kv")).toEqual([{ value: "2" }]);
  await store.close();
  await open();
  expect(await store.kv.get<number>("s", "k")).toBe(2);
});

test("a database of the first version goes on: its messages are the operators', and nothing of it is lost", async () => {
  await store.close();
  for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
  rmSync(join(folder, "backups"), { recursive: true, force: true });
  const old = new Database(path, { create: true });
  old.run(MIGRATIONS[0]!.sql);
  old.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  old.run("PRAGMA user_version = 1");
  const body = JSON.stringify(inbound("1", "still waiting"));
  old.run(
    "INSERT INTO inbound (channel, account, message_id, accepted_at, decision, body) VALUES (?1, ?2, '1', 5, ?3, ?4)",
    [address.channel, address.account, JSON.stringify(turnRoute()), body],
  );
  old.run(
    `INSERT INTO turns (run_id, inbound_id, agent_id, session_key, state, reply, accepted_at)
     VALUES ('run-1', 1, 'main', ?1, 'queued', ?2, 5)`,
    [key("main"), JSON.stringify(address)],
  );
  old.run("INSERT INTO outbox (key, chat, body, due_at, created_at) VALUES ('k', 'c', ?1, 1, 1)", [
    JSON.stringify({ to: address, text: "hi" }),
  ]);
  old.close(true);
  await open({});
  expect(rows(path, "PRAGMA user_version")).toEqual([{ user_version: NEWEST }]);
  expect(await store.turns.unfinished()).toMatchObject([
    { id: "run-1", trust: "owner", inbound: { text: "still waiting" } },
  ]);
  expect((await store.inbound.accept(inbound("1"), turnRoute(), "run-2")).duplicate).toBe(true);
  expect(await store.inbound.trace("run-1")).toMatchObject({ inbound: { id: "1" }, outbox: [] });
  expect(await store.outbox.due(5, 9)).toMatchObject([{ key: "k", text: "hi", to: address }]);
  expect(await store.inbound.unanswered(address, 9)).toEqual([]);
  expect(backups()).toHaveLength(1);
  await store.close();
});
