/** `channels capabilities|resolve`: what an account can do, and what a name stands for on its network. */
import { AppError } from "../../base/errors.ts";
import { factsOf } from "../../channels/accounts.ts";
import type { Found } from "../../channels/action.ts";
import { withAccount } from "../../channels/alone.ts";
import { capabilitiesRow } from "../../channels/capable-row.ts";
import { capabilitiesOf } from "../../channels/capable.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { type AccountSnapshot, wireProbe } from "../../channels/summary.ts";
import { wholeNumber } from "../arguments.ts";
import {
  ACCOUNT_ARG,
  accountNamed,
  CHANNEL_ARG,
  channelNamed,
  type Configured,
  configuredAccounts,
  usableSettings,
} from "../channels/accounts.ts";
import { performAction } from "../channels/perform.ts";
import { eitherWay } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { safeText } from "../out.ts";

type Row = ReturnType<typeof capabilitiesRow> & { channelPermissions?: unknown };

export const capabilities = command({
  doc: "What each account can do: asked of the running gateway, else of the platform itself.",
  args: {
    ...CHANNEL_ARG,
    ...ACCOUNT_ARG,
    target: { type: "string", hint: "chat", description: "Also what we may do in this chat." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["channels capabilities", "all accounts"],
    ["channels capabilities --channel discord --target channel:123", "and the rights in a chat"],
  ],
  async run(args, cli) {
    if (args.account && !args.channel) throw new AppError("usage", "--account requires --channel.");
    if (args.target && !args.channel) throw new AppError("usage", "--target requires --channel.");
    const channel = args.channel && args.channel !== "all" ? channelNamed(args.channel) : undefined;
    const account = args.account === undefined ? undefined : accountNamed(args.account);
    const timeoutMs = wholeNumber("timeout", args.timeout, { min: 1, max: 600_000 })!;
    const rows: Row[] = await eitherWay(
      cli,
      args,
      async ({ client }) => {
        const where = { ...(channel && { channel }), ...(account && { accountId: account }) };
        const params = { ...where, timeoutMs };
        const answer = await client.call("channels.capabilities", params, {
          timeoutMs: timeoutMs + 5_000,
        });
        return answer.channels as Row[];
      },
      async () => {
        const settings = await usableSettings(cli);
        const all = await configuredAccounts(settings);
        const env = (name: string) => settings.env.raw(name);
        const wanted = all.filter(
          (row) => (!channel || row.channel === channel) && (!account || row.plan.id === account),
        );
        return Promise.all(wanted.map((row) => askAlone(cli, row, env, timeoutMs)));
      },
    );
    if (args.target && channel)
      for (const row of rows)
        row.channelPermissions = await performAction(cli, args, "permissions", {
          channel,
          account: row.accountId,
          target: args.target,
          params: {},
        });
    if (args.json) return cli.out.data({ channels: rows });
    if (rows.length === 0) return cli.out.line("No channel is configured.");
    for (const row of rows) printRow(cli, row);
  },
});

/** A linked network belongs to the gateway; a bot can be asked from anywhere. */
async function askAlone(
  cli: Cli,
  { channel, plan, snapshot, setup }: Configured,
  env: (name: string) => string | undefined,
  timeoutMs: number,
): Promise<Row> {
  const failed = (detail: string): AccountSnapshot => ({
    ...snapshot,
    probe: { ok: false, elapsedMs: 0, detail, error: detail },
  });
  if (setup.login) return capabilitiesRow(channel, failed("The gateway does not run."), []);
  try {
    return await withAccount(cli, { channel, plan, env }, async (account) => {
      const probe = await account.probe?.(AbortSignal.timeout(timeoutMs));
      return capabilitiesRow(
        channel,
        { ...snapshot, ...(probe && { probe: wireProbe(probe) }) },
        capabilitiesOf(account),
      );
    });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return capabilitiesRow(channel, failed(cause.message), []);
  }
}

function printRow({ out }: Cli, row: Row): void {
  const { label } = NETWORKS[row.channel as NetworkId];
  out.line(out.paint("bold", safeText(`${label} ${row.accountId}`)));
  out.pairs([
    ["Support", row.support.join(", ") || "unknown while it does not run"],
    ["Actions", row.actions.join(", ") || "none"],
    ["Probe", row.probe ? `${row.probe.ok ? "ok" : "failed"}: ${row.probe.detail}` : "none"],
    ...(row.channelPermissions
      ? ([["Permissions", JSON.stringify(row.channelPermissions)]] as [string, string][])
      : []),
  ]);
}

type Resolved = {
  input: string;
  resolved: boolean;
  id?: string;
  name?: string;
  error?: string;
  note?: string;
};

export const resolve = command({
  doc: "What names and numbers stand for on a network: their ids, for allow lists and targets.",
  args: {
    entries: {
      type: "positional",
      required: true,
      rest: true,
      description: "Names, numbers or ids.",
    },
    ...CHANNEL_ARG,
    ...ACCOUNT_ARG,
    kind: {
      type: "enum",
      options: ["auto", "user", "group"],
      default: "auto",
      description: "What to look for.",
    },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["channels resolve --channel discord @ann #general", "a person and a channel"],
    ["channels resolve --channel telegram @ann --json", "for scripts"],
  ],
  async run(args, cli) {
    const channel = await theChannel(cli, args.channel);
    const account = accountNamed(args.account);
    const results: Resolved[] = [];
    for (const input of args._)
      results.push(await resolveOne(cli, args, { channel, account, kind: args.kind }, input));
    if (args.json) return cli.out.data(results);
    for (const { input, resolved, id, name, error, note } of results)
      cli.out.line(
        safeText(
          resolved
            ? `${input} -> ${id}${name ? ` (${name})` : ""}${note ? `, ${note}` : ""}`
            : `${input} -> unresolved: ${error}`,
        ),
      );
  },
});

/** The only configured one when none is named. Throws usage. */
export async function theChannel(cli: Cli, given: string | undefined): Promise<NetworkId> {
  if (given) return channelNamed(given);
  const rows = await configuredAccounts(await usableSettings(cli));
  const ids = [...new Set(rows.map(({ channel }) => channel))];
  if (ids.length === 1) return ids[0]!;
  throw new AppError(
    "usage",
    ids.length === 0
      ? "No channel is configured."
      : `Channel is required when multiple channels are configured: ${ids.join(", ")}`,
    {
      hint:
        ids.length === 0
          ? `To add one: ${cli.name}${cli.profileFlag} channels add`
          : "Say it with --channel.",
    },
  );
}

type Search = { channel: NetworkId; account: string; kind: "auto" | "user" | "group" };

/** An id is what it says. A name is looked up on the platform; what is not found there may still be an address. */
async function resolveOne(
  cli: Cli,
  wish: Parameters<typeof eitherWay>[1],
  { channel, account, kind }: Search,
  input: string,
): Promise<Resolved> {
  const facts = await factsOf(channel);
  const id = kind === "group" ? undefined : facts.senderId(input);
  if (id !== undefined) return { input, resolved: true, id };
  try {
    const query = input.replace(/^[@#]/, "");
    const found = (await performAction(cli, wish, "channel-list", {
      channel,
      account,
      params: { query, kind: kind === "auto" ? "any" : kind },
    })) as Found[];
    const same = found.filter((each) => each.name.toLowerCase() === query.toLowerCase());
    const [one, ...others] = same.length > 0 ? same : found;
    if (one)
      return {
        input,
        resolved: true,
        id: one.id,
        name: one.name,
        ...(others.length > 0 && { note: `${others.length} more fit` }),
      };
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    // A network without a directory; the address itself may say enough.
    if (cause.code !== "bad_request") return { input, resolved: false, error: cause.message };
  }
  try {
    return { input, resolved: true, id: facts.target(input).chatId, note: "not checked" };
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return { input, resolved: false, error: cause.message };
  }
}
