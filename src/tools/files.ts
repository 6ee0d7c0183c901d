/** Opens and replaces files at a checked place, making sure that what is opened is what was checked. Used by read, write, edit. */
import { constants, lstatSync, renameSync, type Stats } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  stat,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import { realPathOf, removeIfThere } from "../base/fs.ts";
import { checkPath, namesIn, partIsFile, type Place, shorten, type Territory } from "./place.ts";

/** Not on Windows, where links need privileges to make. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
/** A FIFO without a writer would otherwise hang the open. */
const NO_WAIT = constants.O_NONBLOCK ?? 0;

/** What the system says, in words. Anything unknown passes unchanged. */
export async function fileError(cause: unknown, place: Place): Promise<unknown> {
  const name = shorten(place.given);
  const say = (code: "not_found" | "bad_request" | "forbidden", message: string, hint?: string) =>
    new AppError(code, message, { hint, cause });
  switch (errnoOf(cause)) {
    case "ENOENT":
      return say("not_found", `There is no file ${name}.`, await nearestName(place.path));
    case "ENOTDIR":
    case "EEXIST":
      return partIsFile(place.given, cause);
    case "EISDIR":
      return say("bad_request", `${name} is a directory.`);
    case "EACCES":
    case "EPERM":
      return say("forbidden", `The system does not permit access to ${name}.`);
    case "EROFS":
      return say("forbidden", `${name} is on a read-only file system.`);
    case "ENAMETOOLONG":
      return say("bad_request", `${name} is longer than the file system allows.`);
    case "ELOOP":
      return say("forbidden", `${name} is a loop of links, or became a link meanwhile.`);
    case "ENXIO":
      return say("bad_request", `${name} is not a regular file.`);
    default:
      return cause;
  }
}

/** Up to three names in the same directory that resemble the missing one. */
async function nearestName(path: string): Promise<string> {
  const wanted = basename(path).toLowerCase();
  const stem = wanted.replace(/\.[^.]*$/, "");
  const near = (await namesIn(dirname(path))).filter((name) => {
    const other = name.toLowerCase();
    return other === wanted || (stem.length > 2 && other.includes(stem));
  });
  return near.length > 0
    ? `Did you mean ${near
        .slice(0, 3)
        .map((name) => shorten(join(dirname(path), name)))
        .join(" or ")}?`
    : `It was looked for at ${shorten(path)}.`;
}

/**
 * Opens an existing regular file for reading; the caller closes it.
 * Throws not_found, bad_request (directory, device, FIFO, socket), forbidden.
 */
export async function openFile(
  place: Place,
  ctx: Territory,
): Promise<{ file: FileHandle; stats: Stats }> {
  let file: FileHandle | undefined;
  try {
    file = await open(place.path, constants.O_RDONLY | NO_FOLLOW | NO_WAIT);
    const stats = await file.stat();
    if (stats.isDirectory())
      throw new AppError("bad_request", `${shorten(place.given)} is a directory.`);
    if (!stats.isFile())
      throw new AppError("bad_request", `${shorten(place.given)} is not a regular file.`);
    await checkOpened(file, place, ctx);
    await checkHardLinks(stats, place, ctx);
    return { file, stats };
  } catch (cause) {
    await file?.close();
    throw await fileError(cause, place);
  }
}

const moved = (place: Place) =>
  new AppError("forbidden", `${shorten(place.given)} changed its place while it was opened.`, {
    hint: "Try again.",
  });

/** A directory on the way may have been swapped for a link between the check and the open. */
async function checkOpened(file: FileHandle, place: Place, ctx: Territory): Promise<void> {
  const real =
    process.platform === "linux"
      ? await readlink(`/proc/self/fd/${file.fd}`)
      : await realpath(place.path);
  if (real !== place.path) {
    checkPath(real, place.given, place.use, ctx);
    throw moved(place);
  }
  if (process.platform === "linux") return;
  const [opened, named] = [await file.stat(), await stat(place.path)];
  if (opened.ino !== named.ino || opened.dev !== named.dev) throw moved(place);
}

/** How many entries of the closed directories are compared with a file that has several names, those at the top first. */
const LINK_SEARCH = 500;

/** A second name (hard link) of a closed file is as closed as the first. */
async function checkHardLinks(stats: Stats, place: Place, ctx: Territory): Promise<void> {
  if (stats.nlink < 2) return;
  const workspace = realPathOf(ctx.workspace);
  const queue = ctx.denied.map((root) => realPathOf(root));
  for (let i = 0; i < queue.length && i < LINK_SEARCH; i++) {
    const path = queue[i]!;
    const found = await lstat(path).catch(missing);
    if (found?.isFile() && found.ino === stats.ino && found.dev === stats.dev)
      checkPath(path, place.given, place.use, ctx);
    if (found?.isDirectory() && path !== workspace && queue.length < LINK_SEARCH)
      for (const name of await namesIn(path)) queue.push(join(path, name));
  }
}

function missing(cause: unknown): undefined {
  if (!["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) throw cause;
  return undefined;
}

/** A rename that cannot replace: the file is a mount of its own, or its directory is not ours. */
const IN_PLACE = new Set(["EBUSY", "EXDEV", "EACCES", "EPERM", "ETXTBSY"]);

/**
 * Writes a whole file: readers see the old content or the new one, never half of it. Makes missing parents. Keeps mode and owner
 * of an existing file. With `seen` (its stats when it was read) it refuses to undo somebody else's change in between.
 * Throws bad_request, forbidden, disk_full, busy; then nothing has changed.
 */
export async function replaceFile(
  place: Place,
  data: Uint8Array,
  ctx: Territory,
  seen?: Stats,
): Promise<void> {
  try {
    const old = await lstat(place.path).catch(missing);
    if (old?.isDirectory())
      throw new AppError("bad_request", `${shorten(place.given)} is a directory.`);
    if (old && !old.isFile())
      throw new AppError("bad_request", `${shorten(place.given)} is not a regular file.`);
    await mkdir(dirname(place.path), { recursive: true });
    if (old) await checkHardLinks(old, place, ctx);
    const temporary = join(dirname(place.path), `.${crypto.randomUUID()}.tmp`);
    try {
      await fillNew(temporary, data, place, ctx, old);
      // Both at once: between two awaits another edit of the same file could finish and be lost.
      checkUnchanged(place, seen);
      renameSync(temporary, place.path);
    } catch (cause) {
      await removeIfThere(temporary);
      if (!old || !IN_PLACE.has(errnoOf(cause) ?? "")) throw cause;
      await overwrite(data, place, ctx);
    }
  } catch (cause) {
    throw await fileError(cause, place);
  }
}

async function fillNew(
  temporary: string,
  data: Uint8Array,
  place: Place,
  ctx: Territory,
  old: Stats | undefined,
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
  const file = await open(temporary, flags, 0o666);
  try {
    await checkOpened(file, { ...place, path: temporary }, ctx);
    const own = await file.stat();
    if (old && (old.uid !== own.uid || old.gid !== own.gid)) await file.chown(old.uid, old.gid);
    if (old && process.platform !== "win32") await file.chmod(old.mode & 0o7777);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

function checkUnchanged(place: Place, seen: Stats | undefined): void {
  if (!seen) return;
  const now = lstatSync(place.path, { throwIfNoEntry: false });
  if (!now || now.ino !== seen.ino || now.size !== seen.size || now.mtimeMs !== seen.mtimeMs)
    throw new AppError("busy", `${shorten(place.given)} was changed by somebody else meanwhile.`, {
      hint: "Read it again and repeat the change.",
    });
}

async function overwrite(data: Uint8Array, place: Place, ctx: Territory): Promise<void> {
  const file = await open(place.path, constants.O_WRONLY | NO_FOLLOW | NO_WAIT);
  try {
    await checkOpened(file, place, ctx);
    await file.truncate(0);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The names in a directory, directories with a slash, at most `limit`; `more` counts the rest. */
export async function listDirectory(
  place: Place,
  limit: number,
): Promise<{ names: string[]; more: number }> {
  const entries = await readdir(place.path, { withFileTypes: true }).catch(async (cause) => {
    throw await fileError(cause, place);
  });
  if (realPathOf(place.path) !== place.path) throw moved(place);
  const names = entries.map((e) => (e.isDirectory() ? `${e.name}/` : e.name)).sort();
  return { names: names.slice(0, limit), more: Math.max(0, names.length - limit) };
}
