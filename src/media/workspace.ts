/** A file of an agent's workspace that is to be sent: copied at once, so that it is there as it was when it is sent. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import { realPathOf } from "../base/fs.ts";
import type { MediaRef } from "../flow.ts";
import { asFull, type MediaStore, refOf, tooLarge } from "./store.ts";

export type Taking = {
  /** As the model wrote it: `./out/chart.png`. */
  path: string;
  /** Absolute. */
  workspace: string;
  /** Folders and files that nobody gets, absolute. */
  denied: readonly string[];
  maxBytes: number;
};

const PIECE = 1 << 20;
/** Never waits: opening a pipe would, until somebody writes into it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * Copies it into the outbound box. Not asynchronous: it stands in the same unit as the end of a turn, and 100 MB take less than a
 * tenth of a second. Throws `forbidden`, `not_found`, `media_too_large`, `disk_full`.
 */
export function takeFile(store: MediaStore, taking: Taking): MediaRef {
  const { path, maxBytes } = taking;
  const real = checked(taking);
  const input = opened(real, path);
  try {
    const about = fstatSync(input);
    if (!about.isFile()) throw new AppError("forbidden", `${shown(path)} is not a file.`);
    // What was opened is what was checked, also if somebody changed a folder into a link meanwhile.
    const now = statSync(real);
    if (checked(taking) !== real || now.ino !== about.ino || now.dev !== about.dev)
      throw new AppError("forbidden", `${shown(path)} changed while it was opened.`);
    if (about.size > maxBytes) throw tooLarge(maxBytes, about.size);
    return copied(store, input, basename(real), maxBytes);
  } finally {
    closeSync(input);
  }
}

/** The real path. Throws for one that leads out of the workspace, or to what nobody gets. */
function checked({ path, workspace, denied }: Taking): string {
  if (
    isAbsolute(path) ||
    path.startsWith("~") ||
    path.split(/[/\\]/).includes("..") ||
    path.includes("\0")
  )
    throw outside(path);
  const root = realOf(workspace, path);
  const real = realOf(resolve(root, path), path);
  if (real === root || !isInside(real, root)) throw outside(path);
  // A workspace inside of a closed folder is open; a closed folder inside of a workspace is not.
  // A closed folder may itself be named by a link.
  const shut = denied.map((each) => realPathOf(each));
  if (shut.some((each) => each.length > root.length && isInside(real, each))) throw outside(path);
  return real;
}

const outside = (path: string): AppError =>
  new AppError("forbidden", `${shown(path)} is not a file of the workspace.`, {
    hint: "Copy it into the workspace and name it as ./file.",
  });

function realOf(path: string, given: string): string {
  try {
    return realpathSync.native(path);
  } catch (cause) {
    if (!errnoOf(cause)) throw cause;
    throw new AppError("not_found", `There is no file ${shown(given)} in the workspace.`, {
      cause,
    });
  }
}

function opened(real: string, given: string): number {
  try {
    return openSync(real, READ);
  } catch (cause) {
    if (!errnoOf(cause)) throw cause;
    throw new AppError("forbidden", `${shown(given)} cannot be read.`, { cause });
  }
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function copied(store: MediaStore, input: number, name: string, maxBytes: number): MediaRef {
  const place = store.newFile("outbound");
  try {
    const output = openSync(place.part, "wx", 0o600);
    const piece = Buffer.alloc(PIECE);
    let head: Uint8Array = new Uint8Array(0);
    let size = 0;
    try {
      for (let read = readSync(input, piece); read > 0; read = readSync(input, piece)) {
        size += read;
        if (size > maxBytes) throw tooLarge(maxBytes, size);
        if (!head.length) head = Uint8Array.from(piece.subarray(0, Math.min(read, 4_100)));
        for (let done = 0; done < read;) done += writeSync(output, piece, done, read - done);
      }
      fsyncSync(output);
    } finally {
      closeSync(output);
    }
    const ref = refOf(place, "outbound", { head, size }, { mime: Bun.file(name).type, name });
    renameSync(place.part, join(place.root, ref.file!));
    return ref;
  } catch (cause) {
    rmSync(place.part, { force: true });
    throw asFull(cause);
  }
}

const shown = (path: string): string => path.replace(/[\x00-\x1f\x7f]/g, "?").slice(0, 200);
