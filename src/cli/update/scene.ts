/** What every update command looks at first: where the program is, who looks after it, and what an earlier run left undone. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";

import { AppError } from "../../base/errors.ts";
import { alive, realPathOf } from "../../base/fs.ts";
import { lockOwner } from "../../base/lock.ts";
import type { Paths } from "../../base/paths.ts";
import { type Journal, readJournal, removeJournal } from "../../service/update/journal.ts";
import { type Managed, managedBy } from "../../service/update/managed.ts";
import {
  type Place,
  placeOf,
  readReceipt,
  type Receipt,
  sweep,
} from "../../service/update/place.ts";
import type { Channel } from "../../service/update/release.ts";
import { revert } from "../../service/update/revert.ts";
import { DEFAULT_BASE, openSource, type Source } from "../../service/update/source.ts";
import { removeTrial } from "../../service/update/trial.ts";
import type { Cli } from "../command.ts";

export type Scene = {
  place: Place;
  root: string;
  managed: Managed | undefined;
  receipt: Receipt | undefined;
  channel: Channel;
};

export function openScene({ env }: Cli, wanted?: Channel): Scene {
  const program = realPathOf(process.execPath);
  const place = placeOf(program);
  const receipt = readReceipt(place);
  return {
    place,
    root: dirname(program),
    managed: managedBy({ env, program }),
    receipt,
    channel: wanted ?? receipt?.channel ?? "stable",
  };
}

/** The variable, else where install.sh took it from, else the project's releases. Throws usage. */
export const sourceOf = ({ env }: Cli, { receipt }: Pick<Scene, "receipt">): Source =>
  openSource(
    env.installBaseUrl ?? receipt?.source ?? DEFAULT_BASE,
    env.installStall === undefined ? undefined : env.installStall * 1000,
  );

/** A command that works on it ends sooner than this, in ms. */
const WORKING_MS = 300_000;

/** Ends what a killed update began, and clears its files away. Throws busy while one still works. */
export async function clearLeftovers(paths: Paths, place: Place): Promise<void> {
  sweep(place);
  // Whoever tries a version has the folder for its file too.
  if (!existsSync(place.work)) removeTrial(paths.stateDir);
  const journal = readJournal(paths.stateDir);
  if (!journal) return removeJournal(paths.stateDir);
  if (isWorking(journal))
    throw new AppError("busy", `Another update works (process ${journal.updater}).`, {
      hint: "Wait until it has ended.",
      details: { reason: "busy" },
    });
  if (journal.phase === "reverting" && !lockOwner(paths.lockPath))
    await revert(paths, journal, journal.reason ?? "it was cut off");
  removeJournal(paths.stateDir);
}

const isWorking = ({ phase, updater, guard, at }: Journal): boolean =>
  phase !== "done" &&
  phase !== "reverted" &&
  Date.now() - at < WORKING_MS &&
  [phase === "trying" ? guard : undefined, updater].some(
    (pid) => pid !== undefined && pid !== process.pid && alive(pid),
  );
