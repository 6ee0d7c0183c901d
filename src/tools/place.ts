/**
 * Where a path given by a model really leads, and whether a tool may go there. The model is assumed hostile, so everything is
 * decided on the real path, and files.ts checks once more that what it opened is what was decided on.
 */
import { readdir, realpath } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import { realPathOf } from "../base/fs.ts";
import type { ToolContext } from "./tool.ts";

/** The part of a tool's context that decides about paths. */
export type Territory = Pick<
  ToolContext,
  "workspace" | "denied" | "env" | "readable" | "workspaceOnly"
>;

/** A path that was checked. `path` is real: no link in it, except that the last parts may not exist yet. */
export type Place = { path: string; given: string; use: "read" | "edit" | "write" };

/** Longer is refused before the file system sees it. */
const MAX_PATH = 4096;
/** Not files: asking them can hang, leak the process's memory or change the machine. */
const SYSTEM_DIRS = ["/proc", "/sys", "/dev"];
/** Keys and credentials of the user, under the home directory. */
const SECRET_DIRS = [".ssh", ".aws", ".gnupg"];
/** Spaces that look like a space; macOS puts U+202F into the names of screenshots. */
const ODD_SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
const IGNORES_CASE = process.platform === "darwin" || process.platform === "win32";
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i;

/** Checks a path for `use`. Throws bad_request (malformed) or forbidden. Says nothing about whether something is there. */
export async function placeFor(given: string, use: Place["use"], ctx: Territory): Promise<Place> {
  const lexical = absolutePath(given, ctx);
  const path = realPath(use === "write" ? lexical : await existingSpelling(lexical), given);
  checkPath(path, given, use, ctx);
  return { path, given, use };
}

function realPath(path: string, given: string): string {
  try {
    return realPathOf(path);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOTDIR") throw cause;
    throw partIsFile(given, cause);
  }
}

export const partIsFile = (given: string, cause: unknown): AppError =>
  new AppError("not_found", `A part of ${shorten(given)} is a file, not a directory.`, { cause });

/** Throws forbidden when this real path is closed for `use`. */
export function checkPath(path: string, given: string, use: Place["use"], ctx: Territory): void {
  const workspace = realPathOf(ctx.workspace);
  const open = [
    workspace,
    ...(use === "read" ? (ctx.readable ?? []).map((p) => realPathOf(p)) : []),
  ];
  const closed = [...SYSTEM_DIRS, ...withRealPaths([...secretDirs(ctx.env), ...ctx.denied])];
  // The deepest rule wins: a workspace inside the closed state directory is open, a closed file inside a workspace is not.
  const depth = (roots: string[]) =>
    Math.max(-1, ...roots.filter((root) => isInside(path, root)).map((root) => root.length));
  if (depth(closed) >= 0 && depth(closed) >= depth(open))
    throw new AppError("forbidden", `${shorten(given)} is closed to tools.`, {
      hint: "System devices, keys and the assistant's own state cannot be read or written. Ask the user to copy what is needed into the workspace.",
    });
  if (ctx.workspaceOnly && depth(open) < 0)
    throw new AppError("forbidden", `${shorten(given)} is outside the workspace.`, {
      hint: `Only files in ${ctx.workspace} can be used here.`,
    });
}

/** Whether `path` is `root` or below it, the way this platform compares names. */
export function isInside(path: string, root: string): boolean {
  const way = relative(folded(root), folded(path));
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

const folded = (path: string) => (IGNORES_CASE ? path.normalize("NFC").toLowerCase() : path);

const secretDirs = (env: Record<string, string>): string[] =>
  homesOf(env).flatMap((home) => SECRET_DIRS.map((name) => join(home, name)));

/** A closed directory may itself be a link; both of its names are closed. */
const withRealPaths = (dirs: string[]): string[] => [
  ...new Set(dirs.flatMap((dir) => [dir, realPathOf(dir)])),
];

/** The home directory of the environment and the one of the account: a changed HOME opens nothing. */
function homesOf(env: Record<string, string>): string[] {
  const own = env["HOME"] ?? env["USERPROFILE"];
  return [
    ...new Set([own, userInfo().homedir].filter((home) => home !== undefined && isAbsolute(home))),
  ] as string[];
}

/** Turns what a model writes into an absolute path. Throws bad_request. */
export function absolutePath(given: string, ctx: Pick<Territory, "workspace" | "env">): string {
  const bad = (what: string, hint?: string) => new AppError("bad_request", what, { hint });
  if (!given.trim()) throw bad("The path is empty.");
  if (given.includes("\0")) throw bad("The path contains a NUL character.");
  if (given.length > MAX_PATH) throw bad(`The path is longer than ${MAX_PATH} characters.`);
  let path = given;
  if (/^file:/i.test(path)) path = pathOfUrl(path);
  else if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path))
    throw bad(`${shorten(given)} is an address, not a file.`, "Give a path.");
  if (path === "~" || path.startsWith("~/") || path.startsWith("~\\"))
    path = join(homesOf(ctx.env)[0]!, path.slice(1));
  else if (/^~[\w.-]*(?:[/\\]|$)/.test(path))
    throw bad(`${shorten(given)}: only ~ and ~/ are understood.`, "Write the whole path.");
  if (process.platform === "win32") {
    if (/^[\\/]{2}/.test(path)) throw bad(`${shorten(given)} is a network or device path.`);
    if (path.split(/[\\/]/).some((part) => WINDOWS_DEVICE.test(part)))
      throw bad(`${shorten(given)} is a device.`);
  }
  return resolve(ctx.workspace, path);
}

function pathOfUrl(url: string): string {
  try {
    return Bun.fileURLToPath(url);
  } catch (cause) {
    throw new AppError("bad_request", `${shorten(url)} is not an address of a local file.`, {
      hint: "Give a plain path.",
      cause,
    });
  }
}

/**
 * The path as it is spelled on the disk when it differs only in look-alike characters (spaces, composed letters, quotes);
 * otherwise unchanged.
 */
async function existingSpelling(path: string): Promise<string> {
  const missing: string[] = [];
  let base = path;
  while (!(await exists(base)) && dirname(base) !== base) {
    missing.unshift(basename(base));
    base = dirname(base);
  }
  let found = base;
  for (const name of missing) {
    const match = (await namesIn(found)).find((entry) => lookOf(entry) === lookOf(name));
    if (match === undefined) return path;
    found = join(found, match);
  }
  return found;
}

const lookOf = (name: string) =>
  name.normalize("NFKC").replace(ODD_SPACES, " ").replace(/[‘’]/g, "'").replace(/[“”]/g, '"');

async function exists(path: string): Promise<boolean> {
  try {
    await realpath(path);
    return true;
  } catch (cause) {
    // Whatever it is (missing, a loop, not permitted, too long): opening it will say so.
    if (errnoOf(cause)) return false;
    throw cause;
  }
}

/** The entries of a directory; none when it cannot be listed. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    if (errnoOf(cause)) return [];
    throw cause;
  }
}

/** For messages: a hostile path can be long and hold line breaks. */
export function shorten(path: string): string {
  const text = path.replace(/[\x00-\x1f\x7f]/g, "?");
  return text.length > 200 ? `${text.slice(0, 100)}...${text.slice(-90)}` : text;
}
