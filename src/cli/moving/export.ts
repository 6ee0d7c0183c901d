/** `export`: writes the state in the layout of the older systems, so that one can go back to them. */
import { resolve } from "node:path";

import { agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { expandHome } from "../../base/paths.ts";
import { loadConfig } from "../../config/load.ts";
import { Tree } from "../../legacy/files.ts";
import { giveBack } from "../../legacy/give.ts";
import { openNetworks } from "../../legacy/networks.ts";
import { lineOfProblem, Told } from "../../legacy/report.ts";
import { readState } from "../../legacy/state.ts";
import { peekTakeover } from "../../store/sqlite/peek.ts";
import { command } from "../command.ts";

export const exportState = command({
  doc: "Write the state in the layout of OpenClaw and older Clawdbots, to go back to them.",
  args: {
    to: {
      type: "string",
      hint: "dir",
      description: "A folder that does not exist yet, or is empty.",
    },
  },
  examples: [
    ["export --to ~/clawdbot-export", "conversations, sign-ins, people, devices, config"],
    ["export --to /tmp/state --json", "for scripts"],
  ],
  notes:
    "It works while the gateway runs, and gives the state of one moment. The folder holds secrets: only you can read it.",
  async run(args, cli) {
    const { out, paths, env } = cli;
    if (args.to === undefined)
      throw new AppError("usage", "Missing --to <dir>.", {
        hint: `For example: ${cli.name} export --to ~/clawdbot-export`,
      });
    const to = resolve(expandHome(args.to, paths.home));
    const told = new Told();
    const loaded = await loadConfig({ env, paths, strictVariables: false });
    const networks = await openNetworks(loaded.config, (name) => loaded.env.raw(name));
    const tree = await Tree.open(paths.stateDir, told);
    const own = tree && (await readState(tree, told, undefined));
    const agents = loaded.config?.agents;
    const workspace = agents
      ? agentSettings(agents, defaultAgentId(agents), paths).workspace
      : paths.workspaceDefault;
    const rows = await peekTakeover(paths.databasePath, (reads) =>
      giveBack(reads, to, {
        ...{ paths, loaded, networks, own, workspace },
        progress: () => undefined,
      }),
    );
    if (!rows)
      throw new AppError(
        "not_found",
        `There is nothing to export: no database at ${paths.databasePath}.`,
        {
          hint: "Is it another --profile, or another CLAWDBOT_STATE_DIR?",
        },
      );
    if (args.json) return out.data({ ok: true, to, rows, problems: told.problems });
    out.table(
      [
        { title: "What" },
        { title: "How many", align: "right" },
        { title: "Where" },
        { title: "Note" },
      ],
      rows.map((row) => [row.what, String(row.count), row.to, row.note ?? ""]),
    );
    for (const problem of told.problems) out.note(`warning: ${lineOfProblem(problem)}`);
    out.line(`Written to ${to}. Only you can read it; it holds secrets.`);
    out.note(
      "Stop clawdbot before another program uses it: a link to WhatsApp works in one place only.",
    );
  },
});
