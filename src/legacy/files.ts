/** Reading an older state folder: nothing in it is changed, links lead nowhere outside of it, and what cannot be read is told. */
import { lstat, open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

import { errnoOf } from "../base/errors.ts";
import { isRecord, type Json } from "./diff.ts";
import type { Told } from "./report.ts";

/** Longest file that is read whole, in bytes. The largest of them, the list of sessions, has some ten MB. */
export const MAX_WHOLE = 256 * 1024 * 1024;
/** Names of one folder that are looked at. */
const MAX_NAMES = 1_000_000;

export type Found = { path: string; name: string; size: number; mtimeMs: number };

const REASONS: Record<string, string> = {
  EACCES: "it may not be read by this user",
  EPERM: "it may not be read by this user",
  ELOOP: "its link leads in a circle",
  EISDIR: "a folder is where a file should be",
  ENOTDIR: "a file is where a folder should be",
  EIO: "the disk cannot read it",
};

/** One older state folder. All names are relative to it, with `/` between the parts. */
export class Tree {
  private readonly own = process.getuid?.();
  private strangers = 0;

  private constructor(
    /** As it was named. */
    readonly dir: string,
    /** Without links on the way to it. */
    readonly real: string,
    private readonly told: Told,
  ) {}

  /** Undefined when there is no such folder, or it may not be entered (told). */
  static async open(dir: string, told: Told): Promise<Tree | undefined> {
    try {
      const real = await realpath(dir);
      if ((await stat(real)).isDirectory()) return new Tree(dir, real, told);
      told.problem({ path: dir, text: "it is no folder" });
      return undefined;
    } catch (cause) {
      const code = errnoOf(cause);
      if (code === undefined) throw cause;
      if (code !== "ENOENT") told.problem({ path: dir, text: reasonOf(code) });
      return undefined;
    }
  }

  /** A plain file inside of the folder; undefined when there is none or it cannot be used (told). */
  async file(name: string): Promise<Found | undefined> {
    const path = join(this.real, name);
    try {
      const real = await realpath(path);
      if (!this.holds(real)) {
        this.told.problem({
          path: name,
          text: "it is a link that leads out of the folder, and is not followed",
          hint: "Put the file itself there, then run it again.",
        });
        return undefined;
      }
      const found = await stat(real);
      if (!found.isFile()) {
        if (!found.isDirectory()) this.told.problem({ path: name, text: "it is no plain file" });
        return undefined;
      }
      if (this.own !== undefined && found.uid !== this.own) this.stranger(name, found.uid);
      await (await open(real, "r")).close();
      return { path: real, name, size: found.size, mtimeMs: found.mtimeMs };
    } catch (cause) {
      return this.unreadable(name, cause);
    }
  }

  /** Names in a folder, in order; none when it is not there. */
  async names(folder: string): Promise<string[]> {
    const path = join(this.real, folder);
    try {
      if (!this.holds(await realpath(path))) {
        this.told.problem({ path: folder, text: "it is a link that leads out of the folder" });
        return [];
      }
      return (await readdir(path)).sort().slice(0, MAX_NAMES);
    } catch (cause) {
      this.unreadable(folder, cause);
      return [];
    }
  }

  /** Whether something is there, of whatever kind. */
  async has(name: string): Promise<boolean> {
    try {
      await lstat(join(this.real, name));
      return true;
    } catch (cause) {
      const code = errnoOf(cause);
      if (code === undefined) throw cause;
      return false;
    }
  }

  /** A small file's text. */
  async text(name: string): Promise<string | undefined> {
    const found = await this.file(name);
    if (!found) return undefined;
    if (found.size > MAX_WHOLE) {
      this.told.problem({ path: name, text: "it is larger than 256 MB" });
      return undefined;
    }
    try {
      return await readFile(found.path, "utf8");
    } catch (cause) {
      return this.unreadable(name, cause);
    }
  }

  /** The object in a JSON file; a missing file and a broken one (told) are undefined. Comments and trailing commas are fine. */
  async object(name: string): Promise<Json | undefined> {
    const text = await this.text(name);
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (isRecord(value)) return value;
    this.told.problem({
      path: name,
      text: text.trim() ? "it is no JSON object, so nothing of it is used" : "it is empty",
    });
    return undefined;
  }

  /** Says once how many files belong to somebody else. */
  sayStrangers(): void {
    if (this.strangers > 1)
      this.told.problem({
        path: ".",
        text: `${this.strangers} files belong to another user; they were read all the same`,
      });
    this.strangers = 0;
  }

  private stranger(name: string, uid: number): void {
    this.strangers += 1;
    if (this.strangers === 1)
      this.told.problem({ path: name, text: `it belongs to the user ${uid}; it was read anyway` });
  }

  private holds(real: string): boolean {
    const way = relative(this.real, real);
    return way === "" || (!isAbsolute(way) && way !== ".." && !way.startsWith(`..${sep}`));
  }

  private unreadable(name: string, cause: unknown): undefined {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    if (code !== "ENOENT") this.told.problem({ path: name, text: reasonOf(code) });
    return undefined;
  }
}

const reasonOf = (code: string): string => REASONS[code] ?? `it cannot be read (${code})`;

/** Strict JSON first: it is a hundred times as fast. */
function parsed(text: string): unknown {
  const plain = text.replace(/^\ufeff/, "");
  try {
    return JSON.parse(plain);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  try {
    return Bun.JSON5.parse(plain);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
