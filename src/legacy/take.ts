/**
 * Takes an older state over into the store: called by `clawdbot migrate` and once by a gateway that starts on such a folder. The
 * older files are only read. Every step is one unit of the store and remembers that it is done, so a kill costs at most a step.
 */
import type { Env } from "../base/env.ts";
import { realPathOf } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";
import type { Config } from "../config/schema.ts";
import type { DeviceRecord } from "../gateway/access/devices.ts";
import { profileOf, SIGN_INS, signInsOf } from "../providers/stored.ts";
import { accountState } from "../store/account-state.ts";
import type { SqliteStore as Store } from "../store/sqlite/index.ts";
import { takeConversations } from "./conversations.ts";
import { deviceMark, DEVICES, type OlderDevice, readDevices } from "./devices.ts";
import { isRecord, type Json } from "./diff.ts";
import { DEFAULT_ACCOUNT, type KnownNetworks } from "./networks.ts";
import { namesMark, readPeople } from "./people.ts";
import type { Row, Told } from "./report.ts";
import { missingVariables, takeConfig, takeFile } from "./settings.ts";
import { DONE, type Done } from "./start.ts";
import type { OlderState } from "./state.ts";

export type TakeDeps = {
  env: Env;
  paths: Paths;
  /** Of the older folder, or of ours when it has one; undefined when it cannot be used. */
  config: Config | undefined;
  /** The older config as it was read, for its text. */
  loaded: Parameters<typeof takeConfig>[1];
  networks: KnownNetworks;
  told: Told;
  now: number;
  /** Bytes of conversations that are done, of how many, and how many conversations. */
  progress(done: number, all: number): void;
};

/** What was done, for people. Throws what the store throws. */
export async function takeOver(state: OlderState, store: Store, deps: TakeDeps): Promise<Row[]> {
  const same = state.tree.real === realPathOf(deps.paths.stateDir);
  const rows: Row[] = [];
  if (!same) rows.push(...(await takeSettings(state, deps)));
  rows.push(...(await takeSignIns(state, store, deps)));
  rows.push(...(await takePeople(state, store, deps)));
  rows.push(...(await takeDevices(state, store)));
  rows.push(...(await takeConversations(state, store, deps)));
  rows.push(...(await takeAccounts(state, store, deps)));
  await rememberDone(store, { at: deps.now, from: state.tree.dir }, deps.paths.stateDir);
  return rows;
}

/** Our own folder once and for all: the moment of the first time is until when its files were not ours. */
async function rememberDone(store: Store, done: Done, stateDir: string): Promise<void> {
  const before = await store.takeover.mark<Done>(DONE);
  const own = (from: string | null | undefined) =>
    typeof from === "string" && realPathOf(from) === realPathOf(stateDir);
  if (!own(before?.from)) await store.takeover.remember(DONE, done);
}

async function takeSettings(state: OlderState, deps: TakeDeps): Promise<Row[]> {
  const { tree } = state;
  const { paths, told } = deps;
  const rows: Row[] = [];
  // In Nix mode the config is made elsewhere.
  const config = deps.env.nixMode ? undefined : await takeConfig(tree, deps.loaded, paths, told);
  if (state.config)
    rows.push({
      what: "config",
      count: 1,
      to: config ?? paths.configPath,
      state: config ? "new" : "there",
      ...(!config && { note: "ours is used; the older one is not read" }),
    });
  if (await tree.has(".env")) {
    const taken = await takeFile(tree, ".env", paths.stateDir);
    const missing = taken ? [] : await missingVariables(tree, paths.stateDir);
    rows.push({ what: ".env", count: 1, to: paths.stateDir, state: taken ? "new" : "there" });
    if (missing.length > 0)
      told.problem({
        path: ".env",
        text: `ours has no ${missing.join(", ")}`,
        hint: `Add what you need to ${paths.stateDir}/.env.`,
      });
  }
  for (const name of state.unused) await takeFile(tree, name, paths.stateDir);
  return rows;
}

async function takeSignIns(
  state: OlderState,
  store: Store,
  { now, told }: TakeDeps,
): Promise<Row[]> {
  if (state.signIns.length === 0) return [];
  let fresh = 0;
  for (const { agentId, file } of state.signIns) {
    const there = await store.kv.get<Json>(SIGN_INS, agentId);
    const merged = there ? mergeSignIns(there, file) : file;
    if (there && Bun.deepEquals(there, merged)) continue;
    await store.kv.put(SIGN_INS, { [agentId]: merged });
    fresh += 1;
  }
  const profiles = state.signIns.flatMap(({ file }) => signInsOf([file]).profiles);
  sayUnusable(state, told);
  for (const profile of profiles)
    if (profile.kind === "oauth")
      told.problem({
        path: "auth-profiles.json",
        text: `the sign-in "${profile.id}" ${(profile.expires ?? 0) > now ? "works until it ends, and" : "has ended:"} this version cannot renew it`,
        hint: "Add an API key: clawdbot onboard.",
      });
  return [
    {
      what: "sign-ins of model providers",
      count: profiles.length,
      to: "the database",
      state: fresh > 0 ? "new" : "there",
    },
  ];
}

/** What is no secret but a pointer to one. */
function sayUnusable(state: OlderState, told: Told): void {
  for (const { agentId, file } of state.signIns)
    for (const [id, value] of Object.entries(isRecord(file["profiles"]) ? file["profiles"] : {}))
      if (!profileOf(id, value))
        told.problem({
          path: `agents/${agentId}/agent/auth-profiles.json`,
          text: `the sign-in "${id}" cannot be used here: there is no secret in it`,
          hint: "Put the key into .env of the state folder.",
        });
}

/** A sign-in that was renewed over there replaces the older one; none goes away because it is gone there. */
function mergeSignIns(there: Json, file: Json): Json {
  const ours = isRecord(there["profiles"]) ? there["profiles"] : {};
  const theirs = isRecord(file["profiles"]) ? file["profiles"] : {};
  return { ...there, ...file, profiles: { ...ours, ...theirs } };
}

async function takePeople(state: OlderState, store: Store, deps: TakeDeps): Promise<Row[]> {
  const { networks, told, now } = deps;
  const people = await readPeople(state.tree, networks, told, now);
  const added = await store.takeover.admit(people.allowed, people.waiting);
  for (const [file, names] of Object.entries(people.names))
    await store.takeover.remember(namesMark(file), names);
  const row = (what: string, count: number, fresh: number): Row[] =>
    count === 0 ? [] : [{ what, count, to: "the database", state: fresh > 0 ? "new" : "there" }];
  return [
    ...row("people who were let in", people.allowed.length, added.allowed),
    ...row("people who wait with a code", people.waiting.length, added.waiting),
  ];
}

const markOf = ({ record }: OlderDevice): string => deviceMark(record.deviceId);

async function takeDevices({ tree }: OlderState, store: Store): Promise<Row[]> {
  const older = await readDevices(tree);
  if (older.length === 0) return [];
  const { scope, key } = DEVICES;
  const all = (await store.kv.get<Record<string, DeviceRecord>>(scope, key)) ?? {};
  const fresh: OlderDevice[] = [];
  for (const each of older)
    if (!Object.hasOwn(all, each.record.deviceId) && !(await store.takeover.mark(markOf(each))))
      fresh.push(each);
  for (const each of fresh) all[each.record.deviceId] = each.record;
  if (fresh.length > 0) await store.kv.put(scope, { [key]: all });
  // After the list: a device that was removed here since does not come back, and none is lost between the two.
  for (const each of older)
    if (!(await store.takeover.mark(markOf(each))))
      await store.takeover.remember(markOf(each), each);
  return [
    {
      what: "approved devices",
      count: older.length,
      to: "the database",
      state: fresh.length > 0 ? "new" : "there",
    },
  ];
}

/** The link to the phone, the place in a bot's updates: what the networks kept beside the config. */
async function takeAccounts(state: OlderState, store: Store, deps: TakeDeps): Promise<Row[]> {
  const rows: Row[] = [];
  const stateDir = state.tree.real;
  for (const { channel, account, config, legacy } of deps.networks.keepers) {
    const place = { stateDir, account, config };
    if ((await legacy.find(place)) === 0) continue;
    const taken = await legacy.take(place, accountState(store.kv, channel, account));
    const name = account === DEFAULT_ACCOUNT ? channel : `${channel} ${account}`;
    rows.push({
      what: `${name}: ${legacy.what}`,
      count: 1,
      to: "the database",
      state: taken > 0 ? "new" : "there",
    });
  }
  return rows;
}
