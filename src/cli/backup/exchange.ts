/** Puts a folder into the place of another in one step, so that a kill leaves the old one or the new one, and never none. */
import { dlopen } from "bun:ffi";
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { errnoOf } from "../../base/errors.ts";
import { cLibrary } from "../../base/lock.ts";

const HERE = -100;
const EXCHANGE = 2;
const SWAP = 2;

type Exchange = (one: string, other: string) => boolean;

/** The system's exchange of two names. False when it does not know it, or the file system does not. */
export function systemExchange(): Exchange | undefined {
  const library = cLibrary();
  if (library === undefined) return undefined;
  const path = (text: string) => Buffer.from(`${text}\0`);
  try {
    if (process.platform === "darwin") {
      const { symbols } = dlopen(library, {
        renamex_np: { args: ["ptr", "ptr", "u32"], returns: "i32" },
      });
      return (one, other) => symbols.renamex_np(path(one), path(other), SWAP) === 0;
    }
    const { symbols } = dlopen(library, {
      renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" },
    });
    return (one, other) => symbols.renameat2(HERE, path(one), HERE, path(other), EXCHANGE) === 0;
  } catch {
    // An older C library without the call; two renames have to do.
    return undefined;
  }
}

/**
 * @param made the new folder, beside `target` on the same disk; gone afterwards
 * @param aside where the old one is afterwards, when there was one
 * @param exchange an argument for tests only
 * @returns whether there was an old one
 */
export function putInPlace(
  made: string,
  target: string,
  aside: string,
  exchange: Exchange | undefined = systemExchange(),
): boolean {
  if (!existsSync(target)) {
    renameSync(made, target);
    return false;
  }
  if (exchange?.(made, target)) {
    renameSync(made, aside);
    return true;
  }
  renameSync(target, aside);
  renameSync(made, target);
  return true;
}

/** A folder that is a mount of its own cannot be renamed. Its content can. */
export function isMount(
  path: string,
  stat: (path: string) => { dev: number } | undefined,
): boolean {
  const [own, parent] = [stat(path), stat(dirname(path))];
  return own !== undefined && parent !== undefined && own.dev !== parent.dev;
}

/**
 * The same for a mount, name by name: what was there goes to `aside`, which lies inside, then the new comes. Not one step; what a kill
 * leaves in `made` and `aside` is whole.
 */
export function putInside(made: string, target: string, aside: string): void {
  mkdirSync(aside, { mode: 0o700 });
  const own = new Set([basename(made), basename(aside)]);
  for (const name of readdirSync(target))
    if (!own.has(name) && !/^gateway\.[\w-]+\.lock/.test(name))
      renameSync(join(target, name), join(aside, name));
  for (const name of readdirSync(made)) renameSync(join(made, name), join(target, name));
  try {
    rmdirSync(made);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
  }
}
