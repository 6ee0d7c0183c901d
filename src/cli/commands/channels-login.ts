/** `channels login|logout`: signing in to networks that are linked by a picture or a code, and out again. */
import { AppError } from "../../base/errors.ts";
import { factsOf } from "../../channels/accounts.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import type { Change } from "../../config/edit.ts";
import { editFile } from "../../config/handle.ts";
import { isRecord } from "../../config/path.ts";
import { placeOf } from "../../wizard/account.ts";
import {
  ACCOUNT_ARG,
  accountNamed,
  CHANNEL_ARG,
  channelNamed,
  configuredAccounts,
  loginChannel,
  usableSettings,
} from "../channels/accounts.ts";
import { type Place, signInAlone, signInThrough, signOutAlone } from "../channels/link.ts";
import { eitherWay } from "../channels/reach.ts";
import { openScreen } from "../channels/sign-in.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";

const PLACE_ARGS = { ...CHANNEL_ARG, ...ACCOUNT_ARG } as const;

export const login = command({
  doc: "Link an account with the phone: scan a picture, or type a code with --phone.",
  args: {
    ...PLACE_ARGS,
    phone: {
      type: "string",
      hint: "number",
      description: "International number: ask for a code to type instead of a picture.",
    },
    force: { type: "boolean", description: "Link anew although there is a link." },
    verbose: { type: "boolean", description: "Kept for scripts; has no effect." },
    ...GATEWAY_ARGS,
  },
  notes:
    "Through the running gateway, or alone while none runs. With --json every step is one line of JSON.",
  examples: [
    ["channels login", "the channel that is linked by a phone"],
    ["channels login --channel whatsapp --phone +15551234567", "with a code to type"],
  ],
  async run(args, cli) {
    const channel = args.channel ? channelNamed(args.channel) : await loginChannel();
    const at = { channel, account: accountNamed(args.account) };
    await needsLogin(channel);
    const wish = { force: args.force, ...(args.phone && { phone: phoneOf(args.phone) }) };
    const screen = openScreen(cli.out);
    try {
      const { message, written } = await eitherWay(
        cli,
        args,
        // The gateway writes into its own config, which may be on another machine.
        async (gateway) => ({
          message: await signInThrough(gateway, at, wish, screen),
          written: false,
        }),
        async () => ({
          message: await signInAlone(cli, at, wish, screen),
          written: await keepInConfig(cli, at),
        }),
      );
      if (args.json) return cli.out.jsonLine({ type: "done", message, ...at, written });
      cli.out.line(cli.out.paint("green", message));
      if (written) cli.out.note(`Updated ${cli.paths.configPath}`);
    } catch (cause) {
      if (!(cause instanceof AppError) || cause.code === "aborted") throw cause;
      throw new AppError(cause.code, `Channel login failed: ${cause.message}`, {
        ...(cause.hint && { hint: cause.hint }),
        cause,
      });
    }
  },
});

/** Throws in the original's words for a channel without a sign-in. */
async function needsLogin(channel: NetworkId): Promise<void> {
  const { setup } = await factsOf(channel);
  if (setup.login) return;
  throw new AppError(
    "usage",
    `Channel login failed: ${NETWORKS[channel].label} has no sign-in; it uses a token.`,
    { hint: `clawdbot channels add --channel ${channel} --token -` },
  );
}

function phoneOf(text: string): string {
  const digits = text.replace(/[\s().-]/g, "").replace(/^00/, "+");
  if (/^\+?\d{7,15}$/.test(digits)) return digits;
  throw new AppError("usage", `"${text}" is no international number.`, {
    hint: "It looks like +15551234567.",
  });
}

/** An account that the config does not name would not be started. Gives whether something was written. */
async function keepInConfig(cli: Cli, { channel, account }: Place): Promise<boolean> {
  const settings = await usableSettings(cli);
  const rows = await configuredAccounts(settings);
  const known = rows.some((row) => row.channel === channel && row.plan.id === account);
  if (known || settings.env.nixMode) return false;
  const section: unknown = settings.config.channels[channel];
  const place = placeOf(channel, account, isRecord(section) ? section : undefined);
  const where = { env: cli.env, paths: cli.paths, strictVariables: false, now: Date.now() };
  await editFile(where, [{ kind: "set", path: [...place, "enabled"], value: true }]);
  return true;
}

export const logout = command({
  doc: "Sign an account out; of a bot, take its token out of the config.",
  args: { ...PLACE_ARGS, ...GATEWAY_ARGS },
  examples: [
    ["channels logout", "the channel that is linked by a phone"],
    ["channels logout --channel whatsapp --account work", "one account"],
  ],
  async run(args, cli) {
    const channel = args.channel ? channelNamed(args.channel) : await loginChannel();
    const at = { channel, account: accountNamed(args.account) };
    const { label } = NETWORKS[channel];
    const { setup } = await factsOf(channel);
    const result = setup.login
      ? { cleared: await signOut(cli, args, at) }
      : await dropToken(cli, at, setup.token);
    const { cleared } = result;
    if (args.json)
      return cli.out.data({ channel, accountId: at.account, loggedOut: cleared, ...result });
    cli.out.line(
      cleared
        ? `Logged out ${label} account "${at.account}".`
        : `${label} account "${at.account}" was not signed in.`,
    );
    if ("envToken" in result && result.envToken)
      cli.out.note("warning: its token is still in the environment.");
  },
});

const signOut = (cli: Cli, wish: Parameters<typeof eitherWay>[1], at: Place): Promise<boolean> =>
  eitherWay(
    cli,
    wish,
    async ({ client, timeoutMs }) => {
      const params = { channel: at.channel, accountId: at.account };
      return (await client.call("channels.logout", params, { timeoutMs })).cleared;
    },
    () => signOutAlone(cli, at),
  );

async function dropToken(
  cli: Cli,
  { channel, account }: Place,
  token: { key: string; env: string; file?: string } | undefined,
): Promise<{ cleared: boolean; envToken: boolean }> {
  const settings = await usableSettings(cli);
  const section: unknown = settings.config.channels[channel];
  const own = isRecord(section) ? section : undefined;
  const place = placeOf(channel, account, own);
  const at = place
    .slice(2)
    .reduce<unknown>((all, key) => (isRecord(all) ? all[key] : undefined), own);
  const changes = [token?.key, token?.file].flatMap((key): Change[] =>
    key !== undefined && isRecord(at) && key in at
      ? [{ kind: "unset", path: [...place, key] }]
      : [],
  );
  const where = { env: cli.env, paths: cli.paths, strictVariables: false, now: Date.now() };
  if (changes.length > 0) await editFile(where, changes);
  const inEnv = account === "default" && token !== undefined && settings.env.raw(token.env);
  return { cleared: changes.length > 0, envToken: !!inEnv };
}
