/** `agents` and `agents list`: who there is. Read from the config, so a gateway is not needed. */
import { join } from "node:path";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import type { Config } from "../../config/schema.ts";
import { usableSettings } from "../channels/accounts.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { bindingsOf, describeMatch } from "./bindings.ts";
import { isDefault } from "./entries.ts";

const listCommand = (path: string) =>
  command({
    doc: "List the agents. Works while the gateway is down.",
    args: { bindings: { type: "boolean", description: "Also where each of them answers." } },
    examples: [
      [path, "who there is"],
      [`${path} --bindings --json`, "for scripts"],
    ],
    lenient: true,
    async run(args, cli) {
      const { config } = await usableSettings(cli);
      const rows = agentEntries(config.agents).map(({ id }) => rowOf(cli, config, id));
      if (args.json) return cli.out.data(rows);
      print(cli, rows, args.bindings);
    },
  });

export const list = listCommand("agents list");
export const agents = listCommand("agents");

type Row = ReturnType<typeof rowOf>;

/** The shape of the original's answer. */
function rowOf({ paths }: Cli, config: Config, id: string) {
  const { entry, workspace, model, name } = agentSettings(config.agents, id, paths);
  const identity = entry?.identity;
  const bindings = bindingsOf(config, id).map(({ match }) => describeMatch(match));
  const main = isDefault(config, id);
  return {
    id,
    ...(name && { name }),
    ...(identity?.name && { identityName: identity.name }),
    ...(identity?.emoji && { identityEmoji: identity.emoji }),
    ...(identity && { identitySource: "config" }),
    workspace,
    agentDir: join(paths.stateDir, "agents", id, "agent"),
    model: model?.primary ?? null,
    bindings: bindings.length,
    bindingDetails: bindings,
    routes: main ? ["everything that no other agent is bound to"] : [],
    isDefault: main,
  };
}

function print({ out }: Cli, rows: Row[], bindings: boolean): void {
  out.table(
    [
      { title: "Agent" },
      { title: "Name" },
      { title: "Model" },
      { title: "Workspace" },
      { title: "Bindings", align: "right" },
    ],
    rows.map((row) => [
      row.isDefault ? `${row.id} (default)` : row.id,
      [row.identityEmoji, row.name].filter(Boolean).join(" ") || "-",
      row.model ?? "default",
      row.workspace,
      String(row.bindings),
    ]),
  );
  if (!bindings) return;
  for (const row of rows)
    for (const line of [...row.bindingDetails, ...row.routes]) out.line(`${row.id}: ${line}`);
}
