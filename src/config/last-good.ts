/**
 * The last config that worked, kept in the state dir, and the copy of one that does not. The user's own file is never moved or changed.
 */
import { mkdir, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { errnoOf } from "../base/errors.ts";
import { atomicWrite, removeIfThere } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";
import { hashOf, loadConfig, type Loaded, type LoadOptions } from "./load.ts";
import { formatPath, isRecord } from "./path.ts";
import { readSource } from "./source.ts";

/** Copies of configs that could not be used; older ones go. */
const REJECTED_MAX = 5;

export const lastGoodPath = (paths: Paths): string =>
  join(paths.stateDir, "config.last-good.json5");

/**
 * Keeps a copy of a config that has just been taken into use; called by the gateway only. With includes it is the whole, put together,
 * because the included files may be what breaks next time. Variables stay variables.
 */
export async function keepLastGood(paths: Paths, loaded: Loaded): Promise<void> {
  if (!loaded.exists || loaded.raw === null || loaded.errors.length > 0) return;
  const text = loaded.files.length > 0 ? `${JSON.stringify(loaded.parsed, null, 2)}\n` : loaded.raw;
  const path = lastGoodPath(paths);
  const present = await readSource(path);
  if (present.kind === "text" && present.doc.text === text) return;
  await mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
  await atomicWrite(path, text, { mode: 0o600 });
}

export type LastGood = { loaded: Loaded; file: string; savedAt: number };

/** The kept copy, when there is one that works. */
export async function loadLastGood(options: LoadOptions): Promise<LastGood | undefined> {
  const file = lastGoodPath(options.paths);
  const read = await readSource(file);
  if (read.kind !== "text") return undefined;
  const loaded = await loadConfig({ ...options, text: read.doc.text });
  if (!loaded.config) return undefined;
  return { loaded, file, savedAt: (await stat(file)).mtimeMs };
}

/**
 * Copies a config that cannot be used to `<name>.rejected.<time>` beside it, once per content. Gives the copy's path, or undefined
 * when there is nothing to copy or no place for it: that must not keep the gateway from starting.
 */
export async function setAside(loaded: Loaded, now: number): Promise<string | undefined> {
  if (!loaded.bytes) return undefined;
  const dir = dirname(loaded.path);
  const prefix = `${basename(loaded.path)}.rejected.`;
  const stamp = new Date(now).toISOString().replace(/[:.]/g, "-");
  const target = join(dir, prefix + stamp);
  try {
    const kept = (await readdir(dir)).filter((name) => name.startsWith(prefix)).sort();
    for (const name of kept.toReversed()) {
      const read = await readSource(join(dir, name));
      if ("bytes" in read && read.bytes && hashOf(read.bytes) === loaded.hash)
        return join(dir, name);
    }
    for (const name of kept.slice(0, Math.max(0, kept.length - REJECTED_MAX + 1)))
      await removeIfThere(join(dir, name));
    await atomicWrite(target, loaded.bytes, { mode: 0o600 });
    return target;
  } catch (cause) {
    const known = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT"];
    if (known.includes(errnoOf(cause) ?? "")) return undefined;
    throw cause;
  }
}

/** The keys in which two configs differ, nearest common group first, at most `limit` of them. */
export function differences(before: unknown, now: unknown, limit = 8): string[] {
  const out: string[] = [];
  const walk = (a: unknown, b: unknown, path: string[]): void => {
    if (out.length >= limit || Bun.deepEquals(a, b)) return;
    if (!isRecord(a) || !isRecord(b)) {
      out.push(formatPath(path) || "everything");
      return;
    }
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      walk(a[key], b[key], [...path, key]);
  };
  walk(before, now, []);
  return out;
}
