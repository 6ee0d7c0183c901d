/**
 * Writes the state in the layout of the older systems, into a new folder: conversations as JSON lines, the lists of sessions, people,
 * devices and sign-ins, what the networks kept, config and files that were only kept. The folder has its name only when it is whole.
 */
import { chmod, mkdir, open, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { Loaded } from "../config/load.ts";
import type { DeviceRecord } from "../gateway/access/devices.ts";
import { parseKey } from "../protocol/session-key.ts";
import { SIGN_INS } from "../providers/stored.ts";
import { accountScope } from "../store/account-state.ts";
import type { SessionRow } from "../store/store.ts";
import {
  type OlderSession,
  sessionMark,
  TAKEOVER,
  type TakeoverReads,
  type TranscriptRow,
} from "../store/takeover.ts";
import { deviceMark, DEVICES, devicesFile, type OlderDevice } from "./devices.ts";
import { type Json, textIn } from "./diff.ts";
import { linesOf } from "./entry.ts";
import type { KnownNetworks } from "./networks.ts";
import { namesMark, peopleFiles } from "./people.ts";
import { counted, type Row } from "./report.ts";
import { recordOf } from "./session.ts";
import { copyPrivate, isThere } from "./settings.ts";
import type { OlderState } from "./state.ts";

/** Marks a folder that an export has begun, so that the next one may clear it away. */
const MARK = ".clawdbot-export";
const PAGE = 200;

export type GiveDeps = {
  paths: Paths;
  /** The config in use. */
  loaded: Loaded;
  networks: KnownNetworks;
  /** Our own state folder, for the files in it that are only kept. */
  own: OlderState | undefined;
  /** Where the agent works; stands in the first line of a conversation. */
  workspace: string;
  progress(conversations: number): void;
};

/** Throws usage when something is in the way; the system's errors, and then nothing is left but a folder `<to>.partial`. */
export async function giveBack(reads: TakeoverReads, to: string, deps: GiveDeps): Promise<Row[]> {
  await refuseFull(to);
  const draft = `${to}.partial`;
  await clearDraft(draft);
  await mkdir(dirname(to), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(join(draft, MARK), "");
  const rows = [
    ...(await giveSettings(draft, deps)),
    ...(await giveSessions(reads, draft, deps)),
    ...(await giveLists(reads, draft)),
    ...(await giveAccounts(reads, draft, deps)),
    ...(await giveUnused(draft, deps)),
  ];
  await rm(join(draft, MARK));
  if (await isThere(to)) await rmdir(to);
  await rename(draft, to);
  return rows.map((row) => ({ ...row, to: join(to, row.to) }));
}

async function refuseFull(to: string): Promise<void> {
  try {
    if ((await readdir(to)).length === 0) return;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT") return;
    if (code !== "ENOTDIR") throw cause;
  }
  throw new AppError("usage", `${to} is there already and not empty.`, {
    hint: "Name a folder that does not exist yet: nothing is ever overwritten.",
  });
}

async function clearDraft(draft: string): Promise<void> {
  if (!(await isThere(draft))) return;
  if (!(await isThere(join(draft, MARK))))
    throw new AppError("usage", `${draft} is in the way.`, {
      hint: "Remove it, or name another folder.",
    });
  await rm(draft, { recursive: true });
}

/** Private whatever the umask says. */
async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: "wx" });
}

const given = (what: string, count: number, to: string, note?: string): Row[] =>
  count > 0 ? [{ what, count, to, state: "new", ...(note && { note }) }] : [];

async function giveSettings(draft: string, { loaded, paths }: GiveDeps): Promise<Row[]> {
  const rows: Row[] = [];
  if (loaded.exists) {
    const name = basename(loaded.path);
    await copyPrivate(loaded.path, join(draft, name));
    await chmod(join(draft, name), 0o600);
    rows.push(...given("config", 1, name));
  }
  for (const file of loaded.files) {
    const name = relative(dirname(loaded.path), file);
    if (name.startsWith("..") || isAbsolute(name)) continue;
    await copyPrivate(file, join(draft, name));
    await chmod(join(draft, name), 0o600);
  }
  const env = join(paths.stateDir, ".env");
  if (await isThere(env)) {
    await copyPrivate(env, join(draft, ".env"));
    await chmod(join(draft, ".env"), 0o600);
    rows.push(...given(".env", 1, ".env"));
  }
  return rows;
}

async function giveSessions(reads: TakeoverReads, draft: string, deps: GiveDeps): Promise<Row[]> {
  const lists = new Map<string, Json>();
  const topics = new Map<string, string>();
  let sessions = 0;
  for (let after = ""; ;) {
    const page = await reads.sessions(after, PAGE);
    if (page.length === 0) break;
    for (const row of page) {
      const list = lists.get(row.agentId) ?? {};
      lists.set(row.agentId, list);
      list[row.key] = await recordFor(reads, row, deps.networks);
      const topic = /:topic:([^:]+)$/.exec(parseKey(row.key)?.rest ?? "")?.[1];
      if (topic) topics.set(row.sessionId, topic);
      sessions += 1;
    }
    after = page.at(-1)!.key;
  }
  let conversations = 0;
  let lines = 0;
  for (let after = 0; ;) {
    const page = await reads.transcripts(after, PAGE);
    if (page.length === 0) break;
    for (const transcript of page) {
      const topic = topics.get(transcript.sessionId);
      const name = `${transcript.sessionId}${topic ? `-topic-${topic}` : ""}.jsonl`;
      const path = join(draft, "agents", transcript.agentId, "sessions", fileName(name));
      // A session of which nothing was ever said has no file.
      if ((await reads.entries(transcript.sessionId, 0, 1)).length === 0) continue;
      lines += await giveTranscript(reads, transcript, path, deps.workspace);
      deps.progress((conversations += 1));
    }
    after = page.at(-1)!.id;
  }
  for (const [agentId, list] of lists)
    await writeJson(draft, join("agents", agentId, "sessions", "sessions.json"), list);
  return [
    ...given("sessions", sessions, "agents"),
    ...given("conversations", conversations, "agents", counted(lines, "line")),
  ];
}

/** An id comes from a file's name, and must not lead out of the folder. */
const fileName = (name: string): string => name.replace(/[\\/\u0000]/g, "_").replace(/^\.+/, "_");

async function recordFor(
  reads: TakeoverReads,
  row: SessionRow,
  networks: KnownNetworks,
): Promise<Json> {
  const older = await reads.mark<OlderSession>(sessionMark(row.key));
  return { ...recordOf(row, older, networks), sessionId: row.sessionId };
}

/** Gives the number of lines. */
async function giveTranscript(
  reads: TakeoverReads,
  transcript: TranscriptRow,
  path: string,
  workspace: string,
): Promise<number> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "wx", 0o600);
  try {
    let count = 0;
    let parentId: string | null | undefined = null;
    for (let seq = 0; ;) {
      const page = await reads.entries(transcript.sessionId, seq, PAGE);
      if (page.length === 0) break;
      const lines: Json[] = [];
      for (const entry of page) {
        const id = Bun.hash
          .crc32(`${transcript.sessionId}/${entry.seq}`)
          .toString(16)
          .padStart(8, "0");
        const made = linesOf(entry, { id, parentId: parentId ?? null });
        if (count + lines.length === 0 && made.length > 0 && made[0]!["type"] !== "session")
          lines.push(headerOf(transcript, workspace));
        for (const line of made) {
          // Files of the first version have no ids, so what follows them can name none.
          if (parentId === undefined && line["parentId"] === null) delete line["parentId"];
          lines.push(line);
          if (line["type"] !== "session") parentId = textIn(line["id"]);
        }
        ({ seq } = entry);
      }
      count += lines.length;
      await file.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    }
    return count;
  } finally {
    await file.close();
  }
}

const headerOf = ({ sessionId, createdAt }: TranscriptRow, cwd: string): Json => ({
  type: "session",
  version: 3,
  id: sessionId,
  timestamp: new Date(createdAt).toISOString(),
  cwd,
});

async function giveLists(reads: TakeoverReads, draft: string): Promise<Row[]> {
  const agents = await reads.keys(SIGN_INS, "");
  for (const agent of agents)
    await writeJson(
      draft,
      join("agents", agent, "agent", "auth-profiles.json"),
      await reads.value(SIGN_INS, agent),
    );
  const { allowed, waiting } = await reads.people();
  const names: Record<string, string[]> = {};
  for (const mark of await reads.keys(TAKEOVER, namesMark("")))
    names[mark.slice(namesMark("").length)] = (await reads.mark<string[]>(mark)) ?? [];
  for (const [name, file] of Object.entries(peopleFiles({ allowed, waiting }, names)))
    await writeJson(draft, name, file);
  const { scope, key } = DEVICES;
  const records = Object.values(
    (await reads.value<Record<string, DeviceRecord>>(scope, key)) ?? {},
  );
  const older = new Map<string, OlderDevice>();
  for (const { deviceId } of records) {
    const mark = await reads.mark<OlderDevice>(deviceMark(deviceId));
    if (mark) older.set(deviceId, mark);
  }
  const devices = devicesFile(records, (deviceId) => older.get(deviceId));
  const count = Object.keys(devices).length;
  if (count > 0) await writeJson(draft, "devices/paired.json", devices);
  const several = new Set(allowed.map(({ channel, account }) => `${channel}/${account}`)).size;
  const channels = new Set(allowed.map(({ channel }) => channel)).size;
  return [
    ...given("sign-ins of model providers", agents.length, "agents"),
    ...given(
      "people who were let in",
      allowed.length,
      "credentials",
      several > channels ? "the older system does not tell accounts of a network apart" : undefined,
    ),
    ...given("people who wait with a code", waiting.length, "credentials"),
    ...given("approved devices", count, "devices"),
  ];
}

async function giveAccounts(
  reads: TakeoverReads,
  draft: string,
  { networks }: GiveDeps,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { channel, account, legacy } of networks.keepers) {
    const scope = accountScope(channel, account);
    const files = await legacy.give(
      { account },
      {
        get: (key) => reads.value(scope, key),
        keys: (prefix) => reads.keys(scope, prefix),
      },
    );
    const names = Object.keys(files);
    for (const name of names) await writeJson(draft, name, files[name]);
    rows.push(
      ...given(
        `${channel} ${account}: ${legacy.what}`,
        names.length > 0 ? 1 : 0,
        dirname(names[0] ?? ""),
      ),
    );
  }
  return rows;
}

async function giveUnused(draft: string, { own }: GiveDeps): Promise<Row[]> {
  let count = 0;
  for (const name of own?.unused ?? []) {
    const found = await own!.tree.file(name);
    if (!found) continue;
    await copyPrivate(found.path, join(draft, name));
    await chmod(join(draft, name), 0o600);
    count += 1;
  }
  return given("files that this version does not use", count, "");
}
