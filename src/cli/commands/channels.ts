/** `channels list|status|logs`: which chat networks there are, and how they are. */
import { open } from "node:fs/promises";

import { parseLogLine } from "../../base/log-lines.ts";
import { NETWORKS } from "../../channels/registry.ts";
import type { AccountSnapshot } from "../../channels/summary.ts";
import { wholeNumber } from "../arguments.ts";
import {
  ACCOUNT_ARG,
  CHANNEL_ARG,
  channelNamed,
  type Configured,
  configuredAccounts,
  usableSettings,
} from "../channels/accounts.ts";
import { configLine, listLine, liveLine } from "../channels/lines.ts";
import { eitherWay } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { commandsBelow } from "../commands.ts";
import { showCommandHelp } from "../help.ts";
import { safeText } from "../out.ts";
import { loadSettings } from "../settings.ts";
import { logFileOf } from "./logs.ts";

export const channels = command({
  doc: "Chat networks: add, look at, sign in, remove.",
  args: {},
  json: false,
  examples: [
    ["channels add", "answer a few questions, and it is there"],
    ["channels status --probe", "is everything connected?"],
  ],
  async run(_, { out, name }) {
    showCommandHelp(out, name, "channels", channels, commandsBelow("channels"));
  },
});

export const list = command({
  doc: "List the accounts that the config and the environment name.",
  args: {
    "no-usage": { type: "boolean", description: "Kept for scripts; has no effect." },
  },
  examples: [
    ["channels list", "for people"],
    ["channels list --json", "for scripts"],
  ],
  async run(args, cli) {
    const rows = await configuredAccounts(await usableSettings(cli));
    if (args.json) {
      const chat: Record<string, string[]> = {};
      for (const { channel, plan } of rows) (chat[channel] ??= []).push(plan.id);
      return cli.out.data({ chat, auth: [] });
    }
    cli.out.line("Chat channels:");
    for (const { channel, snapshot } of rows) cli.out.line(safeText(listLine(channel, snapshot)));
    if (rows.length === 0) {
      cli.out.line("- none");
      cli.out.note(`To add one: ${cli.name}${cli.profileFlag} channels add`);
    }
  },
});

export const status = command({
  doc: "How every account is, as the running gateway knows it. Works while it is down, with what the config says.",
  args: {
    probe: { type: "boolean", description: "Also ask each platform once." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["channels status", "what is known"],
    ["channels status --probe", "and one round trip with every credential"],
    ["channels status --json", "for scripts; `ok` is false while the gateway is down"],
  ],
  async run(args, cli) {
    const timeoutMs = wholeNumber("timeout", args.timeout, { min: 1, max: 600_000 })!;
    await eitherWay(
      cli,
      args,
      async ({ client }) => {
        const params = { probe: args.probe, timeoutMs };
        const answer = await client.call("channels.status", params, {
          timeoutMs: timeoutMs + (args.probe ? PROBE_SPARE_MS : 0),
        });
        if (args.json) return cli.out.data(answer);
        cli.out.line("Gateway reachable.");
        const lines = answer.channelOrder.flatMap((id) =>
          (answer.channelAccounts[id] ?? []).map((each) =>
            liveLine(id, each as AccountSnapshot, answer.ts),
          ),
        );
        for (const line of lines) cli.out.line(safeText(line));
        if (lines.length === 0) noChannels(cli);
        if (answer.warnings.length > 0) cli.out.line("\nWarnings:");
        for (const { message, fix } of answer.warnings)
          cli.out.line(safeText(`- ${message}${fix ? `\n  ${fix}` : ""}`));
      },
      async (why) => {
        const settings = await loadSettings(cli.env, cli.paths);
        const { config } = settings;
        const rows = config ? await configuredAccounts({ ...settings, config }) : [];
        const error = why.message.split("\n")[0]!;
        if (args.json) return cli.out.data(offlineJson(error, rows, settings.problems));
        cli.out.note(`Gateway not reachable: ${error}`);
        cli.out.line("Gateway not reachable; showing config-only status.");
        cli.out.line(`Config: ${cli.paths.configPath}`);
        cli.out.line(`Mode: ${config?.gateway.mode ?? "local"}`);
        for (const problem of settings.problems) cli.out.line(`config: ${problem}`);
        for (const { channel, snapshot } of rows)
          cli.out.line(safeText(configLine(channel, snapshot)));
        if (rows.length === 0) noChannels(cli);
        cli.out.line(`\nNext: ${cli.name}${cli.profileFlag} gateway`);
      },
    );
  },
});

/** The gateway may need all of the time for a probe before it answers, in ms. */
const PROBE_SPARE_MS = 5_000;

function offlineJson(error: string, rows: Configured[], problems: string[]) {
  const channelAccounts: Record<string, AccountSnapshot[]> = {};
  for (const { channel, snapshot } of rows) (channelAccounts[channel] ??= []).push(snapshot);
  return { ok: false, configOnly: true, error, problems, channelAccounts };
}

const noChannels = ({ out, name, profileFlag }: Cli): void =>
  out.line(`- none. To add one: ${name}${profileFlag} channels add`);

/** How much of the end of the log is looked at, in bytes. */
const LOG_BYTES = 4_000_000;

export const logs = command({
  doc: "Lines of the log that are about one channel, or about all of them.",
  args: {
    ...CHANNEL_ARG,
    ...ACCOUNT_ARG,
    lines: { type: "string", hint: "n", default: "200", description: "Lines at most." },
  },
  examples: [
    ["channels logs", "all channels"],
    ["channels logs --channel telegram --lines 50", "one channel"],
  ],
  async run(args, cli) {
    const limit = wholeNumber("lines", args.lines, { min: 1, max: 10_000 })!;
    const wanted = args.channel && args.channel !== "all" ? channelNamed(args.channel) : undefined;
    const prefix = [
      "channels",
      ...(wanted ? [wanted] : []),
      ...(args.account ? [args.account] : []),
    ];
    const file = await logFileOf(cli);
    const found = (await lastLines(file))
      .flatMap((raw) => {
        const line = parseLogLine(raw);
        return line && isBelow(line.subsystem, prefix.join("/")) ? [line] : [];
      })
      .slice(-limit);
    if (args.json) return cli.out.data({ file, channel: wanted ?? "all", lines: found });
    cli.out.line(`Log file: ${file}`);
    if (found.length === 0)
      cli.out.line(`No lines of ${wanted ? NETWORKS[wanted].label : "channels"} in it.`);
    for (const { time, level, subsystem, message, data } of found) {
      const pairs = data ? ` ${JSON.stringify(data)}` : "";
      cli.out.line(safeText(`${time} ${level.toLowerCase()} [${subsystem}] ${message}${pairs}`));
    }
  },
});

const isBelow = (subsystem: string, prefix: string): boolean =>
  subsystem === prefix || subsystem.startsWith(`${prefix}/`);

async function lastLines(path: string): Promise<string[]> {
  await using handle = await open(path, "r");
  const { size } = await handle.stat();
  const from = Math.max(0, size - LOG_BYTES);
  const buffer = Buffer.alloc(size - from);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
  // A look that begins in the middle of the file begins in the middle of a line.
  return buffer
    .toString("utf8", 0, bytesRead)
    .split("\n")
    .slice(from > 0 ? 1 : 0, -1);
}
