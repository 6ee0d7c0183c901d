/** Writes down what onboarding has learned. Can run again and again: what is so already is left alone. */
import { agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { prepareWorkspace } from "../../agent/workspace.ts";
import { VERSION } from "../../base/brand.ts";
import { envName } from "../../base/env.ts";
import { ensureDir } from "../../base/fs.ts";
import { setDotEnv } from "../../config/dot-env.ts";
import type { Change } from "../../config/edit.ts";
import { editFile } from "../../config/handle.ts";
import type { Config } from "../../config/schema.ts";
import type { Cli } from "../command.ts";
import type { Answers } from "./answers.ts";

export type Applied = {
  /** One line each, for the person. */
  lines: string[];
  workspace: string;
  config: Config;
};

/** Throws what writing a config, `.env` and a workspace throw; each of them is written as a whole or not at all. */
export async function apply(
  { env, paths }: Cli,
  before: Config,
  answers: Answers,
): Promise<Applied> {
  const lines: string[] = [];
  await ensureDir(paths.stateDir);
  if (answers.key) {
    const file = await setDotEnv(paths.stateDir, answers.key.choice.env, answers.key.value);
    lines.push(`The key is in ${file}, readable by you alone.`);
  }
  const changes = changesFor(before, answers);
  const { auth } = answers;
  if (auth?.secret && before.gateway.auth[auth.mode])
    changes.push({ kind: "set", path: ["gateway", "auth", auth.mode], value: auth.secret });
  else if (auth?.secret) {
    const name = envName(auth.mode === "token" ? "GATEWAY_TOKEN" : "GATEWAY_PASSWORD");
    const file = await setDotEnv(paths.stateDir, name, auth.secret);
    lines.push(`The gateway's ${auth.mode} is in ${file}.`);
  }
  const now = Date.now();
  const record = {
    lastRunAt: new Date(now).toISOString(),
    lastRunVersion: VERSION,
    lastRunCommand: "onboard",
    lastRunMode: "local",
  };
  for (const [key, value] of Object.entries(record))
    changes.push({ kind: "set", path: ["wizard", key], value });
  const { loaded } = await editFile({ env, paths, strictVariables: false, now }, changes);
  lines.push(`Updated ${loaded.path}`);
  const config = loaded.config ?? before;
  const { agents } = config;
  const { workspace, defaults } = agentSettings(agents, defaultAgentId(agents), paths);
  await prepareWorkspace(workspace, { skipBootstrap: defaults.skipBootstrap });
  lines.push(`Workspace: ${workspace}`);
  return { lines, workspace, config };
}

function changesFor(
  { gateway, agents }: Config,
  { port, bind, auth, workspace }: Answers,
): Change[] {
  const wanted: [path: string[], now: unknown, next: unknown][] = [
    [["gateway", "mode"], gateway.mode, "local"],
    [["gateway", "port"], gateway.port, port],
    [["gateway", "bind"], gateway.bind, bind],
    [["gateway", "auth", "mode"], gateway.auth.mode ?? "token", auth?.mode],
    [["agents", "defaults", "workspace"], agents.defaults.workspace, workspace],
  ];
  return wanted
    .filter(([, now, next]) => next !== undefined && next !== now)
    .map(([path, , value]) => ({ kind: "set", path, value }));
}
