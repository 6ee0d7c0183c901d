/** `health` and `gateway health`: the running gateway's own summary. */
import { formatAge } from "../../base/time.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { safeText } from "../out.ts";
import { timeoutOf, type Wish, withGateway } from "../rpc.ts";

/** The parts of a health summary that are printed; older and newer gateways may leave any of them out. */
type Summary = {
  ok?: boolean;
  problems?: string[];
  durationMs?: number;
  ready?: boolean;
  failing?: string[];
  channelOrder?: string[];
  channelLabels?: Record<string, string>;
  channels?: Record<string, { configured?: boolean; linked?: boolean; authAgeMs?: number | null }>;
  agents?: {
    agentId: string;
    isDefault?: boolean;
    sessions?: { count: number; path: string; recent: { key: string; age: number | null }[] };
  }[];
};

const ask = (cli: Cli, wish: Wish, probe: boolean): Promise<{ summary: Summary; ms: number }> =>
  withGateway(cli, wish, async ({ client }) => {
    const before = performance.now();
    const summary = await client.call("health", { probe }, { timeoutMs: timeoutOf(wish) });
    return { summary, ms: Math.round(performance.now() - before) };
  });

const ARGS = {
  ...GATEWAY_ARGS,
  verbose: {
    type: "boolean",
    description: "When it does not answer: say where it was looked for.",
  },
  debug: { type: "boolean", description: "The same as --verbose." },
} as const;

export const health = command({
  doc: "Ask the running gateway whether it is well. Exit code 1 when it is not, or does not answer.",
  args: ARGS,
  examples: [
    ["health", "one look"],
    ["health --json", "the whole summary, for scripts"],
    ["health --url wss://host --token <token>", "a gateway on another machine"],
  ],
  async run(args, cli) {
    const { summary, ms } = await ask(cli, args, args.verbose || args.debug);
    if (args.json) cli.out.data(summary);
    else printHealth(cli, summary, ms);
    return summary.ok === false ? 1 : 0;
  },
});

export const gatewayHealth = command({
  doc: "Ask the running gateway whether it is well. Exit code 1 when it is not, or does not answer.",
  args: GATEWAY_ARGS,
  examples: [["gateway health", "one look"]],
  async run(args, cli) {
    const { summary, ms } = await ask(cli, args, false);
    if (args.json) cli.out.data(summary);
    else {
      cli.out.line(cli.out.paint("bold", "Gateway Health"));
      printHealth(cli, summary, ms);
    }
    return summary.ok === false ? 1 : 0;
  },
});

function printHealth({ out }: Cli, summary: Summary, ms: number): void {
  const failing = summary.failing ?? [];
  const [state, colour] =
    summary.ok === false
      ? (["NOT WELL", "red"] as const)
      : summary.ready === false
        ? ([`starting (${failing.join(", ")})`, "yellow"] as const)
        : (["OK", "green"] as const);
  out.line(`${out.paint(colour, state)} (${ms}ms)`);
  for (const problem of summary.problems ?? []) out.line(safeText(problem));
  for (const id of summary.channelOrder ?? []) {
    const channel = summary.channels?.[id];
    const age = channel?.authAgeMs ? ` (auth age ${formatAge(channel.authAgeMs)})` : "";
    const text = channel?.linked ? `linked${age}` : channel?.configured ? "configured" : undefined;
    out.line(`${summary.channelLabels?.[id] ?? id}: ${text ?? "not configured"}`);
  }
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
