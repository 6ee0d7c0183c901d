/** `gateway status`: where the gateway should be, whether it answers there, and how its service is. Exits with 0 while it is down. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { isSecretName, readEnv } from "../../../base/env.ts";
import { readLock } from "../../../base/lock.ts";
import { findPaths } from "../../../base/paths.ts";
import { maskSecret } from "../../../base/redact.ts";
import { type PortOwner, portOwners } from "../../../gateway/port-owner.ts";
import type { Cli } from "../../command.ts";
import { command, GATEWAY_ARGS } from "../../command.ts";
import { safeText } from "../../out.ts";
import { tcpTarget } from "../../rpc.ts";
import { type Look, lookAtService } from "../../service/look.ts";
import { openService, type Service, verbLine } from "../../service/service.ts";
import { loadSettings } from "../../settings.ts";
import { probeGateway, shownUrl } from "../../status/probe.ts";
import { serviceFacts } from "../service.ts";

/** Without the secrets that an older version has put there. */
const shownEnvironment = (environment: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      isSecretName(name) ? maskSecret(value) : value,
    ]),
  );

/** The command without a secret behind `--token`. */
const shownCommand = (command: string[]): string[] =>
  command.map((word, i) =>
    /^--(?:token|password)$/.test(command[i - 1] ?? "")
      ? "***"
      : word.replace(/^(--(?:token|password)=).*/, "$1***"),
  );

export const gatewayStatus = command({
  doc: "Where the gateway should be, whether it answers there, and how its service is.",
  args: {
    probe: { type: "boolean", default: true, description: "Do not connect." },
    deep: { type: "boolean", description: "Kept for scripts; has no effect." },
    system: { type: "boolean", description: "The service of the machine (Linux)." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["gateway status", "with a try to connect"],
    ["gateway status --no-probe --json", "only what the files say"],
  ],
  async run(args, caller) {
    const service = openService(caller, args);
    const { cli } = service;
    const { paths, out, env } = cli;
    const settings = await loadSettings(env, paths);
    const lock = readLock(paths.lockPath);
    const [look, probe] = await Promise.all([
      lookAtService(service, settings),
      args.probe ? probeGateway(cli, args) : undefined,
    ]);
    const target = probe?.target ?? (await tcpTarget(cli, args));
    const runtime = lock.held ? { pid: lock.body?.pid, port: lock.body?.port } : null;
    // The local socket has no address of its own: what the gateway listens on beside it is meant.
    const bind = (lock.held && lock.body?.bind) || settings.config?.gateway.bind || target.bind;
    const number =
      runtime?.port ?? (Number(new URL((await tcpTarget(cli, args)).url).port) || null);
    const listeners = number === null || args.url ? [] : await portOwners(number);
    const daemon = serviceConfig(look, cli);
    if (args.json)
      return out.data({
        service: serviceJson(service, look),
        config: {
          cli: { path: paths.configPath, exists: settings.exists, problems: settings.problems },
          daemon: daemon === undefined ? null : { path: daemon },
          mismatch: daemon !== undefined && daemon !== paths.configPath,
        },
        gateway: {
          bindMode: bind,
          bindHost: HOSTS[bind] ?? null,
          customBindHost: settings.config?.gateway.customBindHost ?? null,
          port: number,
          portSource: target.source,
          probeUrl: target.url,
        },
        port: {
          port: number,
          status: listeners.length > 0 ? "busy" : "free",
          listeners,
          hints: hintsFor(listeners, runtime?.pid),
        },
        runtime,
        socket: existsSync(paths.socketPath) ? paths.socketPath : null,
        ...(probe && { rpc: { ok: probe.reachable, error: probe.error, url: target.url } }),
        legacyServices: look.older,
        extraServices: [],
      });
    const port = runtime?.port ? ` port ${runtime.port}` : "";
    const rpc = !probe ? "not tried" : probe.reachable ? "ok" : `failed: ${probe.error}`;
    out.pairs([
      ...serviceRows(service, look),
      ["Config (cli)", paths.configPath + (settings.problems.length > 0 ? " (invalid)" : "")],
      ["File logs", join(paths.logDir, "clawdbot-*.log")],
      ...(daemon !== undefined && daemon !== paths.configPath
        ? ([["Config (service)", `${daemon} (another one)`]] as [string, string][])
        : []),
      [
        "Gateway",
        `bind=${bind}${HOSTS[bind] ? ` (${HOSTS[bind]})` : ""}, port=${number ?? "unknown"}`,
      ],
      ["Probe target", shownUrl(target)],
      ...(runtime?.port
        ? ([["Dashboard", `http://127.0.0.1:${runtime.port}/`]] as [string, string][])
        : []),
      ["Runtime", runtime ? `running (pid ${runtime.pid}${port})` : "not running"],
      ["RPC probe", rpc],
    ]);
    for (const hint of hintsFor(listeners, runtime?.pid)) out.line(hint);
    printAdvice(service, look, runtime !== null);
  },
});

/** On what a bind listens; the others depend on the machine. */
const HOSTS: Partial<Record<string, string>> = { loopback: "127.0.0.1", lan: "0.0.0.0" };

/** The config that the service reads, where its file says so. */
function serviceConfig({ definition }: Look, { env, paths }: Cli): string | undefined {
  if (!definition) return undefined;
  const vars = { HOME: env.raw("HOME"), ...definition.environment };
  return findPaths(readEnv(vars), paths.home).configPath;
}

/** Who has the port when it is not the gateway of this state folder. */
const hintsFor = (listeners: readonly PortOwner[], own: number | undefined): string[] =>
  listeners
    .filter(({ pid }) => pid !== own)
    .map(({ pid, command: line }) =>
      safeText(`The port is taken by PID ${pid}: ${line.slice(0, 120)}`),
    );

function serviceJson(
  { manager, system }: Service,
  { state, definition, findings }: Look,
): Record<string, unknown> {
  if (!manager || !state) return { label: null, installed: false, running: false, loaded: false };
  return {
    ...serviceFacts(manager, state),
    system,
    enabled: state.enabled,
    command: definition
      ? {
          programArguments: shownCommand(definition.command),
          workingDirectory: definition.workingDirectory ?? null,
          environment: shownEnvironment(definition.environment),
          sourcePath: definition.source,
        }
      : null,
    runtime: {
      status: state.running ? "running" : "stopped",
      state: state.detail,
      pid: state.pid ?? null,
      restarts: state.restarts ?? null,
      lastExit: state.lastExit ?? null,
    },
    linger: state.linger ?? null,
    problem: state.obstacle ?? null,
    configAudit: { ok: findings.length === 0, issues: findings },
    logCommand: manager.advice.log,
  };
}

function serviceRows(
  { manager, system }: Service,
  { state, definition }: Look,
): [name: string, value: string][] {
  if (!manager || !state) return [["Service", "none on this system"]];
  const loaded = state.obstacle?.final
    ? "not running here"
    : state.enabled
      ? manager.words.loaded
      : manager.words.notLoaded;
  const rows: [string, string][] = [
    ["Service", `${manager.label}${system ? " of the machine" : ""} (${loaded})`],
  ];
  if (!definition) return rows;
  const { code, signal, at } = state.lastExit ?? {};
  const ended = signal ? `signal ${signal}` : code === undefined ? "" : `code ${code}`;
  rows.push(
    ["Command", shownCommand(definition.command).join(" ")],
    ["Service file", definition.source],
    [
      "Service state",
      `${state.detail}${state.restarts ? `, restarted ${state.restarts} times` : ""}`,
    ],
  );
  if (definition.workingDirectory) rows.push(["Working dir", definition.workingDirectory]);
  const environment = Object.entries(shownEnvironment(definition.environment))
    .filter(([name]) => !["PATH", "HOME"].includes(name))
    .map(([name, value]) => `${name}=${value}`);
  if (environment.length > 0) rows.push(["Service env", environment.join(" ")]);
  if (ended) rows.push(["Last exit", `${ended}${at ? ` at ${at}` : ""}`]);
  if (state.linger !== undefined) rows.push(["Lingering", state.linger ? "on" : "off"]);
  rows.push(["Service log", manager.advice.log]);
  return rows;
}

function printAdvice({ cli, manager }: Service, look: Look, running: boolean): void {
  const { out } = cli;
  const { state, definition, findings, older } = look;
  const warn = (text: string) => out.line(`${out.paint("yellow", "trouble:")} ${text}`);
  for (const { code, message } of findings) warn(`${message} (${code})`);
  if (findings.length > 0) out.line(`To repair it: ${verbLine(cli, "install --force")}`);
  for (const name of older) warn(`${name} is the service of an older version.`);
  if (older.length > 0) out.line(`To take it over: ${verbLine(cli, "install")}`);
  if (state?.obstacle) out.line(`${state.obstacle.message} ${state.obstacle.hint}`);
  else if (definition && state?.linger === false)
    out.line(
      'The gateway ends when you log out. To keep it running: sudo loginctl enable-linger "$(id -un)"',
    );
  if (definition && !state?.running && !running) out.line(`To start it: ${verbLine(cli, "start")}`);
  else if (manager && !definition && !state?.obstacle)
    out.line(`To run the gateway in the background: ${verbLine(cli, "install")}`);
}
