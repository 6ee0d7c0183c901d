/** A gateway that starts on the folder of an older installation takes it over once, before anybody can write to it. */
import type { Env } from "../base/env.ts";
import { AppError } from "../base/errors.ts";
import { realPathOf } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { Config } from "../config/schema.ts";
import type { SqliteStore as Store } from "../store/sqlite/index.ts";
import { PARTS } from "./registry.ts";

/** Name of the mark that says that the state folder was looked through. */
export const DONE = "done";
/** When, epoch ms, and of which folder; null when there was nothing. */
export type Done = { at: number; from: string | null };

export type StartDeps = { env: Env; paths: Paths; config: Config; store: Store; log: Logger };

/**
 * Costs one look into the database once it was done. Never throws: what fails is logged, and tried again at the next start, because
 * a gateway without old conversations is better than none. Gives until when files of the folder were the older system's, epoch ms.
 */
export async function takeOverOnce(deps: StartDeps): Promise<number> {
  const { store, paths, log } = deps;
  try {
    const before = await store.takeover.mark<Done>(DONE);
    if (!before) {
      const { takeOverNow } = await PARTS.firstStart();
      await takeOverNow(deps);
    }
    const done = before ?? (await store.takeover.mark<Done>(DONE));
    // Not done although it was tried: nobody knows whose they are.
    if (!done) return Number.MAX_SAFE_INTEGER;
    const own = done.from !== null && realPathOf(done.from) === realPathOf(paths.stateDir);
    return own ? done.at : 0;
  } catch (cause) {
    // Expected: a row that a damaged disk has changed. Everything else of the store may be well.
    if (!(cause instanceof AppError)) throw cause;
    log.error(`it cannot be told whether an older version was here: ${cause.message}`);
    return Number.MAX_SAFE_INTEGER;
  }
}
