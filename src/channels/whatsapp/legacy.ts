/** The link of an older installation: a folder with one JSON file per key, as Baileys' own file store writes it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { errnoOf } from "../../base/errors.ts";
import type { AccountState } from "../channel.ts";
import type { ChannelLegacy, LegacyPlace } from "../legacy.ts";
import { keyName } from "./key-name.ts";

/** Longer names first: `sender-key-memory-x` is no `sender-key` called `memory-x`. */
const TYPES = [
  "app-state-sync-version",
  "app-state-sync-key",
  "sender-key-memory",
  "sender-key",
  "identity-key",
  "device-list",
  "lid-mapping",
  "pre-key",
  "session",
  "tctoken",
];

/** Kept in the state from the first import or sign-in on: an old folder must not bring back a link that was ended. */
export const IMPORTED = "imported";

/**
 * Reads `dir` into the state, in one step, and leaves the files as they are: from then on they are old, since a session that is
 * used twice from two stores breaks. Gives the number of files; 0 when there is no usable link.
 */
export async function importFolder(state: AccountState, dir: string): Promise<number> {
  const entries: Record<string, unknown> = {};
  const creds = (await json(join(dir, "creds.json"))) ?? (await json(join(dir, "creds.json.bak")));
  if (!isLink(creds)) return 0;
  entries.creds = creds;
  entries[IMPORTED] = true;
  for (const file of await names(dir)) {
    const name = file.slice(0, -".json".length);
    const type = typeOf(file);
    const value = type ? await json(join(dir, file)) : undefined;
    // The file store writes `:` as `-` and `/` as `__`; ids of sessions have neither, those of sender keys have `::`.
    if (type && value !== undefined && value !== null)
      entries[keyName(type, idOf(type, name.slice(type.length + 1)))] = value;
  }
  await state.put(entries);
  return Object.keys(entries).length;
}

const typeOf = (file: string): string | undefined =>
  file.endsWith(".json") ? TYPES.find((each) => file.startsWith(`${each}-`)) : undefined;

const isLink = (creds: unknown): boolean =>
  typeof creds === "object" &&
  creds !== null &&
  "account" in creds &&
  "me" in creds &&
  Boolean(creds.account && creds.me);

function idOf(type: string, name: string): string {
  const id = name.replaceAll("__", "/");
  // `123-456@g.us--4915--0`: group, person, device.
  if (type === "sender-key") return id.replace(/--([^-]+)--(\d+)$/, "::$1::$2");
  return id;
}

async function names(dir: string): Promise<string[]> {
  return (await readdir(dir)).sort();
}

/** Undefined for a file that is missing, empty or broken. */
async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError || errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Where an account's files are: as configured, else in a folder of its own, else (the first versions) beside everything else. */
async function folderOf({ stateDir, account, config }: LegacyPlace): Promise<string | undefined> {
  const { authDir } = config;
  const folders = [
    ...(typeof authDir === "string" ? [authDir] : []),
    join(stateDir, "credentials", CHANNEL, account),
    ...(account === FIRST_ACCOUNT ? [join(stateDir, "credentials")] : []),
  ];
  for (const folder of folders)
    if ((await json(join(folder, "creds.json"))) ?? (await json(join(folder, "creds.json.bak"))))
      return folder;
  return undefined;
}

const CHANNEL = "whatsapp";
const FIRST_ACCOUNT = "default";

/** As Baileys' own file store names them. */
const fileName = (type: string, id: string): string =>
  `${type}-${id.replaceAll("/", "__").replaceAll(":", "-")}.json`;

export const legacy: ChannelLegacy = {
  what: "the link to the phone",

  async find(place) {
    const folder = await folderOf(place);
    if (!folder) return 0;
    const files = await names(folder);
    return files.filter((file) => /^creds\.json$/.test(file) || typeOf(file)).length;
  },

  async isNew(place, state) {
    return !(await state.get(IMPORTED)) && (await folderOf(place)) !== undefined;
  },

  async take(place, state) {
    if (await state.get(IMPORTED)) return 0;
    const folder = await folderOf(place);
    return folder ? importFolder(state, folder) : 0;
  },

  async give({ account }, state) {
    const creds = await state.get<unknown>("creds");
    if (!isLink(creds)) return {};
    const folder = `credentials/${CHANNEL}/${account}`;
    const files: Record<string, unknown> = { [`${folder}/creds.json`]: creds };
    for (const key of await state.keys("key/")) {
      const [, type, ...id] = key.split("/");
      files[`${folder}/${fileName(type!, id.join("/"))}`] = await state.get(key);
    }
    return files;
  },

  oldKey(key) {
    const [, group] = /^(?:whatsapp:|group:|whatsapp:group:)?([^:]+@g\.us)$/i.exec(key) ?? [];
    return group && `${CHANNEL}:group:${group}`;
  },
};
