/** Writes down what a set-up has learned. Can run again and again: what is so already is left alone. */
import { agentSettings, defaultAgentId } from "../agent/settings.ts";
import { prepareWorkspace } from "../agent/workspace.ts";
import { VERSION } from "../base/brand.ts";
import { envName } from "../base/env.ts";
import { ensureDir } from "../base/fs.ts";
import { setDotEnv } from "../config/dot-env.ts";
import type { Change } from "../config/edit.ts";
import type { Bench } from "./bench.ts";
import type { ChannelAnswer } from "./channels.ts";
import type { ModelAnswer } from "./choices.ts";
import { type GatewayAnswer, gatewayChanges } from "./gateway.ts";

/** All answers; what is absent stays as it is. */
export type Answers = {
  model?: ModelAnswer;
  gateway?: GatewayAnswer;
  channel?: ChannelAnswer | undefined;
  workspace?: string | undefined;
};

export type Applied = {
  /** One line each, for the person. */
  lines: string[];
  /** The folder of the default agent. */
  workspace: string;
};

/**
 * Secrets first, then the config in one edit, then the workspace; each of them is written as a whole or not at all.
 * @param command what is noted as the last set-up: `onboard`
 * Throws what writing a config, `.env` and a workspace throw.
 */
export async function apply(bench: Bench, answers: Answers, command: string): Promise<Applied> {
  const { paths } = bench;
  const lines: string[] = [];
  const keep = async (name: string, value: string): Promise<string> => {
    bench.learn(value);
    const file = await setDotEnv(paths.stateDir, name, value);
    kept.push([name, value]);
    return file;
  };
  const kept: [name: string, value: string][] = [];
  await ensureDir(paths.stateDir);
  const { model, gateway, channel, workspace } = answers;
  if (model?.key)
    lines.push(
      `The key is in ${await keep(model.key.choice.env, model.key.value)}, readable by you alone.`,
    );
  const changes = changesFor(bench, answers);
  const auth = gateway?.auth;
  if (auth?.secret && bench.config().gateway.auth[auth.mode])
    changes.push({ kind: "set", path: ["gateway", "auth", auth.mode], value: auth.secret });
  else if (auth?.secret) {
    const name = envName(auth.mode === "token" ? "GATEWAY_TOKEN" : "GATEWAY_PASSWORD");
    lines.push(`The gateway's ${auth.mode} is in ${await keep(name, auth.secret)}.`);
  }
  changes.push(...(channel?.changes ?? []), ...record(command, "local"));
  await bench.edit(changes);
  lines.push(`Updated ${paths.configPath}`);
  for (const [name, value] of kept)
    if (bench.env().raw(name) !== value)
      lines.push(
        `warning: ${name} is set in the environment of this program too, or in gateway.env, and that wins over .env. Change it there.`,
      );
  const { agents } = bench.config();
  const settings = agentSettings(agents, defaultAgentId(agents), paths);
  if (workspace !== undefined || command === "onboard" || command === "setup") {
    await prepareWorkspace(settings.workspace, { skipBootstrap: settings.defaults.skipBootstrap });
    lines.push(`Workspace: ${settings.workspace}`);
  }
  return { lines, workspace: settings.workspace };
}

/** When, by what and how something was set up last. */
export const record = (command: string, mode: "local" | "remote"): Change[] =>
  Object.entries({
    lastRunAt: new Date().toISOString(),
    lastRunVersion: VERSION,
    lastRunCommand: command,
    lastRunMode: mode,
  }).map(([key, value]) => ({ kind: "set", path: ["wizard", key], value }));

function changesFor(bench: Bench, { model, gateway, workspace }: Answers): Change[] {
  const config = bench.config();
  const { defaults } = config.agents;
  const set = (path: string[], value: unknown): Change => ({ kind: "set", path, value });
  const place = ["agents", "defaults"];
  return [
    ...(gateway ? gatewayChanges(config, gateway) : []),
    ...(workspace && workspace !== defaults.workspace
      ? [set([...place, "workspace"], workspace)]
      : []),
    ...(model?.changes ?? []),
    ...(model?.primary && model.primary !== defaults.model?.primary
      ? [set([...place, "model", "primary"], model.primary)]
      : []),
  ];
}
