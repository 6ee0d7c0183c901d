import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AppError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/base/time.ts";
import { openSqlite, type SqliteStore } from "../../src/store/sqlite/index.ts";
import { latest, MIGRATIONS } from "../../src/store/sqlite/migrations.ts";
import { type Line, recordingLog } from "./store-log.ts";
import { inbound, said, turnRoute } from "./store.ts";

const DAY = 86_400_000;
let folder: string;
let path: string;
let lines: Line[];
let now: number;
let store: SqliteStore | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clawdbot-damage-"));
  path = join(folder, "clawdbot.sqlite");
  lines = [];
  now = Date.UTC(2026, 0, 10);
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const open = async () => {
  store = await openSqlite({
    path,
    log: recordingLog(lines),
    clock: { ...systemClock, now: () => now },
    space: { reserve: 4096 },
  });
  return store;
};
const close = async () => {
  await store?.close();
  store = undefined;
};
const refusal = async (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (cause: unknown) => cause as AppError,
  );

/** Sessions `s<from>` to `s<to>` with a finished turn and 40 entries each. */
async function fill(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    const id = `m${n}`;
    await store!.inbound.accept(inbound(id), turnRoute(`s${n}`), id);
    const entries = Array.from({ length: 40 }, (_, i) => said("user", `${i} ${"x".repeat(300)}`));
    await store!.turns.begin([id], entries, now);
    await store!.turns.finish(id, { state: "done", at: now, entries: [], outbox: [] });
  }
}
const entryCount = async () => {
  let all = 0;
  for (const row of (await store!.sessions.list({ limit: 1_000 })).rows)
    all += (await store!.transcript.from(row.sessionId, 0)).length;
  return all;
};
const overwrite = (at: number, bytes: Uint8Array) => {
  const file = readFileSync(path);
  file.set(bytes.subarray(0, Math.max(0, file.length - at)), at);
  writeFileSync(path, file);
};
const noise = (length: number) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 13) & 255);

const rootOf = (name: string): number => {
  const db = new Database(path);
  const row = db
    .query<{ rootpage: number }, [string]>("SELECT rootpage FROM sqlite_schema WHERE name = ?1")
    .get(name);
  db.close(true);
  return row!.rootpage;
};

/** Without a backup: the closing one is removed, so that only the damaged file is left. */
const forgetBackups = () => rmSync(join(folder, "backups"), { recursive: true, force: true });

describe("a damaged database is set aside and the gateway starts", () => {
  const damages: [string, () => void][] = [
    ["random bytes in the middle", () => overwrite(20_000, noise(30_000))],
    ["a first page of zeros", () => overwrite(0, new Uint8Array(4096))],
    ["a header of noise", () => overwrite(24, noise(76))],
    ["a file that was cut", () => truncateSync(path, 41_000)],
    ["a file of text", () => writeFileSync(path, "this is no database\n".repeat(500))],
    ["a file that was cut to one byte", () => truncateSync(path, 1)],
    ["an empty file", () => truncateSync(path, 0)],
    [
      "a directory in its place",
      () => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ];
  for (const [name, damage] of damages) {
    test(`${name}, with a backup: the backup is restored`, async () => {
      await open();
      await fill(0, 10);
      const backup = await store!.backup(now);
      expect(backup).toBeDefined();
      now += DAY / 2;
      await fill(10, 12);
      await close();
      damage();
      const { recovery } = await open();
      expect(recovery).toMatchObject({
        file: path,
        restoredFrom: backup,
        backupAt: Date.UTC(2026, 0, 10),
      });
      expect(existsSync(recovery!.movedTo)).toBe(true);
      expect(recovery!.movedTo).toStartWith(`${path}.damaged-`);
      const { total } = await store!.sessions.list({ limit: 1 });
      expect(total).toBeGreaterThanOrEqual(10);
      expect(await entryCount()).toBeGreaterThanOrEqual(400);
      if (!recovery!.lost.startsWith("nothing"))
        expect(recovery!.lost).toContain("2026-01-10T00:00:00.000Z");
      const line = lines.find((l) => l.message === "the database was recovered");
      expect(line).toMatchObject({ level: "error", data: { file: path, lost: recovery!.lost } });
      await fill(20, 21);
      await close();
      expect((await open()).recovery).toBeUndefined();
    });
  }

  test("without a backup, everything that can be read is taken over", async () => {
    await open();
    await fill(0, 20);
    await close();
    forgetBackups();
    overwrite(60_000, noise(8_192));
    const { recovery } = await open();
    expect(recovery!.restoredFrom).toBeUndefined();
    expect(recovery!.salvaged).toBeGreaterThan(700);
    expect(recovery!.lost).toContain("could not be read");
    expect((await store!.sessions.list({ limit: 1 })).total).toBeGreaterThan(15);
    expect(await entryCount()).toBeGreaterThan(700);
  });

  for (const table of ["sessions", "transcripts", "inbound"])
    test(`conversations stay in the list when all of "${table}" is lost`, async () => {
      await open();
      await fill(0, 5);
      await store!.inbound.accept(inbound("waiting"), turnRoute("s0"), "waiting");
      await close();
      forgetBackups();
      overwrite((rootOf(table) - 1) * 4096, noise(4096));
      const { recovery } = await open();
      expect(recovery).toBeDefined();
      expect((await store!.sessions.list({ limit: 1 })).total).toBe(5);
      expect(await entryCount()).toBe(200);
      expect((await store!.turns.unfinished()).length).toBe(
        (await store!.counts()).unfinishedTurns,
      );
      const row = (await store!.sessions.list({ limit: 1 })).rows[0]!;
      await store!.transcript.append(row.sessionId, [said("user", "again")]);
    });

  test("a lost first page costs nothing, even without a backup", async () => {
    await open();
    await fill(0, 20);
    await close();
    forgetBackups();
    overwrite(0, new Uint8Array(4096));
    const { recovery } = await open();
    expect(recovery!.lost).toStartWith("nothing");
    expect(await entryCount()).toBe(800);
    expect(readdirSync(folder).sort()).toEqual(
      [
        "clawdbot.sqlite",
        "clawdbot.sqlite-shm",
        "clawdbot.sqlite-wal",
        recovery!.movedTo.slice(folder.length + 1),
        "clawdbot.sqlite.reserve",
      ].sort(),
    );
  });

  test("a damaged index costs nothing", async () => {
    await open();
    await fill(0, 20);
    await close();
    forgetBackups();
    overwrite((rootOf("sqlite_autoindex_entries_1") - 1) * 4096, noise(4096));
    const { recovery } = await open();
    expect(recovery!.lost).toStartWith("nothing");
    expect(await entryCount()).toBe(800);
  });

  test("without a backup and with nothing readable it starts empty and says so", async () => {
    writeFileSync(path, noise(50_000));
    const { recovery } = await open();
    expect(recovery).toMatchObject({ salvaged: 0 });
    expect(recovery!.lost).toStartWith("all conversations");
    expect(statSync(recovery!.movedTo).size).toBe(50_000);
    await fill(0, 1);
  });

  test("what only the damaged file still knew is put over the restored backup", async () => {
    await open();
    await fill(0, 10);
    await store!.inbound.accept(inbound("waiting"), turnRoute("old"), "waiting");
    await store!.backup(now);
    await store!.turns.finish("waiting", { state: "done", at: now, entries: [], outbox: [] });
    await store!.inbound.accept(inbound("new"), turnRoute("new"), "new");
    await close();
    overwrite((rootOf("entries") - 1) * 4096, noise(4096));
    const { recovery } = await open();
    expect(recovery!.restoredFrom).toBeDefined();
    expect((await store!.turns.unfinished()).map((t) => t.id)).toEqual(["new"]);
    expect((await store!.turns.get("waiting"))?.state).toBe("done");
    expect(await entryCount()).toBe(400);
  });

  test("what was under way when the backup was made is not begun or sent again", async () => {
    await open();
    await store!.inbound.accept(inbound("1"), turnRoute(), "1");
    await store!.outbox.put([{ key: "k", to: inbound("1").from, text: "x" }], now);
    await store!.backup(now);
    await close();
    writeFileSync(path, noise(9_000));
    await open();
    expect(await store!.turns.unfinished()).toEqual([]);
    expect(await store!.turns.get("1")).toMatchObject({
      state: "failed",
      error: { code: "store_failed" },
    });
    expect((await store!.outbox.get("k"))?.state).toBe("unknown");
  });

  test("a damaged backup is passed over for an older one", async () => {
    await open();
    await fill(0, 3);
    const old = await store!.backup(now);
    now += 2 * DAY;
    const newer = await store!.backup(now);
    await close();
    writeFileSync(newer!, noise(30_000));
    writeFileSync(path, noise(30_000));
    const { recovery } = await open();
    expect(recovery!.restoredFrom).toBe(old!);
    expect(lines.some((l) => l.data?.file === newer)).toBe(true);
    expect((await store!.sessions.list({ limit: 1 })).total).toBe(3);
  });
});

describe("a recovery that is cut short is repeated", () => {
  test("with no room for the new database, the damaged one stays in its place", async () => {
    await open();
    await fill(0, 3);
    await store!.backup(now);
    await close();
    overwrite(20_000, noise(30_000));
    // Stands for everything that can stop it in the middle.
    mkdirSync(`${path}.recovering/x`, { recursive: true });
    expect(await refusal(open())).toMatchObject({ code: "store_failed" });
    expect(existsSync(path)).toBe(true);
    rmSync(`${path}.recovering`, { recursive: true });
    expect((await open()).recovery?.restoredFrom).toBeDefined();
    expect(await entryCount()).toBe(120);
  });

  test("a kill between the two renames loses neither database", async () => {
    await open();
    await fill(0, 3);
    await close();
    renameSync(path, `${path}.recovering`);
    writeFileSync(`${path}-wal`, noise(5_000));
    await open();
    expect(await entryCount()).toBe(120);
    expect(readdirSync(folder).filter((name) => /damaged-.*-wal$/.test(name))).toHaveLength(1);
  });
});

describe("what is not damage", () => {
  test("garbage in the -wal of a closed database is ignored", async () => {
    await open();
    await fill(0, 3);
    await close();
    writeFileSync(`${path}-wal`, noise(50_000));
    expect((await open()).recovery).toBeUndefined();
    expect(await entryCount()).toBe(120);
  });

  test("a -wal that was cut loses only what is behind the cut", async () => {
    await open();
    await fill(0, 3);
    const copy = join(folder, "copy.sqlite");
    writeFileSync(copy, readFileSync(path));
    writeFileSync(`${copy}-wal`, readFileSync(`${path}-wal`).subarray(0, -5_000));
    await close();
    path = copy;
    expect((await open()).recovery).toBeUndefined();
    expect((await store!.sessions.list({ limit: 1 })).total).toBeGreaterThanOrEqual(2);
  });

  test("a database of another program is refused and stays as it is", async () => {
    const db = new Database(path);
    db.run("CREATE TABLE bookmarks (url TEXT)");
    db.close(true);
    const before = readFileSync(path);
    const error = await refusal(open());
    expect(error).toMatchObject({ code: "store_failed" });
    expect(error!.message).toContain("another program");
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes("damaged"))).toEqual([]);
  });

  test("a database of a newer version is refused with both numbers and stays as it is", async () => {
    await open();
    await close();
    const db = new Database(path);
    db.run("PRAGMA user_version = 99");
    db.close(true);
    const error = await refusal(open());
    expect(error).toMatchObject({ code: "store_newer" });
    expect(error!.message).toContain("its schema is 99");
    expect(error!.message).toContain(`knows ${latest(MIGRATIONS)})`);
    expect(readdirSync(folder).filter((name) => name.includes("damaged"))).toEqual([]);
  });

  test("a folder that is missing is an error with the file's name", async () => {
    path = join(folder, "missing", "a.sqlite");
    const error = await refusal(open());
    expect(error).toMatchObject({ code: "store_failed" });
    expect(error!.message).toContain(path);
  });

  test.skipIf(process.getuid?.() === 0)("a file without permission is not set aside", async () => {
    await open();
    await close();
    const { chmodSync } = await import("node:fs");
    chmodSync(path, 0);
    expect(await refusal(open())).toMatchObject({ code: "store_failed" });
    chmodSync(path, 0o600);
    expect((await open()).recovery).toBeUndefined();
  });
});

test("damage that is met while running is found at the next start, however large the file", async () => {
  await open();
  await fill(0, 3);
  await close();
  forgetBackups();
  // A body that is no page: the quick look at a large file would not see it, the note of the last run makes it read all.
  const root = rootOf("kv");
  await open();
  overwrite((root - 1) * 4096, noise(4096));
  const error = await refusal(store!.kv.get("a", "b"));
  if (error) expect(error).toMatchObject({ code: "store_failed" });
  await store!.close().catch((cause: unknown) => expect(cause).toBeDefined());
  store = undefined;
  const { recovery } = await open();
  expect(recovery).toBeDefined();
});

test("the files are readable by their owner only", async () => {
  await open();
  await fill(0, 1);
  await store!.backup(now);
  const files = (await Array.fromAsync(new Bun.Glob("**/*").scan(folder))).map((f) =>
    join(folder, f),
  );
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
});
