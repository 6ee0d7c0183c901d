/** `agents set-identity`: name, manner, emoji and picture of an agent, from flags or from its IDENTITY.md. */
import { join, resolve } from "node:path";

import { agentEntries, agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { readTextIfThere, realPathOf } from "../../base/fs.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { expandHome } from "../../base/paths.ts";
import type { Change } from "../../config/edit.ts";
import { editFile } from "../../config/handle.ts";
import type { Config } from "../../config/schema.ts";
import { usableSettings } from "../channels/accounts.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { addChanges, agentNamed, placeOf, writtenAgents } from "./entries.ts";

/** What a person may be told of an agent. */
type Identity = { name?: string; theme?: string; emoji?: string; avatar?: string };
const FIELDS = ["name", "theme", "emoji", "avatar"] as const;
/** Longest value of one of them, in characters; a picture may be a data address. */
const MAX = 200_000;

export const setIdentity = command({
  doc: "Give an agent a name, a manner, an emoji or a picture.",
  args: {
    agent: { type: "string", hint: "id", description: "Which agent; else the default one." },
    workspace: { type: "string", hint: "dir", description: "The agent that works in this folder." },
    "identity-file": { type: "string", hint: "path", description: "Read it from this file." },
    "from-identity": { type: "boolean", description: "Read it from IDENTITY.md of the workspace." },
    name: { type: "string", hint: "name", description: "Its name." },
    theme: { type: "string", hint: "text", description: "Its manner, in a line." },
    emoji: { type: "string", hint: "emoji", description: "Its emoji." },
    avatar: {
      type: "string",
      hint: "address",
      description: "Its picture: a data or http(s) address.",
    },
  },
  notes: "A flag wins over what the file says.",
  examples: [
    ['agents set-identity --name Iris --emoji "🌸"', "of the default agent"],
    ["agents set-identity --agent work --from-identity", "as it has written down itself"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const { config } = await usableSettings(cli);
    const id = whose(cli, config, args);
    const { workspace } = agentSettings(config.agents, id, cli.paths);
    const file = args["identity-file"]
      ? resolve(expandHome(args["identity-file"], cli.paths.home))
      : args["from-identity"]
        ? join(workspace, "IDENTITY.md")
        : undefined;
    const read = file ? await readIdentity(file) : {};
    const given = Object.fromEntries(
      FIELDS.flatMap((key) => (args[key]?.trim() ? [[key, args[key].trim()]] : [])),
    );
    const identity: Identity = { ...read, ...given };
    if (Object.keys(identity).length === 0)
      throw new AppError("usage", "Nothing to set.", {
        hint: "Give --name, --theme, --emoji or --avatar, or --from-identity.",
      });
    const written = await writtenAgents(cli);
    const place = placeOf(written, id);
    const changes: Change[] = place
      ? Object.entries(identity).map(([key, value]) => ({
          kind: "set",
          path: [...place, "identity", key],
          value,
        }))
      : addChanges(written, defaultAgentId(config.agents), { id, identity });
    const { env, paths } = cli;
    await editFile({ env, paths, strictVariables: false, now: Date.now() }, changes);
    if (args.json)
      return cli.out.data({ agentId: id, identity, workspace, identityFile: file ?? null });
    cli.out.line(`Agent: ${id}`);
    for (const [key, value] of Object.entries(identity))
      cli.out.line(`${key[0]!.toUpperCase()}${key.slice(1)}: ${String(value).slice(0, 120)}`);
  },
});

/** By id, by folder, else the default one. Throws usage and not_found. */
function whose(
  { paths }: Cli,
  config: Config,
  { agent, workspace }: { agent: string | undefined; workspace: string | undefined },
): string {
  if (agent && workspace) throw new AppError("usage", "Give one of --agent and --workspace.");
  if (agent) return agentNamed(config, agent);
  if (!workspace) return defaultAgentId(config.agents);
  const place = realPathOf(expandHome(workspace, paths.home));
  const found = agentEntries(config.agents).filter(
    ({ id }) => realPathOf(agentSettings(config.agents, id, paths).workspace) === place,
  );
  const [only, another] = found;
  if (!only) throw new AppError("not_found", `No agent works in ${place}.`);
  if (another)
    throw new AppError("usage", `Several agents work in ${place}.`, {
      hint: `Name one: --agent ${found.map(({ id }) => id).join(" or --agent ")}`,
    });
  return only.id;
}

/** `- **Name:** Iris` lines of a file that people and agents write. A placeholder in brackets or underscores is no value. */
export function parseIdentity(text: string): Identity {
  const found: Identity = {};
  for (const line of text.slice(0, MAX).split("\n")) {
    const [, label = "", rest = ""] =
      /^\s*[-*]?\s*\**\s*([A-Za-z]+)\s*:?\**\s*:?\s*(.*)$/.exec(line) ?? [];
    const key = { name: "name", emoji: "emoji", avatar: "avatar", theme: "theme", vibe: "theme" }[
      label.toLowerCase()
    ] as keyof Identity | undefined;
    const value = rest.replace(/^[*_`"\s]+|[*_`"\s]+$/g, "");
    if (key && value && !/^[(<[]/.test(value) && found[key] === undefined) found[key] = value;
  }
  return found;
}

async function readIdentity(file: string): Promise<Identity> {
  const text = await readTextIfThere(file);
  const identity = parseIdentity(text);
  if (Object.keys(identity).length > 0) return identity;
  throw new AppError("not_found", `${file} says nothing about a name, emoji, theme or avatar.`, {
    hint: "A line in it looks like this: - Name: Iris",
  });
}
