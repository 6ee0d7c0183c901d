/** A gateway that starts on the folder of an older installation takes it over once, before anybody can write to it. */
import type { Env } from "../base/env.ts";
import { toAppError } from "../base/errors.ts";
import { realPathOf } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { SqliteStore as Store } from "../store/sqlite/index.ts";
import { Tree } from "./files.ts";
import { olderGateway } from "./find.ts";
import { openNetworks } from "./networks.ts";
import { lineOfProblem, Told } from "./report.ts";
import { looksOld, readState } from "./state.ts";
import { DONE, type Done, takeOver } from "./take.ts";

/** Problems that are logged one by one. */
const LOGGED = 20;

export type StartDeps = { env: Env; paths: Paths; config: Config; store: Store; log: Logger };

/**
 * Costs one look into the database once it was done. Never throws: what fails is logged, and tried again at the next start, because
 * a gateway without old conversations is better than none. Gives until when files of the folder were the older system's, epoch ms.
 */
export async function takeOverOnce(deps: StartDeps): Promise<number> {
  const { store, paths } = deps;
  const before = await store.takeover.mark<Done>(DONE);
  if (!before) await takeOverNow(deps);
  const done = before ?? (await store.takeover.mark<Done>(DONE));
  // Not done although it was tried: nobody knows whose they are.
  if (!done) return Number.MAX_SAFE_INTEGER;
  const own = done.from !== null && realPathOf(done.from) === realPathOf(paths.stateDir);
  return own ? done.at : 0;
}

async function takeOverNow({ env, paths, config, store, log }: StartDeps): Promise<void> {
  const told = new Told();
  const started = performance.now();
  try {
    const tree = await Tree.open(paths.stateDir, told);
    if (!tree || !(await looksOld(tree)))
      return await store.takeover.remember(DONE, { at: Date.now(), from: null } satisfies Done);
    const running = await olderGateway(tree);
    if (running !== undefined)
      log.warn("the older gateway still runs on this folder; stop it, and run `clawdbot migrate`", {
        pid: running,
      });
    const state = await readState(tree, told, paths.stateDir);
    try {
      const conversations = state.transcripts.length;
      const bytes = state.transcripts.reduce((sum, { source }) => sum + source.size, 0);
      log.info("taking over what an older version left in this folder", { conversations, bytes });
      const networks = await openNetworks(config, (name) => env.raw(name));
      const loaded = await loadConfig({ env, paths, strictVariables: false });
      const progress = () => undefined;
      const now = Date.now();
      const deps = { env, paths, config, loaded, networks, told, now, progress };
      const rows = await takeOver(state, store, deps);
      const taken = Object.fromEntries(
        rows.filter((row) => row.state === "new").map((row) => [row.what, row.count]),
      );
      const ms = Math.round(performance.now() - started);
      log.info("took over the state of an older version; its files stay as they are", {
        ...taken,
        ms,
      });
    } finally {
      await state.databases?.close();
    }
  } catch (cause) {
    const { code, message } = toAppError(cause);
    log.error(`the state of an older version was not taken over: ${message}`, {
      code,
      hint: "Stop the gateway, then run `clawdbot migrate`; nothing of the older files was changed.",
    });
  }
  for (const problem of told.problems.slice(0, LOGGED))
    log.warn("something of the older state could not be used", { what: lineOfProblem(problem) });
  const more = told.problems.length - LOGGED + told.more;
  if (more > 0)
    log.warn("there is more that could not be taken over", {
      more,
      hint: "`clawdbot migrate --dry-run` names it.",
    });
}
