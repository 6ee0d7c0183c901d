/** Carries out what plan.ts has found, under the lock of the state folder, and tells it. Killed in the middle it can be run again. */
import { existsSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";

import { AppError } from "../../base/errors.ts";
import { shellWord } from "../../base/fs.ts";
import { lockOwner } from "../../base/lock.ts";
import { takeLock } from "../../base/state-dir.ts";
import type { Config } from "../../config/schema.ts";
import { uninstallService } from "../../service/actions.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { stopProcess } from "../service/foreground.ts";
import { openService, refuseForeignLinks } from "../service/service.ts";
import { loadSettings } from "../settings.ts";
import type { Plan } from "./plan.ts";
import { type Failed, isInside, refuseUnsafe, removeEmpty, removeTree } from "./safe.ts";

/** What was done, for the JSON answer. */
export type Done = {
  removed: string[];
  kept: string[];
  failed: Failed[];
  /** What else was done, one sentence each: the service, the lines of start files. */
  notes?: string[];
};

/** Takes the service away, so that nothing starts the gateway again. Gives one sentence; undefined when there was none. */
export async function removeService(cli: Cli): Promise<string | undefined> {
  const service = openService(cli, {});
  const { manager } = service;
  if (!manager) return undefined;
  refuseForeignLinks(service);
  const there = (await manager.read()) !== undefined;
  const { home, stateDir } = service.cli.paths;
  const removed = await uninstallService(manager, stateDir);
  // Made for it: `~/.config/systemd/user` is nothing that a home has from the beginning.
  if (there && removed && !service.system && process.platform === "linux")
    removeEmptyAbove(manager.source, home);
  return there && removed ? `Removed the service ${manager.name}.` : undefined;
}

/** The folders above a file that is gone, as far as they are empty; never the home folder. */
function removeEmptyAbove(file: string, home: string): void {
  for (
    let folder = dirname(file);
    folder !== home && isInside(folder, home);
    folder = dirname(folder)
  )
    if (!removeEmpty(folder)) return;
}

/** Stops the gateway of this state, service or not. Throws service_failed when it stays. */
export async function stopGateway(cli: Cli): Promise<void> {
  const { manager } = openService(cli, {});
  const state = await manager?.state();
  if (manager && state?.installed && !state.obstacle) await manager.stop();
  const other = lockOwner(cli.paths.lockPath);
  if (other) await stopProcess(cli, other);
}

/** The config as far as it can be read: one that is broken must not keep anybody from removing it. */
export const configOf = async (cli: Cli): Promise<Config | undefined> =>
  (await loadSettings(cli.env, cli.paths)).config;

/** Asks once, with the whole list. False for "no", and for Ctrl-C. Throws usage where nobody can be asked. */
export async function confirmed(cli: Cli, what: string[], question: string): Promise<boolean> {
  if (!canAsk())
    throw new AppError("usage", "There is no terminal to ask on.", {
      hint: "Add --yes to go on without a question, or --dry-run to see what would be removed.",
    });
  for (const line of what) cli.out.note(line);
  const ask = openAsk(cli.out);
  try {
    return await ask.yes(question, false);
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "aborted") return false;
    throw cause;
  } finally {
    ask.close();
  }
}

/**
 * Removes all of a plan. What the system refuses is told at the end, and the rest is removed all the same. Under the lock of the state
 * folder, so that no gateway starts in what is going away; `locked: false` where one may go on. Throws gateway_running.
 */
export async function removeAll(
  cli: Cli,
  plan: Plan,
  { locked = true }: { locked?: boolean } = {},
): Promise<Done> {
  const { lockPath, stateDir, home } = cli.paths;
  const done: Done = { removed: [], kept: [...plan.kept], failed: [] };
  const hadLock = existsSync(lockPath);
  const lock =
    locked && existsSync(stateDir)
      ? takeLock(cli.paths, crypto.randomUUID(), Date.now())
      : undefined;
  try {
    for (const path of plan.paths) {
      const failed = await removeTree(path);
      if (failed) done.failed.push(failed);
      else done.removed.push(path);
    }
  } finally {
    if (lock && !hadLock)
      for (const path of [lockPath, `${lockPath}.db`]) rmSync(path, { force: true });
    lock?.release();
  }
  for (const folder of plan.folders) {
    // Again, right before it: something else may lie there now.
    refuseUnsafe(folder, home);
    if (removeEmpty(folder)) done.removed.push(folder);
  }
  return done;
}

/** The lines or the JSON of an outcome. @returns the exit code */
export function tellDone(cli: Cli, done: Done, dryRun: boolean, last: string[]): number {
  const { out } = cli;
  const { removed, kept, failed, notes = [] } = done;
  const code = failed.length > 0 ? 1 : 0;
  if (out.json) out.data({ ok: code === 0, dryRun, removed, kept, failed, notes });
  else {
    for (const path of removed) out.line(dryRun ? `[dry-run] remove ${path}` : `Removed ${path}`);
    if (removed.length + notes.length === 0) out.line("There is nothing to remove.");
    for (const line of [...notes, ...kept]) out.line(line);
  }
  for (const { path, why } of failed)
    out.error(`${path} could not be removed (${why}). To do it by hand: ${byHand(path)}`);
  if (!out.json && code === 0) for (const line of last) out.line(line);
  return code;
}

/** The line for a person; a container may have made files of its own user in there. */
const byHand = (path: string): string => `sudo rm -rf ${shellWord(path)}`;

/** What a plan would do, in the shape of what was done. */
export const asDone = ({ paths, folders, kept }: Plan): Done => ({
  removed: [...paths, ...folders],
  kept,
  failed: [],
});

/** What is removed, for the question before it. */
export const listed = ({ paths, folders }: Plan): string[] =>
  [...paths.filter((path) => !folders.some((folder) => path.startsWith(folder))), ...folders].map(
    (path) => `  ${path}${folders.includes(path) ? ` (all of ${basename(path)})` : ""}`,
  );
