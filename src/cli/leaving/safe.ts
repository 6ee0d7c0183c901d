/**
 * Which folders may be removed at all, and removing them. A wrong variable or a link must never cost anybody more than this program's
 * own files, so every path is looked at again right before it goes. Links are removed, never followed.
 */
import { lstatSync, readdirSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";

import { AppError, errnoOf } from "../../base/errors.ts";
import { realPathOf, shellWord } from "../../base/fs.ts";

/** Whether `path` is `folder` or lies inside it. Both absolute. */
export const isInside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/**
 * Throws forbidden for a folder whose removal would take more than what is in it for us: the root, the home folder or one above it,
 * and a link, whose end may be anywhere. With `whole`, when all that is in it would go, also a folder right below the root, such as
 * `/usr`; a volume such as `/data` is a usual place for the state, of which only our own names go. What is not there passes.
 */
export function refuseUnsafe(path: string, home: string, { whole = false } = {}): void {
  const place = resolve(path);
  const refuse = (why: string, hint: string): never => {
    throw new AppError("forbidden", `${place} is not removed: ${why}.`, { hint });
  };
  const named = "Name another folder, or remove what is in it by hand.";
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) {
    const end = realPathOf(place);
    refuse(
      `it is a link to ${end}`,
      `Look at what is there. To go on without it, remove the link: rm ${shellWord(place)}`,
    );
  }
  for (const each of new Set([place, realPathOf(place)])) {
    if (dirname(each) === each) refuse("it is the root of the file system", named);
    if (isInside(resolve(home), each) || isInside(realPathOf(home), each))
      refuse("it is the home folder, or holds it", named);
    if (whole && dirname(dirname(each)) === dirname(each))
      refuse("it is a folder of the whole machine", named);
  }
}

export type Failed = { path: string; why: string };

/** Removes a file, a link or a folder with everything in it. Gives why not, for what the system refuses; absent is removed. */
export async function removeTree(path: string): Promise<Failed | undefined> {
  try {
    await rm(path, { recursive: true, force: true });
    return undefined;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    return { path, why: code };
  }
}

/** Removes a folder that has nothing in it any more. False when it stays. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    return code === "ENOENT";
  }
}

/** The names in a folder; none when it is not there or is none. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw cause;
  }
}

/** Whether something is there, a link without an end too. */
export const isThere = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false }) !== undefined;
