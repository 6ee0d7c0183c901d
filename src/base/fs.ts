/** Files that must never be half written, and folders that others must not read. */
import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import {
  chown,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { AppError, errnoOf } from "./errors.ts";

/** Links are followed this often before they count as a loop, as the kernel does. */
const LINKS_MAX = 40;

/** The real path, also of what does not exist yet: symbolic links are followed as far as there is something. */
export function realPathOf(path: string, links = 0): string {
  const whole = resolve(path);
  try {
    return realpathSync.native(whole);
  } catch (cause) {
    const code = errnoOf(cause);
    const parent = dirname(whole);
    // A loop of links has no real path; the caller's own access to it will fail with a better message.
    if ((code !== "ENOENT" && code !== "ENOTDIR") || parent === whole || links >= LINKS_MAX)
      return whole;
    const place = join(realPathOf(parent, links + 1), basename(whole));
    const link = lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink();
    return link ? realPathOf(resolve(dirname(place), readlinkSync(place)), links + 1) : place;
  }
}

/** Makes a folder and its parents with `mode` (an existing one keeps its own). Throws store_failed when something else is there. */
export async function ensureDir(path: string, mode = 0o700): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "EEXIST" || code === "ENOTDIR")
      throw new AppError("store_failed", `${path} is not a folder.`, { cause });
    throw cause;
  }
  if (!(await stat(path)).isDirectory())
    throw new AppError("store_failed", `${path} is not a folder.`);
}

/**
 * Makes a folder that nobody else can get at, in a place where everybody can write (the temp dir).
 * Throws forbidden when somebody else made it first or it is a link.
 */
export async function ensurePrivateDir(path: string): Promise<void> {
  await ensureDir(path, 0o700);
  const found = await lstat(path);
  const uid = process.getuid?.();
  const foreign = uid !== undefined && found.uid !== uid;
  if (found.isSymbolicLink() || foreign || (uid !== undefined && (found.mode & 0o022) !== 0))
    throw new AppError(
      "forbidden",
      `${path} belongs to somebody else, or others can write to it.`,
      {
        hint: "Remove it, or set TMPDIR to a folder of your own.",
      },
    );
}

async function syncDir(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const dir = await open(path, "r");
  try {
    await dir.sync();
  } catch (cause) {
    // Some network and FUSE file systems cannot sync a folder; the file itself is safe already.
    if (!["EINVAL", "ENOTSUP", "EPERM", "EBADF"].includes(errnoOf(cause) ?? "")) throw cause;
  } finally {
    await dir.close();
  }
}

async function fill(file: FileHandle, data: string | Uint8Array, mode: number): Promise<void> {
  try {
    await file.writeFile(data);
    if (process.platform !== "win32") await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Rename is impossible over a file that is itself a mount (Docker) or on another device. */
const NO_RENAME = new Set(["EBUSY", "EXDEV", "ETXTBSY"]);

/** As one word of a shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The command by which root gives a file, or a folder with all that is in it, to this program's user. */
export const ownCommand = (path: string, whole = false): string =>
  `chown ${whole ? "-R " : ""}${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0} ${shellWord(path)}`;

/** The command after which this program's user can write to a folder that is there: its owner's, else root's. */
export function writeCommand(folder: string): string {
  try {
    if (statSync(folder).uid === process.getuid?.()) return `chmod u+rwx ${shellWord(folder)}`;
  } catch (cause) {
    // In a folder that may not be entered nobody but root can say whose it is.
    if (errnoOf(cause) !== "EACCES") throw cause;
  }
  return `sudo ${ownCommand(folder, true)}`;
}

/**
 * A file that root makes in somebody else's folder is that person's: the gateway of a container could not read what
 * `docker exec -u 0` or `fly ssh console` wrote into its state otherwise. What was there keeps its owner.
 * @param target whose owner counts, or that of its folder when it is not there
 */
export async function giveToOwner(file: string, target: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const like =
    lstatSync(target, { throwIfNoEntry: false }) ??
    lstatSync(dirname(target), { throwIfNoEntry: false });
  if (!like || like.uid === 0) return;
  try {
    await chown(file, like.uid, like.gid);
  } catch (cause) {
    // Root without that power (a container with dropped capabilities), or a file system without owners.
    if (!["EPERM", "EINVAL", "ENOTSUP", "EROFS"].includes(errnoOf(cause) ?? "")) throw cause;
  }
}

/**
 * Replaces a file as a whole: readers and a power cut see the old content or the new one. A symbolic link stays a link; its
 * target is replaced. Where the file is a mount of its own, it is overwritten in place, after a complete copy lies beside it
 * (`<name>.<pid>.<uuid>.tmp`, kept if that overwrite fails). Throws the system error; nothing else is left behind.
 * `move` is for tests, which cannot make a mount.
 */
export async function atomicWrite(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, move = rename }: { mode?: number; move?: typeof rename } = {},
): Promise<void> {
  const target = realPathOf(path);
  const temporary = `${target}.${process.pid}.${crypto.randomUUID()}.tmp`;
  try {
    await fill(await open(temporary, "wx", mode), data, mode);
    await giveToOwner(temporary, target);
  } catch (cause) {
    await removeIfThere(temporary);
    throw cause;
  }
  try {
    await move(temporary, target);
  } catch (cause) {
    if (!NO_RENAME.has(errnoOf(cause) ?? "")) {
      await removeIfThere(temporary);
      throw cause;
    }
    await fill(await open(target, "r+").then(emptied), data, mode);
    await removeIfThere(temporary);
  }
  await syncDir(dirname(target));
}

async function emptied(file: FileHandle): Promise<FileHandle> {
  await file.truncate(0);
  return file;
}

/** The text of a file; empty when there is none. For small files: it is read whole. */
export async function readTextIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return "";
    throw cause;
  }
}

/** Longest end of a log that `lastLines` looks at, in bytes. */
const TAIL_BYTES = 64 * 1024;

/** The last lines of a log, without empty ones; none for a file that is not there or may not be read. */
export async function lastLines(path: string, count: number): Promise<string[]> {
  try {
    const file = Bun.file(path);
    const tail = await file.slice(Math.max(0, file.size - TAIL_BYTES)).text();
    return tail.split("\n").filter(Boolean).slice(-count);
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return [];
  }
}

/** Removes a file; one that is not there is fine. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
  }
}

/** Whether there is a process of this number, of whatever user. */
export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return errnoOf(cause) === "EPERM";
  }
};

/** Older than this, a temporary file is left over even if some process has its pid again, in ms. */
const STALE_MS = 3_600_000;

/**
 * Removes what a killed `atomicWrite` of this file left behind. Gives the names that were removed.
 * Called once at start, under the gateway's lock.
 */
export async function removeStaleTemps(path: string, now = Date.now()): Promise<string[]> {
  const target = realPathOf(path);
  const dir = dirname(target);
  const prefix = `${basename(target)}.`;
  const removed: string[] = [];
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
  for (const name of names) {
    const match =
      name.startsWith(prefix) && /^(\d+)\.[0-9a-f-]{36}\.tmp$/.exec(name.slice(prefix.length));
    if (!match) continue;
    const file = join(dir, name);
    const found = await lstat(file);
    if (alive(Number(match[1])) && now - found.mtimeMs < STALE_MS) continue;
    await removeIfThere(file);
    removed.push(name);
  }
  return removed;
}
