/**
 * The running gateway hands over to a new program file. It closes everything, starts the file as a child that gets its terminal, its
 * words and its variables, and watches: when the child is ready in time, it is ended in an orderly way and this process becomes the new
 * program (same pid, so terminals and supervisors notice nothing). When not, the child is ended, the old file and the old form of the
 * database come back, and this process goes on as what it was. So nobody else has to live on for that: not the command that asked, and
 * not a part of the new version.
 */
import type { Env } from "../../base/env.ts";
import { envName } from "../../base/env.ts";
import { toAppError } from "../../base/errors.ts";
import { alive } from "../../base/fs.ts";
import type { Logger } from "../../base/log.ts";
import type { Paths } from "../../base/paths.ts";
import { background } from "../../base/task.ts";
import { type Journal, readJournal, removeJournal, writeJournal } from "./journal.ts";
import { endOf, waitReady } from "./ready.ts";
import { revert, toSchema } from "./revert.ts";

/** After SIGTERM: for one that was ready and may be answering, and for one that was not; in ms. */
const GOODBYE_MS = 8000;
const IMPATIENT_MS = 1000;

export type Handover = {
  /** The words of this gateway's command line. */
  words: string[];
  env: Env;
  paths: Paths;
  log: Logger;
  /** Someone wants the gateway to end. */
  signal: AbortSignal;
};

/**
 * Called when everything of the old instance is closed. Gives `again` when the old one is to go on, `stopped` when it was asked to end,
 * and `ready` when this process is to become the new program now (`become`).
 */
export async function handOver(options: Handover): Promise<"again" | "stopped" | "ready"> {
  const { paths, log, signal } = options;
  const journal = readJournal(paths.stateDir);
  // Only what an update has just put there; anybody else who asks gets a restart.
  if (journal?.phase !== "swapped") return "again";
  const trying = { ...journal, phase: "trying" as const, guard: process.pid };
  await writeJournal(paths.stateDir, trying);
  let child: Bun.Subprocess | undefined;
  let why: string;
  try {
    // Going back on purpose: the older program could not open what the newer one has made of the database.
    if (journal.kind === "rollback") toSchema(paths, journal.schemaTo);
    log.info(`trying version ${journal.to}`, { program: journal.program });
    child = spawn(journal.program, options);
    const started = child;
    const result = await waitReady({
      paths,
      isIt: ({ pid }) => pid === started.pid,
      over: () => endOf(started),
      signal,
    });
    if (result.ready) {
      log.info(`version ${journal.to} is ready and takes over`);
      await end(started, GOODBYE_MS);
      await writeJournal(paths.stateDir, { ...trying, phase: "taken" });
      return "ready";
    }
    ({ why } = result);
  } catch (cause) {
    if (signal.aborted) {
      if (child) await end(child, GOODBYE_MS);
      return "stopped";
    }
    why = toAppError(cause).message;
  }
  if (child) await end(child, IMPATIENT_MS);
  log.error(`version ${journal.to} was not ready, so ${journal.from} comes back: ${why}`);
  try {
    const kept = await revert(paths, trying, why);
    if (kept) log.warn("the database is back in its older form", { ...kept });
  } catch (cause) {
    const { code, message } = toAppError(cause);
    log.error(`the version before could not be brought back whole: ${message}`, { code });
  }
  return "again";
}

/** In the child: it is watched over, so the journal is none of its business. */
const GUARDED = envName("UPDATE_GUARDED");

function spawn(program: string, { words, env }: Handover): Bun.Subprocess {
  return Bun.spawn([program, ...words], {
    env: { ...env.vars, [GUARDED]: "1" },
    stdio: ["inherit", "inherit", "inherit"],
  });
}

async function end(child: Bun.Subprocess, patienceMs: number): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  await child.exited;
  clearTimeout(timer);
}

/** Called last of all, with the words and variables of this process. Does not come back where a process can become another program. */
export function become(program: string, { words, env }: Pick<Handover, "words" | "env">): void {
  const vars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env.vars))
    if (value !== undefined && name !== GUARDED) vars[name] = value;
  process.execve?.(program, [process.argv0, ...words], vars);
}

/** How often a new version may be started without anybody watching, and without becoming ready. */
const STARTS_MAX = 3;

/**
 * At the start of a gateway, before it opens anything: what an update left undone is finished or taken back. Gives what to call when the
 * gateway is ready; undefined when there is nothing to settle. Does not come back when this very program is the one that has to go.
 */
export async function settleUpdate(
  { paths, env, words, version }: Pick<Handover, "paths" | "env" | "words"> & { version: string },
  say: (line: string) => void,
): Promise<((log: Logger) => void) | undefined> {
  const { stateDir } = paths;
  const journal = env.updateGuarded ? undefined : readJournal(stateDir);
  if (!journal || isWatched(journal)) return undefined;
  const { phase, to, from, program } = journal;
  const goBack = async (reason: string): Promise<void> => {
    const made = await revert(paths, journal, reason);
    say(`The update to ${to} was taken back: ${reason}.`);
    if (made) say(`The newer database is kept as ${made.movedTo}.`);
  };
  if (phase === "reverting") await goBack(journal.reason ?? "it was not ready");
  else if (version === from && phase !== "reverted" && phase !== "done") {
    // Its file never came into its place, or is back there by hand; the other one may have run for a while.
    toSchema(paths, journal.schemaFrom);
    await writeJournal(stateDir, { ...journal, phase: "reverted", reason: "it was cut off" });
  } else if (version === to && phase !== "done" && phase !== "reverted") {
    if (journal.kind === "rollback") toSchema(paths, journal.schemaTo);
    const starts = journal.starts + 1;
    if (starts > STARTS_MAX) await goBack(`it was not ready in ${STARTS_MAX} starts`);
    else {
      await writeJournal(stateDir, { ...journal, starts });
      return (log) => background("update", finish(stateDir), log);
    }
  } else {
    // Told to the command that waited for it, or nobody waits any more.
    removeJournal(stateDir);
    return undefined;
  }
  if (version === to) become(program, { words, env });
  return undefined;
}

/** A pid may be anybody's after a while. */
const WATCHED_MS = 300_000;

/** Somebody else is at it this moment. */
const isWatched = ({ phase, guard, updater, at }: Journal): boolean =>
  Date.now() - at < WATCHED_MS &&
  [guard, phase === "swapped" ? updater : undefined].some(
    (pid) => pid !== undefined && pid !== process.pid && alive(pid),
  );

/** The new version is ready: the command that waits reads it, or the next start clears it away. */
async function finish(stateDir: string): Promise<void> {
  const journal = readJournal(stateDir);
  if (journal) await writeJournal(stateDir, { ...journal, phase: "done", starts: 0 });
}
