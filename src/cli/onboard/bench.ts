/** The files of the state folder, as a set-up in the command line may change them. */
import type { Env } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { editFile } from "../../config/handle.ts";
import { type Config, ConfigSchema } from "../../config/schema.ts";
import type { Bench } from "../../wizard/bench.ts";
import { signInAlone, signInThrough } from "../channels/link.ts";
import { eitherWay } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { loadSettings, type Settings } from "../settings.ts";

/** Throws config_invalid when the file cannot be used: it is not touched then. */
export async function needSettings(cli: Cli): Promise<Settings & { config: Config }> {
  const settings = await loadSettings(cli.env, cli.paths);
  if (settings.config) return { ...settings, config: settings.config };
  throw new AppError("config_invalid", `The config cannot be used. ${settings.problems[0]}`, {
    hint: `Nothing was changed. To see how to mend it: ${cli.name}${cli.profileFlag} doctor`,
  });
}

/** What a first set-up finds; for one that puts aside what is there. */
export const noSettings = (cli: Cli): { config: Config; env: Env } => ({
  config: ConfigSchema.parse({}),
  env: cli.env,
});

/** @param first what is there now */
export function openBench(cli: Cli, first: { config: Config; env: Env }): Bench {
  const now = { ...first };
  const { paths } = cli;
  return {
    program: cli.name + cli.profileFlag,
    paths,
    env: () => now.env,
    config: () => now.config,
    async edit(changes) {
      await editFile({ env: cli.env, paths, strictVariables: false, now: Date.now() }, changes);
      Object.assign(now, await needSettings(cli));
    },
    // Commands keep no log.
    learn: () => undefined,
    link: (at, show) => {
      const wish = { force: false };
      return eitherWay(
        cli,
        {},
        (gateway) => signInThrough(gateway, at, wish, { show }),
        () => signInAlone(cli, at, wish, { show }),
      );
    },
  };
}
