/**
 * Later versions keep sessions, conversations and sign-ins in SQLite: one database per agent, one for everything else. They are read
 * from copies, because SQLite writes beside a database even to read it. Of their tables those are read whose columns are known;
 * the others are named with their number of rows, and nothing is guessed.
 */
import { Database } from "bun:sqlite";
import { copyFile, lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import { alive } from "../base/fs.ts";
import { isRecord, type Json, textIn } from "./diff.ts";
import type { Tree } from "./files.ts";
import type { Line, Lines } from "./lines.ts";
import type { Told } from "./report.ts";

const SHARED = "state/openclaw.sqlite";
const AGENT = "agent/openclaw-agent.sqlite";
/** Tables that hold nothing of the user's. */
const HOUSEKEEPING = /^(?:sqlite_.*|schema_meta|.*_fts(?:_.*)?)$/;

type Table = { name: string; columns: string[] };
type Opened = { name: string; folder: string; db: Database; tables: Table[]; read: Set<string> };

export type OlderDatabases = {
  /** `folder` is that of the agent: `agents/main`. */
  transcripts(folder: string): { sessionId: string; source: Lines }[];
  records(folder: string): { key: string; record: Json }[];
  signIns(folder: string): Json | undefined;
  /** Tables with rows that this version cannot read. */
  unread(): { name: string; table: string; rows: number }[];
  close(): Promise<void>;
};

/** Undefined when there is none. Copies lie in a folder of their own in `scratch` until `close`. */
export async function openDatabases(
  tree: Tree,
  told: Told,
  scratch: string | undefined,
): Promise<OlderDatabases | undefined> {
  const names = [{ name: SHARED, folder: "" }];
  for (const agent of await tree.names("agents"))
    names.push({ name: `agents/${agent}/${AGENT}`, folder: `agents/${agent}` });
  const there = [];
  for (const each of names) if (await tree.has(each.name)) there.push(each);
  if (there.length === 0) return undefined;
  if (scratch === undefined) return undefined;
  await removeLeft(scratch);
  const copies = await mkdtemp(join(scratch, `${COPIES}${process.pid}-`));
  const opened: Opened[] = [];
  for (const [i, { name, folder }] of there.entries()) {
    const db = await openCopy(tree, name, join(copies, `${i}.sqlite`), told);
    if (db) opened.push({ name, folder, db, tables: tablesOf(db), read: new Set() });
  }
  const from = <T>(folder: string, read: (each: Opened) => T[]): T[] =>
    opened.filter((each) => each.folder === folder).flatMap((each) => tried(each, read, told));
  return {
    transcripts: (folder) => from(folder, transcriptsOf),
    records: (folder) => from(folder, recordsOf),
    signIns: (folder) => from(folder, agentSignIns)[0] ?? from("", sharedSignIns)[0],
    unread: () => opened.flatMap((each) => tried(each, unreadOf, told)),
    async close() {
      for (const { db } of opened) db.close();
      await rm(copies, { recursive: true, force: true });
    },
  };
}

/** A page of it may be damaged; then the other databases, and the files, are read all the same. */
function tried<T>(opened: Opened, read: (opened: Opened) => T[], told: Told): T[] {
  try {
    return read(opened);
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    told.problem({ path: opened.name, text: `the database is damaged (${code})` });
    return [];
  }
}

/** Folders of copies are called so, and then by the process. */
const COPIES = "clawdbot-takeover-";

/** Copies of a takeover that was killed; secrets are in them. */
async function removeLeft(scratch: string): Promise<void> {
  for (const name of await readdir(scratch)) {
    const [, pid] = /^clawdbot-takeover-(\d+)-/.exec(name) ?? [];
    const path = join(scratch, name);
    if (!pid || alive(Number(pid)) || (await lstat(path)).uid !== process.getuid?.()) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** With what is not in the main file yet. */
async function openCopy(
  tree: Tree,
  name: string,
  copy: string,
  told: Told,
): Promise<Database | undefined> {
  const found = await tree.file(name);
  if (!found) return undefined;
  const wal = (await tree.has(`${name}-wal`)) ? await tree.file(`${name}-wal`) : undefined;
  try {
    await copyFile(found.path, copy);
    if (wal) await copyFile(wal.path, `${copy}-wal`);
    const db = new Database(copy, { create: false, readwrite: true });
    db.run("PRAGMA trusted_schema = OFF");
    db.query("SELECT count(*) FROM sqlite_master").get();
    return db;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new AppError("disk_full", `There is no room for a copy of ${name}.`, {
        cause,
        hint: "It is read from a copy in the folder for temporary files: set TMPDIR to one with room.",
      });
    told.problem({ path: name, text: `the database cannot be read (${code})` });
    return undefined;
  }
}

const tablesOf = (db: Database): Table[] =>
  db
    .query<{ name: string }, []>(
      // Virtual ones need code that is not here; they are indexes over the others.
      "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
    )
    .all()
    .map(({ name }) => ({
      name,
      columns: db
        .query<{ name: string }, [string]>("SELECT name FROM pragma_table_info(?1)")
        .all(name)
        .map((column) => column.name),
    }));

/** Whether a table of this name has all of these columns; then it counts as read. */
function knows({ tables, read }: Opened, name: string, ...columns: string[]): boolean {
  const table = tables.find((each) => each.name === name);
  if (!table || !columns.every((column) => table.columns.includes(column))) return false;
  read.add(name);
  return true;
}

const EVENTS = "transcript_events";

function transcriptsOf(opened: Opened): { sessionId: string; source: Lines }[] {
  if (!knows(opened, EVENTS, "session_id", "seq", "event_json")) return [];
  const { db, name } = opened;
  return db
    .query<{ id: string; n: number; size: number; last: number }, []>(
      `SELECT session_id AS id, count(*) AS n, sum(length(event_json)) AS size, max(seq) AS last
       FROM ${EVENTS} GROUP BY session_id ORDER BY session_id`,
    )
    .all()
    .map(({ id, n, size, last }) => ({
      sessionId: id,
      source: {
        name: `${name}#${id}`,
        size,
        fingerprint: async () => `${n}:${size}:${last}:${lastEvent(db, id)}`,
        forward: () => events(db, id, "ASC"),
        backward: () => events(db, id, "DESC"),
      },
    }));
}

function lastEvent(db: Database, sessionId: string): string {
  const row = db
    .query<{ text: string }, [string]>(
      `SELECT event_json AS text FROM ${EVENTS} WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1`,
    )
    .get(sessionId);
  return Bun.hash(row?.text ?? "").toString(16);
}

/** One page after the other, so that no statement stays open while the store works. */
async function* events(
  db: Database,
  sessionId: string,
  order: "ASC" | "DESC",
): AsyncGenerator<Line> {
  const sign = order === "ASC" ? ">" : "<";
  const page = db.query<{ seq: number; text: string }, [string, number]>(
    `SELECT seq, event_json AS text FROM ${EVENTS} WHERE session_id = ?1 AND seq ${sign} ?2
     ORDER BY seq ${order} LIMIT 64`,
  );
  let seq = order === "ASC" ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
  let offset = 0;
  for (let number = 1; ;) {
    const rows = page.all(sessionId, seq);
    if (rows.length === 0) return;
    for (const row of rows) {
      seq = row.seq;
      offset += row.text.length;
      yield { number: number++, text: row.text, offset };
    }
  }
}

function recordsOf(opened: Opened): { key: string; record: Json }[] {
  if (!knows(opened, "session_entries", "session_key", "entry_json")) return [];
  return opened.db
    .query<{ key: string; text: string }, []>(
      "SELECT session_key AS key, entry_json AS text FROM session_entries ORDER BY session_key",
    )
    .all()
    .flatMap(({ key, text }) => {
      const record = jsonIn(text);
      return isRecord(record) ? [{ key, record }] : [];
    });
}

/** The whole store is one JSON text in a row; a second one has state of the run time, without secrets. */
function agentSignIns(opened: Opened): Json[] {
  const table = opened.tables.find(({ name }) => name === "auth_profile_store");
  const column = table?.columns.find((name) => /_json$/.test(name));
  if (!table || !column) return [];
  for (const row of opened.db.query<Json, []>(`SELECT * FROM ${table.name}`).all()) {
    const value = jsonIn(textIn(row[column]) ?? "");
    if (!isRecord(value) || !isRecord(value["profiles"])) continue;
    opened.read.add(table.name);
    return [value];
  }
  return [];
}

function sharedSignIns(opened: Opened): Json[] {
  const table = "config_machine_state";
  const found = opened.tables.find(({ name }) => name === table);
  if (!found?.columns.includes("state_key") || !found.columns.includes("value_json")) return [];
  const row = opened.db
    .query<{ value: string }, []>(
      `SELECT value_json AS value FROM ${table} WHERE state_key = 'authProfiles.store'`,
    )
    .get();
  const value = jsonIn(row?.value ?? "");
  return isRecord(value) && isRecord(value["profiles"]) ? [value] : [];
}

const unreadOf = ({ name, db, tables, read }: Opened) =>
  tables.flatMap((table) => {
    if (read.has(table.name) || HOUSEKEEPING.test(table.name)) return [];
    const row = db
      .query<{ n: number }, []>(`SELECT count(*) AS n FROM "${table.name.replaceAll('"', '""')}"`)
      .get();
    return row?.n ? [{ name, table: table.name, rows: row.n }] : [];
  });

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
