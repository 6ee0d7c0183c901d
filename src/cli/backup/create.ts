/** `backup create`: writes everything into one file beside its place, and gives it its name when it is whole. */
import { createHash } from "node:crypto";
import {
  constants,
  createWriteStream,
  existsSync,
  linkSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

import { VERSION } from "../../base/brand.ts";
import { AppError, errnoOf } from "../../base/errors.ts";
import { schemaOf, snapshot } from "../../store/sqlite/rescue/snapshot.ts";
import type { Cli } from "../command.ts";
import { openProgress } from "../progress.ts";
import { loadSettings } from "../settings.ts";
import { MANIFEST, type Manifest, ORIGIN, type Origin, TOP } from "./format.ts";
import { clearLeftovers } from "./leftovers.ts";
import { findSources, type Found, type Sources } from "./sources.ts";
import { headerOf, paddingOf, tarEnd } from "./tar.ts";

const PIECE = 256 * 1024;

export type CreateWish = {
  output: string | undefined;
  dryRun: boolean;
  onlyConfig: boolean;
  workspaces: boolean;
};

export type Created = {
  archivePath: string;
  createdAt: string;
  version: string;
  onlyConfig: boolean;
  includeWorkspace: boolean;
  dryRun: boolean;
  roots: Origin["roots"];
  files: number;
  /** Of the files. */
  bytes: number;
  /** Of the archive; null for a dry run. */
  archiveBytes: number | null;
  skipped: Sources["skipped"];
};

/** Throws usage, store_failed, disk_full; then there is no archive. @param signal Ctrl-C */
export async function createBackup(
  cli: Cli,
  wish: CreateWish,
  signal: AbortSignal,
): Promise<Created> {
  const { paths, env } = cli;
  const now = new Date();
  const archivePath = archiveFor(wish.output, now);
  if (existsSync(archivePath))
    throw new AppError("usage", `${archivePath} is there already.`, {
      hint: "Name another file with --output.",
    });
  const part = `${archivePath}.${process.pid}.backup-part`;
  const { config } = await loadSettings(env, paths);
  const { onlyConfig, workspaces } = wish;
  const sources = findSources(cli, config, {
    onlyConfig,
    workspaces,
    exclude: [archivePath, part],
  });
  const database = !onlyConfig && existsSync(paths.databasePath);
  if (sources.found.length === 0 && !database)
    throw new AppError("not_found", `There is nothing to back up in ${paths.stateDir}.`);
  const facts = {
    archivePath,
    createdAt: now.toISOString(),
    version: VERSION,
    onlyConfig,
    includeWorkspace: workspaces && !onlyConfig,
    dryRun: wish.dryRun,
    roots: sources.roots,
    skipped: sources.skipped,
  };
  const files = sources.found.filter(({ type }) => type === "file").length + Number(database);
  if (wish.dryRun) {
    const size = database ? statSync(paths.databasePath).size : 0;
    return { ...facts, files, bytes: sources.bytes + size, archiveBytes: null };
  }
  clearLeftovers(dirname(archivePath), /\.(\d{1,10})\.backup-part$/);
  clearLeftovers(paths.stateDir, /^\.backup-(\d{1,10})-/);
  const scratch = database
    ? mkdtempSync(join(paths.stateDir, `.backup-${process.pid}-`))
    : undefined;
  try {
    const schema = scratch ? addDatabase(paths.databasePath, scratch, sources) : 0;
    const origin: Origin = {
      format: 1,
      version: VERSION,
      createdAt: facts.createdAt,
      schema,
      onlyConfig,
      roots: sources.roots,
      ...(existsSync(paths.configPath) && { config: basename(paths.configPath) }),
    };
    await write(cli, part, origin, sources, signal);
    give(part, archivePath);
  } catch (cause) {
    if (["ENOSPC", "EDQUOT"].includes(errnoOf(cause) ?? ""))
      throw new AppError("disk_full", `There is no room for the backup at ${archivePath}.`, {
        cause,
        hint: "Nothing was left there. Name another disk with --output <folder>.",
      });
    throw cause;
  } finally {
    rmSync(part, { force: true });
    if (scratch) rmSync(scratch, { recursive: true, force: true });
  }
  return { ...facts, files, bytes: sources.bytes, archiveBytes: statSync(archivePath).size };
}

function archiveFor(output: string | undefined, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const name = `${stamp}-clawdbot-backup.tar.gz`;
  if (output === undefined) return resolve(name);
  const path = resolve(output);
  const folder = output.endsWith("/") || (existsSync(path) && statSync(path).isDirectory());
  return folder ? join(path, name) : path;
}

/** A copy of one moment, while the gateway goes on. Gives its schema. */
function addDatabase(path: string, scratch: string, sources: Sources): number {
  const copy = join(scratch, basename(path));
  snapshot(path, copy);
  const { size, mtimeMs } = statSync(copy);
  sources.found.push({
    to: `state/${basename(path)}`,
    from: copy,
    type: "file",
    size,
    mode: 0o600,
    mtime: Math.floor(mtimeMs / 1000),
  });
  sources.bytes += size;
  return schemaOf(copy);
}

/** Never over another file, which may have come meanwhile. */
function give(part: string, target: string): void {
  try {
    linkSync(part, target);
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "EEXIST" || code === undefined) throw cause;
    // A file system without links.
    renameSync(part, target);
  }
}

async function write(
  cli: Cli,
  part: string,
  origin: Origin,
  sources: Sources,
  signal: AbortSignal,
): Promise<void> {
  const bar = openProgress(cli, "Writing");
  try {
    const entries = Readable.from(archive(origin, sources, (n) => bar.at(n, sources.bytes)));
    const file = createWriteStream(part, { flags: "wx", mode: 0o600, flush: true });
    await pipeline(entries, createGzip({ level: 6 }), file, { signal });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw cause;
  } finally {
    bar.end();
  }
}

async function* archive(
  origin: Origin,
  sources: Sources,
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const manifest: Manifest = { files: {}, folders: 0, skipped: sources.skipped };
  const mtime = Math.floor(Date.parse(origin.createdAt) / 1000);
  yield* small(ORIGIN, origin, mtime, manifest);
  let bytes = 0;
  for (const found of sources.found) {
    const path = `${TOP}/${found.to}`;
    if (found.type === "folder") {
      manifest.folders++;
      yield headerOf({ ...found, path });
      continue;
    }
    for await (const piece of fileBytes(found, path, manifest)) {
      bytes += piece.length;
      progress(Math.min(bytes, sources.bytes));
      yield piece;
    }
  }
  yield* small(MANIFEST, manifest, mtime, undefined);
  yield tarEnd();
}

function* small(path: string, value: unknown, mtime: number, manifest: Manifest | undefined) {
  const body = new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  const sha256 = createHash("sha256").update(body).digest("hex");
  if (manifest) manifest.files[path] = { size: body.length, sha256 };
  yield headerOf({ path, type: "file", size: body.length, mode: 0o600, mtime });
  yield body;
  yield paddingOf(body.length);
}

/** A file that grows is taken as long as it was when it was opened; one that is gone meanwhile is left out. */
async function* fileBytes(
  found: Found,
  path: string,
  manifest: Manifest,
): AsyncGenerator<Uint8Array> {
  const file = await openFound(found);
  if (!file) {
    manifest.skipped.push({ path: found.from, reason: "gone or unreadable meanwhile" });
    return;
  }
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256");
    yield headerOf({ ...found, path, size });
    for (let at = 0; at < size;) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE, size - at));
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      // Shorter than it was: the rest is zeros, because its length is written already.
      const got = bytesRead > 0 ? piece.subarray(0, bytesRead) : piece.fill(0);
      at += got.length;
      hash.update(got);
      yield got;
    }
    yield paddingOf(size);
    manifest.files[path] = { size, sha256: hash.digest("hex") };
  } finally {
    await file.close();
  }
}

async function openFound({ from, to }: Found) {
  try {
    return await open(from, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    if (code === "ENOENT" || code === "ELOOP" || !to.startsWith("state/")) return undefined;
    throw new AppError("store_failed", `${from} cannot be read (${code}), so there is no backup.`, {
      cause,
      hint: "Run it as the user that the gateway runs as, or give the file to this user.",
    });
  }
}
