/**
 * Nix mode by the macOS app's switch: programs with windows, and what they start, do not see the shell's variables, so the guides set
 * `defaults write com.clawdbot.mac clawdbot.nixMode -bool true` instead. Read only on macOS and only when no variable decides.
 */
import { type Env, envName, readEnv, spellings } from "../base/env.ts";

const DOMAIN = "com.clawdbot.mac";
const KEY = "clawdbot.nixMode";
/** `defaults` answers in about 10 ms; a preferences daemon that hangs must not keep a command from running. */
const PATIENCE_MS = 2000;

/**
 * The environment with Nix mode switched on when the app's defaults say so; else the same object. Never throws.
 * `platform` is an argument for tests only; `defaults` is looked for on the PATH of `env`.
 */
export function withNixDefault(env: Env, platform: NodeJS.Platform = process.platform): Env {
  if (platform !== "darwin") return env;
  if (spellings("NIX_MODE").some((name) => env.raw(name))) return env;
  const PATH = env.raw("PATH") ?? "/usr/bin:/bin";
  const program = Bun.which("defaults", { PATH });
  if (!program) return env;
  const { exitCode, stdout } = Bun.spawnSync([program, "read", DOMAIN, KEY], {
    env: { PATH, HOME: env.raw("HOME") ?? "" },
    stdin: "ignore",
    stderr: "ignore",
    timeout: PATIENCE_MS,
  });
  // A key that is not set ends with 1; a boolean is printed as 1 or 0.
  const on = exitCode === 0 && /^(?:1|true|yes)$/i.test(stdout.toString().trim());
  return on ? readEnv({ ...env.vars, [envName("NIX_MODE")]: "1" }) : env;
}
