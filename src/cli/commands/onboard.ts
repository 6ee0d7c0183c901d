/** `onboard`, `setup`, `configure`, and `config` alone: setting things up, all at once, without questions, or part by part. */
import { existsSync } from "node:fs";

import { agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { prepareWorkspace } from "../../agent/workspace.ts";
import { AppError } from "../../base/errors.ts";
import { ensureDir } from "../../base/fs.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import type { Change } from "../../config/edit.ts";
import { refuseNewer } from "../../store/sqlite/migrations.ts";
import { record } from "../../wizard/apply.ts";
import { canAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { commandsBelow } from "../commands.ts";
import { showCommandHelp } from "../help.ts";
import { needSettings, openBench } from "../onboard/bench.ts";
import { type Flags, ONBOARD_ARGS, SETUP_ARGS } from "../onboard/flags.ts";
import { runOnboard, withPerson } from "../onboard/run.ts";
import { checkSections, runSection, SECTIONS } from "../onboard/sections.ts";
import { PATH_NOTE } from "./config.ts";

export const onboard = command({
  doc: "Set everything up: a model, a chat app, the workspace, the config and the background service.",
  args: ONBOARD_ARGS,
  notes:
    "What is there already is kept: it can run again at any time. Nothing is written before the last question is answered. Keys go to .env in the state folder, never into the config. With --non-interactive a running gateway is expected at the end (exit code 1 when there is none); --skip-health leaves that out.",
  examples: [
    ["onboard --install-daemon", "set up, and run in the background from now on"],
    ["onboard --flow advanced", "also asks about the workspace and the gateway"],
    [
      "onboard --non-interactive --accept-risk --auth-choice skip --skip-health",
      "for scripts: no questions, no key yet",
    ],
    [
      "onboard --non-interactive --accept-risk --anthropic-api-key <key> --skip-health --json",
      "with a key that is tried with one call",
    ],
    [
      "onboard --mode remote --remote-url wss://gateway.example.net",
      "use a gateway on another machine",
    ],
  ],
  run: (args, cli) => runOnboard(cli, args as unknown as Flags),
});

export const setup = command({
  doc: "Make the config and the workspace, and ask nothing; with --wizard the same as `onboard`.",
  args: SETUP_ARGS,
  notes:
    "Any flag but --workspace and --json leads to `onboard`. What is there already is kept, so it can run again at any time.",
  examples: [
    ["setup", "the least that a gateway needs"],
    ["setup --workspace ~/clawd", "and where the agent works"],
    ["setup --wizard", "asks everything"],
  ],
  async run(args, cli) {
    const { workspace, json, _, ...rest } = args;
    if (Object.values(rest).some(Boolean)) return runOnboard(cli, args as unknown as Flags);
    refuseInNixMode(cli.env, "config");
    const settings = await needSettings(cli);
    refuseInNixMode(settings.env, "config");
    const bench = openBench(cli, settings);
    const { gateway, agents } = settings.config;
    const changes: Change[] = [
      ...(gateway.mode === undefined
        ? [{ kind: "set" as const, path: ["gateway", "mode"], value: "local" }]
        : []),
      ...(workspace && workspace !== agents.defaults.workspace
        ? [{ kind: "set" as const, path: ["agents", "defaults", "workspace"], value: workspace }]
        : []),
    ];
    await ensureDir(cli.paths.stateDir);
    if (changes.length > 0) await bench.edit([...changes, ...record("setup", "local")]);
    const now = bench.config();
    const agent = agentSettings(now.agents, defaultAgentId(now.agents), cli.paths);
    const made = await prepareWorkspace(agent.workspace, {
      skipBootstrap: agent.defaults.skipBootstrap,
    });
    const { configPath, databasePath } = cli.paths;
    const result = changes.length === 0 ? "ok" : settings.exists ? "updated" : "written";
    const sessions = existsSync(databasePath);
    if (json)
      return cli.out.data({
        ok: true,
        config: { path: configPath, result },
        workspace: { path: agent.workspace, made },
        sessions: { path: databasePath, exists: sessions },
      });
    const words = { ok: "Config OK:", updated: "Updated", written: "Wrote" }[result];
    cli.out.line(`${words} ${configPath}`);
    cli.out.line(`Workspace OK: ${agent.workspace}`);
    cli.out.line(`Sessions OK: ${databasePath}${sessions ? "" : " (made at the first start)"}`);
    cli.out.line(`Next, a model and the rest: ${bench.program} onboard`);
  },
});

/** The menu's way out. */
const CONTINUE = "continue";

const SECTION_ARG = {
  section: {
    type: "list",
    hint: "name",
    description: `Only this part; may be given several times. One of: ${Object.keys(SECTIONS).join(", ")}.`,
  },
} as const;

export const configure = command({
  doc: "Change parts of the set-up: workspace, model, gateway, service, chat apps.",
  args: SECTION_ARG,
  json: false,
  notes: "It asks, so it needs a terminal. Each part is written down before the next one is asked.",
  examples: [
    ["configure", "choose from a menu"],
    ["configure --section model", "another key or model"],
    ["configure --section channels --section health", "two parts, in this order"],
  ],
  run: (args, cli) => runConfigure(cli, args.section),
});

export const config = command({
  doc: "Read and change the config file; alone and at a terminal the same as `configure`.",
  args: SECTION_ARG,
  notes: PATH_NOTE,
  examples: [
    ["config get gateway.port", "one value"],
    ["config set gateway.port 19001", "change one value"],
    ["config validate", "what is wrong with the file"],
  ],
  async run(args, cli) {
    if (args.json) throw new AppError("usage", "config needs a command, as in `config get`");
    if (args.section.length > 0 || canAsk()) return runConfigure(cli, args.section);
    showCommandHelp(cli.out, cli.name, "config", config, commandsBelow("config"));
  },
});

/** Gives the exit code. Throws usage for a part that is not there and where nobody can be asked. */
async function runConfigure(cli: Cli, sections: readonly string[]): Promise<number> {
  checkSections(sections);
  refuseInNixMode(cli.env, "config");
  const program = cli.name + cli.profileFlag;
  if (!canAsk())
    throw new AppError("usage", "There is no terminal to ask questions on.", {
      hint: `Change single values: ${program} config set <path> <value>; or all at once: ${program} onboard --non-interactive --help`,
    });
  refuseNewer(cli.paths.databasePath);
  const settings = await needSettings(cli);
  refuseInNixMode(settings.env, "config");
  const bench = openBench(cli, settings);
  const leave = {
    message: "Stopped. Parts that were finished are written down, the last one is as it was.",
    hint: `To go on: ${program} configure`,
  };
  await withPerson(cli, false, leave, async (asked) => {
    for (const name of sections) await runSection(cli, bench, asked, name);
    if (sections.length > 0) return;
    const options = Object.entries(SECTIONS).map(([value, { label, hint }]) => ({
      value,
      label,
      hint,
    }));
    for (;;) {
      const chosen = await asked.guide.select({
        message: "What shall be set up?",
        options: [...options, { value: CONTINUE, label: "Nothing more" }],
        initial: CONTINUE,
      });
      if (chosen === CONTINUE) return;
      await runSection(cli, bench, asked, chosen);
    }
  });
  cli.out.line(`The page: ${program} dashboard`);
  return 0;
}
