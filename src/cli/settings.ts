/** The few config values that a command needs to find its gateway, read without starting anything. */
import type { Env } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import { loadConfig, type Loaded } from "../config/load.ts";
import { describe } from "../config/problem.ts";
import type { Config } from "../config/schema.ts";
import { peekGeneratedToken } from "../gateway/secret.ts";

export type Settings = {
  /** Undefined when the file cannot be used; asking a running gateway must work all the same. */
  config: Config | undefined;
  exists: boolean;
  /** One line each. */
  problems: string[];
  /** With `.env` of the state folder and the config's `env` section. */
  env: Env;
  /** What a gateway without a configured secret uses. Read when it is called. */
  generatedToken(): string | undefined;
};

export async function loadSettings(env: Env, paths: Paths): Promise<Settings> {
  return settingsOf(await loadConfig({ env, paths, strictVariables: false }), paths);
}

/** The same from a config that was read already. */
export function settingsOf(loaded: Loaded, paths: Paths): Settings {
  return {
    config: loaded.config,
    exists: loaded.exists,
    problems: loaded.errors.map(describe),
    env: loaded.env,
    generatedToken: () => peekGeneratedToken(paths.stateDir),
  };
}
