/** `health` and `gateway health`: the running gateway's own summary. */
import { readLock } from "../../base/lock.ts";
import { formatAge } from "../../base/time.ts";
import { nameOf } from "../../channels/summary.ts";
import { liveLine } from "../channels/lines.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { safeText } from "../out.ts";
import { type Target, timeoutOf, type Wish, withGateway } from "../rpc.ts";
import { askChannels, type RemoteChannels } from "../status/probe.ts";

type ChannelCard = {
  configured?: boolean;
  linked?: boolean;
  authAgeMs?: number | null;
  running?: boolean;
  connected?: boolean;
  lastError?: string | null;
  accountId?: string;
  accounts?: Record<
    string,
    { roundTripMs?: number | null; self?: Record<string, unknown> | null } | undefined
  >;
};
/** The parts of a health summary that are printed; older and newer gateways may leave any of them out. */
type Summary = {
  ok?: boolean;
  problems?: string[];
  durationMs?: number;
  ready?: boolean;
  failing?: string[];
  channelOrder?: string[];
  channelLabels?: Record<string, string>;
  channels?: Record<string, ChannelCard>;
  agents?: {
    agentId: string;
    isDefault?: boolean;
    sessions?: { count: number; path: string; recent: { key: string; age: number | null }[] };
  }[];
};

type Answer = { summary: Summary; ms: number; where: string; channels?: RemoteChannels };

const ask = (cli: Cli, wish: Wish, probe: boolean): Promise<Answer> =>
  withGateway(cli, wish, async (gateway) => {
    const { client, target } = gateway;
    const timeoutMs = timeoutOf(wish);
    const before = performance.now();
    const summary = await client.call("health", { probe }, { timeoutMs });
    const ms = Math.round(performance.now() - before);
    const channels = probe ? await askChannels(gateway, timeoutMs, true) : undefined;
    return { summary, ms, where: placeOf(cli, target), ...(channels && { channels }) };
  });

/** The local socket's path says nothing to people; the lock has the port. */
function placeOf({ paths }: Cli, { url, source }: Target): string {
  if (source !== "local socket") return url.replace(/\/$/, "");
  const { port, bind } = readLock(paths.lockPath).body ?? {};
  return `ws://${bind === "lan" ? "0.0.0.0" : "127.0.0.1"}:${port ?? "unknown"}`;
}

const ARGS = {
  ...GATEWAY_ARGS,
  verbose: {
    type: "boolean",
    description:
      "Also ask every chat network; when the gateway does not answer, say where it was looked for.",
  },
  debug: { type: "boolean", description: "The same as --verbose." },
  quiet: { type: "boolean", description: "Say nothing when it is well; the exit code tells." },
} as const;

export const health = command({
  doc: "Ask the running gateway whether it is well. Exit code 1 when it is not, or does not answer.",
  args: ARGS,
  examples: [
    ["health", "one look"],
    ["health --json", "the whole summary, for scripts"],
    ["health --quiet", "for the health check of a container"],
    ["health --url wss://host --token <token>", "a gateway on another machine"],
  ],
  lenient: true,
  async run(args, cli) {
    const answer = await ask(cli, args, args.verbose || args.debug);
    const { summary } = answer;
    const well = summary.ok !== false;
    if (args.json) cli.out.data(summary);
    else if (!args.quiet || !well) printHealth(cli, answer);
    return well ? 0 : 1;
  },
});

export const gatewayHealth = command({
  doc: "Ask the running gateway whether it is well. Exit code 1 when it is not, or does not answer.",
  args: GATEWAY_ARGS,
  examples: [["gateway health", "one look"]],
  async run(args, cli) {
    const answer = await ask(cli, args, false);
    const { summary } = answer;
    if (args.json) cli.out.data(summary);
    else {
      cli.out.line(cli.out.paint("bold", "Gateway Health"));
      printHealth(cli, answer);
    }
    return summary.ok === false ? 1 : 0;
  },
});

function printHealth({ out }: Cli, { summary, ms, where, channels }: Answer): void {
  const failing = summary.failing ?? [];
  const [state, colour] =
    summary.ok === false
      ? (["NOT WELL", "red"] as const)
      : summary.ready === false
        ? ([`starting (${failing.join(", ")})`, "yellow"] as const)
        : (["OK", "green"] as const);
  out.line(`${out.paint(colour, state)} (${ms}ms)`);
  out.line(safeText(`Gateway is listening on ${where}`));
  for (const problem of summary.problems ?? []) out.line(safeText(problem));
  for (const id of summary.channelOrder ?? []) {
    const text = channelText(summary.channels?.[id] ?? {});
    out.line(safeText(`${summary.channelLabels?.[id] ?? id}: ${text}`));
  }
  for (const id of channels?.channelOrder ?? [])
    for (const account of channels?.channelAccounts[id] ?? [])
      out.line(safeText(liveLine(id, account, channels!.ts)));
  const agents = summary.agents ?? [];
  const names = agents.map((agent) => agent.agentId + (agent.isDefault ? " (default)" : ""));
  out.line(`Agents: ${names.join(", ") || "none"}`);
  for (const { agentId, sessions } of agents) {
    if (!sessions) continue;
    out.line(`Session store (${agentId}): ${sessions.path} (${sessions.count} entries)`);
    for (const { key, age } of sessions.recent)
      out.line(`- ${key} (${age === null ? "unknown" : `${formatAge(age)} ago`})`);
  }
}

/** `ok (@bot) (123ms)`, `linked`, `failed - why`, in the original's words. */
function channelText(channel: ChannelCard): string {
  const { linked, configured, connected, running, lastError, authAgeMs } = channel;
  const account = channel.accounts?.[channel.accountId ?? ""];
  const name = account?.self && nameOf(account.self);
  const ms = account?.roundTripMs;
  const who = name ? ` (${name})` : "";
  const age = authAgeMs ? ` (auth age ${formatAge(authAgeMs)})` : "";
  if (connected)
    return `${linked ? `linked${age}` : "ok"}${who}${typeof ms === "number" ? ` (${Math.round(ms)}ms)` : ""}`;
  if (linked === false && channel.accounts && Object.keys(channel.accounts).length > 0)
    return "not linked";
  if (!configured) return "not configured";
  if (lastError) return `failed - ${lastError}`;
  return running ? "connecting" : linked ? `linked${age}` : "configured";
}
