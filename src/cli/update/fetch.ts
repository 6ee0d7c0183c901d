/** Getting the new program: room on the disk, the download with its bar, both checksums, unpacking. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, statfsSync, statSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import { AppError, errnoOf } from "../../base/errors.ts";
import type { Paths } from "../../base/paths.ts";
import type { Place } from "../../service/update/place.ts";
import { PROGRAM_MAX, type Release } from "../../service/update/release.ts";
import { download, type Source } from "../../service/update/source.ts";
import { trialBytes } from "../../service/update/trial.ts";
import type { Cli } from "../command.ts";
import { formatBytes, openProgress } from "../progress.ts";

/** Where the release says nothing, as much as a program has ever had; in bytes. */
const USUAL = 250_000_000;
/** What an update must leave free, in bytes. */
const SPARE = 32 * 1024 * 1024;

/** Throws disk_full, with what is needed and what is free, before anything is written. */
export function checkRoom(place: Place, paths: Paths, release: Release): void {
  const program = (release.size ?? USUAL) + (release.packed ? (release.programSize ?? USUAL) : 0);
  const state = existing(paths.stateDir);
  const together = sameDisk(place.folder, state);
  need(place.folder, program + (together ? trialBytes(paths) : 0));
  if (!together) need(state, trialBytes(paths));
}

function need(folder: string, bytes: number): void {
  const disk = statfsSync(folder);
  // Some network file systems answer zero throughout: then nothing is known.
  if (disk.blocks === 0) return;
  const free = disk.bavail * disk.bsize;
  if (free >= bytes + SPARE) return;
  throw new AppError(
    "disk_full",
    `The disk of ${folder} is too full for the update: it needs ${formatBytes(bytes + SPARE)}, and ${formatBytes(free)} are free.`,
    {
      hint: "Nothing was changed. Free some space, then run it again.",
      details: { reason: "disk-full" },
    },
  );
}

const existing = (path: string): string => (existsSync(path) ? path : existing(dirname(path)));
const sameDisk = (one: string, other: string): boolean => statSync(one).dev === statSync(other).dev;

export type Fetching = {
  cli: Cli;
  source: Source;
  release: Release;
  place: Place;
  signal: AbortSignal;
};

/** The checked program in the work folder. Throws update_failed, disk_full; the caller removes the folder. */
export async function fetchProgram(options: Fetching): Promise<string> {
  const { cli, source, release, place, signal } = options;
  const fetched = join(place.work, release.name);
  const bar = openProgress(cli, "Downloading");
  try {
    await download(source, release.path, fetched, {
      max: release.size ?? PROGRAM_MAX,
      size: release.size,
      signal,
      progress: (bytes, total) => bar.at(bytes, total),
    });
  } catch (cause) {
    throw noRoom(cause, place);
  } finally {
    bar.end();
  }
  checkSum(release.name, await sumOf(fetched), release.sum);
  const program = join(place.work, "clawdbot");
  if (!release.packed) await chmod(fetched, 0o755);
  if (!release.packed) return fetched;
  try {
    const sum = await unpack(fetched, program, release.programSize ?? PROGRAM_MAX);
    checkSum(release.name.replace(/\.gz$/, ""), sum, release.programSum);
  } catch (cause) {
    throw noRoom(cause, place);
  }
  await rm(fetched);
  await chmod(program, 0o755);
  return program;
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** Gives the sum of what came out. Stops at `max` bytes, whatever else would come. */
async function unpack(from: string, to: string, max: number): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > max) done(damaged("the packed file holds more than it should"));
      else done(null, chunk);
    },
  });
  try {
    const file = createWriteStream(to, { mode: 0o600, flush: true });
    await pipeline(createReadStream(from), createGunzip(), watch, file);
  } catch (cause) {
    if (cause instanceof AppError || !/^Z_/.test(errnoOf(cause) ?? "")) throw cause;
    throw damaged("the packed file cannot be unpacked");
  }
  return hash.digest("hex");
}

const damaged = (what: string): AppError =>
  new AppError("update_failed", `What was downloaded is damaged: ${what}.`, {
    hint: "It was deleted, and nothing was changed. Run it again.",
    details: { reason: "checksum-wrong" },
  });

function checkSum(name: string, sum: string, wanted: string): void {
  if (sum === wanted) return;
  throw damaged(`the checksum of ${name} is ${sum}, not ${wanted}`);
}

const noRoom = (cause: unknown, { folder }: Place): unknown =>
  errnoOf(cause) === "ENOSPC" || errnoOf(cause) === "EDQUOT"
    ? new AppError("disk_full", `There is no space left in ${folder}.`, {
        cause,
        hint: "Nothing was changed. Free some space, then run it again.",
        details: { reason: "disk-full" },
      })
    : cause;
