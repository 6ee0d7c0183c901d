/** What the config and the environment say of the chat channels, for commands that need no gateway. */
import { AppError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { factsOf, isNetwork } from "../../channels/accounts.ts";
import { type Configured, configuredAccounts as findAccounts } from "../../channels/configured.ts";
import { NETWORK_IDS, type NetworkId } from "../../channels/registry.ts";
import type { Config } from "../../config/schema.ts";
import { DEFAULT_ACCOUNT } from "../../wizard/account.ts";
import type { ArgSpecs, Cli } from "../command.ts";
import { loadSettings, type Settings } from "../settings.ts";

export const CHANNEL_ARG = {
  channel: { type: "string", hint: "channel", description: `One of: ${NETWORK_IDS.join(", ")}.` },
} as const satisfies ArgSpecs;
export const ACCOUNT_ARG = {
  account: {
    type: "string",
    hint: "id",
    description: "Account of the channel; else the default one.",
  },
} as const satisfies ArgSpecs;

/** Throws usage: `Unknown channel: x`. Names are accepted as people write them. */
export function channelNamed(text: string): NetworkId {
  const id = text.trim().toLowerCase();
  if (isNetwork(id)) return id;
  const near = nearest(id, NETWORK_IDS);
  throw new AppError("usage", `Unknown channel: ${text}`, {
    hint: near ? `Did you mean ${near}?` : `There are: ${NETWORK_IDS.join(", ")}.`,
  });
}

/** An id goes into the config as a key and into paths of ours. Throws usage. */
export function accountNamed(text: string | undefined): string {
  const id = text?.trim().toLowerCase() || DEFAULT_ACCOUNT;
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(id) && id !== "__proto__") return id;
  throw new AppError("usage", `"${text}" cannot be the name of an account.`, {
    hint: "Use letters, digits, `-` and `_`, at most 64 of them.",
  });
}

/** Throws config_invalid when the file cannot be used: what would be shown or changed is not what counts then. */
export async function usableSettings(cli: Cli): Promise<Settings & { config: Config }> {
  const settings = await loadSettings(cli.env, cli.paths);
  if (settings.config) return { ...settings, config: settings.config };
  throw new AppError("config_invalid", `The config cannot be used. ${settings.problems[0]}`, {
    hint: `To see how to mend it: ${cli.name}${cli.profileFlag} doctor`,
  });
}

export type { Configured };

/** All accounts as the gateway would find them; none of them is asked anything. */
export const configuredAccounts = ({
  config,
  env,
}: Pick<Settings, "env"> & { config: Config }): Promise<Configured[]> =>
  findAccounts(
    (id) => config.channels[id],
    (name) => env.raw(name),
  );

/** The first channel that is linked by a picture; what `channels login` alone means. */
export async function loginChannel(): Promise<NetworkId> {
  for (const id of NETWORK_IDS) if ((await factsOf(id)).setup.login) return id;
  throw new AppError("usage", "No channel has a sign-in.");
}
