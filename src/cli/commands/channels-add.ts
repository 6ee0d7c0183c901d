/** `channels add|remove`: an account in the config, and out of it. Works before there is any config or gateway. */
import { resolve } from "node:path";

import { AppError } from "../../base/errors.ts";
import { readLock } from "../../base/lock.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { expandHome } from "../../base/paths.ts";
import { createRedactor } from "../../base/redact.ts";
import { factsOf } from "../../channels/accounts.ts";
import { type Tried, tryAccount } from "../../channels/alone.ts";
import type { ChannelSetup } from "../../channels/channel.ts";
import { NETWORK_IDS, NETWORKS } from "../../channels/registry.ts";
import { editFile } from "../../config/handle.ts";
import { isRecord } from "../../config/path.ts";
import {
  changesFor,
  checkCredential,
  deleteChanges,
  disableChanges,
  type NewAccount,
  planWith,
  tokenFrom,
} from "../../wizard/account.ts";
import { canAsk, openAsk } from "../ask.ts";
import {
  ACCOUNT_ARG,
  accountNamed,
  CHANNEL_ARG,
  channelNamed,
  configuredAccounts,
  usableSettings,
} from "../channels/accounts.ts";
import type { ArgSpecs, ArgValues, Cli } from "../command.ts";
import { command } from "../command.ts";

/** How long the platform has to answer, in ms. */
const PROBE_MS = 5_000;

const ADD_ARGS = {
  id: { type: "positional", required: false, description: "The channel, as with --channel." },
  ...CHANNEL_ARG,
  ...ACCOUNT_ARG,
  name: { type: "string", hint: "text", description: "A name for people." },
  token: {
    type: "string",
    hint: "token",
    description: "The bot's token; `-` reads it from standard input.",
  },
  "bot-token": { type: "string", hint: "token", description: "The same as --token." },
  "token-file": { type: "string", hint: "file", description: "A file with the token in it." },
  "use-env": { type: "boolean", description: "The token is in the environment." },
  "auth-dir": { type: "string", hint: "dir", description: "Kept for scripts; has no effect." },
  "no-probe": { type: "boolean", description: "Do not ask the platform whether the token works." },
  force: { type: "boolean", description: "Write it although the platform refuses the token." },
} as const satisfies ArgSpecs;

export const add = command({
  doc: "Add an account of a chat network, or give one another token. Without flags it asks.",
  args: ADD_ARGS,
  notes:
    "The token is tried before it is written; when the platform cannot be reached it is written all the same. A running gateway takes it over at once.",
  examples: [
    ["channels add", "asks for everything"],
    ["channels add --channel telegram --token -", "the token from standard input"],
    ["channels add --channel telegram --token <token>", "the token is seen by `ps`"],
    ["channels add --channel discord --account work --token-file ~/work.token", "a second account"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const settings = await usableSettings(cli);
    refuseInNixMode(settings.env, "config");
    const asks = !args.id && !args.channel && !args.token && !args["bot-token"];
    const wanted = asks ? await askForAccount(cli) : await fromFlags(args, cli);
    const { channel, account } = wanted;
    const { setup } = await factsOf(channel);
    checkCredential(wanted, setup);
    const section = settings.config.channels[channel];
    // A section without a credential, as one that only says something else, is no account yet.
    const known = (await configuredAccounts(settings)).some(
      ({ plan, ...each }) =>
        each.channel === channel && plan.id === account && plan.credential.source !== "none",
    );
    const changes = changesFor(wanted, setup, section);
    const tried = await examine(cli, wanted, args, {
      changes,
      section,
      env: (name) => settings.env.raw(name),
    });
    const now = Date.now();
    await editFile({ env: cli.env, paths: cli.paths, strictVariables: false, now }, changes);
    report(cli, wanted, setup, { tried, known });
  },
});

async function fromFlags(args: ArgValues<typeof ADD_ARGS>, cli: Cli): Promise<NewAccount> {
  const named = args.channel ?? args.id;
  if (!named)
    throw new AppError("usage", "Which channel? Give --channel.", {
      hint: `One of: ${NETWORK_IDS.join(", ")}.`,
    });
  if (args.channel && args.id && args.channel !== args.id)
    throw new AppError("usage", `Two channels were named: ${args.id} and ${args.channel}.`);
  const file = args["token-file"];
  const token = await tokenFrom(args.token ?? args["bot-token"]);
  return {
    channel: channelNamed(named),
    account: accountNamed(args.account),
    ...(args.name !== undefined && { name: args.name }),
    ...(token !== undefined && { token }),
    ...(file !== undefined && { tokenFile: resolve(expandHome(file, cli.paths.home)) }),
    useEnv: args["use-env"],
  };
}

/** The wizard: which channel, and its token, which is not shown. Throws usage where nobody can be asked. */
async function askForAccount(cli: Cli): Promise<NewAccount> {
  if (cli.out.json || !canAsk())
    throw new AppError("usage", "There is no terminal to ask questions on.", {
      hint: `Say it with flags: ${cli.name}${cli.profileFlag} channels add --channel ${NETWORK_IDS[0]} --token -`,
    });
  const ask = openAsk(cli.out);
  try {
    const channel = channelNamed(
      await ask.choose(
        "Which chat network?",
        NETWORK_IDS.map((id) => ({ value: id, label: NETWORKS[id].label })),
      ),
    );
    const { setup } = await factsOf(channel);
    for (const [i, step] of setup.steps.entries()) cli.out.note(`  ${i + 1}. ${step}`);
    const none = { channel, account: accountNamed(undefined), useEnv: false };
    if (!setup.token) return none;
    for (;;) {
      const token = await ask.secret("Token (it is not shown):");
      if (token) return { ...none, token };
      cli.out.note("Nothing was typed. Ctrl-C ends this.");
    }
  } finally {
    ask.close();
  }
}

/**
 * Asks the platform once whether the credential works. Undefined where it was not asked. Throws channel_misconfigured when it is
 * wrong, unless that is forced: a typing error is best found now.
 */
async function examine(
  cli: Cli,
  { channel, account, token }: NewAccount,
  { force, "no-probe": skip }: { force: boolean; "no-probe": boolean },
  next: {
    changes: ReturnType<typeof changesFor>;
    section: Record<string, unknown> | undefined;
    env(name: string): string | undefined;
  },
): Promise<Tried | undefined> {
  const { changes, section, env } = next;
  const plan = await planWith(changes, { channel, account }, section, env);
  const { label } = NETWORKS[channel];
  const problem = plan?.credential.problem;
  if (problem && !force) throw wrong(`${problem}`);
  if (skip || !plan || plan.credential.source === "linked" || plan.credential.source === "none")
    return undefined;
  cli.out.note(`Asking ${label} whether the token works...`);
  const tried = await tryAccount(cli, { channel, plan, env }, PROBE_MS);
  // What a platform answers may hold the token that it was given.
  const detail = createRedactor(token ? [token] : []).text(tried.detail);
  if (tried.outcome === "refused" && !force) throw wrong(`${label} refuses the token: ${detail}`);
  return { ...tried, detail };
}

const wrong = (message: string): AppError =>
  new AppError("channel_misconfigured", `${message} Nothing was written.`, {
    hint: "Copy the token once more. --force writes it all the same.",
  });

function report(
  cli: Cli,
  { channel, account, useEnv }: NewAccount,
  setup: ChannelSetup,
  { tried, known }: { tried: Tried | undefined; known: boolean },
): void {
  const { out, env, paths } = cli;
  const program = cli.name + cli.profileFlag;
  const which = account === "default" ? "" : ` --account ${account}`;
  const running = readLock(paths.lockPath).held;
  const next = [
    ...(setup.login ? [`${program} channels login --channel ${channel}${which}`] : []),
    ...(running ? [] : [`${program} gateway`]),
    ...(setup.login ? [] : [`${program} pairing approve ${channel} <code>`]),
  ];
  const unset = useEnv && setup.token && !env.raw(setup.token.env) ? setup.token.env : undefined;
  if (out.json)
    return out.data({
      ok: true,
      channel,
      accountId: account,
      updated: known,
      probe: tried ? { outcome: tried.outcome, detail: tried.detail } : null,
      config: paths.configPath,
      docs: setup.docs,
      next,
    });
  const { label } = NETWORKS[channel];
  out.line(`${known ? "Updated" : "Added"} ${label} account "${account}".`);
  if (tried?.outcome === "works") out.line(`It works: ${tried.detail}`);
  else if (tried)
    out.note(
      `warning: ${tried.outcome === "silent" ? "it could not be tried" : "it was refused"}: ${tried.detail}`,
    );
  if (unset) out.note(`warning: ${unset} is not set here; the gateway needs it.`);
  out.line("\nNext:");
  if (setup.login) out.line(`  Link the phone: ${next[0]}`);
  if (!running) out.line(`  Start the gateway: ${program} gateway`);
  if (setup.login) return;
  out.line(`  Write to the bot in ${label}. It answers with a code; with that, let yourself in:`);
  out.line(`  ${program} pairing approve ${channel} <code>`);
}

export const remove = command({
  doc: "Switch an account off, or take it out of the config with --delete.",
  args: {
    id: { type: "positional", required: false, description: "The channel, as with --channel." },
    ...CHANNEL_ARG,
    ...ACCOUNT_ARG,
    delete: { type: "boolean", description: "Take it out of the config, its token too." },
    yes: { type: "boolean", alias: "y", description: "Do not ask." },
  },
  examples: [
    ["channels remove --channel telegram", "switch it off, after a question"],
    ["channels remove --channel discord --account work --delete", "take it out"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const settings = await usableSettings(cli);
    refuseInNixMode(settings.env, "config");
    const rows = await configuredAccounts(settings);
    const named = args.channel ?? args.id;
    if (!named) throw new AppError("usage", "Which channel? Give --channel.");
    const channel = channelNamed(named);
    const account = accountNamed(args.account);
    const { label } = NETWORKS[channel];
    const found = rows.find((each) => each.channel === channel && each.plan.id === account);
    if (!found)
      throw new AppError("not_found", `${label} has no account "${account}".`, {
        hint: `To see what there is: ${cli.name}${cli.profileFlag} channels list`,
      });
    if (
      !args.delete &&
      !args.yes &&
      !(await agreed(cli, `Switch off ${label} account "${account}"?`))
    )
      return cli.out.note("Nothing was changed.");
    const section: unknown = settings.config.channels[channel];
    const own = isRecord(section) ? section : undefined;
    const changes = args.delete
      ? deleteChanges(channel, account, own, found.setup)
      : disableChanges(channel, account, own);
    const where = { env: cli.env, paths: cli.paths, strictVariables: false, now: Date.now() };
    await editFile(where, changes);
    const variable = NETWORKS[channel].env.find((name) => settings.env.raw(name));
    const comesBack = args.delete && account === "default" && variable;
    if (args.json)
      return cli.out.data({ ok: true, channel, accountId: account, deleted: args.delete });
    cli.out.line(`${args.delete ? "Deleted" : "Disabled"} ${label} account "${account}".`);
    if (comesBack)
      cli.out.note(`warning: ${variable} is still set, so the account is still there.`);
    if (args.delete && found.setup.login)
      cli.out.note(
        `The link itself stays until: ${cli.name}${cli.profileFlag} channels logout --channel ${channel}`,
      );
  },
});

async function agreed(cli: Cli, question: string): Promise<boolean> {
  if (cli.out.json || !canAsk())
    throw new AppError("usage", "There is no terminal to ask on.", {
      hint: "--yes goes on without a question; --delete takes it out of the config.",
    });
  const ask = openAsk(cli.out);
  try {
    return await ask.yes(question, false);
  } finally {
    ask.close();
  }
}
