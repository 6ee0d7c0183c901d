/** What a takeover would do, counted without reading the conversations and without writing anything. */
import { realPathOf } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";
import { SIGN_INS, signInsOf } from "../providers/stored.ts";
import { accountScope } from "../store/account-state.ts";
import type { TakeoverReads } from "../store/takeover.ts";
import { DEVICES, readDevices } from "./devices.ts";
import { isRecord } from "./diff.ts";
import { DEFAULT_ACCOUNT, type KnownNetworks } from "./networks.ts";
import { readPeople } from "./people.ts";
import { counted, type Row, type Told } from "./report.ts";
import { isThere } from "./settings.ts";
import type { OlderState } from "./state.ts";
import { outlook, type TranscriptMark, transcriptMark } from "./transcript.ts";

export type PlanDeps = {
  paths: Paths;
  networks: KnownNetworks;
  told: Told;
  now: number;
  /** Our database as it is now; undefined when there is none. */
  reads: TakeoverReads | undefined;
  /** Where the agent works. */
  workspace: string;
};

const DATABASE = "the database";

export async function planRows(state: OlderState, deps: PlanDeps): Promise<Row[]> {
  const { tree } = state;
  const { paths } = deps;
  const same = tree.real === realPathOf(paths.stateDir);
  const rows: Row[] = [];
  const add = (what: string, count: number, to: string, at: Row["state"], note?: string) => {
    if (count > 0) rows.push({ what, count, to, state: at, ...(note && { note }) });
  };
  if (state.config) {
    const taken = !same && !(await isThere(paths.configPath));
    add("config", 1, taken ? paths.configPath : "used where it is", taken ? "new" : "there");
  }
  if (await tree.has(".env")) {
    const taken = !same && !(await isThere(`${paths.stateDir}/.env`));
    add(".env", 1, same ? "used where it is" : paths.stateDir, taken ? "new" : "there");
  }
  if (await isThere(deps.workspace))
    add("workspace", 1, `used where it is: ${deps.workspace}`, "there");
  rows.push(...(await conversationRows(state, deps)));
  rows.push(...(await listRows(state, deps)));
  for (const { channel, account, config, legacy } of deps.networks.keepers) {
    const place = { stateDir: tree.real, account, config };
    const found = await legacy.find(place);
    const scope = accountScope(channel, account);
    const values = { get: async <T>(key: string) => deps.reads?.value<T>(scope, key) };
    const fresh = found > 0 && (await legacy.isNew(place, values));
    const name = account === DEFAULT_ACCOUNT ? channel : `${channel} ${account}`;
    const at = fresh ? "new" : "there";
    add(`${name}: ${legacy.what}`, found > 0 ? 1 : 0, DATABASE, at, counted(found, "file"));
  }
  rows.push(...(await unusedRows(state, same ? "stays where it is" : paths.stateDir)));
  return rows;
}

/** Sign-ins, people and devices, told apart by what is here already. */
async function listRows(state: OlderState, deps: PlanDeps): Promise<Row[]> {
  const { reads, networks, told, now } = deps;
  const rows: Row[] = [];
  const add = (what: string, all: number, fresh: number) => {
    const row = (count: number, at: Row["state"]) =>
      count > 0 && rows.push({ what, count, to: DATABASE, state: at });
    row(fresh, "new");
    row(all - fresh, "there");
  };
  const counts = { all: 0, fresh: 0 };
  for (const { agentId, file } of state.signIns) {
    const stored = signInsOf([await reads?.value(SIGN_INS, agentId)]).profiles;
    const own = signInsOf([file]).profiles;
    counts.all += own.length;
    counts.fresh += own.filter(({ id }) => !stored.some((each) => each.id === id)).length;
  }
  add("sign-ins of model providers", counts.all, counts.fresh);
  const people = await readPeople(state.tree, networks, told, now);
  const here = await reads?.people();
  const isNew = (list: Person[] | undefined) => (person: Person) =>
    !list?.some((each) => idOf(each) === idOf(person));
  const { allowed, waiting } = people;
  add("people who were let in", allowed.length, allowed.filter(isNew(here?.allowed)).length);
  add("people who wait with a code", waiting.length, waiting.filter(isNew(here?.waiting)).length);
  const devices = await readDevices(state.tree);
  const paired = (await reads?.value<object>(DEVICES.scope, DEVICES.key)) ?? {};
  const fresh = devices.filter(({ record }) => !Object.hasOwn(paired, record.deviceId));
  add("approved devices", devices.length, fresh.length);
  return rows;
}

type Person = { channel: string; account: string; sender: string };
const idOf = ({ channel, account, sender }: Person): string =>
  [channel, account, sender].join("\n");

async function conversationRows(state: OlderState, { reads }: PlanDeps): Promise<Row[]> {
  const tally = { new: 0, same: 0, changed: 0 };
  let bytes = 0;
  for (const { sessionId, source } of state.transcripts) {
    const mark = await reads?.mark<TranscriptMark>(transcriptMark(sessionId));
    const found = await outlook(source, mark);
    tally[found] += 1;
    if (found !== "same") bytes += source.size;
  }
  const rows: Row[] = [];
  const fresh = tally.new + tally.changed;
  if (fresh > 0)
    rows.push({
      what: "conversations",
      count: fresh,
      to: DATABASE,
      state: "new",
      note: sizeOf(bytes),
    });
  if (tally.same > 0)
    rows.push({ what: "conversations", count: tally.same, to: DATABASE, state: "there" });
  if (state.records.length > 0)
    rows.push({
      what: "sessions",
      count: state.records.length,
      to: DATABASE,
      state: fresh > 0 ? "new" : "there",
    });
  return rows;
}

export const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

/** What this version has no use for; said each time, so that nobody thinks that it works. */
export async function unusedRows(state: OlderState, to: string): Promise<Row[]> {
  const { tree } = state;
  const rows: Row[] = [];
  const add = (what: string, count: number, where: string, at: Row["state"], note?: string) => {
    if (count > 0) rows.push({ what, count, to: where, state: at, ...(note && { note }) });
  };
  const jobs = state.unused.includes("cron/jobs.json") ? await tree.object("cron/jobs.json") : {};
  const list = jobs && Array.isArray(jobs["jobs"]) ? jobs["jobs"].filter(isRecord) : [];
  add("scheduled jobs", list.length, to, "kept", "not used by this version yet");
  const others = state.unused.filter((name) => !name.startsWith("cron/"));
  add("other files", others.length, to, "kept", `not used yet: ${others.join(", ")}`);
  for (const folder of state.folders) {
    // What messages brought is named in conversations by its place.
    const used = folder === "media";
    const note = used ? undefined : "not used by this version yet";
    add(`the folder ${folder}`, 1, "stays where it is", used ? "there" : "not taken", note);
  }
  for (const { name, table, rows: count } of state.databases?.unread() ?? [])
    add(
      `rows of ${table}`,
      count,
      "stay where they are",
      "not taken",
      `${name} is of a later version`,
    );
  add("deleted conversations and copies", state.passedOver, "stay where they are", "not taken");
  return rows;
}
