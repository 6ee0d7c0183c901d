/** Reads a backup from its first byte to its last, without unpacking it, and compares every file with its sum. */
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import type { z } from "zod";

import { AppError, errnoOf } from "../../base/errors.ts";
import type { Cli } from "../command.ts";
import { openProgress } from "../progress.ts";
import {
  MANIFEST,
  Manifest,
  MANIFEST_MAX,
  ORIGIN,
  Origin,
  ORIGIN_MAX,
  parsePart,
  placeIn,
} from "./format.ts";
import { type ReadEntry, readTar } from "./tar.ts";

/** More entries than any state and workspace has; names are kept in memory. */
const ENTRIES_MAX = 5_000_000;

export type Checked = {
  origin: Origin;
  files: number;
  /** Unpacked. */
  bytes: number;
  skipped: Manifest["skipped"];
};

/** What is done with a file of the archive: called in its order, with a path that is safe. It must read the whole body. */
export type Taker = (
  entry: ReadEntry,
  place: { root: string; below: string },
  origin: Origin,
) => Promise<void>;

const bad = (what: string): AppError => new AppError("backup_invalid", `The backup ${what}.`);

/** Throws backup_invalid, not_found. `take` gets each file and folder; sums are compared while it does. */
export async function readBackup(
  cli: Cli,
  file: string,
  label: string,
  signal: AbortSignal,
  take: Taker = async ({ body }) => {
    for await (const _ of body);
  },
): Promise<Checked> {
  const total = sizeOf(file);
  const bar = openProgress(cli, label);
  const read = createReadStream(file, { highWaterMark: 256 * 1024 });
  let result: Checked | undefined;
  try {
    await pipeline(
      read,
      createGunzip(),
      async (pieces) => {
        const counted = async function* () {
          for await (const piece of pieces) {
            bar.at(read.bytesRead, total);
            yield piece as Uint8Array;
          }
        };
        result = await check(readTar(counted()), take);
      },
      { signal },
    );
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof AppError || !/^(?:Z_|ERR_STREAM)/.test(errnoOf(cause) ?? "")) throw cause;
    throw bad("is cut off, or no backup at all");
  } finally {
    bar.end();
  }
  return result!;
}

function sizeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return found.size;
  throw new AppError("not_found", `There is no backup ${file}.`);
}

async function check(entries: AsyncGenerator<ReadEntry>, take: Taker): Promise<Checked> {
  const first = (await entries.next()).value as ReadEntry | undefined;
  if (first?.path !== ORIGIN) throw bad("is not one of clawdbot");
  const sums = new Map<string, { size: number; sha256: string }>();
  const origin = await part(first, Origin, ORIGIN_MAX, sums);
  const seen = new Set<string>();
  let manifest: Manifest | undefined;
  let folders = 0;
  let bytes = 0;
  for await (const entry of entries) {
    const { path, size } = entry;
    if (manifest) throw bad("goes on after its end");
    if (path === MANIFEST) {
      manifest = await part(entry, Manifest, MANIFEST_MAX, undefined);
      continue;
    }
    const place = placeIn(path);
    if (!origin.roots.some(({ name }) => name === place.root))
      throw bad(`has a file in it that belongs nowhere: ${path}`);
    if (place.below === "" || seen.has(path)) throw bad(`has ${path} in it twice`);
    seen.add(path);
    if (seen.size > ENTRIES_MAX) throw bad("has too many files in it");
    if (entry.type === "folder") folders++;
    const hash = createHash("sha256");
    const body = async function* () {
      for await (const piece of entry.body) {
        hash.update(piece);
        yield piece;
      }
    };
    await take({ ...entry, body: body() }, place, origin);
    bytes += size;
    if (entry.type === "file") sums.set(path, { size, sha256: hash.digest("hex") });
  }
  if (!manifest) throw bad("is cut off");
  compare(manifest, sums, folders);
  return { origin, files: sums.size - 1, bytes, skipped: manifest.skipped };
}

async function part<T>(
  { path, size, body }: ReadEntry,
  schema: z.ZodType<T>,
  max: number,
  sums: Map<string, { size: number; sha256: string }> | undefined,
): Promise<T> {
  if (size > max) throw bad(`has a ${path} that is too long`);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  const bytes = Buffer.concat(pieces);
  sums?.set(path, { size, sha256: createHash("sha256").update(bytes).digest("hex") });
  return parsePart(schema, bytes, path);
}

function compare(
  manifest: Manifest,
  sums: Map<string, { size: number; sha256: string }>,
  folders: number,
): void {
  const wanted = new Map(Object.entries(manifest.files));
  for (const [path, { size, sha256 }] of sums) {
    const listed = wanted.get(path);
    if (!listed) throw bad(`has a file in it that it does not list: ${path}`);
    if (listed.size !== size || listed.sha256 !== sha256) throw bad(`is damaged: ${path} differs`);
    wanted.delete(path);
  }
  const [missing] = wanted.keys();
  if (missing) throw bad(`lacks ${missing}`);
  if (folders !== manifest.folders) throw bad("lacks a folder");
}
