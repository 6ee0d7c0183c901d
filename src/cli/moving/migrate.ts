/** `migrate`: takes over the state folder of OpenClaw, Moltbot or an older Clawdbot. The older files are only read. */
import { tmpdir } from "node:os";
import { resolve } from "node:path";

import { agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { readLock } from "../../base/lock.ts";
import { expandHome, findPaths } from "../../base/paths.ts";
import { loadConfig, type Loaded } from "../../config/load.ts";
import { Tree } from "../../legacy/files.ts";
import { findOlder, olderGateway } from "../../legacy/find.ts";
import { openNetworks } from "../../legacy/networks.ts";
import { planRows, sizeOf, unusedRows } from "../../legacy/plan.ts";
import { lineOfProblem, type Row, Told } from "../../legacy/report.ts";
import { olderConfig, olderWorkspace } from "../../legacy/settings.ts";
import { looksOld, type OlderState, readState } from "../../legacy/state.ts";
import { takeOver } from "../../legacy/take.ts";
import { peekTakeover } from "../../store/sqlite/peek.ts";
import { canAsk, openAsk } from "../ask.ts";
import { withStore } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";

/** Between two lines of progress on a screen, in ms. */
const TELL_MS = 200;

export const migrate = command({
  doc: "Take over the state of OpenClaw, Moltbot or an older Clawdbot; its files stay as they are.",
  args: {
    from: {
      type: "string",
      hint: "dir",
      description: "The older state folder; else the one that is found.",
    },
    "dry-run": { type: "boolean", description: "Say what would be done, and do nothing." },
    yes: { type: "boolean", description: "Do not ask." },
  },
  examples: [
    ["migrate --dry-run", "what there is, and where it would go"],
    ["migrate", "look, ask, and take it over"],
    ["migrate --from ~/.openclaw --yes", "a certain folder, in a script"],
  ],
  notes:
    "It may be run again at any time: what is there already is not taken twice, and what went on here stays as it is.",
  async run(args, cli) {
    const told = new Told();
    const tree = await treeFrom(cli, args.from, told);
    const running = await olderGateway(tree);
    if (running !== undefined)
      told.problem({
        path: tree.dir,
        text: `the older gateway (PID ${running}) still runs, so what it writes now is missed`,
        hint: "Stop it, then run this again.",
      });
    const state = await readState(tree, told, tmpdir());
    try {
      return await migrateState(state, told, args, cli);
    } finally {
      await state.databases?.close();
    }
  },
});

type Args = { json: boolean; yes: boolean; "dry-run": boolean };

async function migrateState(state: OlderState, told: Told, args: Args, cli: Cli): Promise<number> {
  const { tree } = state;
  const { config, loaded } = await configsFor(state, cli);
  const networks = await openNetworks(config?.config, (name) => config?.env.raw(name));
  const now = Date.now();
  const workspace = await workspaceFor(state, loaded, config, cli);
  const plan = { paths: cli.paths, networks, told, now, workspace, reads: undefined };
  const rows =
    (await peekTakeover(cli.paths.databasePath, (reads) => planRows(state, { ...plan, reads }))) ??
    (await planRows(state, plan));
  if (args["dry-run"]) return show(cli, { from: tree.dir, dryRun: true, rows, told });
  refuseRunning(cli);
  if (!args.yes && !args.json && !(await agreed(cli, tree.dir, rows, told))) return 0;
  if (args.json && !args.yes)
    throw new AppError("usage", "With --json nobody can be asked.", {
      hint: "Add --yes to do it, or --dry-run to see what would be done.",
    });
  const problems = new Told();
  const done = await withStore(cli, (store) =>
    takeOver(state, store, {
      ...{ env: cli.env, paths: cli.paths, config: config?.config, loaded, networks, now },
      told: problems,
      progress: progressOn(cli),
    }),
  );
  for (const problem of told.problems)
    if (!problems.problems.some((each) => lineOfProblem(each) === lineOfProblem(problem)))
      problems.problem(problem);
  const unused = await unusedRows(state, cli.paths.stateDir);
  return show(cli, { from: tree.dir, dryRun: false, rows: [...done, ...unused], told: problems });
}

/** Throws usage when there is none, or several to choose from. */
async function treeFrom(cli: Cli, from: string | undefined, told: Told): Promise<Tree> {
  if (from !== undefined) {
    const dir = resolve(expandHome(from, cli.paths.home));
    const tree = await Tree.open(dir, told);
    if (!tree)
      throw new AppError("not_found", told.problems[0]?.text ?? `There is no folder ${dir}.`);
    if (await looksOld(tree)) return tree;
    throw new AppError("not_found", `There is nothing in ${dir} that could be taken over.`, {
      hint: "A state folder holds `agents`, `credentials` or `sessions`. Is it in a folder inside?",
    });
  }
  const found = await findOlder(cli.paths);
  if (found.length === 0)
    throw new AppError("not_found", "No older state folder was found.", {
      hint: "Name it: clawdbot migrate --from <dir>.",
    });
  const own = found.find((dir) => dir === cli.paths.stateDir);
  const dir = own ?? (found.length === 1 ? found[0]! : await chosen(cli, found));
  for (const other of found.filter((each) => each !== dir))
    cli.out.note(`There is another one: ${other} (--from ${other} takes it over).`);
  return (await Tree.open(dir, told))!;
}

async function chosen(cli: Cli, found: string[]): Promise<string> {
  if (cli.out.json || !canAsk())
    throw new AppError("usage", `There are several older state folders: ${found.join(", ")}.`, {
      hint: `Name one: clawdbot migrate --from ${found[0]}.`,
    });
  const ask = openAsk(cli.out);
  try {
    return await ask.choose(
      "Which one is to be taken over?",
      found.map((dir) => ({ value: dir, label: dir })),
    );
  } finally {
    ask.close();
  }
}

/** The config that counts afterwards, and the older one with its text. A broken one leaves the accounts unknown. */
async function configsFor(
  { tree, config }: OlderState,
  { env, paths }: Cli,
): Promise<{ config: Loaded | undefined; loaded: Loaded | undefined }> {
  const loaded = await olderConfig(tree, config, { env, paths });
  const own = await loadConfig({ env, paths, strictVariables: false });
  return { config: own.exists ? own : loaded, loaded };
}

async function workspaceFor(
  { tree }: OlderState,
  loaded: Loaded | undefined,
  config: Loaded | undefined,
  { paths, env }: Cli,
): Promise<string> {
  const older = config === loaded ? await olderWorkspace(tree, loaded, paths) : undefined;
  const agents = config?.config?.agents;
  if (older || !agents) return older ?? findPaths(env).workspaceDefault;
  return agentSettings(agents, defaultAgentId(agents), paths).workspace;
}

function refuseRunning({ paths, name, profileFlag }: Cli): void {
  const { held, body } = readLock(paths.lockPath);
  if (!held) return;
  throw new AppError(
    "gateway_running",
    `The gateway (PID ${body?.pid ?? "unknown"}) has the state folder ${paths.stateDir} open.`,
    {
      hint: `Stop it first: ${name}${profileFlag} gateway stop. \`--dry-run\` works meanwhile.`,
    },
  );
}

async function agreed(cli: Cli, from: string, rows: Row[], told: Told): Promise<boolean> {
  if (!canAsk())
    throw new AppError("usage", "Nobody can be asked here.", {
      hint: "Add --yes to do it, or --dry-run to see what would be done.",
    });
  print(cli, from, rows, told);
  const ask = openAsk(cli.out);
  try {
    if (await ask.yes(`Take this over into ${cli.paths.stateDir}?`, true)) return true;
    cli.out.note("Nothing was changed.");
    return false;
  } finally {
    ask.close();
  }
}

/** A line on the screen that is written over; nothing where there is none. */
function progressOn({ out, env }: Cli): (done: number, all: number) => void {
  if (out.json || !out.tty || env.raw("TERM") === "dumb") return () => undefined;
  let shown = 0;
  return (done, all) => {
    const now = performance.now();
    const last = done >= all;
    if (all === 0 || (now - shown < TELL_MS && !last)) return;
    shown = now;
    const percent = Math.floor((Math.min(done, all) / all) * 100);
    out.prompt(
      `\r${`${percent} % of ${sizeOf(all)}`.padEnd(30)}${last ? "\r".padEnd(32) + "\r" : ""}`,
    );
  };
}

type Shown = { from: string; dryRun: boolean; rows: Row[]; told: Told };

function show(cli: Cli, { from, dryRun, rows, told }: Shown): number {
  const { out, name, profileFlag, paths } = cli;
  if (out.json) {
    out.data({
      ok: true,
      from,
      to: paths.stateDir,
      dryRun,
      rows,
      problems: told.problems,
      ...(told.more > 0 && { moreProblems: told.more }),
    });
    return 0;
  }
  print(cli, from, rows, told);
  if (dryRun) out.note("Nothing was changed.");
  else if (rows.some((row) => row.state === "new"))
    out.line(`Done. The older files are as they were. Next: ${name}${profileFlag} gateway`);
  else out.line("Everything is here already.");
  return 0;
}

const STATES: Record<Row["state"], string> = {
  new: "new",
  there: "there already",
  kept: "kept",
  "not taken": "not taken",
};

function print({ out }: Cli, from: string, rows: Row[], told: Told): void {
  out.line(`From ${from}:`);
  const titles = ["What", "How many", "", "Where to", "Note"];
  out.table(
    titles.map((title, i) => ({ title, ...(i === 1 && { align: "right" as const }) })),
    rows.map((row) => [row.what, String(row.count), STATES[row.state], row.to, row.note ?? ""]),
  );
  for (const problem of told.problems) out.note(`warning: ${lineOfProblem(problem)}`);
  if (told.more > 0) out.note(`warning: and ${told.more} more.`);
}
