/**
 * `backup restore`: the whole archive is checked first, then unpacked beside its place, and only then exchanged with what is there,
 * which is kept. Nothing is ever merged.
 */
import {
  createWriteStream,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { VERSION } from "../../base/brand.ts";
import { AppError, errnoOf } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import { acquireLock, lockOwner } from "../../base/lock.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { workspaceOf } from "../../base/paths.ts";
import { isOlder } from "../../service/update/release.ts";
import { latest, MIGRATIONS } from "../../store/sqlite/migrations.ts";
import { stamp } from "../../store/sqlite/rescue/backup.ts";
import type { Cli } from "../command.ts";
import { formatBytes } from "../progress.ts";
import { loadSettings } from "../settings.ts";
import { isMount, putInPlace, putInside } from "./exchange.ts";
import type { Origin } from "./format.ts";
import { clearLeftovers } from "./leftovers.ts";
import { workspacesOf } from "./sources.ts";
import { type Checked, readBackup } from "./verify.ts";

/** What a restore must leave free, in bytes. */
const SPARE = 64 * 1024 * 1024;

/** One part of the archive and where it goes. */
type Move = {
  /** `state`, `config`, `workspace/<agent>`. */
  root: string;
  target: string;
  /** Where it is unpacked. */
  made: string;
  /** Where that which is there goes. */
  aside: string;
  /** The target is a mount. */
  inside: boolean;
  /** It lies inside of the state folder: it is unpacked into that, and comes into its place with it. */
  nested: boolean;
};

export type Restored = {
  root: string;
  path: string;
  /** Where the old one is now; null when there was none. */
  before: string | null;
};

export type Plan = { checked: Checked; moves: Move[]; existing: string[] };

/** Checks the archive and says what goes where. Throws backup_invalid, gateway_running, disk_full, store_newer, forbidden. */
export async function planRestore(cli: Cli, file: string, signal: AbortSignal): Promise<Plan> {
  const { env, paths } = cli;
  refuseInNixMode(env, "config");
  const owner = lockOwner(paths.lockPath);
  if (owner)
    throw new AppError("gateway_running", `A gateway runs (PID ${owner.pid || "unknown"}).`, {
      hint: `Stop it first: ${cli.name}${cli.profileFlag} gateway stop`,
    });
  const checked = await readBackup(cli, file, "Checking", signal);
  const { origin, bytes } = checked;
  if (isOlder(VERSION, origin.version) || origin.schema > latest(MIGRATIONS))
    throw new AppError(
      "store_newer",
      `The backup was made by version ${origin.version}; this is ${VERSION}, which may not understand it.`,
      { hint: `Update first: ${cli.name} update` },
    );
  const moves = await movesFor(cli, origin);
  for (const { made } of moves) checkRoom(dirname(made), bytes);
  const existing = moves.map(({ target }) => target).filter(hasContent);
  return { checked, moves, existing };
}

function checkRoom(folder: string, bytes: number): void {
  const disk = statfsSync(existingFolder(folder));
  if (disk.blocks === 0 || disk.bavail * disk.bsize >= bytes + SPARE) return;
  throw new AppError(
    "disk_full",
    `The disk of ${folder} is too full: the backup needs ${formatBytes(bytes + SPARE)}, and ${formatBytes(disk.bavail * disk.bsize)} are free.`,
    { hint: "Nothing was changed. Free some space, then run it again." },
  );
}

const existingFolder = (path: string): string =>
  existsSync(path) ? path : existingFolder(dirname(path));

function hasContent(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found !== undefined;
  return readdirSync(path).some((name) => !/^gateway\.[\w-]+\.lock/.test(name));
}

async function movesFor(cli: Cli, origin: Origin): Promise<Move[]> {
  const { paths, env } = cli;
  const { config } = await loadSettings(env, paths);
  const places = workspacesOf(cli, config);
  const now = stamp(Date.now());
  const targets = origin.roots.flatMap(({ name, path }): [string, string][] => {
    if (name === "state") return [[name, paths.stateDir]];
    if (name === "config") return [[name, paths.configPath]];
    const id = name.slice("workspace/".length);
    return [[name, places.get(id) ?? formerPlace(cli, path) ?? unknownPlace(cli, id)]];
  });
  const state = targets.find(([root]) => root === "state") && moveFor("state", paths.stateDir, now);
  return targets.map(([root, path]) => {
    if (root === "state") return state!;
    const own = moveFor(root, path, now);
    const below = state && root !== "config" && relative(state.target, own.target);
    if (!below || below.startsWith("..")) return own;
    return { ...own, made: join(state.made, below), inside: false, nested: true };
  });
}

/**
 * Where the workspace of an agent was that the present config does not know, as on a new machine. The archive says it, and may be
 * anybody's: only a place in the home folder where nothing is, and none that other programs read their settings from.
 */
function formerPlace({ paths }: Cli, path: string): string | undefined {
  const below = relative(paths.home, resolve(path));
  const plain = below !== "" && !/(?:^|[\\/])\./.test(below);
  return plain && !existsSync(path) ? resolve(path) : undefined;
}

const unknownPlace = ({ paths }: Cli, id: string): string =>
  id === "main" ? paths.workspaceDefault : workspaceOf(paths, id);

function moveFor(root: string, path: string, now: string): Move {
  const target = realPathOf(path);
  const stat = (each: string) => lstatSync(each, { throwIfNoEntry: false });
  const inside = root !== "config" && isMount(target, stat);
  const folder = inside ? target : dirname(target);
  const name = inside ? "" : basename(target);
  return {
    ...{ root, target, inside, nested: false },
    made: join(folder, `${name}.restoring-${process.pid}`),
    aside: join(folder, inside ? `before-restore-${now}` : `${name}.before-restore-${now}`),
  };
}

/** Does it. What was there is kept aside. Throws as `planRestore`, and the system's errors; before the exchange nothing is changed. */
export async function restoreBackup(
  cli: Cli,
  file: string,
  { checked, moves }: Plan,
  signal: AbortSignal,
): Promise<Restored[]> {
  const release = hold(cli);
  const { config } = await loadSettings(cli.env, cli.paths);
  const kept = [...workspacesOf(cli, config).values()];
  try {
    const made = new Map(moves.map((move) => [move.root, move]));
    // The state's folder first: others may lie in it.
    for (const move of byState(moves)) {
      if (!move.nested) clearLeftovers(dirname(move.made), /\.restoring-(\d{1,10})$/);
      mkdirSync(move.nested ? dirname(move.made) : dirname(move.target), { recursive: true });
      if (move.root !== "config") mkdirSync(move.made, { mode: 0o700 });
    }
    const again = await readBackup(cli, file, "Unpacking", signal, async (entry, place) => {
      const move = made.get(place.root);
      if (!move) throw new AppError("backup_invalid", `The backup has no place for ${entry.path}.`);
      const to = place.root === "config" ? move.made : join(move.made, place.below);
      await unpack(entry, to, move).catch((cause: unknown) => {
        // Two entries for one place, as a file and as a folder, or by names that this disk takes for one.
        if (!["EEXIST", "ENOTDIR", "EISDIR"].includes(errnoOf(cause) ?? "")) throw cause;
        throw new AppError("backup_invalid", `The backup has ${entry.path} in it twice.`, {
          cause,
        });
      });
    });
    if (JSON.stringify(again.origin) !== JSON.stringify(checked.origin))
      throw new AppError("backup_invalid", "The backup was changed while it was read.");
    signal.throwIfAborted();
    // The state last: with it everything is as it was then.
    const restored = byState(moves).reverse().map(exchange);
    keepWorkspaces(cli, moves, kept);
    return restored;
  } finally {
    for (const { made } of moves) rmSync(made, { recursive: true, force: true });
    release();
  }
}

/** Keeps a gateway from starting meanwhile. Does nothing for a state folder that is not there. */
function hold({ paths }: Cli): () => void {
  if (!existsSync(paths.stateDir)) return () => undefined;
  const body = { pid: process.pid, bootId: "restore", version: VERSION, startedAt: Date.now() };
  const lock = acquireLock(paths.lockPath, body);
  if ("release" in lock) return () => lock.release();
  throw new AppError("gateway_running", `A gateway runs (PID ${lock.pid || "unknown"}).`);
}

const byState = (moves: Move[]): Move[] =>
  [...moves].sort((a, b) => Number(b.root === "state") - Number(a.root === "state"));

/** A workspace in the state folder that is not in the backup is the present one: it stays where it is. */
function keepWorkspaces({ paths }: Cli, moves: Move[], workspaces: string[]): void {
  const state = moves.find(({ root }) => root === "state");
  if (!state) return;
  for (const workspace of workspaces) {
    const below = relative(paths.stateDir, workspace);
    if (below === "" || below.startsWith("..")) continue;
    const [from, to] = [join(state.aside, below), join(state.target, below)];
    if (!existsSync(from) || existsSync(to)) continue;
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
}

function exchange({ root, target, made, aside, inside, nested }: Move): Restored {
  if (nested) return { root, path: target, before: null };
  const had = hasContent(target);
  if (inside) putInside(made, target, aside);
  else putInPlace(made, target, aside);
  return { root, path: target, before: had ? aside : null };
}

type Entry = Parameters<NonNullable<Parameters<typeof readBackup>[4]>>[0];

/** Into a place that nobody else can have prepared: its folder was made by this run, and it is made anew. */
async function unpack({ type, mode, body }: Entry, to: string, move: Move): Promise<void> {
  const owner = lstatSync(dirname(move.made)).uid;
  const secret = !move.root.startsWith("workspace/");
  if (type === "folder") mkdirSync(to, { mode: secret ? 0o700 : (mode & 0o777) | 0o700 });
  else {
    const file = createWriteStream(to, {
      flags: "wx",
      mode: secret ? 0o600 : (mode & 0o777) | 0o600,
      flush: true,
    });
    await pipeline(Readable.from(body), file);
  }
  // Root restores for the user whose folder it is.
  if (process.getuid?.() === 0 && owner !== 0)
    lchownSync(to, owner, lstatSync(dirname(move.made)).gid);
}
