/** What a start decides and says: the address, the secret, and the lines that tell where the gateway is. Called by app.ts. */
import type { Env } from "../base/env.ts";
import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Logging } from "../base/logging.ts";
import type { Paths } from "../base/paths.ts";
import { inContainer, platformOf, platformPort } from "../base/platform.ts";
import type { ConfigHandle, InForce } from "../config/handle.ts";
import type { Config } from "../config/schema.ts";
import { GATEWAY_PORT, type GatewayConfig } from "./config.ts";
import type { GatewayFlags } from "./flags.ts";
import { bindProblem, hostsFor, pageUrl, tryListen } from "./listen.ts";
import type { GatewayAuth } from "./ports.ts";
import { loadGeneratedToken, secretFor, startProblems } from "./secret.ts";
import type { RunningGateway } from "./server.ts";

export type Auth = { current(): GatewayAuth; generated: boolean; created: boolean };

const problemOf = ({ config, env }: InForce, flags: GatewayFlags): AppError | undefined => {
  // A config without a mode is a local one: a first run must not end in an error.
  const allowUnconfigured = flags.allowUnconfigured || config.gateway.mode === undefined;
  return startProblems(config, { ...flags, allowUnconfigured }, env);
};

/**
 * Where a config puts the gateway; flags and the environment come before it. `processEnv` is without the config's own variables.
 * @param container an argument for tests only
 */
export function placeOf(
  { config, env }: InForce,
  flags: GatewayFlags,
  processEnv: Env,
  container: boolean = inContainer(processEnv),
): Place {
  const { gateway } = config;
  const wanted = flags.bind ?? processEnv.gatewayBind ?? gateway.bind;
  const served = (flags.tailscale ?? gateway.tailscale.mode) !== "off";
  const auto = wanted === "auto" && container && !served ? autoBind(config, flags, env) : undefined;
  const bind = auto?.bind ?? (wanted === "auto" ? "loopback" : wanted);
  const hosts = hostsFor({ ...gateway, bind });
  // A port that equals the default may as well be none: on a platform nobody reaches it.
  const own = gateway.port === GATEWAY_PORT ? undefined : gateway.port;
  const port = flags.port ?? env.gatewayPort ?? own ?? platformPort(processEnv) ?? gateway.port;
  const problem =
    auto?.problem ??
    bindProblem({ ...gateway, bind }, hosts) ??
    (served ? undefined : closedProblem(bind, processEnv));
  return { bind, hosts, port, problem };
}

/**
 * In a container loopback reaches nobody, so `auto` means every interface there, as soon as there is a secret that may stand
 * before the world. Without one it stays closed and says so, because `auto` asks for what works rather than for an address.
 */
function autoBind(
  config: Config,
  flags: GatewayFlags,
  env: Env,
): { bind: "lan" | "loopback"; problem?: string } {
  const refused = startProblems(config, { ...flags, allowUnconfigured: true, bind: "lan" }, env);
  if (!refused) return { bind: "lan" };
  return {
    bind: "loopback",
    problem: `gateway.bind is auto, and only this container itself can connect. ${refused.message} Set CLAWDBOT_GATEWAY_TOKEN to what \`clawdbot token generate\` prints, and start again.`,
  };
}

/** A platform sends its requests from outside; what it then says of the app is hard to understand. */
function closedProblem(bind: string, env: Env): string | undefined {
  const platform = platformOf(env);
  if (bind !== "loopback" || !platform) return undefined;
  return platform === "Fly.io"
    ? 'Fly.io cannot reach this gateway ("App is not listening on expected address"): it listens on 127.0.0.1 only. Add --bind lan to the process command in fly.toml.'
    : `${platform} cannot reach this gateway: it listens on 127.0.0.1 only. Set CLAWDBOT_GATEWAY_BIND=lan, or add --bind lan to the start command.`;
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

/**
 * The secret, read anew at every check; made now when nobody configured one. Refuses a start that would let everybody in.
 * @param flags with the bind mode that this start has come to
 */
export async function authFor(
  config: Pick<ConfigHandle, "current" | "env">,
  flags: GatewayFlags & Pick<Place, "bind">,
  paths: Pick<Paths, "stateDir">,
  log: Logger,
): Promise<Auth> {
  const first = { config: config.current(), env: config.env() };
  const problem = problemOf(first, flags);
  if (problem) throw problem;
  const configured = secretFor(first.config, flags, first.env);
  const made =
    configured.mode === "token" && !configured.token
      ? await loadGeneratedToken(paths.stateDir)
      : undefined;
  if (made?.created) log.info("a sign-in token was made", { file: made.path });

  const here = { ...flags, tailscale: flags.tailscale ?? first.config.gateway.tailscale.mode };
  let seen = first;
  let auth = secretFor(first.config, flags, first.env, made?.token);
  return {
    current() {
      const now = { config: config.current(), env: config.env() };
      if (now.config === seen.config && now.env === seen.env) return auth;
      seen = now;
      // A config that takes the gateway off the network, and its sign-in away, is in force before the gateway has left: while
      // running turns are answered. Until then the secret is the one that may stand where it listens.
      if (!problemOf(now, here)) auth = secretFor(now.config, flags, now.env, made?.token);
      return auth;
    },
    generated: made !== undefined,
    created: made?.created ?? false,
  };
}

/** Where to go, for whoever started it; with a generated secret the link signs in by itself, once. */
export function sayStarted(
  gateway: RunningGateway,
  {
    env,
    log,
    logging,
    auth,
    basePath,
  }: { env: Env; log: Logger; logging: Logging; auth: Auth; basePath: string },
): void {
  for (const url of gateway.urls) log.info(`listening on ${url} (PID ${process.pid})`);
  if (platformOf(env) === "Fly.io")
    log.info(`Fly.io: internal_port in fly.toml must be ${gateway.port}, the port of this gateway`);
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
