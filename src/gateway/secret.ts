/** The shared secret: where it comes from, when one is made, and when the gateway must not start without a better one. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { AppError } from "../base/errors.ts";
import { atomicWrite, ensureDir, readTextIfThere } from "../base/fs.ts";
import type { Config } from "../config/schema.ts";
import { newSecret, SECRET_MIN, secretProblem } from "./config.ts";
import type { GatewayFlags } from "./flags.ts";
import type { GatewayAuth } from "./ports.ts";

/** Secrets of the environment; an empty variable counts as unset. */
export type SecretEnv = { gatewayToken?: string; gatewayPassword?: string };

const FILE = "gateway-token";
const COMPLETE = /^[\w-]{24,}$/;
const filled = (text: string | undefined): string | undefined => text?.trim() || undefined;

/** What the start was asked for and what stands in the file, as far as it concerns the secret. */
export type SecretFlags = Partial<Pick<GatewayFlags, "token" | "password" | "auth" | "bind">>;

/**
 * Pure: the secret that counts now. Flags come before the environment, the environment before the file, all before a generated
 * token. Without a mode, a password alone means password mode.
 */
export function secretFor(
  config: Config,
  flags: SecretFlags,
  env: SecretEnv,
  generated?: string,
): GatewayAuth {
  const { auth } = config.gateway;
  const token = filled(flags.token) ?? filled(env.gatewayToken) ?? filled(auth.token);
  const password = filled(flags.password) ?? filled(env.gatewayPassword) ?? filled(auth.password);
  const wanted = flags.auth ?? (auth.mode === "trusted-proxy" ? undefined : auth.mode);
  const mode = wanted ?? (password && !token ? "password" : "token");
  if (mode === "none") return { mode };
  if (mode === "password") return { mode, ...(password ? { password } : {}) };
  const value = token ?? generated;
  return { mode, ...(value ? { token: value } : {}) };
}

const isLoopbackBind = (config: Config, flags: SecretFlags): boolean =>
  ["loopback", "auto"].includes(flags.bind ?? config.gateway.bind);

export type StartFacts = {
  /** The config file exists. */
  configured: boolean;
};

const MAKE_SECRET = 'clawdbot config set gateway.auth.token "$(clawdbot token generate)"';
/** People put it where the CLI of another machine reads it. */
const REMOTE_ONLY =
  "gateway.remote.token is only for calling another gateway; it does not protect this one. ";

const refuse = (message: string, hint: string): AppError =>
  new AppError("start_refused", message, { hint });

/** Pure: why the gateway must not start like this, or undefined. Checked before anything is opened. */
export function startProblems(
  config: Config,
  flags: SecretFlags & Partial<Pick<GatewayFlags, "allowUnconfigured" | "tailscale">>,
  env: SecretEnv,
  facts: StartFacts = { configured: true },
): AppError | undefined {
  const { gateway } = config;
  if (!flags.allowUnconfigured && !facts.configured)
    return refuse(
      "Missing config.",
      "Run `clawdbot config set gateway.mode local`, or pass --allow-unconfigured.",
    );
  if (!flags.allowUnconfigured && gateway.mode !== "local")
    return refuse(
      `Gateway start blocked: set gateway.mode=local (current: ${gateway.mode ?? "unset"}) or pass --allow-unconfigured.`,
      "Run `clawdbot config set gateway.mode local`.",
    );
  const auth = secretFor(config, flags, env);
  const secret = auth.mode === "password" ? auth.password : auth.token;
  if (auth.mode === "password" && !secret)
    return refuse(
      "Gateway auth is set to password, but no password is configured.",
      "Set gateway.auth.password (or CLAWDBOT_GATEWAY_PASSWORD), or pass --password.",
    );
  const bind = flags.bind ?? gateway.bind;
  const tailscale = flags.tailscale ?? gateway.tailscale.mode;
  if (tailscale === "funnel" && auth.mode !== "password")
    return refuse(
      "tailscale funnel requires gateway auth mode=password",
      "Set gateway.auth.mode=password and gateway.auth.password.",
    );
  const served = tailscale !== "off";
  if (served && !isLoopbackBind(config, flags))
    return refuse(
      "tailscale serve/funnel requires gateway bind=loopback (127.0.0.1)",
      "Set gateway.bind=loopback; Tailscale forwards to it.",
    );
  const local = isLoopbackBind(config, flags);
  // Without a token of the user's a long one is made.
  if (local && (!served || (!secret && auth.mode === "token"))) return undefined;
  const refusing = served
    ? `Refusing to publish the gateway through tailscale ${tailscale}`
    : `Refusing to bind gateway to ${bind}`;
  if (!secret)
    return refuse(
      `${refusing} without auth.`,
      `${gateway.remote?.token || gateway.remote?.password ? REMOTE_ONLY : ""}Set gateway.auth.token (or CLAWDBOT_GATEWAY_TOKEN), or pass --token. To make one: ${MAKE_SECRET}`,
    );
  const problem = secretProblem(secret);
  if (!problem) return undefined;
  const what = auth.mode === "password" ? "password" : "token";
  const why =
    problem === "too_short"
      ? `the ${what} has fewer than ${SECRET_MIN} characters`
      : `the ${what} is a placeholder that everybody knows`;
  return refuse(`${refusing}: ${why}.`, `Make a new one: ${MAKE_SECRET}`);
}

/** The generated token as it lies in the state folder; undefined when there is none that could be used. Makes nothing. */
export function peekGeneratedToken(stateDir: string): string | undefined {
  const path = join(stateDir, FILE);
  // A pipe in its place would never end.
  const there = existsSync(path) && statSync(path).isFile();
  const text = there ? readFileSync(path, "utf8").trim() : "";
  return COMPLETE.test(text) ? text : undefined;
}

/**
 * The token that is used when nobody configured one: made once, readable by the owner only.
 * `created` is true when it was made now. An empty or damaged file is replaced.
 */
export async function loadGeneratedToken(
  stateDir: string,
): Promise<{ token: string; created: boolean; path: string }> {
  const path = join(stateDir, FILE);
  const known = (await readTextIfThere(path)).trim();
  if (COMPLETE.test(known)) return { token: known, created: false, path };
  const token = newSecret();
  await ensureDir(stateDir, 0o700);
  await atomicWrite(path, `${token}\n`, { mode: 0o600 });
  return { token, created: true, path };
}
