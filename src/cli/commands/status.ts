/** `status`: what is there and what answers. It works while the gateway is down, and then exits with 0. */
import { arch, platform, release } from "node:os";

import { VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { readLock } from "../../base/lock.ts";
import { formatAge } from "../../base/time.ts";
import { peekSessions } from "../../store/sqlite/peek.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { type Target, tcpTarget, type Wish, withGateway } from "../rpc.ts";
import { loadSettings, type Settings } from "../settings.ts";

type Recent = { key: string; updatedAt: number; model?: string | null; totalTokens?: number };
/** The parts of the gateway's own status that are printed; an older gateway may leave any of them out. */
type Remote = {
  version?: string;
  uptimeMs?: number;
  logFile?: string;
  defaultModel?: string;
  unfinishedTurns?: number;
  heartbeat?: { defaultAgentId?: string };
  channelSummary?: string[];
  queuedSystemEvents?: string[];
  sessions?: { count: number; recent: Recent[]; byAgent?: { agentId: string }[] };
};
export type Probe = {
  target: Target;
  reachable: boolean;
  connectLatencyMs: number | null;
  error: string | null;
  status?: Remote;
};

/** Connects and asks; a gateway that does not answer is an answer too. Throws usage for wrong flags. */
export async function probeGateway(cli: Cli, wish: Wish): Promise<Probe> {
  try {
    return await withGateway(cli, wish, async ({ client, target, connectMs, timeoutMs }) => ({
      target,
      reachable: true,
      connectLatencyMs: Math.round(connectMs),
      error: null,
      status: (await client.call("status", {}, { timeoutMs })) as Remote,
    }));
  } catch (cause) {
    // What a status is for: the answer "it does not answer, because …".
    if (!(cause instanceof AppError) || cause.code === "usage") throw cause;
    const error = cause.message.split("\n")[0]!;
    const target = await tcpTarget(cli, wish);
    return { target, reachable: false, connectLatencyMs: null, error };
  }
}

function offlineSessions(cli: Cli): { count: number; recent: Recent[] } {
  const { rows, total } = peekSessions(cli.paths.databasePath, { limit: 10 });
  const recent = rows.map(({ key, updatedAt, settings, contextTokens }) => ({
    key,
    updatedAt,
    model: settings.model ?? null,
    totalTokens: contextTokens,
  }));
  return { count: total, recent };
}

export const status = command({
  doc: "Overview of gateway, model, agents and sessions. Works while the gateway is down.",
  args: {
    all: { type: "boolean", description: "Everything, to paste into a report; no secrets." },
    deep: { type: "boolean", description: "Look at everything anew." },
    usage: { type: "boolean", description: "Kept for scripts; has no effect." },
    verbose: { type: "boolean", description: "The same as --all." },
    debug: { type: "boolean", description: "The same as --all." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["status", "the overview"],
    ["status --all", "with everything that a bug report needs"],
    ["status --json", "for scripts"],
  ],
  async run(args, cli) {
    const [settings, probe] = await Promise.all([
      loadSettings(cli.env, cli.paths),
      probeGateway(cli, args),
    ]);
    const sessions = probe.status?.sessions ?? offlineSessions(cli);
    if (args.json) return cli.out.data(statusJson(settings, probe, sessions));
    const all = args.all || args.verbose || args.debug;
    cli.out.line(cli.out.paint("bold", `${cli.name} status`));
    cli.out.pairs(overview(cli, settings, probe, sessions.count, all));
    for (const problem of settings.problems)
      cli.out.line(`${cli.out.paint("red", "config:")} ${problem}`);
    printRecent(cli, sessions.recent);
    const lost = !probe.reachable && !isDown(probe);
    const next = settings.problems.length > 0 || lost ? "doctor" : probe.reachable ? "" : "gateway";
    if (next) cli.out.line(`\nNext: ${cli.name}${cli.profileFlag} ${next}`);
  },
});

function statusJson(settings: Settings, probe: Probe, sessions: object) {
  const { target, status: remote } = probe;
  return {
    version: VERSION,
    heartbeat: remote?.heartbeat ?? null,
    channelSummary: remote?.channelSummary ?? [],
    queuedSystemEvents: remote?.queuedSystemEvents ?? [],
    sessions,
    model: remote?.defaultModel ?? null,
    os: { platform: platform(), arch: arch(), release: release() },
    gateway: {
      mode: settings.config?.gateway.mode ?? "local",
      url: target.url,
      urlSource: target.source,
      misconfigured: settings.problems.length > 0,
      reachable: probe.reachable,
      connectLatencyMs: probe.connectLatencyMs,
      self: remote ? { version: remote.version, uptimeMs: remote.uptimeMs } : null,
      error: probe.error,
    },
  };
}

/** It does not run, as opposed to: something is there and does not answer as a gateway should. */
const isDown = ({ error }: Pick<Probe, "error">): boolean =>
  error?.startsWith("The gateway is not running") === true;

function overview(
  { paths, env }: Cli,
  { config, exists, problems }: Settings,
  { target, reachable, connectLatencyMs, error, status: remote }: Probe,
  sessionCount: number,
  all: boolean,
): [string, string][] {
  const age = remote?.uptimeMs === undefined ? "" : `, up ${formatAge(remote.uptimeMs)}`;
  // The address stands before it already.
  const why = isDown({ error }) ? "nothing answers there" : error;
  const answer = reachable ? `answers in ${connectLatencyMs}ms${age}` : `not reachable: ${why}`;
  const port = readLock(paths.lockPath).body?.port;
  const file = problems.length > 0 ? "invalid" : exists ? "ok" : "no file, defaults";
  return [
    [
      "Version",
      remote?.version && remote.version !== VERSION
        ? `${VERSION} (gateway ${remote.version})`
        : VERSION,
    ],
    ["Gateway", `${shownUrl(target)}, ${answer}`],
    ...(reachable && port
      ? ([["Control UI", `http://127.0.0.1:${port}/`]] as [string, string][])
      : []),
    ["Config", `${paths.configPath} (${file}${env.nixMode ? ", made by Nix" : ""})`],
    ["Model", remote?.defaultModel ?? "unknown while the gateway is down"],
    ...(remote?.channelSummary ?? []).map((line): [string, string] => ["Channel", line]),
    ["Sessions", String(sessionCount)],
    ...(all
      ? ([
          ["OS", `${platform()} ${release()} ${arch()}`],
          ["State", paths.stateDir],
          ["Database", paths.databasePath],
          ["Log", remote?.logFile ?? paths.logDir],
          ["Bind", config?.gateway.bind ?? "unknown"],
          ["Unfinished turns", String(remote?.unfinishedTurns ?? "unknown")],
        ] as [string, string][])
      : []),
  ];
}

/** The socket's address is only for programs. */
export const shownUrl = ({ url, source }: Target): string =>
  url.startsWith("ws+unix:") ? source : `${url} (${source})`;

function printRecent({ out }: Cli, recent: Recent[]): void {
  if (recent.length === 0) return;
  out.line();
  const now = Date.now();
  out.table(
    [
      { title: "Session" },
      { title: "Age", align: "right" },
      { title: "Model" },
      { title: "Tokens", align: "right" },
    ],
    recent.map((row) => [
      row.key,
      formatAge(now - row.updatedAt),
      row.model ?? "default",
      String(row.totalTokens ?? 0),
    ]),
  );
}
