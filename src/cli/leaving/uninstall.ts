/** `uninstall`: takes the service, the state and, when asked, the workspace and the app away again. The executable itself stays. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { AppError } from "../../base/errors.ts";
import { shellWord } from "../../base/fs.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { inContainer } from "../../base/platform.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { programOf } from "../service/service.ts";
import { dropBlock, filesWithBlock } from "../shell/rc.ts";
import {
  asDone,
  configOf,
  confirmed,
  listed,
  removeAll,
  removeService,
  stopGateway,
  tellDone,
} from "./carry-out.ts";
import { joined, type Plan, statePlan, workspacePlan, workspacesOf } from "./plan.ts";
import { isInside } from "./safe.ts";

/** Where the original's Mac app lies, under the names it has had. */
const APPS = ["Clawdbot", "Moltbot", "OpenClaw"].map((name) => `/Applications/${name}.app`);

/** What install.sh leaves beside the program. */
const RECEIPT = ".clawdbot-install.json";

type Wanted = { service: boolean; state: boolean; workspace: boolean; app: boolean };

export const uninstall = command({
  doc: "Remove the service, the state and the lines of `completion -i`. The workspace stays unless you ask.",
  args: {
    service: { type: "boolean", description: "The background service." },
    state: {
      type: "boolean",
      description: "Config, keys, conversations, and the completion lines of your shell's files.",
    },
    workspace: { type: "boolean", description: "The folders in which the agents work." },
    app: { type: "boolean", description: "The Mac app." },
    all: { type: "boolean", description: "All four." },
    yes: { type: "boolean", description: "Ask nothing." },
    "non-interactive": {
      type: "boolean",
      description: "Ask nothing; needs --yes and what to remove.",
    },
    "dry-run": { type: "boolean", description: "Only say what would be removed." },
  },
  notes:
    "Removing the state also removes the service, which could not run without it. The program file stays; the last line says how to remove it. Log files in the temporary folder are left to the system.",
  examples: [
    ["uninstall", "asks what to remove"],
    ["uninstall --all --dry-run", "what there is"],
    ["uninstall --service --state --yes --non-interactive", "for scripts; the workspace stays"],
  ],
  async run(args, cli) {
    const dryRun = args["dry-run"];
    const flags = wantedBy(args);
    const named = Object.values(flags).includes(true);
    if (args["non-interactive"] && !dryRun && !(named && args.yes))
      throw new AppError("usage", "Non-interactive mode requires --yes and what to remove.", {
        hint: "What to remove: --service, --state, --workspace, --app or --all.",
      });
    const wanted = named ? flags : dryRun ? ALL : await askWanted(cli);
    if (!wanted) return cancelled(cli);
    // Before anything is touched: half of it would leave a service without a state.
    if (wanted.service || wanted.state) refuseInNixMode(cli.env, "service");
    const plan = await planFor(cli, wanted);
    // They are for every profile, so they go with the one that has no name.
    const { home, profile } = cli.paths;
    const rcFiles = wanted.state && !profile ? await filesWithBlock(home, cli.env) : [];
    if (dryRun) {
      const lines = rcFiles.map((file) => `${file}: the completion lines would go.`);
      return tellDone(cli, asDone({ ...plan, kept: [...plan.kept, ...lines] }), true, []);
    }
    const sure =
      args.yes ||
      (await confirmed(
        cli,
        [
          "This is removed for good:",
          ...(wanted.service ? ["  the service"] : []),
          ...listed(plan),
        ],
        "Go on?",
      ));
    if (!sure) return cancelled(cli);
    const notes = await removeRunning(cli, wanted);
    for (const file of rcFiles) notes.push(await withoutCompletion(file));
    // Looked for again: a gateway writes until its end.
    const done = await removeAll(cli, await planFor(cli, wanted));
    return tellDone(cli, { ...done, notes }, false, await lastLines(cli, wanted));
  },
});

const ALL: Wanted = { service: true, state: true, workspace: true, app: true };

const wantedBy = (args: Wanted & { all: boolean }): Wanted =>
  args.all
    ? ALL
    : // A service whose state is gone would be started again and again.
      {
        service: args.service || args.state,
        state: args.state,
        workspace: args.workspace,
        app: args.app,
      };

/** Undefined when the person leaves or wants nothing removed. */
async function askWanted(cli: Cli): Promise<Wanted | undefined> {
  if (!canAsk())
    throw new AppError("usage", "There is no terminal to ask on.", {
      hint: `Say it with flags: ${cli.name}${cli.profileFlag} uninstall --service --state --yes`,
    });
  const ask = openAsk(cli.out);
  try {
    const state = await ask.yes("Remove config, keys and conversations?", false);
    const service = state || (await ask.yes("Remove the background service?", false));
    const workspace = await ask.yes("Remove the workspace, with all that the agent wrote?", false);
    const app = APPS.some((path) => existsSync(path)) && (await ask.yes("Remove the app?", false));
    return service || state || workspace || app ? { service, state, workspace, app } : undefined;
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "aborted") return undefined;
    throw cause;
  } finally {
    ask.close();
  }
}

async function planFor(cli: Cli, wanted: Wanted): Promise<Plan> {
  const { paths } = cli;
  const config = await configOf(cli);
  const workspaces = workspacesOf(config, paths);
  const apps: Plan = { paths: APPS.filter((path) => existsSync(path)), folders: [], kept: [] };
  const outside = workspaces.filter((path) => !isInside(path, paths.stateDir));
  return joined(
    ...(wanted.workspace ? [workspacePlan(paths, config)] : []),
    ...(wanted.app ? [apps] : []),
    ...(wanted.state ? [statePlan(paths, wanted.workspace ? [] : workspaces)] : []),
    {
      paths: [],
      folders: [],
      kept: wanted.workspace
        ? []
        : outside.map((path) => `Workspace kept: ${path} (--workspace removes it too).`),
    },
  );
}

/** The service, or at least the running gateway. Gives sentences. */
async function removeRunning(cli: Cli, { service, state, workspace }: Wanted): Promise<string[]> {
  const notes: string[] = [];
  if (service) {
    const said = await removeService(cli);
    if (said) notes.push(said);
  }
  // Also one in a terminal: it would go on writing into what is removed.
  if (state || workspace) await stopGateway(cli);
  return notes;
}

/** One sentence. A file that cannot be changed is no reason to keep everything else. */
async function withoutCompletion(file: string): Promise<string> {
  try {
    await dropBlock(file);
    return `${file}: the completion lines are gone.`;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return `${file}: the completion lines stay. ${cause.message}`;
  }
}

async function lastLines(cli: Cli, { state }: Wanted): Promise<string[]> {
  if (!state) return [];
  return [`CLI still installed. ${howToRemove(cli)}`];
}

/** The command that takes the program away, by how it came. */
function howToRemove(cli: Cli): string {
  const [file = process.execPath] = programOf(cli).command;
  if (inContainer(cli.env)) return "It is part of the image; remove the container and the image.";
  if (file.includes("node_modules")) return "To remove it: npm rm -g clawdbot";
  if (existsSync(join(dirname(file), RECEIPT)))
    return "To remove it: run the install script again with --uninstall.";
  return `To remove it: rm ${shellWord(file)}`;
}

function cancelled({ out }: Cli): number {
  if (out.json) out.data({ ok: true, cancelled: true, removed: [] });
  else out.line("Nothing was removed.");
  return 0;
}
