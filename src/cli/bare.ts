/** What the program does when a person calls it without a word in a terminal: it sets up what is not set up, else it talks. */
import { existsSync } from "node:fs";

import type { Env } from "../base/env.ts";
import { AppError } from "../base/errors.ts";
import { findPaths } from "../base/paths.ts";
import { loadSettings } from "./settings.ts";

/** Throws `config_invalid` when there is a config that nobody can use, and no gateway that runs all the same. */
export async function bareCommand(env: Env): Promise<"onboard" | "tui"> {
  const paths = findPaths(env);
  // A gateway in a container, or one that was started before anything was set up.
  if (env.gatewayUrl || existsSync(paths.socketPath)) return "tui";
  const { exists, config, problems } = await loadSettings(env, paths);
  if (!exists) return "onboard";
  if (config) return "tui";
  throw new AppError("config_invalid", ["The config cannot be used.", ...problems].join("\n"), {
    hint: "To see what is wrong and how to mend it: clawdbot doctor",
  });
}
