/** `status`: what is there and what answers. It works while the gateway is down, and then exits with 0. */
import { arch, platform, release } from "node:os";

import { VERSION } from "../../base/brand.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { PARTS } from "../commands.ts";
import { agentsOf, channelLines, type Facts, gather, serviceOf } from "../status/gather.ts";
import { printStatus } from "../status/print.ts";

export const status = command({
  doc: "Overview of gateway, model, security, channels and sessions. Works while the gateway is down.",
  args: {
    all: { type: "boolean", description: "Everything, to paste into a report; no secrets." },
    deep: { type: "boolean", description: "Also one round trip with every chat network." },
    usage: { type: "boolean", description: "Also the tokens and the cost of the last 7 days." },
    verbose: { type: "boolean", description: "The same as --all." },
    debug: { type: "boolean", description: "The same as --all." },
    ...GATEWAY_ARGS,
  },
  lenient: true,
  examples: [
    ["status", "the overview"],
    ["status --all", "with everything that a bug report needs"],
    ["status --deep", "and every chat network is asked"],
    ["status --json", "for scripts"],
  ],
  async run(args, cli) {
    const { out } = cli;
    const facts = await gather(cli, args, { deep: args.deep });
    const parts = args.usage ? await PARTS.usage() : undefined;
    const usage = await parts?.usageOf(cli, args, USAGE_DAYS);
    if (args.json) return out.data({ ...statusJson(cli, facts), ...(usage && { usage }) });
    if (args.all || args.verbose || args.debug) {
      const { reportLines } = await PARTS.statusReport();
      for (const line of await reportLines(cli, facts)) out.line(line);
      return;
    }
    printStatus(cli, facts, () => {
      if (!parts || !usage) return;
      out.line();
      parts.printUsage(out, usage);
    });
  },
});

const USAGE_DAYS = 7;

/** The keys are the original's; what this program does not have is left out, what another machine alone knows is null. */
function statusJson(cli: Cli, facts: Facts) {
  const { settings, probe, sessions, accounts, local } = facts;
  const { target, status: remote, more } = probe;
  return {
    version: VERSION,
    heartbeat: remote?.heartbeat ?? null,
    channelSummary: remote?.channelSummary ?? channelLines(accounts),
    queuedSystemEvents: remote?.queuedSystemEvents ?? [],
    sessions,
    model: remote?.defaultModel ?? null,
    os: {
      platform: platform(),
      arch: arch(),
      release: release(),
      label: `${platform()} ${release()} (${arch()})`,
    },
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
    gatewayService: serviceOf(local),
    agents: local ? agentsOf(settings, cli) : null,
    securityAudit: local?.audit ?? null,
    ...(more &&
      "health" in more && { health: more.health, lastHeartbeat: more.lastHeartbeat ?? null }),
  };
}
