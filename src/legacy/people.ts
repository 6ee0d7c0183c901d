/** Strangers who wait and people who were let in, from the files of an older installation and back into them. */
import type { AllowedRow, PairingRow } from "../store/store.ts";
import { isRecord, type Json, momentIn, textIn } from "./diff.ts";
import type { Tree } from "./files.ts";
import type { KnownNetworks } from "./networks.ts";
import type { Told } from "./report.ts";

const FOLDER = "credentials";
const FILE = /^(.+)-(pairing|allowFrom)\.json$/;
/** A code is good for so long, in ms. */
const WAIT_MS = 3_600_000;

export type People = {
  allowed: AllowedRow[];
  waiting: PairingRow[];
  expired: number;
  /** By file: entries that let nobody in here, for an export. */
  names: Record<string, string[]>;
};
/** Name of the mark that keeps those of one file. */
export const namesMark = (file: string): string => `names/${file}`;

/** Lists of old were a channel's, so each counts for all of its accounts; later ones name the account. */
export async function readPeople(
  tree: Tree,
  networks: KnownNetworks,
  told: Told,
  now: number,
): Promise<People> {
  const people: People = { allowed: [], waiting: [], expired: 0, names: {} };
  for (const name of await tree.names(FOLDER)) {
    const [, owner, kind] = FILE.exec(name) ?? [];
    if (!owner || !kind) continue;
    const path = `${FOLDER}/${name}`;
    const file = await tree.object(path);
    if (!file) continue;
    const { channel, accounts } = ownerOf(owner, networks);
    if (kind === "allowFrom")
      takeAllowed(people, { channel, accounts, path, file, networks, told, now });
    else takeWaiting(people, { channel, account: accounts[0]!, file, networks, now });
  }
  return people;
}

function ownerOf(owner: string, networks: KnownNetworks): { channel: string; accounts: string[] } {
  const known = networks.keepers.map(({ channel }) => channel as string);
  const [channel = "", ...account] = owner.split("-");
  if (known.includes(channel) && account.length > 0)
    return { channel, accounts: [account.join("-")] };
  return { channel: owner, accounts: networks.accounts(owner) };
}

type Listed = {
  channel: string;
  accounts: string[];
  path: string;
  file: Json;
  networks: KnownNetworks;
  told: Told;
  now: number;
};

function takeAllowed(
  people: People,
  { channel, accounts, path, file, networks, told, now }: Listed,
): void {
  const list = Array.isArray(file["allowFrom"]) ? (file["allowFrom"] as unknown[]) : [];
  for (const entry of list) {
    const text = typeof entry === "number" ? String(entry) : textIn(entry);
    // `*` in such a list was never meant, and would let in everybody.
    const sender = text && !text.includes("*") ? networks.sender(channel, text) : undefined;
    if (sender === undefined && text && text !== "*") (people.names[path] ??= []).push(text);
    if (sender === undefined)
      told.problem({
        path,
        text: `"${String(entry).slice(0, 80)}" is no person's id, so nobody is let in by it`,
        hint: "Names can be taken by others: put the number into allowFrom, or approve the person again.",
      });
    else
      for (const account of accounts)
        people.allowed.push({ channel, account, sender, addedAt: now });
  }
}

type Waiting = {
  channel: string;
  account: string;
  file: Json;
  networks: KnownNetworks;
  now: number;
};

function takeWaiting(people: People, { channel, account, file, networks, now }: Waiting): void {
  const list = Array.isArray(file["requests"]) ? (file["requests"] as unknown[]) : [];
  for (const request of list.filter(isRecord)) {
    const { id, code } = request;
    const sender = textIn(id) && networks.sender(channel, String(id));
    const createdAt = momentOf(request["createdAt"]);
    if (!sender || typeof code !== "string" || !/^[A-HJ-NP-Z2-9]{8}$/.test(code)) continue;
    if (createdAt === undefined || now - createdAt >= WAIT_MS || createdAt > now + WAIT_MS) {
      people.expired += 1;
      continue;
    }
    const meta = isRecord(request["meta"]) ? request["meta"] : {};
    people.waiting.push({
      channel,
      account,
      sender,
      code,
      meta: Object.fromEntries(
        Object.entries(meta).flatMap(([key, value]) =>
          typeof value === "string" ? [[key, value.slice(0, 100)]] : [],
        ),
      ),
      createdAt,
      lastSeenAt: momentOf(request["lastSeenAt"]) ?? createdAt,
    });
  }
}

/** ISO text or epoch ms. */
const momentOf = (value: unknown): number | undefined =>
  momentIn(typeof value === "string" ? Date.parse(value) : value);

/** The files of old, by their names in the state folder. */
export function peopleFiles(
  { allowed, waiting }: Pick<People, "allowed" | "waiting">,
  names: Record<string, string[]>,
): Record<string, Json> {
  const files: Record<string, Json> = {};
  for (const name of Object.keys(names)) files[name] = { version: 1, allowFrom: names[name] };
  for (const channel of new Set(allowed.map((row) => row.channel))) {
    const ids = allowed.filter((row) => row.channel === channel).map(({ sender }) => sender);
    const name = `${FOLDER}/${fileKey(channel)}-allowFrom.json`;
    files[name] = { version: 1, allowFrom: [...new Set([...ids, ...(names[name] ?? [])])] };
  }
  for (const channel of new Set(waiting.map((row) => row.channel)))
    files[`${FOLDER}/${fileKey(channel)}-pairing.json`] = {
      version: 1,
      requests: waiting
        .filter((row) => row.channel === channel)
        .map(({ sender, code, createdAt, lastSeenAt, meta }) => ({
          id: sender,
          code,
          createdAt: new Date(createdAt).toISOString(),
          lastSeenAt: new Date(lastSeenAt).toISOString(),
          ...(Object.keys(meta).length > 0 && { meta }),
        })),
    };
  return files;
}

/** As file names may not have it. */
const fileKey = (channel: string): string =>
  channel
    .trim()
    .toLowerCase()
    .replace(/[\\/:*?"<>|]/g, "_")
    .replaceAll("..", "_");
