/**
 * Files of messages: what channels received and what is about to be sent. In `<state>/media/`, files 0600 in folders 0700;
 * rows of the database name them relative to that folder, so the state may be moved.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { AppError, errnoOf } from "../base/errors.ts";
import type { MediaRef } from "../flow.ts";
import { kindOf, sniff } from "./sniff.ts";

export type Saving = {
  /** As somebody says; the first bytes are believed before it. */
  mime?: string;
  name?: string;
  as?: MediaRef["as"];
  /** More is refused. */
  maxBytes: number;
};
/** `inbound`: received. `outbound`: copied when a message is put into the outbox, so that it is still there when it is sent. */
export type Box = "inbound" | "outbound";
export type Bytes = AsyncIterable<Uint8Array> | Uint8Array;

/** What is older is removed; an answer is sent within a day or never. */
const KEEP_MS = 7 * 86_400_000;
/** A file that is still being written is not older than this. */
const PART_MS = 3_600_000;
/** All that was received, in bytes; the oldest files make room. */
const INBOUND_BYTES = 200_000_000;
const SNIFF_BYTES = 4_100;
const BOXES: Box[] = ["inbound", "outbound"];

export class MediaStore {
  private unchecked = 0;

  constructor(
    /** Absolute; made when it is needed. */
    private readonly root: string,
    private readonly budget = INBOUND_BYTES,
    /** Files from before this moment (epoch ms) are an older system's, and never removed. */
    private readonly foreignUntil = 0,
  ) {}

  /**
   * Writes a file, on the disk when it resolves. Throws `media_too_large` after `maxBytes`, and `disk_full`; nothing is left behind
   * then. What `data` throws is thrown on.
   */
  async save(box: Box, data: Bytes, saving: Saving): Promise<MediaRef> {
    const place = this.newFile(box);
    try {
      const written = await write(place.part, data, saving.maxBytes);
      const ref = refOf(place, box, written, saving);
      await rename(place.part, join(this.root, ref.file!));
      await this.keepBudget(box, written.size);
      return ref;
    } catch (cause) {
      await rm(place.part, { force: true });
      throw asFull(cause);
    }
  }

  /** For those who write the file themselves: into `part`, then `rename` it to the absolute path of what `refOf` gives. */
  newFile(box: Box): { id: string; part: string; root: string } {
    const dir = join(this.root, box);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700);
    const id = crypto.randomUUID();
    return { id, part: join(dir, `${id}.part`), root: this.root };
  }

  /** Absolute path of a stored file. Throws `not_found` for a name that is not one of ours or is gone. */
  async path({ file = "", name }: MediaRef): Promise<string> {
    const path = join(this.root, file);
    if (
      !/^(?:inbound|outbound)\/[^/\\\0]+$/.test(file) ||
      file.includes("..") ||
      !(await isFile(path))
    )
      throw new AppError(
        "not_found",
        `The file ${name ?? "of this message"} is not there any more.`,
      );
    return path;
  }

  /** The bytes, from the file or from the message itself. Throws `not_found`. */
  async open(media: MediaRef): Promise<Blob> {
    if (media.data !== undefined)
      return new Blob([Buffer.from(media.data, "base64")], { type: media.mime });
    return Bun.file(await this.path(media), { type: media.mime });
  }

  /**
   * Removes what is older than a week, what was never finished, and of what was received the oldest beyond 200 MB.
   * Gives how many files. For the program's start and once an hour; by itself after much was received.
   */
  async clean(now = Date.now()): Promise<number> {
    this.unchecked = 0;
    let removed = 0;
    for (const box of BOXES) {
      const files = await this.files(box);
      let room = box === "inbound" ? this.budget : Number.MAX_SAFE_INTEGER;
      for (const { path, size, at } of files.sort((a, b) => b.at - a.at)) {
        const part = path.endsWith(".part");
        if (!part) room -= size;
        const old = now - at > (part ? PART_MS : KEEP_MS);
        if (!old && (part || room >= 0)) continue;
        await rm(path, { force: true });
        removed++;
      }
    }
    return removed;
  }

  private async files(box: Box): Promise<{ path: string; size: number; at: number }[]> {
    const dir = join(this.root, box);
    const found: { path: string; size: number; at: number }[] = [];
    for (const name of await namesIn(dir)) {
      const path = join(dir, name);
      const at = await statOf(path);
      if (at?.isFile() && at.mtimeMs >= this.foreignUntil)
        found.push({ path, size: at.size, at: at.mtimeMs });
    }
    return found;
  }

  /** A flood of files within the hour must not fill the disk before the next cleaning. */
  private async keepBudget(box: Box, bytes: number): Promise<void> {
    if (box !== "inbound") return;
    this.unchecked += bytes;
    if (this.unchecked > this.budget / 10) await this.clean();
  }
}

type Written = { head: Uint8Array; size: number };

/** Makes the reference of a file that was written to its `part`. */
export function refOf(
  { id }: { id: string },
  box: Box,
  { head, size }: Written,
  { mime, name, as }: Omit<Saving, "maxBytes">,
): MediaRef {
  const type =
    sniff(head) ?? (mime?.split(";")[0]?.trim().toLowerCase() || "application/octet-stream");
  return {
    kind: kindOf(type),
    mime: type,
    file: `${box}/${fileName(name, id, type)}`,
    size,
    ...(name && { name: plainName(name) }),
    ...(as && { as }),
  };
}

async function write(path: string, data: Bytes, maxBytes: number): Promise<Written> {
  const out: FileHandle = await open(path, "wx", 0o600);
  let head: Uint8Array = new Uint8Array(0);
  let size = 0;
  try {
    for await (const chunk of data instanceof Uint8Array ? [data] : data) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      if (head.length < SNIFF_BYTES) head = Buffer.concat([head, chunk]).subarray(0, SNIFF_BYTES);
      await out.writeFile(chunk);
    }
    await out.sync();
    return { head, size };
  } finally {
    await out.close();
  }
}

export const tooLarge = (maxBytes: number, size?: number): AppError =>
  new AppError(
    "media_too_large",
    size === undefined
      ? `The file is larger than ${megabytes(maxBytes)}.`
      : `The file has ${megabytes(size)}, and at most ${megabytes(maxBytes)} can be sent here.`,
    { details: { maxBytes } },
  );

/** For people: `5 MB`, `120 kB`. */
export const megabytes = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1_000_000)} MB`;

export function asFull(cause: unknown): unknown {
  const code = errnoOf(cause);
  return code === "ENOSPC" || code === "EDQUOT"
    ? new AppError("disk_full", "The disk is full, so the file could not be kept.", { cause })
    : cause;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    // Gone meanwhile, or not ours to see: there is no file for us then.
    if (errnoOf(cause)) return undefined;
    throw cause;
  }
}

const isFile = async (path: string): Promise<boolean> => (await statOf(path))?.isFile() ?? false;

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
}

/** What a stranger called it, without anything that a file system or a terminal could take for more than letters. */
const plainName = (name: string): string =>
  name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._ -]+/gu, "_")
    .replace(/^[. ]+/, "")
    .slice(0, 100)
    .toWellFormed() || "file";

function fileName(name: string | undefined, id: string, mime: string): string {
  const plain = plainName(name ?? mime.split("/")[0]!);
  const dot = plain.lastIndexOf(".");
  const stem = (dot > 0 ? plain.slice(0, dot) : plain)
    .replaceAll(" ", "_")
    .replaceAll("..", "_")
    .slice(0, 60)
    .toWellFormed();
  const given =
    dot > 0
      ? plain
          .slice(dot + 1)
          .replace(/[^A-Za-z0-9]+/g, "")
          .slice(0, 10)
      : "";
  const fitting = /octet/.test(mime) ? "" : (mime.split("/")[1] ?? "").replace(/^x-|\W.*$/g, "");
  return `${stem}---${id}.${given || fitting || "bin"}`;
}
