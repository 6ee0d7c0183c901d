/** The config, `.env` and the files that are only kept, from another state folder into ours. What is there already stays. */
import { copyFile, mkdir, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";

import type { Env } from "../base/env.ts";
import { errnoOf } from "../base/errors.ts";
import { atomicWrite } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";
import { editText } from "../config/edit.ts";
import { loadConfig, type Loaded } from "../config/load.ts";
import type { Tree } from "./files.ts";
import type { Told } from "./report.ts";

/** How our config is found when it is that of the older folder. */
const pathsOf = (tree: Tree, config: string, paths: Paths): Paths => ({
  ...paths,
  stateDir: tree.real,
  configPath: join(tree.real, config),
});

/** The older config as it counts there; undefined when there is none. */
export const olderConfig = async (
  tree: Tree,
  config: string | undefined,
  { env, paths }: { env: Env; paths: Paths },
): Promise<Loaded | undefined> =>
  config === undefined
    ? undefined
    : loadConfig({ env, paths: pathsOf(tree, config, paths), strictVariables: false });

/** Where the older installation's agent works, when its config does not say and it is not where ours would look. */
export async function olderWorkspace(
  tree: Tree,
  loaded: Loaded | undefined,
  paths: Paths,
): Promise<string | undefined> {
  const { parsed } = loaded ?? {};
  const said = (parsed as { agents?: { defaults?: { workspace?: unknown } } } | undefined)?.agents
    ?.defaults?.workspace;
  const older = (parsed as { agent?: { workspace?: unknown } } | undefined)?.agent?.workspace;
  if (said !== undefined || older !== undefined) return undefined;
  const own = join(tree.dir, "workspace");
  if (!(await tree.has("workspace"))) return undefined;
  return own === paths.workspaceDefault ? undefined : own;
}

/**
 * Copies the config with its comments, and the files that it includes from its own folder. Gives the path, or undefined when ours is
 * there already or there is none.
 */
export async function takeConfig(
  tree: Tree,
  loaded: Loaded | undefined,
  paths: Paths,
  told: Told,
): Promise<string | undefined> {
  if (!loaded?.exists || loaded.raw === null) return undefined;
  const target = paths.configPath;
  if (await isThere(target)) return undefined;
  for (const file of loaded.files) await takeIncluded(tree, resolve(tree.real, file), target, told);
  const workspace = await olderWorkspace(tree, loaded, paths);
  const text =
    workspace && loaded.root
      ? editText(loaded, [
          { kind: "set", path: ["agents", "defaults", "workspace"], value: workspace },
        ]).text
      : loaded.raw;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await atomicWrite(target, text, { mode: 0o600 });
  return target;
}

async function takeIncluded(tree: Tree, file: string, config: string, told: Told): Promise<void> {
  const name = relative(tree.real, file);
  // One that is named by its whole path is found from everywhere.
  if (name.startsWith("..") || isAbsolute(name)) return;
  const target = join(dirname(config), name);
  if (await isThere(target)) return;
  if (await tree.file(name)) await takeFile(tree, name, dirname(config));
  else told.problem({ path: name, text: "the config includes it, and it cannot be read" });
}

/** Copies a file to the same place in another folder, readable by its owner only. False when one is there. */
export async function takeFile(tree: Tree, name: string, to: string): Promise<boolean> {
  const target = join(to, name);
  if (await isThere(target)) return false;
  const found = await tree.file(name);
  if (!found) return false;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await atomicWrite(target, await Bun.file(found.path).bytes(), { mode: 0o600 });
  return true;
}

/** Names in the older `.env` that ours does not have, when ours is there already. */
export async function missingVariables(tree: Tree, stateDir: string): Promise<string[]> {
  const text = await tree.text(".env");
  if (text === undefined) return [];
  const ours = await Bun.file(join(stateDir, ".env")).text();
  const names = (env: string) =>
    [...env.matchAll(/^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=/gm)].map((m) => m[1]!);
  const known = new Set(names(ours));
  return names(text).filter((name) => !known.has(name));
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return false;
  }
}

/** For an export: one file as it is. */
export async function copyPrivate(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(from, to);
}
