/**
 * What an update has begun and not yet ended, in `<state>/update/journal.json`. Written before each step that a kill could leave half
 * done; whoever comes next (the gateway's start, the next update) finishes it or takes it back.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { errnoOf } from "../../base/errors.ts";
import { atomicWrite } from "../../base/fs.ts";

const Journal = z.object({
  schema: z.literal(1),
  kind: z.enum(["update", "rollback"]),
  program: z.string(),
  previous: z.string(),
  from: z.string(),
  to: z.string(),
  /** The number of the last schema step that each of them knows; 0 when that is not known. */
  schemaFrom: z.int(),
  schemaTo: z.int(),
  /**
   * `swapped`: the new file is in its place. `trying`: the gateway tries it. `taken`: it was ready, and takes over. `reverting`: the
   * old one comes back. `done` and `reverted` are for the command that waits for the outcome.
   */
  phase: z.enum(["swapped", "trying", "taken", "reverting", "done", "reverted"]),
  /** Why the old one came back. */
  reason: z.string().optional(),
  /** Starts of the new program that nobody watched over and that did not become ready. */
  starts: z.int().default(0),
  /** The command's process, and the gateway's that tries the new file. */
  updater: z.int(),
  guard: z.int().optional(),
  /** Epoch ms. */
  at: z.number(),
});
export type Journal = z.infer<typeof Journal>;

const folderOf = (stateDir: string) => join(stateDir, "update");
const journalOf = (stateDir: string) => join(folderOf(stateDir), "journal.json");
/** Where a new version is tried on a copy of the state. */
export const trialFolder = (stateDir: string): string => join(folderOf(stateDir), "trial");

/** One look at the disk, at every start of a gateway. */
export const hasJournal = (stateDir: string): boolean => existsSync(journalOf(stateDir));

/** Undefined when there is none, or none that this version can read. */
export const readJournal = (stateDir: string): Journal | undefined =>
  Journal.safeParse(read(journalOf(stateDir))).data;

/** On the disk when it resolves. */
export async function writeJournal(stateDir: string, journal: Journal): Promise<void> {
  mkdirSync(folderOf(stateDir), { recursive: true, mode: 0o700 });
  await atomicWrite(journalOf(stateDir), `${JSON.stringify(journal, null, 2)}\n`);
}

export const removeJournal = (stateDir: string): void =>
  rmSync(journalOf(stateDir), { force: true });

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError || errnoOf(cause) !== undefined) return undefined;
    throw cause;
  }
}
