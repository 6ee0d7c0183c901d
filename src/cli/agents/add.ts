/** `agents add`: another agent with a workspace of its own. */
import { join, resolve } from "node:path";

import { agentEntries, defaultAgentId } from "../../agent/settings.ts";
import { prepareWorkspace } from "../../agent/workspace.ts";
import { AppError } from "../../base/errors.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { expandHome, workspaceOf } from "../../base/paths.ts";
import { editFile } from "../../config/handle.ts";
import { plainId } from "../../protocol/session-key.ts";
import { usableSettings } from "../channels/accounts.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { isThere, removeTree } from "../leaving/safe.ts";
import { openScene, refOf } from "../models/scene.ts";
import { bindChanges, type Bound, parseBind } from "./bindings.ts";
import { addChanges, writtenAgents } from "./entries.ts";

export const add = command({
  doc: "Add an agent with a workspace of its own.",
  args: {
    name: {
      type: "positional",
      required: false,
      description: "Its name, from which its id is made.",
    },
    workspace: { type: "string", hint: "dir", description: "The folder in which it works." },
    model: { type: "string", hint: "model", description: "Its model; else that of the defaults." },
    "agent-dir": { type: "string", hint: "dir", description: "Where its own settings lie." },
    bind: {
      type: "list",
      hint: "channel[:account]",
      description: "It answers there; may be given several times.",
    },
    "non-interactive": {
      type: "boolean",
      description: "Ask nothing; needs a name and --workspace.",
    },
  },
  examples: [
    ["agents add work --workspace ~/clawd-work --bind telegram:work", "answers one account"],
    ["agents add research --model openai/gpt-5.2", "with a model of its own"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const { config } = await usableSettings(cli);
    if (args["non-interactive"] && !args.workspace)
      throw new AppError("usage", "Non-interactive mode requires --workspace.");
    const name = args.name?.trim();
    if (!name)
      throw new AppError("usage", "missing argument <name>", {
        hint: `As in: ${cli.name}${cli.profileFlag} agents add work`,
      });
    const id = plainId(name, "");
    if (!id) throw new AppError("usage", `"${name}" has no letter or digit for an id.`);
    const known = agentEntries(config.agents).map((entry) => entry.id);
    if (id === "main") throw new AppError("usage", '"main" is reserved. Choose another name.');
    if (known.includes(id)) throw new AppError("usage", `Agent "${id}" already exists.`);
    const wanted = args.bind.map(parseBind);
    const model = args.model && (await refOf(await openScene(cli), args.model));
    const workspace = args.workspace
      ? resolve(expandHome(args.workspace, cli.paths.home))
      : workspaceOf(cli.paths, id);
    const agentDir = args["agent-dir"] && resolve(expandHome(args["agent-dir"], cli.paths.home));
    const entry = {
      id,
      ...(name !== id && { name }),
      workspace,
      ...(agentDir && { agentDir }),
      ...(model && { model }),
    };
    const { changes, bound } = bindChanges(config, id, wanted);
    const now = Date.now();
    const { env, paths } = cli;
    const existed = isThere(workspace);
    // First, because an agent whose folder cannot be made is no use; and taken back when the config cannot be written.
    await prepareWorkspace(workspace, { skipBootstrap: config.agents.defaults.skipBootstrap });
    try {
      await editFile({ env, paths, strictVariables: false, now }, [
        ...addChanges(await writtenAgents(cli), defaultAgentId(config.agents), entry),
        ...changes,
      ]);
    } catch (cause) {
      if (!existed) await removeTree(workspace);
      throw cause;
    }
    const facts = {
      agentId: id,
      name,
      workspace,
      agentDir: agentDir ?? join(paths.stateDir, "agents", id, "agent"),
      ...(model && { model }),
      bindings: bound,
    };
    if (args.json) return cli.out.data(facts);
    cli.out.line(`Agent: ${id}`);
    cli.out.line(`Workspace: ${workspace}`);
    sayBound(cli, bound);
  },
});

/** What became of the wishes, one line each. */
export function sayBound({ out }: Cli, { added, skipped, conflicts }: Bound): void {
  for (const each of added) out.line(`Bound: ${each}`);
  for (const each of skipped) out.line(`Bound already: ${each}`);
  for (const each of conflicts)
    out.error(`Not bound: ${each} has it. Take it away there first: agents unbind`);
}
