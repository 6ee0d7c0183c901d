import { AppError } from "../../base/errors.ts";
/** Bringing the version before back: its file, and the database in the form that it knows. Called only while no gateway runs. */
import { acquireLock } from "../../base/lock.ts";
import type { Paths } from "../../base/paths.ts";
import { type Downgrade, downgrade } from "../../store/sqlite/rescue/downgrade.ts";
import { type Journal, writeJournal } from "./journal.ts";
import { swapBack } from "./place.ts";

/**
 * Each step can be done again: a kill in between is made good by whoever reads the journal next. Throws gateway_running when a gateway
 * holds the state, store_failed, disk_full.
 */
export async function revert(
  paths: Pick<Paths, "stateDir" | "lockPath" | "databasePath">,
  journal: Journal,
  reason: string,
): Promise<Downgrade | undefined> {
  const begun: Journal = { ...journal, phase: "reverting", reason };
  await writeJournal(paths.stateDir, begun);
  swapBack(journal);
  const made = toSchema(paths, journal.schemaFrom);
  await writeJournal(paths.stateDir, { ...begun, phase: "reverted" });
  return made;
}

/** Brings the database down to a schema, under the gateway's lock. Undefined when there was nothing to do. */
export function toSchema(
  { lockPath, databasePath }: Pick<Paths, "lockPath" | "databasePath">,
  schema: number,
): Downgrade | undefined {
  const now = Date.now();
  const lock = acquireLock(lockPath, {
    pid: process.pid,
    bootId: "update",
    version: "",
    startedAt: now,
  });
  if (!("release" in lock))
    throw new AppError(
      "gateway_running",
      `A gateway (PID ${lock.pid || "unknown"}) holds the state, so its database is not touched.`,
    );
  try {
    return downgrade(databasePath, now, schema);
  } finally {
    lock.release();
  }
}
