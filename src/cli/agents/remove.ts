/** `agents delete`: takes an agent out of the config; its folders are moved aside, never deleted. */
import { mkdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import { AppError, errnoOf } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import type { Change } from "../../config/edit.ts";
import { editFile } from "../../config/handle.ts";
import { valueAt } from "../../config/path.ts";
import type { Config } from "../../config/schema.ts";
import { canAsk, openAsk } from "../ask.ts";
import { usableSettings } from "../channels/accounts.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { isInside, isThere, refuseUnsafe } from "../leaving/safe.ts";
import { unbindChanges } from "./bindings.ts";
import { agentNamed, isDefault, placeOf, writtenAgents } from "./entries.ts";

export const remove = command({
  doc: "Remove an agent. Its workspace is moved aside; its conversations stay in the database.",
  args: {
    id: { type: "positional", required: true, description: "Its id." },
    force: { type: "boolean", description: "Do not ask." },
  },
  examples: [
    ["agents delete work", "asks first"],
    ["agents delete work --force --json", "for scripts"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const { config } = await usableSettings(cli);
    const id = agentNamed(config, args.id);
    if (id === "main") throw new AppError("usage", '"main" cannot be deleted.');
    const written = await writtenAgents(cli);
    const place = placeOf(written, id)!;
    const { workspace } = agentSettings(config.agents, id, cli.paths);
    const agentDir = join(cli.paths.stateDir, "agents", id);
    if (isDefault(config, id) && agentEntries(config.agents).length > 1)
      cli.out.note(`"${id}" is the default agent; another one takes its place.`);
    if (!args.force && !(await sure(cli, id, workspace))) {
      if (args.json) cli.out.data({ ok: true, cancelled: true });
      else cli.out.line("Nothing was changed.");
      return;
    }
    const bindings = unbindChanges(config, id, undefined);
    const allowed = allowChanges(config, id);
    const { env, paths } = cli;
    await editFile({ env, paths, strictVariables: false, now: Date.now() }, [
      { kind: "unset", path: place },
      ...bindings.changes,
      ...allowed,
    ]);
    const moved = await moveAside(cli, config, id, [workspace, agentDir]);
    const facts = {
      agentId: id,
      workspace,
      agentDir,
      sessionsDir: null,
      removedBindings: bindings.removed.length,
      removedAllow: allowed.length,
      ...(moved && { movedTo: moved }),
    };
    if (args.json) return cli.out.data(facts);
    cli.out.line(`Deleted agent: ${id}`);
    if (moved) cli.out.line(`Its folders are in ${moved}`);
  },
});

async function sure({ out }: Cli, id: string, workspace: string): Promise<boolean> {
  if (!canAsk())
    throw new AppError("usage", "Non-interactive mode requires --force.", {
      hint: "There is no terminal to ask on.",
    });
  const ask = openAsk(out);
  try {
    return await ask.yes(`Delete agent "${id}" and move ${workspace} aside?`, false);
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "aborted") return false;
    throw cause;
  } finally {
    ask.close();
  }
}

/** The agent's name in the list of those that may write to each other. */
function allowChanges(config: Config, id: string): Change[] {
  const path = ["tools", "agentToAgent", "allow"];
  const allow = valueAt(config, path);
  if (!Array.isArray(allow)) return [];
  return allow
    .flatMap((each, i): Change[] =>
      each === id ? [{ kind: "unset", path: [...path, String(i)] }] : [],
    )
    .reverse();
}

/** Into a folder of the state. A folder that another agent works in too, or that is more than a workspace, stays where it is. */
async function moveAside(
  { paths, out }: Cli,
  config: Config,
  id: string,
  folders: string[],
): Promise<string | undefined> {
  const others = agentEntries(config.agents)
    .filter((entry) => entry.id !== id)
    .map((entry) => realPathOf(agentSettings(config.agents, entry.id, paths).workspace));
  const stamp = new Date().toISOString().replace(/[:.]/g, "-");
  const trash = join(paths.stateDir, `trash-${stamp}`);
  let moved = false;
  for (const folder of folders.filter(isThere)) {
    const real = realPathOf(folder);
    const shared = others.some((other) => isInside(other, real) || isInside(real, other));
    if (shared || isInside(realPathOf(paths.stateDir), real)) {
      out.note(`${folder} stays: it is not only this agent's.`);
      continue;
    }
    try {
      refuseUnsafe(folder, paths.home, { whole: true });
      await mkdir(trash, { recursive: true, mode: 0o700 });
      await rename(folder, join(trash, basename(folder)));
      moved = true;
    } catch (cause) {
      // The agent is gone already; a folder that cannot be moved is told, and harms nobody.
      const code = errnoOf(cause);
      if (!(cause instanceof AppError) && code === undefined) throw cause;
      out.note(`${folder} stays: ${cause instanceof AppError ? cause.message : code}`);
    }
  }
  return moved ? trash : undefined;
}
