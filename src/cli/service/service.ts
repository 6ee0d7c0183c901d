/** What the service commands share: which manager is meant, what it should run, and how an outcome is told. */
import { existsSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { serviceEnvPath } from "../../base/env-file.ts";
import { readEnv } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { lastLines, realPathOf } from "../../base/fs.ts";
import { lockOwner } from "../../base/lock.ts";
import { parseLogLine } from "../../base/log-lines.ts";
import { findPaths } from "../../base/paths.ts";
import { GATEWAY_PORT } from "../../gateway/config.ts";
import { backupFolder } from "../../service/actions.ts";
import type { AuditFacts } from "../../service/audit.ts";
import { serviceEnvironment } from "../../service/environment.ts";
import { failure } from "../../service/obstacles.ts";
import { serviceProgram } from "../../service/program.ts";
import { noManager, serviceManager } from "../../service/registry.ts";
import type { ServiceManager, Surroundings, Wanted } from "../../service/service.ts";
import type { Cli } from "../command.ts";
import type { Settings } from "../settings.ts";

export type Service = {
  /** Of the user whose service it is: with `sudo … --system` not the caller's. */
  cli: Cli;
  /** Absent on a system that has none. */
  manager: ServiceManager | undefined;
  /** It is the machine's and not the user's. */
  system: boolean;
  /** For a service of the machine: whose it is. */
  user: string | undefined;
};

/** The machine's service is meant with `--system`, and without when only that one is installed. */
export function openService(
  cli: Cli,
  { system = false, platform = process.platform }: { system?: boolean; platform?: NodeJS.Platform },
): Service {
  const open = (at: Cli, machine: boolean) =>
    serviceManager(platform, surroundings(at), { system: machine });
  const own = open(cli, false);
  if (system && platform !== "linux")
    throw new AppError("usage", "--system is only for Linux with systemd.", {
      hint: "Leave it out.",
    });
  if (!system) {
    const machines = platform === "linux" ? open(cli, true) : undefined;
    if (!machines || (own && existsSync(own.source)) || !existsSync(machines.source))
      return { cli, manager: own, system: false, user: undefined };
  }
  const { at, user } = asServiceUser(cli);
  return { cli: at, manager: open(at, true), system: true, user };
}

function surroundings({ env, paths }: Cli): Surroundings {
  return {
    vars: env.vars,
    home: paths.home,
    stateDir: paths.stateDir,
    profile: paths.profile,
    uid: process.getuid?.(),
    running: () => lockOwner(paths.lockPath)?.pid,
  };
}

/** `sudo` leaves root's home folder, or none; the service is for who called it. Throws usage for a user who is not there. */
function asServiceUser(cli: Cli): { at: Cli; user: string | undefined } {
  const caller = cli.env.raw("SUDO_USER");
  if (process.getuid?.() !== 0 || !caller || caller === "root") return { at: cli, user: undefined };
  const home = homeOf(caller);
  const env = readEnv({ ...cli.env.vars, HOME: home });
  return { at: { ...cli, env, paths: findPaths(env) }, user: caller };
}

function homeOf(user: string): string {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const home =
    lines.map((line) => line.split(":")).find(([name]) => name === user)?.[5] ??
    // Users of a directory service are not in the file.
    Bun.spawnSync(["getent", "passwd", user]).stdout.toString().split(":")[5];
  if (home) return home;
  throw new AppError("usage", `The home folder of ${user} cannot be found.`);
}

/**
 * Called before root writes into the state folder of somebody else: a link in there, which that user or the agent may have laid,
 * would have root write to, or give away, any file of the machine. A link to the user's own is fine. Throws forbidden.
 */
export function refuseForeignLinks({ cli, user }: Pick<Service, "cli" | "user">): void {
  if (!user) return;
  const { home, stateDir } = cli.paths;
  const { uid } = statSync(home);
  for (const path of writtenByRoot(stateDir)) {
    const real = realPathOf(path);
    if (real === join(realPathOf(home), relative(home, path))) continue;
    if (ownerOf(real) !== uid)
      throw new AppError(
        "forbidden",
        `${path} leads to ${real}, which is not ${user}'s, so root does not write there.`,
        { hint: `Remove the link (ls -ld '${path}'), or give ${user} what it leads to.` },
      );
  }
}

/** Of the path, or of the nearest folder above it that is there. */
const ownerOf = (path: string): number =>
  lstatSync(path, { throwIfNoEntry: false })?.uid ?? ownerOf(dirname(path));

const writtenByRoot = (stateDir: string): string[] => [
  stateDir,
  serviceEnvPath(stateDir),
  join(stateDir, "backups"),
  backupFolder(stateDir),
];

/**
 * Gives what root has made for a user's service to that user, whose gateway could not use it otherwise. Called after an install with
 * `sudo … --system`; does nothing without a user.
 */
export function giveToUser({ cli, user }: Service): void {
  if (!user) return;
  const { home, stateDir } = cli.paths;
  const { uid, gid } = statSync(home);
  for (const path of writtenByRoot(stateDir)) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.uid === 0 && !found.isSymbolicLink()) lchownSync(path, uid, gid);
  }
}

/** Throws service_failed where there is no manager. */
export function needManager({ manager }: Service): ServiceManager {
  if (manager) return manager;
  throw failure(noManager(process.platform));
}

/** The port on which the service will listen: the flag, the environment, the config, that of the service that is there, the usual one. */
export function servicePort(
  typed: number | undefined,
  { env }: Cli,
  { config }: Settings,
  used: number | undefined,
): number {
  const named = config?.gateway.port === GATEWAY_PORT ? undefined : config?.gateway.port;
  return typed ?? env.gatewayPort ?? named ?? used ?? GATEWAY_PORT;
}

/** The program as a service starts it. `passing`: its path may be gone after the next upgrade. */
export const programOf = ({ env, paths }: Cli) =>
  serviceProgram({
    argv0: process.argv0,
    execPath: process.execPath,
    ...(!Bun.isStandaloneExecutable && { script: Bun.main }),
    cwd: process.cwd(),
    home: paths.home,
    path: env.raw("PATH") ?? "",
  });

/** @param command the words before `gateway` */
export function wantedService(
  { cli, manager, user }: Service,
  command: string[],
  port: number,
): Wanted {
  const { env, paths } = cli;
  return {
    ...(paths.profile && { profile: paths.profile }),
    command: [...command, "gateway", "--port", String(port)],
    workingDirectory: paths.stateDir,
    environment: serviceEnvironment({ env, paths }, manager?.marker ?? "service"),
    environmentFile: serviceEnvPath(paths.stateDir),
    ...(user && { user }),
  };
}

export const auditFacts = (cli: Cli, { config }: Settings): AuditFacts => ({
  program: programOf(cli).command,
  ...(config && config.gateway.port !== GATEWAY_PORT && { port: config.gateway.port }),
  platform: process.platform,
});

/** `clawdbot --profile work gateway <verb>`, for lines that a person can copy. */
export const verbLine = ({ name, profileFlag }: Cli, verb: string): string =>
  `${name}${profileFlag} gateway ${verb}`;

/** The newest lines of the gateway's own log file; for supervisors that keep none. */
export async function ownLogLines({ paths }: Cli, count: number): Promise<string[]> {
  const names = existsSync(paths.logDir) ? readdirSync(paths.logDir) : [];
  const newest = names
    .filter((name) => /^clawdbot-.*\.log$/.test(name))
    .sort()
    .at(-1);
  if (!newest) return [];
  return (await lastLines(join(paths.logDir, newest), count)).map((raw) => {
    const line = parseLogLine(raw);
    return line ? `${line.time} [${line.subsystem}] ${line.message}` : raw;
  });
}
