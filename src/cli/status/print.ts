/** `status` for people: the overview, who may get in, the chat networks, the conversations, and what to do next. */
import { arch, platform, release } from "node:os";

import { VERSION } from "../../base/brand.ts";
import { readLock } from "../../base/lock.ts";
import { formatAge } from "../../base/time.ts";
import { NETWORKS } from "../../channels/registry.ts";
import { stateOf } from "../../channels/summary.ts";
import { type AuditReport, summaryLine } from "../../doctor/audit.ts";
import type { Cli } from "../command.ts";
import { safeText } from "../out.ts";
import { agentsOf, type Facts, serviceOf } from "./gather.ts";
import { isDown, type Recent, shownUrl } from "./probe.ts";

type Pair = [name: string, value: string];

export function overview(cli: Cli, facts: Facts): Pair[] {
  const { paths, env } = cli;
  const { settings, probe, sessions, local } = facts;
  const { target, reachable, connectLatencyMs, error, status: remote } = probe;
  const age = remote?.uptimeMs === undefined ? "" : `, up ${formatAge(remote.uptimeMs)}`;
  // The address stands before it already.
  const why = isDown({ error }) ? "nothing answers there" : error;
  const answer = reachable ? `answers in ${connectLatencyMs}ms${age}` : `not reachable: ${why}`;
  const port = local && readLock(paths.lockPath).body?.port;
  const file =
    settings.problems.length > 0 ? "invalid" : settings.exists ? "ok" : "no file, defaults";
  const service = serviceOf(local);
  const { defaultId, agents } = agentsOf(settings, cli);
  const names = remote?.sessions?.byAgent?.map(({ agentId }) => agentId) ?? agents.map((a) => a.id);
  const tailscale = local && settings.config?.gateway.tailscale.mode;
  const pairs: (Pair | undefined)[] = [
    [
      "Version",
      remote?.version && remote.version !== VERSION
        ? `${VERSION} (gateway ${remote.version})`
        : VERSION,
    ],
    ["Gateway", `${shownUrl(target)}, ${answer}`],
    reachable && port ? ["Control UI", `http://127.0.0.1:${port}/`] : undefined,
    tailscale && tailscale !== "off" ? ["Tailscale", tailscale] : undefined,
    service?.installed ? ["Service", service.runtimeShort] : undefined,
    local && ["Config", `${paths.configPath} (${file}${env.nixMode ? ", made by Nix" : ""})`],
    ["Model", remote?.defaultModel ?? "unknown while the gateway is down"],
    ["Agents", names.map((id) => (id === defaultId ? `${id} (default)` : id)).join(", ") || "main"],
    remote?.unfinishedTurns || remote?.pendingOutbox
      ? ["At work", `${remote.unfinishedTurns ?? 0} turns, ${remote.pendingOutbox ?? 0} messages`]
      : undefined,
    ["Sessions", String(sessions.count)],
    ["OS", `${platform()} ${release()} ${arch()}`],
  ];
  return pairs.filter((pair): pair is Pair => pair !== undefined);
}

/** @param more printed before the last line */
export function printStatus(cli: Cli, facts: Facts, more?: () => void): void {
  const { out } = cli;
  out.line(out.paint("bold", `${cli.name} status`));
  out.pairs(overview(cli, facts));
  for (const problem of facts.settings.problems)
    out.line(`${out.paint("red", "config:")} ${safeText(problem)}`);
  if (facts.sessions.error)
    out.line(`${out.paint("red", "database:")} ${safeText(facts.sessions.error)}`);
  if (facts.local) printAudit(cli, facts.local.audit);
  printChannels(cli, facts);
  printRecent(cli, facts.sessions.recent);
  if (facts.probe.more && "health" in facts.probe.more) printHealth(cli, facts);
  more?.();
  const next = nextStep(facts);
  if (next) out.line(`\nNext: ${cli.name}${cli.profileFlag} ${next}`);
}

/** The command that helps most now. */
function nextStep({ settings, probe, local, sessions }: Facts): string | undefined {
  if (settings.problems.length > 0 || sessions.error) return "doctor";
  const critical = (local?.audit.summary.critical ?? 0) > 0;
  // What is critical often keeps it from starting, and doctor says so.
  if (!probe.reachable) return isDown(probe) && !critical ? "gateway" : "doctor";
  return critical ? "security audit" : undefined;
}

/** How many of the audit's findings are shown here. */
const SHOWN = 3;

function printAudit(cli: Cli, audit: AuditReport): void {
  const { out } = cli;
  out.line(`\n${out.paint("bold", "Security:")} ${summaryLine(audit)}`);
  const shown = audit.findings.filter(({ severity }) => severity !== "info").slice(0, SHOWN);
  for (const { severity, title, checkId } of shown)
    out.line(
      safeText(
        `  ${out.paint(severity === "critical" ? "red" : "yellow", severity)} ${title} (${checkId})`,
      ),
    );
  if (shown.length > 0) out.line(`  All of it: ${cli.name}${cli.profileFlag} security audit`);
}

function printChannels({ out }: Cli, { accounts, probe }: Facts): void {
  if (accounts.length === 0) return;
  const now = probe.more?.channels?.ts ?? Date.now();
  const ago = (at: number | null) => (at === null ? "" : `${formatAge(now - at)} ago`);
  out.line();
  out.table(
    [
      { title: "Channel" },
      { title: "Account" },
      { title: "State" },
      { title: "In" },
      { title: "Out" },
    ],
    accounts.map(({ channel, snapshot }) => [
      NETWORKS[channel]?.label ?? channel,
      snapshot.accountId,
      stateOf(snapshot),
      ago(snapshot.lastInboundAt),
      ago(snapshot.lastOutboundAt),
    ]),
  );
}

/** What the round trips of --deep have shown. */
function printHealth({ out }: Cli, { accounts, probe }: Facts): void {
  out.line();
  out.table(
    [{ title: "Health" }, { title: "Status" }, { title: "Detail" }],
    [
      ["Gateway", "ok", `${probe.connectLatencyMs}ms`],
      ...accounts.map(({ channel, snapshot }) => [
        `${NETWORKS[channel]?.label ?? channel} ${snapshot.accountId}`,
        snapshot.probe ? (snapshot.probe.ok ? "ok" : "failed") : "not asked",
        snapshot.probe
          ? `${Math.round(snapshot.probe.elapsedMs)}ms ${snapshot.probe.detail}`
          : stateOf(snapshot),
      ]),
    ],
  );
}

function printRecent({ out }: Cli, recent: readonly Recent[]): void {
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
