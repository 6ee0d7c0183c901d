/** `directory …`: who we are on a network, and which people and groups are known there. */
import { AppError } from "../../base/errors.ts";
import { factsOf } from "../../channels/accounts.ts";
import type { Found } from "../../channels/action.ts";
import { withAccount } from "../../channels/alone.ts";
import type { NetworkId } from "../../channels/registry.ts";
import { nameOf } from "../../channels/summary.ts";
import { isRecord } from "../../config/path.ts";
import { peekPairing } from "../../store/sqlite/peek.ts";
import { wholeNumber } from "../arguments.ts";
import {
  ACCOUNT_ARG,
  accountNamed,
  CHANNEL_ARG,
  type Configured,
  configuredAccounts,
  usableSettings,
} from "../channels/accounts.ts";
import { performAction } from "../channels/perform.ts";
import { eitherWay } from "../channels/reach.ts";
import { type Cli, command, GATEWAY_ARGS } from "../command.ts";
import { theChannel } from "../commands/channels-ask.ts";
import { group } from "../group.ts";
import type { Wish } from "../rpc.ts";

const PLACE = { ...CHANNEL_ARG, ...ACCOUNT_ARG } as const;
const SEARCH = {
  ...PLACE,
  query: { type: "string", hint: "text", description: "Only those with this in the name or id." },
  limit: { type: "string", hint: "n", default: "50", description: "Rows at most." },
  ...GATEWAY_ARGS,
} as const;

export const directory = group("directory", {
  doc: "Who we are on a network, and which people and groups are known there.",
  notes:
    "Discord is asked. Telegram and WhatsApp tell bots no lists, so there it is those that the config names or that were let in by a code.",
  examples: [
    ["directory self --channel telegram", "which account is ours"],
    ["directory peers list --channel discord --query ann", "people"],
  ],
});
export const peers = group("directory peers", {
  doc: "People on a network.",
  examples: [["directory peers list --channel telegram", "those that are known"]],
});
export const groups = group("directory groups", {
  doc: "Groups and channels on a network.",
  examples: [["directory groups list --channel discord", "those that can be written to"]],
});

type Entry = { kind: string; id: string; name?: string; handle?: string; note?: string };

/** The account, as the config has it. Throws not_found. */
async function accountOf(
  cli: Cli,
  args: { channel?: string | undefined; account?: string | undefined },
): Promise<Configured & { channel: NetworkId }> {
  const channel = await theChannel(cli, args.channel);
  const account = accountNamed(args.account);
  const rows = await configuredAccounts(await usableSettings(cli));
  const found = rows.find((row) => row.channel === channel && row.plan.id === account);
  if (found) return { ...found, channel };
  throw new AppError("not_found", `${channel} has no account "${account}".`, {
    hint: `To add it: ${cli.name}${cli.profileFlag} channels add --channel ${channel}`,
  });
}

export const self = command({
  doc: "Which account is ours, as the platform knows it.",
  args: { ...PLACE, ...GATEWAY_ARGS },
  examples: [["directory self --channel telegram --json", "for scripts"]],
  async run(args, cli) {
    const found = await accountOf(cli, args);
    const { channel, plan } = found;
    const entry = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) => {
        const answer = await client.call("channels.status", {}, { timeoutMs });
        const row = answer.channelAccounts[channel]?.find((each) => each.accountId === plan.id);
        return row?.self ? entryOf(row.self) : undefined;
      },
      () => askAlone(cli, found),
    );
    if (!entry)
      throw new AppError("channel_unreachable", `${channel} has not said yet who we are there.`, {
        hint: `To see how it is: ${cli.name}${cli.profileFlag} channels status`,
      });
    if (args.json) return cli.out.data({ channel, accountId: plan.id, ...entry });
    print(cli, [entry]);
  },
});

/** A bot can be asked from anywhere; a linked account belongs to the gateway. */
async function askAlone(
  cli: Cli,
  { channel, plan, setup }: Configured & { channel: NetworkId },
): Promise<Entry | undefined> {
  if (setup.login)
    throw new AppError("gateway_unreachable", `${channel} can only be asked by a running gateway.`);
  const { env } = await usableSettings(cli);
  return withAccount(cli, { channel, plan, env: (name) => env.raw(name) }, async (account) => {
    const probe = await account.probe?.(AbortSignal.timeout(10_000));
    if (probe && !probe.ok) throw new AppError("channel_unreachable", probe.detail);
    const bot = probe?.facts?.["bot"];
    return isRecord(bot) ? entryOf(bot) : undefined;
  });
}

function entryOf(facts: Record<string, unknown>): Entry {
  const { id, username, handle } = facts;
  const name = nameOf(facts) ?? (typeof username === "string" ? username : undefined);
  const known = typeof handle === "string" ? handle : username;
  return {
    kind: "user",
    id: String(id ?? ""),
    ...(name && { name }),
    ...(typeof known === "string" && { handle: known }),
  };
}

const listing = (path: string, kind: "user" | "group", what: string) =>
  command({
    doc: what,
    args: SEARCH,
    examples: [[`${path} --channel telegram --query ann`, "by a part of the name or id"]],
    async run(args, cli) {
      const limit = wholeNumber("limit", args.limit, { min: 1, max: 10_000 })!;
      const found = await accountOf(cli, args);
      const all = await entriesOf(cli, args, found, kind, args.query ?? "");
      const rows = all.slice(0, limit);
      if (args.json) return cli.out.data(rows);
      if (rows.length === 0) return cli.out.line("Nothing found.");
      print(cli, rows);
    },
  });

export const peersList = listing(
  "directory peers list",
  "user",
  "People that are known on a network.",
);
export const groupsList = listing(
  "directory groups list",
  "group",
  "Groups and channels that are known on a network.",
);

/** From the platform where it has a directory; else from the config and from who was let in. */
async function entriesOf(
  cli: Cli,
  wish: Wish,
  { channel, plan }: Configured & { channel: NetworkId },
  kind: "user" | "group",
  query: string,
): Promise<Entry[]> {
  try {
    const found = (await performAction(cli, wish, "channel-list", {
      channel,
      account: plan.id,
      params: { query, kind },
    })) as Found[];
    return found.map((each) => ({ ...each }));
  } catch (cause) {
    // A network without a directory, or one that only the gateway can ask.
    const expected = ["bad_request", "gateway_unreachable"];
    if (!(cause instanceof AppError) || !expected.includes(cause.code)) throw cause;
  }
  const wanted = query.trim().toLowerCase();
  const known = kind === "user" ? await peopleOf(cli, channel, plan) : groupsOf(plan.config);
  return known.filter(({ id, name = "" }) => `${id} ${name}`.toLowerCase().includes(wanted));
}

async function peopleOf(cli: Cli, channel: NetworkId, plan: Configured["plan"]): Promise<Entry[]> {
  const { senderId } = await factsOf(channel);
  const { config } = plan;
  const listed = isRecord(config) && Array.isArray(config["allowFrom"]) ? config["allowFrom"] : [];
  const ids = listed.flatMap((each) => senderId(String(each)) ?? []).filter((id) => id !== "*");
  const { allowed } = peekPairing(cli.paths.databasePath, 0);
  const letIn = allowed.filter((row) => row.channel === channel && row.account === plan.id);
  return [...new Set([...ids, ...letIn.map(({ sender }) => sender)])].map((id) => ({
    kind: "user",
    id,
    note: ids.includes(id) ? "in the config" : "let in by a code",
  }));
}

const groupsOf = (config: unknown): Entry[] =>
  Object.keys(isRecord(config) && isRecord(config["groups"]) ? config["groups"] : {})
    .filter((id) => id !== "*")
    .map((id) => ({ kind: "group", id, note: "in the config" }));

function print({ out }: Cli, rows: Entry[]): void {
  out.table(
    ["Id", "Name", "Kind", "Note"].map((title) => ({ title })),
    rows.map(({ id, name, handle, kind, note }) => [
      id,
      name ?? handle ?? "-",
      kind,
      note ?? (handle && handle !== name ? `@${handle}` : ""),
    ]),
  );
}
