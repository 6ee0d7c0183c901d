/** The file of a service on the disk: read within bounds, replaced as a whole, and put back when the supervisor does not take it. */
import { existsSync } from "node:fs";
import { copyFile, open, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import { atomicWrite, ensureDir, ownCommand, removeIfThere } from "../base/fs.ts";
import type { Definition } from "./service.ts";

/** Larger than any service's file, in bytes. */
const MAX_BYTES = 256 * 1024;

/** The whole file; undefined when there is none or it cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    // Whatever the reason: it is not what we want to have there.
    return undefined;
  }
}

/** Undefined when there is none. A file that cannot be read or parsed gives an empty definition, so that it is found and repaired. */
export async function readService(
  path: string,
  parse: (text: string) => Definition,
): Promise<Definition | undefined> {
  const empty: Definition = { command: [], environment: {}, source: path, settings: {} };
  try {
    const file = await open(path, "r");
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > MAX_BYTES) return empty;
      return parse(await file.readFile("utf8"));
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // A link into the void, no permission, or text that is no such file.
    if (code !== undefined || cause instanceof SyntaxError) return empty;
    throw cause;
  }
}

/** Throws service_failed with the remedy, or disk_full, when a file of a service cannot be written. */
function cannotWrite(path: string, cause: unknown): never {
  const code = errnoOf(cause) ?? (cause instanceof AppError ? "not a folder" : "");
  if (code === "ENOSPC" || code === "EDQUOT")
    throw new AppError("disk_full", `There is no space to write ${path}.`, {
      cause,
      hint: "Free some disk space and repeat the command; nothing was changed.",
    });
  if (code === "" || code === "ENAMETOOLONG") throw cause;
  const folder = dirname(path);
  throw new AppError("service_failed", `${path} cannot be written (${code}).`, {
    cause,
    hint:
      code === "EROFS"
        ? `${folder} is on a read-only file system.`
        : `Does ${folder} belong to you? If not: sudo ${ownCommand(folder, true)}`,
  });
}

/**
 * Writes the file and lets `take` tell the supervisor. When that fails, the former file is put back, `retell` says so to the
 * supervisor as far as it listens (it must not throw), and the failure is thrown.
 */
export async function replaceService(
  path: string,
  text: string | Uint8Array,
  mode: number,
  take: () => Promise<void>,
  retell: () => Promise<unknown>,
): Promise<void> {
  let before: Buffer | undefined;
  try {
    before = existsSync(path) ? await readFile(path) : undefined;
    await ensureDir(dirname(path), 0o755);
    await atomicWrite(path, text, { mode });
  } catch (cause) {
    cannotWrite(path, cause);
  }
  try {
    await take();
  } catch (cause) {
    if (before) await atomicWrite(path, before, { mode });
    else await removeIfThere(path);
    await retell();
    throw cause;
  }
}

export async function removeService(path: string): Promise<void> {
  try {
    await removeIfThere(path);
  } catch (cause) {
    cannotWrite(path, cause);
  }
}

/** Where a file of this name can be put into `folder`, which is made. */
async function freePlace(path: string, folder: string): Promise<string> {
  await ensureDir(folder);
  let to = join(folder, basename(path));
  for (let n = 1; existsSync(to); n++) to = join(folder, `${basename(path)}.${n}`);
  return to;
}

/** Copies a service's file into `folder`, under a name that is free there. Gives the new path. */
export async function copyAside(path: string, folder: string): Promise<string> {
  const to = await freePlace(path, folder);
  await copyFile(path, to);
  return to;
}

/** Moves a service's file into `folder`, under a name that is free there. Gives the new path; undefined when there is no file. */
export async function moveAside(path: string, folder: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const to = await freePlace(path, folder);
  try {
    await rename(path, to);
  } catch (cause) {
    if (errnoOf(cause) !== "EXDEV") cannotWrite(to, cause);
    await atomicWrite(to, await readFile(path), { mode: 0o600 });
    await removeIfThere(path);
  }
  return to;
}
