/**
 * The lock of a running gateway. The kernel holds it (`flock`), so it ends with the process, however that ends: a file that was left
 * behind never stops a start. The file's content only tells others who holds it and where.
 * Where `flock` cannot be called (Windows, a static program, a file system without it), SQLite's own lock on a file beside it is used.
 */
import { dlopen } from "bun:ffi";
import { Database } from "bun:sqlite";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";

import { z } from "zod";

import { AppError, errnoOf } from "./errors.ts";

const LockBody = z.object({
  pid: z.int(),
  /** Absent until the port is open; `Lock.update` adds it. */
  port: z.int().optional(),
  bind: z.string().optional(),
  bootId: z.string(),
  version: z.string(),
  /** Epoch ms. */
  startedAt: z.number(),
});
export type LockBody = z.infer<typeof LockBody>;

export type Lock = {
  /** Replaces the body that others read. */
  update(body: LockBody): void;
  /**
   * Makes the file again, and locks that, when somebody removed it: the published remedy for a lock that stayed behind is `rm -f`.
   * False when another process has taken the new file meanwhile. Cheap; called now and then by the owner.
   */
  keep(): boolean;
  /** Gives the lock free. The file stays: without it two later processes could each lock a file of their own. */
  release(): void;
};

/** Who holds a lock whose file does not say it: it was taken this moment, or a person wrote into the file. */
const UNKNOWN: LockBody = { pid: 0, bootId: "", version: "", startedAt: 0 };

/** A look at the lock (`readLock`) holds it for microseconds; so a refusal is only believed after some tries. */
const TRIES = 6;
const TRY_MS = 8;
const MAX_BODY = 64 * 1024;
const EXCLUSIVE_NOW = 2 | 4;
const SHARED_NOW = 1 | 4;

/** Databases that are a lock. One that nothing refers to would be collected, and its lock with it. */
const held = new Set<Database>();

type Flock = (file: number, operation: number) => number;

/**
 * The C library that this process runs on, as `dlopen` takes it. By its full path, because by name alone a file in the current
 * directory could be loaded, and a machine may have a second C library. Undefined in a static program and on Windows.
 */
export function cLibrary(): string | undefined {
  if (process.platform === "darwin") return "/usr/lib/libSystem.B.dylib";
  if (process.platform !== "linux") return undefined;
  const files = loadedFiles();
  const path = /\/\S*\/(?:libc\.so\.6|libc-2\.\d+\.so|ld-musl-\S+|libc\.musl-\S+)$/m.exec(
    files,
  )?.[0];
  // A portable executable loads the library that it carries from a file without a name (scripts/portable/stub/stub.c). It is
  // loaded already, so its own name finds it, and no file is looked for.
  const carried = /\/(?:memfd:libc\.so\.6|#\d+) \(deleted\)$/m.test(files);
  return path ?? (carried ? "libc.so.6" : undefined);
}

/** Undefined where there is no C library to be had. */
function findFlock(): Flock | undefined {
  const library = cLibrary();
  if (library === undefined) return undefined;
  return dlopen(library, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock;
}

function loadedFiles(): string {
  try {
    return readFileSync("/proc/self/maps", "utf8");
  } catch (cause) {
    // A container without /proc.
    if (errnoOf(cause) === "ENOENT") return "";
    throw cause;
  }
}

/**
 * Takes the lock and writes `body` into the file. Gives the owner's body when another process holds it (`pid` is 0 when the file does
 * not say who); tell them apart by `"release" in result`. Throws start_refused when the file cannot be used.
 * `flock` is an argument for tests only: null stands for a system without it.
 */
export function acquireLock(
  path: string,
  body: LockBody,
  flock: Flock | undefined | null = findFlock(),
): Lock | LockBody {
  for (let tries = 1; ; tries++) {
    const lock = tryLock(path, body, flock);
    if (lock) return lock;
    if (tries === TRIES) return readBody(path) ?? UNKNOWN;
    Bun.sleepSync(TRY_MS);
  }
}

/** Whether a process holds the lock, and what the file says; the body of a lock that nobody holds is what was left behind. */
export function readLock(
  path: string,
  flock: Flock | undefined | null = findFlock(),
): { held: boolean; body: LockBody | undefined } {
  const body = readBody(path);
  const file = openExisting(path);
  if (file === undefined) return { held: false, body };
  try {
    if (flock?.(file, SHARED_NOW) === 0) return { held: false, body };
    return { held: (flock && worksBeside(path, flock)) || databaseIsLocked(path), body };
  } finally {
    closeSync(file);
  }
}

/** Who holds the lock; undefined when nobody does. Its `pid` is 0 when the file does not say. */
export function lockOwner(path: string): LockBody | undefined {
  const { held, body } = readLock(path);
  return held ? (body ?? UNKNOWN) : undefined;
}

function tryLock(path: string, body: LockBody, flock: Flock | null | undefined): Lock | undefined {
  let grip = grasp(path, flock);
  if (!grip) return undefined;
  let latest = body;
  const write = () => {
    // One line, written over the old one in one call and then cut, so that a reader's first line is always whole.
    const text = Buffer.from(`${JSON.stringify(latest)}\n`);
    writeSync(grip!.file, text, 0, text.length, 0);
    ftruncateSync(grip!.file, text.length);
  };
  write();
  let open = true;
  return {
    update(next) {
      latest = next;
      write();
    },
    keep() {
      if (!open || isNamed(grip!.file, path)) return true;
      const { file, database } = grip!;
      // With SQLite's lock the file only carries the body.
      const again = database ? { file: openLockFile(path), database } : grasp(path, flock);
      if (!again) return false;
      closeSync(file);
      grip = again;
      write();
      return true;
    },
    release() {
      if (!open) return;
      open = false;
      letGo(grip!);
    },
  };
}

/** A held lock: the open file, and the database where `flock` does not work. */
type Grip = { file: number; database: Database | undefined };

/** Undefined when another process holds it, or removed the file this moment. */
function grasp(path: string, flock: Flock | null | undefined): Grip | undefined {
  const file = openLockFile(path);
  const free = (): undefined => void closeSync(file);
  if (flock?.(file, EXCLUSIVE_NOW) === 0)
    // Somebody may have removed the file between open and lock; a lock on what has no name protects nothing.
    return isNamed(file, path) ? { file, database: undefined } : free();
  if (flock && worksBeside(path, flock)) return free();
  const database = lockDatabase(path);
  if (!database) return free();
  held.add(database);
  return { file, database };
}

function letGo({ file, database }: Grip): void {
  closeSync(file);
  if (!database) return;
  held.delete(database);
  database.close(true);
}

const isNamed = (file: number, path: string): boolean =>
  fstatSync(file).ino === statSync(path, { throwIfNoEntry: false })?.ino;

/** Bun opens with O_CLOEXEC, so children do not inherit the lock (lock.test.ts checks it). */
function openLockFile(path: string): number {
  try {
    return openPrivate(path);
  } catch (cause) {
    if (errnoOf(cause) !== "EISDIR") throw refused(path, cause);
  }
  try {
    // Docker makes a directory where a file to mount was missing.
    renameSync(path, `${path}.aside-${Date.now()}`);
    return openPrivate(path);
  } catch (cause) {
    throw refused(path, cause);
  }
}

function openPrivate(path: string): number {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    fchmodSync(file, 0o600);
  } catch (cause) {
    // Somebody else's file, which we may write nevertheless. Nothing secret is in it.
    if (!["EPERM", "EROFS", "ENOTSUP"].includes(errnoOf(cause) ?? "")) throw cause;
  }
  return file;
}

const refused = (path: string, cause: unknown) =>
  new AppError("start_refused", `The lock file ${path} cannot be used.`, {
    cause,
    hint: "Check the permissions of the state directory, or remove the file.",
  });

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (cause) {
    // Nobody has ever locked here, or the folder is somebody else's and nothing can be known; taking the lock says so then.
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) return undefined;
    throw refused(path, cause);
  }
}

/** Undefined when there is no file, or its content is not a body (half written, by hand, a directory). */
function readBody(path: string): LockBody | undefined {
  const file = openExisting(path);
  if (file === undefined) return undefined;
  try {
    if (!fstatSync(file).isFile()) return undefined;
    const bytes = Buffer.alloc(MAX_BODY);
    const line = bytes.toString("utf8", 0, readSync(file, bytes, 0, MAX_BODY, 0)).split("\n")[0]!;
    return LockBody.safeParse(JSON.parse(line)).data;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  } finally {
    closeSync(file);
  }
}

/** A failed `flock` means "taken" only where `flock` works: some network volumes refuse every call. */
function worksBeside(path: string, flock: Flock): boolean {
  const probe = `${path}.probe-${process.pid}`;
  const file = openSync(probe, "w", 0o600);
  try {
    return flock(file, EXCLUSIVE_NOW) === 0;
  } finally {
    closeSync(file);
    rmSync(probe, { force: true });
  }
}

/** SQLite's exclusive lock on `<path>.db`, held as long as the connection. Undefined when another process has it. */
function lockDatabase(path: string): Database | undefined {
  const database = new Database(`${path}.db`);
  try {
    database.run("PRAGMA busy_timeout = 0");
    database.run("BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database.close(true);
    if (errnoOf(cause)?.startsWith("SQLITE_BUSY")) return undefined;
    throw refused(`${path}.db`, cause);
  }
}

function databaseIsLocked(path: string): boolean {
  const database = lockDatabase(path);
  database?.close(true);
  return database === undefined;
}
