/** The first and the last thing of a start: the lock, the secret, and the lines that say where the gateway is. Called by app.ts. */
import { VERSION } from "../base/brand.ts";
import { AppError } from "../base/errors.ts";
import { acquireLock, type Lock } from "../base/lock.ts";
import type { Logger } from "../base/log.ts";
import type { Logging } from "../base/logging.ts";
import type { Paths } from "../base/paths.ts";
import type { ConfigHandle } from "../config/handle.ts";
import type { GatewayFlags } from "./flags.ts";
import { pageUrl } from "./listen.ts";
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
  throw new AppError(
    "gateway_running",
    `A gateway already runs on this state (PID ${taken.pid || "unknown"}${where}).`,
    {
      details: taken,
      hint: `Stop it first (\`kill ${taken.pid || "<pid>"}\`), or start another one with --profile <name>.`,
    },
  );
}

export type Auth = { current(): GatewayAuth; generated: boolean; created: boolean };

/** The secret, read anew at every check; made now when nobody configured one. Refuses a start that would let everybody in. */
export async function authFor(
  config: ConfigHandle,
  flags: GatewayFlags,
  paths: Paths,
  log: Logger,
): Promise<Auth> {
  const secrets = () => ({
    gatewayToken: config.env().gatewayToken,
    gatewayPassword: config.env().gatewayPassword,
  });
  // A config without a mode is a local one: a first run must not end in an error.
  const allowUnconfigured = flags.allowUnconfigured || config.current().gateway.mode === undefined;
  const problem = startProblems(config.current(), { ...flags, allowUnconfigured }, secrets());
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
  else log.info(`open ${page} and sign in with your ${auth.current().mode}`);
}
