import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AppError } from "../../base/errors.ts";
import { systemClock } from "../../base/time.ts";
import { Units } from "./commit.ts";
import { Connection } from "./database.ts";

let folder: string;
let connection: Connection;
let statements: string[];
let failures: unknown[];
let room: boolean[];
let units: Units;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clawdbot-commit-"));
  connection = Connection.open(join(folder, "a.sqlite"));
  connection.db.run("CREATE TABLE t (name TEXT PRIMARY KEY)");
  statements = [];
  const run = connection.run.bind(connection);
  connection.run = (sql, ...values) => {
    statements.push(sql);
    return run(sql, ...values);
  };
  failures = [];
  room = [];
  units = new Units(
    connection,
    () => room.shift() ?? false,
    systemClock,
    (cause) => failures.push(cause),
  );
});
afterEach(() => {
  units.close();
  connection.close();
  rmSync(folder, { recursive: true, force: true });
});

const add = (name: string) => () => connection.run("INSERT INTO t VALUES (?1)", name);
const names = () =>
  connection.all<{ name: string }>("SELECT name FROM t ORDER BY rowid").map((r) => r.name);
const codeOf = (result: PromiseSettledResult<unknown>) =>
  result.status === "fulfilled" ? "ok" : (result.reason as AppError).code;
const commits = () => statements.filter((sql) => sql === "COMMIT").length;
const sqliteError = (code: string) => Object.assign(new Error(code), { code });

test("writes of the same moment share one transaction, in the order of the calls", async () => {
  const all = ["c", "a", "b"].map((name) => units.write(name === "a", add(name)));
  await Promise.all(all);
  expect(commits()).toBe(1);
  expect(names()).toEqual(["c", "a", "b"]);
});

test("a lone write is committed in the next round of the event loop", async () => {
  let done = false;
  const written = units.write(true, add("a")).then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.resolve();
  expect(done).toBe(true);
  await written;
});

test("one that fails takes nothing else with it, and leaves nothing of itself", async () => {
  const results = await Promise.allSettled([
    units.write(true, add("a")),
    units.write(true, () => {
      add("half")();
      throw new AppError("bad_request", "no");
    }),
    units.write(true, () => {
      add("quarter")();
      add("a")();
    }),
    units.write(true, add("b")),
  ]);
  expect(results.map(codeOf)).toEqual(["ok", "bad_request", "store_failed", "ok"]);
  expect(names()).toEqual(["a", "b"]);
  expect(commits()).toBe(1);
});

test("a transaction waits for the disk exactly when one of its writes asked for it", async () => {
  const level = () => connection.db.query("PRAGMA synchronous").get();
  await units.write(false, add("a"));
  expect(level()).toEqual({ synchronous: 1 });
  await Promise.all([units.write(false, add("b")), units.write(true, add("c"))]);
  expect(level()).toEqual({ synchronous: 2 });
  await units.write(false, add("d"));
  expect(level()).toEqual({ synchronous: 1 });
});

test("a full disk that can be relieved is invisible to the callers", async () => {
  room = [true];
  let first = true;
  const results = await Promise.allSettled([
    units.write(true, add("a")),
    units.write(true, () => {
      add("b")();
      if (first) {
        first = false;
        throw sqliteError("SQLITE_FULL");
      }
    }),
  ]);
  expect(results.map(codeOf)).toEqual(["ok", "ok"]);
  expect(names()).toEqual(["a", "b"]);
});

test("what is too large for the disk is refused alone", async () => {
  const results = await Promise.allSettled([
    units.write(true, add("a")),
    units.write(true, () => {
      throw sqliteError("SQLITE_FULL");
    }),
    units.write(true, add("b")),
  ]);
  expect(results.map(codeOf)).toEqual(["ok", "disk_full", "ok"]);
  expect(names()).toEqual(["a", "b"]);
  expect(failures).toHaveLength(1);
});

test("an error of the disk at the commit undoes all of it and is told to everyone", async () => {
  const run = connection.run;
  connection.run = (sql, ...values) => {
    if (sql === "COMMIT") throw sqliteError("SQLITE_IOERR_FSYNC");
    return run(sql, ...values);
  };
  const results = await Promise.allSettled([
    units.write(true, add("a")),
    units.write(true, add("b")),
  ]);
  expect(results.map(codeOf)).toEqual(["store_failed", "store_failed"]);
  connection.run = run;
  await units.write(true, add("c"));
  expect(names()).toEqual(["c"]);
});

test("while another program holds the lock, writes wait and then go on in order", async () => {
  const other = Connection.open(connection.path);
  other.db.run("BEGIN IMMEDIATE");
  let settled = 0;
  const all = ["a", "b", "c"].map((name) => units.write(true, add(name)).then(() => settled++));
  while (!statements.includes("BEGIN IMMEDIATE")) await Bun.sleep(1);
  expect(settled).toBe(0);
  expect(await units.read(names)).toEqual([]);
  other.db.run("COMMIT");
  other.close();
  await Promise.all(all);
  expect(names()).toEqual(["a", "b", "c"]);
});

test("a lock that does not end is reported, and nothing is written later", async () => {
  const clock = { ...systemClock, now: () => clock.time, time: 0 };
  const waiting = new Units(
    connection,
    () => false,
    clock,
    (cause) => failures.push(cause),
  );
  const other = Connection.open(connection.path);
  other.db.run("BEGIN IMMEDIATE");
  const written = Promise.allSettled([waiting.write(true, add("a"))]);
  while (!statements.includes("BEGIN IMMEDIATE")) await Bun.sleep(1);
  clock.time = 10_000;
  expect((await written).map(codeOf)).toEqual(["store_failed"]);
  other.db.run("ROLLBACK");
  other.close();
  await waiting.write(true, add("b"));
  expect(names()).toEqual(["b"]);
});

test("a slow burst is committed in several pieces, and every write in exactly one", async () => {
  const spin = (ms: number) => {
    for (const until = performance.now() + ms; performance.now() < until;);
  };
  const all = Array.from({ length: 12 }, (_, i) =>
    units.write(false, () => {
      spin(5);
      return add(String(i))();
    }),
  );
  await Promise.all(all);
  expect(names()).toEqual(Array.from({ length: 12 }, (_, i) => String(i)));
  expect(commits()).toBeGreaterThan(1);
});
