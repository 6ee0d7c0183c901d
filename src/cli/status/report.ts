/** `status --all`: everything that a bug report needs, to paste where others read it. No secret and no name of a home folder is in it. */
import { secretsOf } from "../../base/env.ts";
import { lastLines } from "../../base/fs.ts";
import { parseLogLine } from "../../base/log-lines.ts";
import { createRedactor } from "../../base/redact.ts";
import { isRecord } from "../../config/path.ts";
import { examine } from "../../doctor/examine.ts";
import { CHECKS } from "../../doctor/registry.ts";
import { portOwners } from "../../gateway/port-owner.ts";
import { liveLine } from "../channels/lines.ts";
import type { Cli } from "../command.ts";
import { newestLogFile } from "../commands/logs.ts";
import { safeText } from "../out.ts";
import type { Facts } from "./gather.ts";
import { overview } from "./print.ts";

const LOG_LINES = 20;

/** The lines of the report, ready to be printed. */
export async function reportLines(cli: Cli, facts: Facts): Promise<string[]> {
  const { paths } = cli;
  const { probe, local, settings, sessions, accounts } = facts;
  const lines: string[] = [`${cli.name} status --all`, ""];
  const section = (title: string, content: readonly string[]) => {
    if (content.length > 0) lines.push("", `${title}:`, ...content.map((line) => `  ${line}`));
  };
  const pairs = [
    ...overview(cli, facts),
    ...(local
      ? ([
          ["State", paths.stateDir],
          ["Database", paths.databasePath],
          ["Log", probe.status?.logFile ?? paths.logDir],
          ["Bind", settings.config?.gateway.bind ?? "unknown"],
          ["Program", process.execPath],
        ] as [string, string][])
      : []),
    ["Unfinished turns", String(probe.status?.unfinishedTurns ?? "unknown")] as [string, string],
  ];
  lines.push(...pairs.map(([name, value]) => `${name}: ${value}`));
  section("Config problems", settings.problems);
  if (local) {
    const { scene } = local;
    const found = await examine(CHECKS, scene);
    section(
      "Findings",
      found.map(({ severity, checkId, message, fixHint }) =>
        [`${severity} ${checkId}: ${message}`, ...(fixHint ? [`  ${fixHint}`] : [])].join("\n  "),
      ),
    );
    const { definition, state } = scene.service;
    section("Service", [
      ...(state ? [`state: ${state.detail}`] : []),
      ...(definition ? [`command: ${definition.command.join(" ")}`, definition.source] : []),
    ]);
    const port = scene.loaded.env.gatewayPort ?? settings.config?.gateway.port;
    const owners = port === undefined ? [] : await portOwners(port);
    section(
      `Port ${port}`,
      owners.map(({ pid, command }) => `PID ${pid}: ${command.slice(0, 120)}`),
    );
  }
  const now = probe.more?.channels?.ts ?? Date.now();
  section(
    "Channels",
    accounts.map(({ channel, snapshot }) => liveLine(channel, snapshot, now)),
  );
  section(
    "Warnings",
    (probe.more?.channels?.warnings ?? []).map(({ message }) => message),
  );
  section(
    `Sessions (${sessions.count})`,
    sessions.recent.map(({ key, totalTokens }) => `${masked(key)}, ${totalTokens ?? 0} tokens`),
  );
  const log = local && (await newestLogFile(cli));
  const end = log ? await lastLines(log, LOG_LINES) : [];
  section("End of the log", end.map(logLine));
  return clean(lines, cli, facts);
}

function logLine(raw: string): string {
  const line = parseLogLine(raw);
  if (!line) return raw;
  const { time, level, subsystem, message, data } = line;
  return `${time} ${level.toLowerCase()} [${subsystem}] ${message}${data ? ` ${JSON.stringify(data)}` : ""}`;
}

/** Whom somebody talks to is nobody's business: ids of people in a key become dots. */
const masked = (key: string): string =>
  key
    .split(":")
    .map((part) => (/^\+?[\d@.\w-]*\d{4,}[\d@.\w-]*$/.test(part) ? "…" : part))
    .join(":");

function clean(lines: readonly string[], { env, paths }: Cli, { settings }: Facts): string[] {
  const redactor = createRedactor([
    ...secretsOf(env),
    ...secretsOf(settings.env),
    ...textsIn(settings.config?.channels),
    ...textsIn(settings.config?.gateway.auth),
    ...textsIn(settings.config?.gateway.remote),
    ...textsIn(settings.config?.models.providers),
    ...[settings.generatedToken() ?? ""],
  ]);
  const { home } = paths;
  return redactor.text(lines.map(safeText).join("\n")).replaceAll(home, "~").split("\n");
}

/** Values of keys that are called like a secret, however deep. */
function textsIn(value: unknown, name = ""): string[] {
  if (typeof value === "string")
    return /token|password|secret|key/i.test(name) && !/source|file$/i.test(name) ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item, name));
  return isRecord(value)
    ? Object.entries(value).flatMap(([key, child]) => textsIn(child, key))
    : [];
}
