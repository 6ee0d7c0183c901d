/** `gateway install`, `uninstall`, `start`, `stop` and `restart`: the gateway in the background. */
import { VERSION } from "../../base/brand.ts";
import { AppError, ERRORS, toAppError } from "../../base/errors.ts";
import { lockOwner } from "../../base/lock.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { readDotEnv } from "../../config/load.ts";
import { portOwners } from "../../gateway/port-owner.ts";
import { installService, uninstallService } from "../../service/actions.ts";
import { portOf } from "../../service/audit.ts";
import { carriedVariables } from "../../service/environment.ts";
import { failure, throughSudo } from "../../service/obstacles.ts";
import type { Finding, Obstacle, ServiceManager, ServiceState } from "../../service/service.ts";
import { wholeNumber } from "../arguments.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { restartByItself, stopProcess } from "../service/foreground.ts";
import { type Healthy, waitHealthy } from "../service/healthy.ts";
import {
  auditFacts,
  giveToUser,
  needManager,
  openService,
  programOf,
  refuseForeignLinks,
  type Service,
  servicePort,
  verbLine,
  wantedService,
} from "../service/service.ts";
import { loadSettings } from "../settings.ts";

/** What a service command has to tell, in words and as JSON. */
type Told = {
  result: string;
  message: string;
  hints?: string[];
  warnings?: string[];
  /** What was done on the way. */
  notes?: string[];
  findings?: Finding[];
  gateway?: Healthy;
  /** The exit code when the goal was not reached without anything having gone wrong. */
  code?: number;
};

const SYSTEM = {
  system: {
    type: "boolean",
    description: "The service of the machine instead of the user's own (Linux).",
  },
} as const;

/** Runs one verb and tells its outcome; with --json a failure has the shape of a success, as in the original, and the same exit code. */
async function tell(
  cli: Cli,
  args: { json: boolean; system: boolean },
  action: string,
  run: (service: Service) => Promise<Told>,
): Promise<number> {
  let service: Service | undefined;
  try {
    service = openService(cli, args);
    const told = await run(service);
    if (args.json) cli.out.data(await jsonOf(service, action, told));
    else if (!cli.out.json) printTold(cli, told);
    return told.code ?? 0;
  } catch (cause) {
    if (!args.json) throw cause;
    const { code, message, hint } = toAppError(cause);
    const body = await jsonOf(service, action, undefined);
    cli.out.data({ ...body, error: message, code, hints: hint ? [hint] : [] });
    return ERRORS[code].exit;
  }
}

async function jsonOf(service: Service | undefined, action: string, told: Told | undefined) {
  const { manager } = service ?? {};
  const state = await manager?.state();
  return {
    ok: told !== undefined && !told.code,
    action,
    ...(told && { result: told.result, message: told.message }),
    hints: told?.hints ?? [],
    warnings: told?.warnings ?? [],
    ...(told?.notes && { notes: told.notes }),
    ...(told?.findings && { findings: told.findings }),
    ...(told?.gateway && { gateway: told.gateway }),
    service: manager && state ? serviceFacts(manager, state) : null,
  };
}

/** The service as every JSON answer names it. */
export const serviceFacts = (manager: ServiceManager, state: ServiceState) => ({
  label: manager.label,
  name: manager.name,
  loaded: state.installed && state.enabled,
  loadedText: manager.words.loaded,
  notLoadedText: manager.words.notLoaded,
  installed: state.installed,
  running: state.running,
});

function printTold({ out }: Cli, { message, hints, warnings, findings, gateway }: Told): void {
  out.line(message);
  if (gateway) out.line(`Control UI: ${gateway.url}`);
  for (const warning of warnings ?? []) out.line(`${out.paint("yellow", "warning:")} ${warning}`);
  for (const { code, message: what } of findings ?? [])
    out.line(`${out.paint("yellow", "finding:")} ${what} (${code})`);
  for (const hint of hints ?? []) out.line(hint);
}

export const install = command({
  doc: "Run the gateway in the background, from now on and after every boot.",
  args: {
    port: { type: "string", hint: "n", description: "Port of the gateway." },
    token: { type: "string", hint: "token", description: "Gateway token, kept in gateway.env." },
    runtime: {
      type: "enum",
      options: ["node", "bun"],
      description: "Kept for scripts; has no effect, because the program needs none.",
    },
    force: { type: "boolean", description: "Write the service anew, also when there is one." },
    ...SYSTEM,
  },
  notes:
    "A systemd unit on Linux, a launch agent on macOS, a scheduled task on Windows. Keys and tokens that only your shell has are copied into gateway.env in the state folder (0600), never into the service's file. A service of an older version is stopped, and its file kept.",
  examples: [
    ["gateway install", "for this user; it also turns lingering on, so that it starts at boot"],
    ["gateway install --force --port 19001", "again, on another port"],
    ["gateway install --profile work --port 19002", "a second one beside it"],
    ["gateway install --system", "called with sudo: a service of the machine, run as you"],
  ],
  run: (args, cli) => tell(cli, args, "install", (service) => runInstall(args, service)),
});

type InstallArgs = { port?: string | undefined; token?: string | undefined; force: boolean };

/** What `gateway install` does with a service that is already chosen. */
export async function runInstall(args: InstallArgs, service: Service): Promise<Told> {
  const { cli, system } = service;
  const { env, paths, out } = cli;
  refuseInNixMode(env, "service");
  const typed = wholeNumber("port", args.port, { min: 1, max: 65_535 });
  const manager = needManager(service);
  const sudo = system ? undefined : throughSudo(env, process.getuid?.(), verbLine(cli, "install"));
  if (sudo) throw failure(sudo);
  refuseForeignLinks(service);
  const settings = await loadSettings(env, paths);
  const older = await manager.older();
  const definitions = [await manager.read(), ...older.map(({ definition }) => definition)];
  const [usedPort] = definitions.flatMap((each) => portOf(each?.command ?? []) ?? []);
  const port = servicePort(typed, cli, settings, usedPort);
  const before = await manager.state();
  const { obstacle } = before;
  if (obstacle?.final) throw new AppError("service_failed", obstacle.message, obstacle);
  await refuseConflict(cli, before, port, older.length > 0);
  const { command: program, passing } = programOf(cli);
  const { vars } = await readDotEnv(paths.stateDir);
  const boot = lockOwner(paths.lockPath)?.bootId;
  const installed = await installService(manager, {
    beforeStart: () => giveToUser(service),
    wanted: wantedService(service, program, port),
    stateDir: paths.stateDir,
    variables: {
      ...carriedVariables(env, Object.keys(vars)),
      ...(args.token && { CLAWDBOT_GATEWAY_TOKEN: args.token }),
    },
    force: args.force,
    facts: auditFacts(cli, settings),
  });
  const { result, started, warnings, findings } = installed;
  if (passing)
    warnings.push(
      `The service starts ${program[0]}, which an upgrade may remove. After one: ${verbLine(cli, "install --force")}`,
    );
  for (const note of installed.notes) out.note(note);
  const gateway = started ? await waitHealthy(cli, boot, manager) : undefined;
  const differs =
    result === "already-installed" &&
    !(await manager.upToDate(wantedService(service, program, port)));
  return {
    result,
    message:
      result === "installed"
        ? `The gateway runs in the background now (${manager.name}).`
        : `The service is installed already (${manager.name})${started ? " and was started" : ""}.`,
    warnings,
    notes: installed.notes,
    findings,
    ...(gateway && { gateway }),
    hints: [
      ...(differs ? [`To write it anew: ${verbLine(cli, "install --force")}`] : []),
      `To look at it: ${manager.advice.state}`,
    ],
  };
}

/** A gateway in a terminal, or another program on the port, would keep the service from starting. */
async function refuseConflict(
  cli: Cli,
  { running }: ServiceState,
  port: number,
  hasOlder: boolean,
): Promise<void> {
  if (running || hasOlder) return;
  const other = lockOwner(cli.paths.lockPath);
  if (other)
    throw new AppError(
      "gateway_running",
      `A gateway runs already, in a terminal or under another supervisor (PID ${other.pid || "unknown"}).`,
      { hint: `Stop it first: ${verbLine(cli, "stop")}, then ${verbLine(cli, "install")}` },
    );
  const [owner] = await portOwners(port);
  if (owner)
    throw new AppError(
      "port_taken",
      `Port ${port} is in use by PID ${owner.pid} (${owner.command.slice(0, 120)}).`,
      { hint: `Choose another one: ${verbLine(cli, `install --port ${port + 1}`)}` },
    );
}

export const uninstall = command({
  doc: "End the service and remove it. State, config and conversations stay.",
  args: SYSTEM,
  examples: [["gateway uninstall", "`gateway install` makes it again"]],
  run: (args, cli) => tell(cli, args, "uninstall", runUninstall),
});

async function runUninstall(service: Service): Promise<Told> {
  refuseInNixMode(service.cli.env, "service");
  const manager = needManager(service);
  refuseForeignLinks(service);
  const removed = await uninstallService(manager, service.cli.paths.stateDir);
  const linger = removed && (await manager.state()).linger;
  return {
    result: "uninstalled",
    message: removed
      ? `The service is removed (${manager.name}).`
      : "There is no service to remove.",
    hints: linger
      ? ["Lingering stays on for other services of yours; to turn it off: loginctl disable-linger"]
      : [],
  };
}

/** No failure for `start` and `stop`, as in the original: scripts look at `result`. */
const notInstalled = (cli: Cli, obstacle: Obstacle | undefined, code?: number): Told => ({
  result: "not-loaded",
  message: "The gateway is not installed as a service.",
  hints: [
    obstacle?.final
      ? `${obstacle.message} ${obstacle.hint}`
      : `To run it in the background: ${verbLine(cli, "install")}`,
    `To run it in this terminal: ${cli.name}${cli.profileFlag} gateway`,
  ],
  ...(code && { code }),
});

export const start = command({
  doc: "Start the installed service, and wait until it is healthy.",
  args: SYSTEM,
  notes:
    "Without a service nothing is started, which is told and is no failure. For scripts: with --json `result` is `started` or `not-loaded`; or ask `clawdbot health`, which exits with 1 while no gateway answers.",
  examples: [["gateway start", "after `gateway stop`"]],
  run: (args, cli) => tell(cli, args, "start", runStart),
});

/** What `gateway start` does with a service that is already chosen. */
export async function runStart(service: Service): Promise<Told> {
  const { cli: at, manager } = service;
  const state = await manager?.state();
  const other = lockOwner(at.paths.lockPath);
  if (!manager || !state?.installed)
    return other
      ? {
          result: "not-loaded",
          message: `A gateway runs already (PID ${other.pid || "unknown"}), in a terminal or under another supervisor; no service is installed.`,
          hints: [`To look at it: ${verbLine(at, "status")}`],
        }
      : notInstalled(at, state?.obstacle);
  if (other && !state.running)
    throw new AppError(
      "gateway_running",
      `A gateway runs already, but not as the service (PID ${other.pid || "unknown"}).`,
      { hint: `Stop it first: ${verbLine(at, "stop")}, then ${verbLine(at, "start")}` },
    );
  await manager.start();
  const gateway = await waitHealthy(at, undefined, manager);
  return { result: "started", message: `The gateway runs (${manager.name}).`, gateway };
}

export const stop = command({
  doc: "Stop the gateway: the service until the next boot, or the one that runs in a terminal.",
  args: SYSTEM,
  examples: [["gateway stop", "`gateway start` starts the service again"]],
  run: (args, cli) => tell(cli, args, "stop", runStop),
});

/** What `gateway stop` does with a service that is already chosen. */
export async function runStop(service: Service): Promise<Told> {
  const { cli: at, manager } = service;
  const state = await manager?.state();
  if (manager && state?.installed && !state.obstacle) {
    // Also when it does not run: the supervisor may be about to start it again.
    await manager.stop();
    if (state.running)
      return { result: "stopped", message: `The gateway is stopped (${manager.name}).` };
  }
  const other = lockOwner(at.paths.lockPath);
  if (other) {
    await stopProcess(at, other);
    return { result: "stopped", message: `The gateway is stopped (PID ${other.pid}).` };
  }
  if (state?.installed) return { result: "stopped", message: "The gateway was not running." };
  return {
    ...notInstalled(at, state?.obstacle),
    message: "No gateway runs, and none is installed.",
  };
}

export const restart = command({
  doc: "Restart the gateway, as a service or wherever it runs, and wait until it is healthy.",
  args: SYSTEM,
  notes:
    "Without a service, a gateway in a terminal or a container starts anew in its own process. The exit code is 0 only when it is healthy again.",
  examples: [
    ["gateway restart", "after an update or a change that needs it"],
    ["gateway restart --json", "for scripts"],
  ],
  run: (args, cli) => tell(cli, args, "restart", runRestart),
});

/** What `gateway restart` does with a service that is already chosen. */
export async function runRestart(service: Service): Promise<Told> {
  const { cli: at, manager } = service;
  const state = await manager?.state();
  const other = lockOwner(at.paths.lockPath);
  if (other && !state?.running) {
    const gateway = await restartByItself(at, other);
    return {
      ...(await restarted(at, gateway)),
      message: `The gateway restarted (PID ${gateway.pid}).`,
    };
  }
  if (!manager || !state?.installed) return notInstalled(at, state?.obstacle, 1);
  await manager.restart();
  const gateway = await waitHealthy(at, other?.bootId, manager);
  return { ...(await restarted(at, gateway)), message: `The gateway restarted (${manager.name}).` };
}

async function restarted(cli: Cli, gateway: Healthy) {
  const { version } = gateway;
  const warnings: string[] = [];
  // A gateway that starts anew in its own process is still the program that it was.
  if (version !== VERSION)
    warnings.push(
      `It still is version ${version}; this is ${VERSION}. Stop it (${verbLine(cli, "stop")}) and start it again where it was started.`,
    );
  const { problems } = await loadSettings(cli.env, cli.paths);
  if (problems.length > 0)
    warnings.push(
      `The config cannot be used, so the gateway goes on with the last good one. ${problems[0]} To mend it: ${cli.name}${cli.profileFlag} doctor`,
    );
  return { result: "restarted", gateway, warnings };
}
