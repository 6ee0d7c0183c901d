/** The takeover of a gateway's first start on an older folder. Loaded when it is wanted: every later start goes without it. */
import { toAppError } from "../base/errors.ts";
import { loadConfig } from "../config/load.ts";
import { Tree } from "./files.ts";
import { olderGateway } from "./find.ts";
import { openNetworks } from "./networks.ts";
import { lineOfProblem, Told } from "./report.ts";
import { DONE, type Done, type StartDeps } from "./start.ts";
import { looksOld, readState } from "./state.ts";
import { takeOver } from "./take.ts";

/** Problems that are logged one by one. */
const LOGGED = 20;

/** Never throws: what fails is logged, and then nothing is remembered. */
export async function takeOverNow({ env, paths, config, store, log }: StartDeps): Promise<void> {
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
