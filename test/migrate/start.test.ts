/** A gateway's start on a folder: taken over once, told once, and until when the files in it were somebody else's. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadConfig } from "../../src/config/load.ts";
import { Tree } from "../../src/legacy/files.ts";
import { findOlder, olderGateway } from "../../src/legacy/find.ts";
import { Told } from "../../src/legacy/report.ts";
import { takeOverOnce } from "../../src/legacy/start.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { type Line, quiet, recordingLog } from "../contract/store-log.ts";
import { dump, type House, house, layOut, removeScratch, scratch, take } from "./rig.ts";

afterAll(removeScratch);

/** One start: what it logged, and what it gave. */
async function start({ env, paths }: House): Promise<{ lines: Line[]; until: number }> {
  const { config } = await loadConfig({ env, paths, strictVariables: false });
  const store = await openSqlite({ path: paths.databasePath, log: quiet });
  const lines: Line[] = [];
  try {
    const log = recordingLog(lines);
    return { lines, until: await takeOverOnce({ env, paths, config: config!, store, log }) };
  } finally {
    await store.close();
  }
}

test("an older folder is taken over at the first start, and not looked at again", async () => {
  const home = scratch();
  const at = house(home, layOut("2026.1.24", join(home, ".clawdbot")));
  const before = Date.now();
  const first = await start(at);
  const said = first.lines.filter(({ level }) => level === "info").map(({ message }) => message);
  expect(said).toEqual([
    "taking over what an older version left in this folder",
    "took over the state of an older version; its files stay as they are",
  ]);
  expect(first.until).toBeGreaterThanOrEqual(before);
  const there = dump(at);
  expect(there.sessions!.length).toBe(4);
  // What is laid there later is for the command.
  rmSync(join(at.paths.stateDir, "agents"), { recursive: true });
  const second = await start(at);
  expect(second).toEqual({ lines: [], until: first.until });
  await take(at, at.paths.stateDir);
  expect((await start(at)).until).toBe(first.until);
  expect(dump(at).sessions).toEqual(there.sessions!);
});

test("a new folder is nobody else's", async () => {
  const at = house();
  expect(await start(at)).toEqual({ lines: [], until: 0 });
  expect(await start(at)).toEqual({ lines: [], until: 0 });
});

test("a folder that was taken over from elsewhere is ours, and does not look like an older one", async () => {
  const home = scratch();
  const from = layOut("2026.1.24", join(home, ".openclaw"));
  const at = house(home);
  await take(at, from);
  expect(await start(at)).toEqual({ lines: [], until: 0 });
  expect(await findOlder(at.paths)).toEqual([from]);
});

test("a start goes on when the takeover fails, and the next one tries again", async () => {
  const home = scratch();
  const at = house(home, layOut("later", join(home, ".clawdbot")));
  const { config } = await loadConfig({ env: at.env, paths: at.paths, strictVariables: false });
  const store = await openSqlite({ path: at.paths.databasePath, log: quiet });
  const full = {
    ...store,
    kv: { ...store.kv, put: () => Promise.reject(new TypeError("no room")) },
  };
  const lines: Line[] = [];
  const log = recordingLog(lines);
  const until = await takeOverOnce({ ...at, config: config!, store: full, log });
  await store.close();
  expect(until).toBe(Number.MAX_SAFE_INTEGER);
  const failed = lines.filter(({ level }) => level === "error");
  expect(failed.map(({ message }) => message).join()).toContain("was not taken over");
  expect(JSON.stringify(failed)).toContain("clawdbot migrate");
  expect((await start(at)).lines.at(-1)?.message).toContain("took over the state");
  expect(dump(at).sessions!.length).toBe(1);
});

test("a damaged mark does not keep the gateway from its start", async () => {
  const at = house();
  await start(at);
  const db = new Database(at.paths.databasePath);
  db.run("UPDATE kv SET value = '{' WHERE key = 'done'");
  db.close();
  const { lines, until } = await start(at);
  expect(lines.map(({ level }) => level)).toEqual(["error"]);
  expect(until).toBe(Number.MAX_SAFE_INTEGER);
});

test("an older gateway that still runs on the folder is named", async () => {
  const home = scratch();
  const dir = layOut("2026.1.30", join(home, ".openclaw"));
  const tree = (await Tree.open(dir, new Told()))!;
  expect(await olderGateway(tree)).toBeUndefined();
  const locks = join(tmpdir(), `openclaw-${process.getuid?.() ?? ""}`);
  mkdirSync(locks, { recursive: true });
  const lock = join(locks, `gateway.${crypto.randomUUID().slice(0, 8)}.lock`);
  const configPath = join(dir, "openclaw.json");
  try {
    writeFileSync(lock, JSON.stringify({ pid: process.pid, configPath }));
    expect(await olderGateway(tree)).toBe(process.pid);
    // One that has ended, and one of another folder.
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 30, configPath }));
    expect(await olderGateway(tree)).toBeUndefined();
    writeFileSync(lock, JSON.stringify({ pid: process.pid, configPath: "/elsewhere.json" }));
    expect(await olderGateway(tree)).toBeUndefined();
    writeFileSync(lock, "{cut");
    expect(await olderGateway(tree)).toBeUndefined();
  } finally {
    rmSync(lock);
  }
});
