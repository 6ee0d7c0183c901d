/** Which older state folders there are on this machine, and whether their program still runs. */
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CONFIG_NAMES, NAMES, STATE_DIRS } from "../base/brand.ts";
import { errnoOf } from "../base/errors.ts";
import { alive, realPathOf } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";
import { isRecord } from "./diff.ts";
import { Tree } from "./files.ts";
import { Told } from "./report.ts";
import { looksOld } from "./state.ts";

/** Our own state folder first when it holds older files, then the others of this home; each once, whatever links lead to it. */
export async function findOlder(paths: Paths): Promise<string[]> {
  const suffix = paths.profile ? `-${paths.profile}` : "";
  const dirs = [paths.stateDir, ...STATE_DIRS.map((name) => join(paths.home, name + suffix))];
  const found = new Map<string, string>();
  for (const dir of dirs) {
    const tree = await Tree.open(dir, new Told());
    if (tree && !found.has(tree.real) && (await looksOld(tree))) found.set(tree.real, dir);
  }
  return [...found.values()];
}

/**
 * The pid of an older gateway that has this folder in use; undefined when none is seen. Its lock is named after the path of the
 * config, in a folder of the user in the temp dir.
 */
export async function olderGateway(tree: Tree): Promise<number | undefined> {
  const own = process.getuid?.();
  const configs = new Set(
    CONFIG_NAMES.flatMap((name) => [join(tree.dir, name), join(tree.real, name)]),
  );
  for (const brand of NAMES) {
    const folder = join(tmpdir(), own === undefined ? brand : `${brand}-${own}`);
    for (const name of await namesIn(folder)) {
      if (!/^gateway\.[0-9a-f]{8}\.lock$/.test(name)) continue;
      const lock = await jsonOf(join(folder, name));
      if (!isRecord(lock) || typeof lock["pid"] !== "number") continue;
      const config = typeof lock["configPath"] === "string" ? lock["configPath"] : "";
      const same = configs.has(config) || configs.has(realPathOf(config));
      if (same && lock["pid"] > 0 && alive(lock["pid"])) return lock["pid"];
    }
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return [];
  }
}

async function jsonOf(path: string): Promise<unknown> {
  try {
    return JSON.parse(await Bun.file(path).text());
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && errnoOf(cause) === undefined) throw cause;
    return undefined;
  }
}
