/** What belongs into a backup, found without reading it: settings, sign-ins, the database, media, workspaces. */
import { lstatSync, readdirSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import { errnoOf } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import type { Cli } from "../command.ts";
import type { Settings } from "../settings.ts";

export type Root = {
  /** In the archive. */
  name: string;
  path: string;
};
export type Found = {
  /** In the archive, below the top folder. */
  to: string;
  from: string;
  type: "file" | "folder";
  /** When it was found; in bytes. */
  size: number;
  mode: number;
  mtime: number;
};
export type Skipped = { path: string; reason: string };
export type Sources = { roots: Root[]; found: Found[]; skipped: Skipped[]; bytes: number };

/** Of the state folder: what is made anew, what is only for this run, and copies of the same. */
const NOT_STATE = new Set(["backups", "logs", "update", "trash"]);
const RUNNING =
  /\.sqlite(?:[.-].*)?$|^gateway\.[\w-]+\.lock|\.sock$|\.tmp$|^\.backup-|^\.restoring-|^before-restore-/;

/** The workspaces of all agents by their ids, each once. */
export function workspacesOf(
  { paths }: Pick<Cli, "paths">,
  config: Settings["config"],
): Map<string, string> {
  const { agents } = config ?? {};
  const ids = agents ? agentEntries(agents).map(({ id }) => id) : [];
  const found = new Map<string, string>();
  for (const id of ids) {
    const path = resolve(agentSettings(agents!, id, paths).workspace);
    if (![...found.values()].includes(path)) found.set(id, path);
  }
  if (ids.length === 0) found.set("main", paths.workspaceDefault);
  return found;
}

export type Wanted = { onlyConfig: boolean; workspaces: boolean; exclude: string[] };

/** Throws the system's error for a part of the state that cannot be read: a backup without it would be none. */
export function findSources(
  cli: Pick<Cli, "paths">,
  config: Settings["config"],
  { onlyConfig, workspaces, exclude }: Wanted,
): Sources {
  const { stateDir, configPath } = cli.paths;
  const result: Sources = { roots: [], found: [], skipped: [], bytes: 0 };
  const places = workspacesOf(cli, config);
  const left = new Set([...exclude, ...places.values()].map((path) => realPathOf(path)));
  const inState = !relative(resolve(stateDir), resolve(configPath)).startsWith("..");
  if (!onlyConfig && isFolder(stateDir)) {
    result.roots.push({ name: "state", path: stateDir });
    const top = (name: string) => !NOT_STATE.has(name) && !RUNNING.test(name);
    walk(realPathOf(stateDir), "state", result, { strict: true, left, top });
  }
  const file = lstatSync(realPathOf(configPath), { throwIfNoEntry: false });
  const own = join(realPathOf(stateDir), basename(configPath));
  const stored = inState && result.found.some(({ from }) => from === own);
  if (file?.isFile() && !stored) {
    // From elsewhere, through a link, or alone.
    const name = inState && !onlyConfig ? "state" : "config";
    if (name === "config") result.roots.push({ name, path: configPath });
    add(result, `${name}/${basename(configPath)}`, realPathOf(configPath), file);
    result.skipped = result.skipped.filter(({ path }) => path !== own);
  }
  if (workspaces && !onlyConfig)
    for (const [id, path] of places) {
      if (!isFolder(path)) continue;
      result.roots.push({ name: `workspace/${id}`, path });
      // A folder that is inside of another one is in the backup once, under its own name.
      const others = [...places.values(), stateDir].filter((other) => other !== path);
      const inside = new Set([...exclude, ...others].map((each) => realPathOf(each)));
      walk(realPathOf(path), `workspace/${id}`, result, { strict: false, left: inside });
    }
  return result;
}

const isFolder = (path: string): boolean =>
  lstatSync(realPathOf(path), { throwIfNoEntry: false })?.isDirectory() ?? false;

type Stat = { size: number; mode: number; mtimeMs: number; isDirectory(): boolean };

function add(result: Sources, to: string, from: string, stat: Stat): void {
  const folder = stat.isDirectory();
  const size = folder ? 0 : stat.size;
  result.found.push({
    to,
    from,
    type: folder ? "folder" : "file",
    size,
    mode: stat.mode & 0o777,
    mtime: Math.floor(stat.mtimeMs / 1000),
  });
  result.bytes += size;
}

type Walk = {
  /** What cannot be read ends it; else it is skipped. */
  strict: boolean;
  left: Set<string>;
  /** Which names of the first level are taken. */
  top?(name: string): boolean;
};

function walk(folder: string, to: string, result: Sources, options: Walk): void {
  const { strict, left, top = () => true } = options;
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    if (strict || errnoOf(cause) === undefined) throw cause;
    result.skipped.push({ path: folder, reason: `cannot be read (${errnoOf(cause)})` });
    return;
  }
  for (const name of names) {
    const from = join(folder, name);
    if (!top(name) || left.has(from)) continue;
    const stat = lstatSync(from, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) result.skipped.push({ path: from, reason: "a link" });
    // oxlint-disable-next-line no-control-regex
    else if (/[\\\u0000-\u001f\u007f]/.test(name))
      result.skipped.push({
        path: from,
        reason: "its name has characters that other systems do not take",
      });
    else if (stat?.isDirectory()) {
      add(result, `${to}/${name}`, from, stat);
      walk(from, `${to}/${name}`, result, { strict, left });
    } else if (stat?.isFile()) add(result, `${to}/${name}`, from, stat);
  }
}
