/** Older state folders laid out for a test, and what is in the database after a takeover, in a form that can be compared. */
import { Database } from "bun:sqlite";
import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Env, readEnv } from "../../src/base/env.ts";
import { findPaths, type Paths } from "../../src/base/paths.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Tree } from "../../src/legacy/files.ts";
import { giveBack } from "../../src/legacy/give.ts";
import { openNetworks } from "../../src/legacy/networks.ts";
import { type Row, Told } from "../../src/legacy/report.ts";
import { olderConfig } from "../../src/legacy/settings.ts";
import { readState } from "../../src/legacy/state.ts";
import { takeOver } from "../../src/legacy/take.ts";
import { openSqlite, type SqliteStore } from "../../src/store/sqlite/index.ts";
import { peekTakeover } from "../../src/store/sqlite/peek.ts";
import { quiet } from "../contract/store-log.ts";

export const FIXTURES = ["2026.1.24", "2026.1.30", "later"] as const;
export type Fixture = (typeof FIXTURES)[number];

/** The moment of every takeover in tests: within the hour of none of the codes in the fixtures. */
export const NOW = Date.UTC(2026, 5, 1);

const folders: string[] = [];
export const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "clawdbot-migrate-"));
  folders.push(folder);
  return folder;
};
/** For `afterAll`. */
export const removeScratch = (): void => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
};

/** The fixture as its version leaves it: with its `.env`, and its databases as files of SQLite with a WAL. */
export function layOut(fixture: Fixture, dir: string): string {
  cpSync(join("test/fixtures", `state-${fixture}`), dir, { recursive: true });
  for (const path of filesIn(dir)) {
    if (path.endsWith("env.txt")) renameSync(join(dir, path), join(dir, ".env"));
    if (path.endsWith(".sqlite.sql")) {
      // As a program that was killed leaves it: all rows are still in the log beside the database.
      const live = join(scratch(), "live.sqlite");
      const db = new Database(live);
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA wal_autocheckpoint = 0");
      db.run(readFileSync(join(dir, path), "utf8"));
      const target = join(dir, path.slice(0, -".sql".length));
      for (const suffix of ["", "-wal"]) copyFileSync(live + suffix, target + suffix);
      db.close();
      rmSync(join(dir, path));
    }
  }
  return dir;
}

export function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

/** Bytes, mode and times of every file and folder: what must not change. */
export function printOf(dir: string): Record<string, string> {
  const names = ["", ...below(dir)].sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(dir, name);
      const found = lstatSync(path);
      const content = found.isSymbolicLink()
        ? readlinkSync(path)
        : found.isFile()
          ? Bun.hash(readFileSync(path)).toString(16)
          : "";
      return [name, [found.mode, found.mtimeMs, found.size, content].join(" ")];
    }),
  );
}

/** Names of all that is in a folder, links not followed. */
const below = (dir: string, folder = ""): string[] =>
  readdirSync(join(dir, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = join(folder, entry.name);
    return entry.isDirectory() ? [name, ...below(dir, name)] : [name];
  });

export type House = { env: Env; paths: Paths; home: string };

/** A home with a state folder of its own, which need not be there. */
export function house(home = scratch(), state = join(home, ".clawdbot")): House {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const env = readEnv({ HOME: home, CLAWDBOT_STATE_DIR: state });
  return { env, paths: findPaths(env, home, false), home };
}

/** The store of a house, opened for as long as `use` takes. */
export async function withStoreOf<T>({ paths }: House, use: (store: SqliteStore) => Promise<T>) {
  const store = await openSqlite({ path: paths.databasePath, log: quiet });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

export type Taken = { rows: Row[]; told: Told };

/** Takes a folder over as the command does, with a store that `around` may stand before. */
export async function take(
  { env, paths }: House,
  from: string,
  around: (store: SqliteStore) => SqliteStore = (store) => store,
  now = NOW,
): Promise<Taken> {
  const told = new Told();
  const tree = (await Tree.open(from, told))!;
  const state = await readState(tree, told, paths.stateDir);
  const loaded = await olderConfig(tree, state.config, { env, paths });
  const own = await loadConfig({ env, paths, strictVariables: false });
  const config = (own.exists ? own : loaded)?.config;
  const networks = await openNetworks(config, (name) => loaded?.env.raw(name));
  const store = await openSqlite({ path: paths.databasePath, log: quiet });
  const progress = () => undefined;
  try {
    const deps = { env, paths, config, loaded, networks, told, now, progress };
    return { rows: await takeOver(state, around(store), deps), told };
  } finally {
    await store.close();
    await state.databases?.close();
  }
}

/** Writes the state of a house in the layout of old. */
export async function give({ env, paths }: House, to: string): Promise<Row[]> {
  const loaded = await loadConfig({ env, paths, strictVariables: false });
  const networks = await openNetworks(loaded.config, (name) => loaded.env.raw(name));
  const told = new Told();
  const tree = (await Tree.open(paths.stateDir, told))!;
  const own = await readState(tree, told, undefined);
  const rows = await peekTakeover(paths.databasePath, (reads) =>
    giveBack(reads, to, {
      ...{ paths, loaded, networks, own, workspace: "/w" },
      progress: () => undefined,
    }),
  );
  return rows!;
}

type Dump = Record<string, Record<string, unknown>[]>;

/** Everything that a takeover brings, without row numbers and without the moment of it. */
export function dump({ paths }: House): Dump {
  const db = new Database(paths.databasePath, { readonly: true });
  const all = (sql: string) => db.query<Record<string, unknown>, []>(sql).all().map(withValues);
  const found = {
    sessions: all("SELECT * FROM sessions ORDER BY key"),
    transcripts: all("SELECT * FROM transcripts ORDER BY session_id"),
    entries: all("SELECT session_id, seq, at, body FROM entries ORDER BY session_id, seq"),
    allowed: all("SELECT channel, account, sender FROM allowed ORDER BY channel, account, sender"),
    pairing: all("SELECT channel, account, sender, code FROM pairing ORDER BY code"),
    kv: all(
      "SELECT scope, key, value FROM kv WHERE key NOT LIKE 'transcript/%' ORDER BY scope, key",
    ),
  };
  db.close();
  for (const row of [...found.sessions, ...found.transcripts]) delete row["id"];
  // Where and when it was taken over is not what was taken over.
  found.kv = found.kv.filter((row) => !/^(?:done$|person\/)/.test(String(row["key"])));
  return found;
}

/** The order of keys in a JSON text means nothing. */
const withValues = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([key, value]) => {
      const isJson = /^(?:body|settings|route|value)$/.test(key) && typeof value === "string";
      return [key, isJson ? (JSON.parse(value) as unknown) : value];
    }),
  );

export const jsonl = (path: string): Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

export const json = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
