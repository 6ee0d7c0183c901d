/** The first and the last thing of a start: the lock, the secret, and the lines that say where the gateway is. Called by app.ts. */
import { VERSION } from "../base/brand.ts";
import type { Env } from "../base/env.ts";
import { AppError, errnoOf, toAppError } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import { acquireLock, type Lock } from "../base/lock.ts";
import type { Logger } from "../base/log.ts";
import type { Logging } from "../base/logging.ts";
import type { Paths } from "../base/paths.ts";
import type { ConfigHandle, InForce } from "../config/handle.ts";
import type { GatewayConfig } from "./config.ts";
import type { GatewayFlags } from "./flags.ts";
import { bindProblem, hostsFor, pageUrl, tryListen } from "./listen.ts";
import type { GatewayAuth } from "./ports.ts";
import { loadGeneratedToken, secretFor, startProblems } from "./secret.ts";
import type { RunningGateway } from "./server.ts";

/** Throws gateway_running naming the process that has it. */
export function takeLock(paths: Paths, bootId: string, startedAt: number): Lock {
  const taken = acquireLock(paths.lockPath, {
    pid: process.pid,
    bootId,
    version: VERSION,
    startedAt,
  });
  if ("release" in taken) return taken;
  const where = taken.port ? ` on port ${taken.port}` : "";
  const who = `PID ${taken.pid || "unknown"}${where}`;
  throw new AppError(
    "gateway_running",
    `A gateway is already running for this state directory (${who}).`,
    {
      details: taken,
      hint: "`clawdbot dashboard` opens it. To run another one beside it: clawdbot --profile <name> gateway --port <other port>.",
    },
  );
}

export type Auth = { current(): GatewayAuth; generated: boolean; created: boolean };

const problemOf = ({ config, env }: InForce, flags: GatewayFlags): AppError | undefined => {
  // A config without a mode is a local one: a first run must not end in an error.
  const allowUnconfigured = flags.allowUnconfigured || config.gateway.mode === undefined;
  return startProblems(config, { ...flags, allowUnconfigured }, env);
};

/** Where a config puts the gateway; flags and the environment come before it. `processEnv` is without the config's own variables. */
export function placeOf({ config, env }: InForce, flags: GatewayFlags, processEnv: Env): Place {
  const bind = flags.bind ?? processEnv.gatewayBind ?? config.gateway.bind;
  const where = { ...config.gateway, bind };
  const hosts = hostsFor(where);
  const port = flags.port ?? env.gatewayPort ?? config.gateway.port;
  return { bind, hosts, port, problem: bindProblem(where, hosts) };
}
export type Place = {
  bind: GatewayConfig["bind"];
  hosts: string[];
  port: number;
  /** Why it is not where the config says. */
  problem: string | undefined;
};

/**
 * Why a gateway that runs at `now` could not start again with the config `next`, as far as that can be found out beforehand:
 * the secret, the bind mode, and whether the address and the port can be had.
 */
export async function restartProblem(
  next: InForce,
  now: Pick<Place, "hosts" | "port">,
  { env, flags, log }: { env: Env; flags: GatewayFlags; log: Logger },
): Promise<AppError | undefined> {
  const { bind, hosts, port, problem } = placeOf(next, flags, env);
  const refused = problemOf(next, { ...flags, bind });
  if (refused) return refused;
  if (problem && bind === "custom")
    return new AppError("start_refused", problem, {
      hint: "Set gateway.customBindHost to an address of this machine, or gateway.bind to loopback.",
    });
  const host = hosts[0]!;
  if (port === now.port && now.hosts.includes(host)) return undefined;
  try {
    // Its own port is free as soon as this gateway has stopped.
    await tryListen(host, port === now.port ? 0 : port, log);
    return undefined;
  } catch (cause) {
    const error = toAppError(cause);
    const hint = error.code === "port_taken" ? "Set gateway.port to a free port." : error.hint;
    return new AppError(error.code, error.message, { cause, ...(hint && { hint }) });
  }
}

/** Makes the state directory. Throws store_failed with a remedy when it cannot be made. */
export async function makeStateDir({ stateDir }: Paths): Promise<void> {
  try {
    await ensureDir(stateDir);
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOENT"].includes(code)) throw cause;
    throw new AppError(
      "store_failed",
      `The state directory ${stateDir} cannot be made (${code}).`,
      {
        cause,
        hint: "Set CLAWDBOT_STATE_DIR to a folder that you may write to, or correct HOME.",
      },
    );
  }
}

/** The secret, read anew at every check; made now when nobody configured one. Refuses a start that would let everybody in. */
export async function authFor(
  config: ConfigHandle,
  flags: GatewayFlags,
  paths: Paths,
  log: Logger,
): Promise<Auth> {
  const secrets = () => config.env();
  const problem = problemOf({ config: config.current(), env: config.env() }, flags);
  if (problem) throw problem;
  const configured = secretFor(config.current(), flags, secrets());
  if (configured.mode !== "token" || configured.token)
    return {
      current: () => secretFor(config.current(), flags, secrets()),
      generated: false,
      created: false,
    };
  const { token, created, path } = await loadGeneratedToken(paths.stateDir);
  if (created) log.info("a sign-in token was made", { file: path });
  return {
    current: () => secretFor(config.current(), flags, secrets(), token),
    generated: true,
    created,
  };
}

/** Where to go, for whoever started it; with a generated secret the link signs in by itself, once. */
export function sayStarted(
  gateway: RunningGateway,
  { log, logging, auth, basePath }: { log: Logger; logging: Logging; auth: Auth; basePath: string },
): void {
  for (const url of gateway.urls) log.info(`listening on ${url} (PID ${process.pid})`);
  const page = pageUrl(gateway.urls, basePath);
  if (auth.generated)
    logging.tell(
      "gateway",
      `open ${page}${gateway.createTicket()} (signs you in once, within 10 minutes)`,
    );
  else {
    const { mode } = auth.current();
    log.info(
      mode === "none"
        ? `open ${page} (no sign-in is needed)`
        : `open ${page} and sign in with your ${mode}`,
    );
  }
}
