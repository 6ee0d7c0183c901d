/** `pairing …`: strangers who wrote to a bot and wait, and those who were let in. Works while the gateway is down. */
import { PRODUCT } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { factsOf, isNetwork } from "../../channels/accounts.ts";
import { PAIRING_LIMITS } from "../../channels/pairing-limits.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { approvalText } from "../../router/pairing.ts";
import { peekPairing } from "../../store/sqlite/peek.ts";
import type { AllowedRow, PairingRow } from "../../store/store.ts";
import { ACCOUNT_ARG, accountNamed, CHANNEL_ARG } from "../channels/accounts.ts";
import { actDirectly } from "../channels/direct.ts";
import { eitherWay, withStore } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { commandsBelow } from "../commands.ts";
import { showCommandHelp } from "../help.ts";

export const pairing = command({
  doc: "Let people in who wrote to a bot, or turn them away.",
  args: {},
  json: false,
  examples: [
    ["pairing list", "who waits"],
    ["pairing approve ABCD2345", "let one in"],
  ],
  async run(_, { out, name }) {
    showCommandHelp(out, name, "pairing", pairing, commandsBelow("pairing"));
  },
});

const channelIn = (text: string | undefined): string | undefined => {
  const id = text?.trim().toLowerCase();
  // Plug-ins of the original have ids of their own.
  if (id === undefined || /^[a-z][a-z0-9_-]{0,63}$/.test(id)) return id;
  throw new AppError("usage", `Unknown channel: ${text}`, {
    hint: `There are: ${NETWORK_IDS.join(", ")}.`,
  });
};

const labelOf = (channel: string): string =>
  channel in NETWORKS ? NETWORKS[channel as NetworkId].label : channel;

type Known = { requests: PairingRow[]; allowed: AllowedRow[] };

/** From the gateway, else a look into the database. */
const known = (cli: Cli, wish: Parameters<typeof eitherWay>[1], only: string | undefined) =>
  eitherWay(
    cli,
    wish,
    async ({ client, timeoutMs }): Promise<Known> => {
      const answer = await client.call("pairing.list", only ? { channel: only } : {}, {
        timeoutMs,
      });
      return {
        requests: answer.requests.map(({ accountId, id, ...row }) => ({
          ...row,
          account: accountId,
          sender: id,
        })),
        allowed: answer.allowed.map(({ accountId, id, ...row }) => ({
          ...row,
          account: accountId,
          sender: id,
        })),
      };
    },
    async (): Promise<Known> => {
      const found = peekPairing(cli.paths.databasePath, Date.now() - PAIRING_LIMITS.ttlMs);
      const mine = <T extends { channel: string }>(rows: T[]) =>
        rows.filter((row) => !only || row.channel === only);
      return { requests: mine(found.requests), allowed: mine(found.allowed) };
    },
  );

export const list = command({
  doc: "Who wrote and waits for approval. Works while the gateway is down.",
  args: {
    name: { type: "positional", required: false, description: "Only this channel." },
    ...CHANNEL_ARG,
    allowed: { type: "boolean", description: "Those who were let in, instead." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["pairing list", "all channels"],
    ["pairing list telegram --json", "one channel, for scripts"],
    ["pairing list --allowed", "who was let in"],
  ],
  async run(args, cli) {
    const only = channelIn(args.channel ?? args.name);
    const { requests, allowed } = await known(cli, args, only);
    if (args.json)
      return cli.out.data({
        ...(only && { channel: only }),
        requests: requests.map(forJson),
        ...(args.allowed && { allowed: allowed.map(allowedJson) }),
      });
    const now = Date.now();
    if (args.allowed) {
      if (allowed.length === 0) return cli.out.line("Nobody was let in by a code.");
      return cli.out.table(
        ["Channel", "Account", "Id", "Since"].map((title) => ({ title })),
        allowed.map((row) => [
          labelOf(row.channel),
          row.account,
          row.sender,
          `${formatAge(now - row.addedAt)} ago`,
        ]),
      );
    }
    if (requests.length === 0)
      return cli.out.line(`No pending ${only ? `${only} ` : ""}pairing requests.`);
    cli.out.table(
      ["Code", "Channel", "Account", "Id", "Who", "Requested"].map((title) => ({ title })),
      requests.map((row) => [
        row.code,
        labelOf(row.channel),
        row.account,
        row.sender,
        Object.values(row.meta).join(" "),
        `${formatAge(now - row.createdAt)} ago`,
      ]),
    );
    cli.out.note(`To let one in: ${cli.name}${cli.profileFlag} pairing approve <code>`);
  },
});

/** The shape of the original's files. */
const forJson = ({ channel, account, sender, code, meta, createdAt, lastSeenAt }: PairingRow) => ({
  id: sender,
  code,
  createdAt: new Date(createdAt).toISOString(),
  lastSeenAt: new Date(lastSeenAt).toISOString(),
  meta,
  channel,
  accountId: account,
});
const allowedJson = ({ channel, account, sender, addedAt }: AllowedRow) => ({
  id: sender,
  channel,
  accountId: account,
  addedAt: new Date(addedAt).toISOString(),
});

const noSuchCode = (code: string): AppError =>
  new AppError("not_found", `No pending pairing request found for code: ${code}`, {
    hint: "A code is good for an hour. `clawdbot pairing list` has those that wait.",
  });

export const approve = command({
  doc: "Let in the person who was given this code. Works while the gateway is down.",
  args: {
    first: {
      type: "positional",
      required: true,
      description: "The code, or the channel and then the code.",
    },
    code: {
      type: "positional",
      required: false,
      description: "The code, when the channel comes first.",
    },
    ...CHANNEL_ARG,
    notify: { type: "boolean", description: "Tell the person." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["pairing approve ABCD2345", "by the code alone"],
    ["pairing approve telegram ABCD2345 --notify", "and tell the person"],
  ],
  async run(args, cli) {
    const code = (args.code ?? args.first).trim();
    const only = channelIn(args.channel ?? (args.code === undefined ? undefined : args.first));
    const row = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) => {
        const params = { code, notify: args.notify, ...(only && { channel: only }) };
        const { approved } = await client.call("pairing.approve", params, { timeoutMs });
        return { ...approved, account: approved.accountId, sender: approved.id, told: args.notify };
      },
      async (why) => {
        const found = await withStore(cli, (store) =>
          store.pairing.approve(code, Date.now(), PAIRING_LIMITS.ttlMs, only),
        );
        if (!found) throw noSuchCode(code);
        return { ...found, told: args.notify && (await tell(cli, found, why)) };
      },
    );
    if (args.json)
      return cli.out.data({
        ok: true,
        channel: row.channel,
        accountId: row.account,
        id: row.sender,
        code: row.code,
        notified: row.told,
      });
    cli.out.line(`Approved ${row.channel} sender ${row.sender}.`);
  },
});

/** That the person could not be told is no reason to take the approval back. */
async function tell(
  cli: Cli,
  { channel, account, sender }: PairingRow,
  why: AppError,
): Promise<boolean> {
  try {
    if (!isNetwork(channel)) return false;
    const { chatOf } = await factsOf(channel);
    const to = { channel, account, chatId: chatOf?.(sender) ?? sender };
    const message = approvalText(PRODUCT.charAt(0).toUpperCase() + PRODUCT.slice(1));
    await actDirectly(cli, "send", to, { message }, why);
    return true;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    cli.out.note(`warning: the person could not be told: ${cause.message}`);
    return false;
  }
}

export const dismiss = command({
  doc: "Forget a request. The person may ask again.",
  args: {
    code: { type: "positional", required: true, description: "The code." },
    ...GATEWAY_ARGS,
  },
  examples: [["pairing dismiss ABCD2345", "turn one away"]],
  async run(args, cli) {
    const code = args.code.trim();
    await eitherWay<unknown>(
      cli,
      args,
      ({ client, timeoutMs }) => client.call("pairing.dismiss", { code }, { timeoutMs }),
      async () => {
        if (!(await withStore(cli, (store) => store.pairing.dismiss(code)))) throw noSuchCode(code);
      },
    );
    if (args.json) return cli.out.data({ ok: true, code: code.toUpperCase() });
    cli.out.line(`Dismissed ${code.toUpperCase()}.`);
  },
});

export const revoke = command({
  doc: "Take an approval back. Whoever stands in the config's lists keeps what those give.",
  args: {
    name: { type: "positional", required: true, description: "The channel." },
    id: {
      type: "positional",
      required: true,
      description: "The sender's id, as in `pairing list --allowed`.",
    },
    ...ACCOUNT_ARG,
    ...GATEWAY_ARGS,
  },
  examples: [["pairing revoke telegram 12345", "this person has to ask again"]],
  async run(args, cli) {
    const channel = channelIn(args.name)!;
    const account = accountNamed(args.account);
    const sender = args.id.trim();
    await eitherWay<unknown>(
      cli,
      args,
      ({ client, timeoutMs }) =>
        client.call("pairing.revoke", { channel, accountId: account, id: sender }, { timeoutMs }),
      async () => {
        if (await withStore(cli, (store) => store.pairing.revoke({ channel, account, sender })))
          return;
        throw new AppError("not_found", `Nobody with the id ${sender} was let in on ${channel}.`, {
          hint: "`clawdbot pairing list --allowed` has those who were.",
        });
      },
    );
    if (args.json) return cli.out.data({ ok: true, channel, accountId: account, id: sender });
    cli.out.line(`Revoked ${channel} sender ${sender}.`);
  },
});
