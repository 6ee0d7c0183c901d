/** What is in an older state folder: found once, without reading the conversations themselves. */
import { CONFIG_NAMES } from "../base/brand.ts";
import { NETWORK_IDS } from "../channels/registry.ts";
import { plainId } from "../protocol/session-key.ts";
import { type OlderDatabases, openDatabases } from "./databases.ts";
import { isRecord, type Json, textIn } from "./diff.ts";
import type { Tree } from "./files.ts";
import { type Lines, linesOfFile } from "./lines.ts";
import type { Told } from "./report.ts";

/** A conversation and the agent whose it was. */
export type OlderTranscript = { agentId: string; sessionId: string; source: Lines };
export type OlderRecord = { agentId: string; key: string; record: Json };

export type OlderState = {
  tree: Tree;
  /** Name of the config file in it. */
  config: string | undefined;
  records: OlderRecord[];
  transcripts: OlderTranscript[];
  /** `auth-profiles.json` of each agent. */
  signIns: { agentId: string; file: Json }[];
  /** Files that this version does not use, and that are only kept. */
  unused: string[];
  /** Folders with data of parts that this version does not have. */
  folders: string[];
  /** Copies and remains that are passed over: deleted conversations, backups. */
  passedOver: number;
  databases: OlderDatabases | undefined;
};

/** By what an older state folder is known. Not by what a takeover copies, or ours would look like one after it. */
const SIGNS = [
  "sessions/sessions.json",
  "agent/auth-profiles.json",
  "devices/paired.json",
  "state/openclaw.sqlite",
  "credentials/creds.json",
  ...NETWORK_IDS.map((id) => `credentials/${id}`),
];
const AGENT_SIGNS = ["sessions", "agent/auth-profiles.json", "agent/openclaw-agent.sqlite"];

/** What no part of this version reads, file by file. */
const UNUSED = [
  "cron/jobs.json",
  "cron/jobs.json.bak",
  "exec-approvals.json",
  "nodes/paired.json",
  "node.json",
  "identity/device.json",
  "identity/device-auth.json",
  "settings/voicewake.json",
  "settings/tts.json",
  "subagents/runs.json",
  "credentials/oauth.json",
  "credentials/github-copilot.token.json",
];
/** Sign-ins of the first versions, which were imported once and then left. */
const OLD_SIGN_INS = ["credentials/oauth.json", "agent/auth.json", "agents/main/agent/auth.json"];
const UNUSED_FOLDERS = [
  "media",
  "skills",
  "hooks",
  "extensions",
  "tools",
  "memory",
  "sandboxes",
  "browser",
];

/** Whether a folder holds something to take over. Looks at a few names only: called at every start until it was done once. */
export async function looksOld(tree: Tree): Promise<boolean> {
  const agents = await tree.names("agents");
  const signs = [
    ...SIGNS,
    ...agents.flatMap((agent) => AGENT_SIGNS.map((sign) => `agents/${agent}/${sign}`)),
  ];
  for (const sign of signs) if (await tree.has(sign)) return true;
  const credentials = await tree.names("credentials");
  return credentials.some((name) => /-(?:allowFrom|pairing)\.json$/.test(name));
}

/** @param scratch a folder of ours for copies of databases; undefined: they are only counted as there */
export async function readState(
  tree: Tree,
  told: Told,
  scratch: string | undefined,
): Promise<OlderState> {
  const state: OlderState = {
    tree,
    config: undefined,
    records: [],
    transcripts: [],
    signIns: [],
    unused: [],
    folders: [],
    passedOver: 0,
    databases: undefined,
  };
  for (const name of CONFIG_NAMES)
    if (!state.config && (await tree.has(`${name}`))) state.config = name;
  state.databases = await openDatabases(tree, told, scratch);
  for (const agent of await tree.names("agents")) {
    const agentId = plainId(agent, "main");
    await readAgent(state, agentId, `agents/${agent}`, told);
  }
  // The first versions had one agent, whose folders stood at the top.
  if (await tree.has("sessions/sessions.json")) await readSessions(state, "main", "sessions", told);
  if (await tree.has("agent/auth-profiles.json")) await readSignIns(state, "main", "agent");
  for (const name of [...UNUSED, ...NETWORK_IDS.map((id) => `${id}/sticker-cache.json`)])
    if (await tree.has(name)) state.unused.push(name);
  for (const name of OLD_SIGN_INS)
    if (await tree.has(name))
      told.problem({
        path: name,
        text: "sign-ins of this old kind are kept and not read",
        hint: "Add an API key: clawdbot onboard.",
      });
  for (const name of await tree.names("cron/runs"))
    if (name.endsWith(".jsonl")) state.unused.push(`cron/runs/${name}`);
  for (const name of UNUSED_FOLDERS)
    if ((await tree.has(name)) && (await tree.names(name)).length > 0) state.folders.push(name);
  tree.sayStrangers();
  return state;
}

async function readAgent(
  state: OlderState,
  agentId: string,
  folder: string,
  told: Told,
): Promise<void> {
  const { tree, databases } = state;
  // What a later version has in its database, its files are older copies of.
  for (const found of databases?.transcripts(folder) ?? [])
    state.transcripts.push({ agentId, ...found });
  for (const { key, record } of databases?.records(folder) ?? [])
    state.records.push({ agentId, key, record });
  if (await tree.has(`${folder}/sessions`))
    await readSessions(state, agentId, `${folder}/sessions`, told);
  const stored = databases?.signIns(folder);
  if (stored) state.signIns.push({ agentId, file: stored });
  else if (await tree.has(`${folder}/agent/auth-profiles.json`))
    await readSignIns(state, agentId, `${folder}/agent`);
  for (const name of ["models.json", "auth.json"])
    if (await tree.has(`${folder}/agent/${name}`)) state.unused.push(`${folder}/agent/${name}`);
}

async function readSignIns(state: OlderState, agentId: string, folder: string): Promise<void> {
  const file = await state.tree.object(`${folder}/auth-profiles.json`);
  if (file && !state.signIns.some((each) => each.agentId === agentId))
    state.signIns.push({ agentId, file });
}

async function readSessions(
  state: OlderState,
  agentId: string,
  folder: string,
  told: Told,
): Promise<void> {
  const { tree } = state;
  if (await tree.has(`${folder}/sessions.json`)) {
    const file = await tree.object(`${folder}/sessions.json`);
    const there = new Set(
      state.records.filter((each) => each.agentId === agentId).map((each) => each.key),
    );
    for (const [key, record] of Object.entries(file ?? {})) {
      if (!isRecord(record))
        told.problem({ path: `${folder}/sessions.json`, text: `the record of "${key}" is none` });
      else if (!there.has(key)) state.records.push({ agentId, key, record });
    }
  }
  const known = new Set(
    state.transcripts.filter((each) => each.agentId === agentId).map((each) => each.sessionId),
  );
  const names = await tree.names(folder);
  for (const name of names) {
    if (!name.endsWith(".jsonl")) {
      if (/\.jsonl\.(?:deleted|bak|reset)/.test(name)) state.passedOver += 1;
      continue;
    }
    const found = await tree.file(`${folder}/${name}`);
    const sessionId = sessionIdOf(name);
    if (!found || known.has(sessionId)) continue;
    known.add(sessionId);
    const source = linesOfFile(found.path, found.name, found.size);
    state.transcripts.push({ agentId, sessionId, source });
  }
}

/** `<id>.jsonl`, and `<id>-topic-<topic>.jsonl` of a forum's topic. */
const sessionIdOf = (name: string): string => name.replace(/(?:-topic-[^/]*)?\.jsonl$/, "");

/** The conversation that a record points at. */
export const sessionIdIn = (record: Json): string | undefined => textIn(record["sessionId"]);
