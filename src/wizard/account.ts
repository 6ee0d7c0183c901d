/** What `channels add`, `channels remove` and the set-up change in the config. Pure but for reading a token from standard input. */
import { AppError } from "../base/errors.ts";
import { factsOf } from "../channels/accounts.ts";
import type { AccountPlan, ChannelSetup } from "../channels/channel.ts";
import { type NetworkId, NETWORKS } from "../channels/registry.ts";
import type { Change } from "../config/edit.ts";
import { isRecord, type Path } from "../config/path.ts";

/** Its settings stand at the channel's own place. */
export const DEFAULT_ACCOUNT = "default";

/** What a person said of the new account. At most one of token, file and `useEnv`. */
export type NewAccount = {
  channel: NetworkId;
  account: string;
  name?: string;
  token?: string;
  tokenFile?: string;
  useEnv: boolean;
};

type Section = Record<string, unknown> | undefined;

const accountsOf = (section: Section): Record<string, unknown> =>
  isRecord(section?.["accounts"]) ? section["accounts"] : {};

/** As the config spells it: ids are compared without their case, keys are not. */
const keyOf = (account: string, section: Section): string | undefined =>
  Object.keys(accountsOf(section)).find((key) => key.trim().toLowerCase() === account);

/** Where the keys of an account stand: the channel's own place is the default account's, unless that has one of its own. */
export function placeOf(channel: NetworkId, account: string, section: Section): Path {
  const key = keyOf(account, section) ?? (account === DEFAULT_ACCOUNT ? undefined : account);
  return ["channels", channel, ...(key === undefined ? [] : ["accounts", key])];
}

/** Throws usage in the original's words when the credential is missing or there are two. */
export function checkCredential(
  { channel, account, token, tokenFile, useEnv }: NewAccount,
  setup: ChannelSetup,
): void {
  const { label } = NETWORKS[channel];
  const given = [token, tokenFile, useEnv || undefined].filter((each) => each !== undefined);
  if (given.length > 1)
    throw new AppError("usage", "Give one of --token, --token-file and --use-env.");
  if (!setup.token) {
    if (given.length > 0)
      throw new AppError("usage", `${label} has no token; it is linked.`, {
        hint: `Leave it out, then: clawdbot channels login --channel ${channel}`,
      });
    return;
  }
  const { file, env } = setup.token;
  if (tokenFile !== undefined && !file)
    throw new AppError("usage", `${label} takes no --token-file.`, { hint: "Use --token -" });
  if (useEnv && account !== DEFAULT_ACCOUNT)
    throw new AppError("usage", `--use-env is for the default account only (${env}).`);
  if (given.length === 0)
    throw new AppError(
      "usage",
      `${label} requires token${file ? " or --token-file" : ""} (or --use-env).`,
      {
        hint: [
          "Where to get one:",
          ...setup.steps,
          "Then --token - reads it from standard input.",
        ].join("\n"),
      },
    );
  if (token !== undefined && !/^\S{8,}$/.test(token))
    throw new AppError("usage", "That does not look like a token: it is too short, or has spaces.");
}

/** A token that was given and one that stands there already must not contradict each other, so the older one goes. */
export function changesFor(
  { channel, account, name, token, tokenFile }: NewAccount,
  setup: ChannelSetup,
  section: Section,
): Change[] {
  const place = placeOf(channel, account, section);
  const at = place
    .slice(2)
    .reduce<unknown>((all, key) => (isRecord(all) ? all[key] : undefined), section);
  const has = (key: string) => isRecord(at) && key in at;
  const set = (key: string, value: unknown): Change => ({
    kind: "set",
    path: [...place, key],
    value,
  });
  const drop = (key: string | undefined): Change[] =>
    key !== undefined && has(key) ? [{ kind: "unset", path: [...place, key] }] : [];
  const { key, file } = setup.token ?? {};
  return [
    // A channel that is switched off as a whole would keep the new account off too.
    ...(place.length > 2 && section?.["enabled"] === false
      ? [{ kind: "set" as const, path: ["channels", channel, "enabled"], value: true }]
      : []),
    set("enabled", true),
    ...(name !== undefined ? [set("name", name)] : []),
    ...(token !== undefined && key ? [set(key, token), ...drop(file)] : []),
    ...(tokenFile !== undefined && file ? [set(file, tokenFile), ...drop(key)] : []),
  ];
}

/** The account as it would be with these changes; undefined when the channel would not see it. */
export async function planWith(
  changes: readonly Change[],
  { channel, account }: Pick<NewAccount, "channel" | "account">,
  section: Section,
  env: (name: string) => string | undefined,
): Promise<AccountPlan<unknown> | undefined> {
  const next = structuredClone(section ?? {});
  for (const change of changes) apply(next, change.path.slice(2), change);
  const parsed = NETWORKS[channel].config.safeParse(next);
  if (!parsed.success) return undefined;
  const { accounts } = await factsOf(channel);
  return accounts(parsed.data as never, env).find(({ id }) => id === account);
}

function apply(into: Record<string, unknown>, path: Path, change: Change): void {
  const [key = "", ...rest] = path;
  if (rest.length > 0) {
    const below = isRecord(into[key]) ? into[key] : {};
    into[key] = below;
    return apply(below, rest, change);
  }
  if (change.kind === "set") into[key] = change.value;
  else delete into[key];
}

/** Switches an account off, and nothing else with it. */
export function disableChanges(channel: NetworkId, account: string, section: Section): Change[] {
  const own = keyOf(account, section);
  const others = Object.keys(accountsOf(section)).some((key) => key !== own);
  const path =
    account === DEFAULT_ACCOUNT && others
      ? ["channels", channel, "accounts", own ?? account]
      : placeOf(channel, account, section);
  return [{ kind: "set", path: [...path, "enabled"], value: false }];
}

/** Takes an account out of the config: all of the channel when it is the only one, else its own keys. */
export function deleteChanges(
  channel: NetworkId,
  account: string,
  section: Section,
  setup: ChannelSetup,
): Change[] {
  if (section === undefined) return [];
  const key = keyOf(account, section);
  const others = Object.keys(accountsOf(section)).filter((each) => each !== key);
  const unset = (path: Path): Change => ({ kind: "unset", path });
  if (others.length === 0 && (account === DEFAULT_ACCOUNT || !hasOwnToken(section, setup)))
    return [unset(["channels", channel])];
  const own = key === undefined ? [] : [unset(["channels", channel, "accounts", key])];
  if (account !== DEFAULT_ACCOUNT) return own;
  const secrets = [setup.token?.key, setup.token?.file].filter((name) => name !== undefined);
  return [
    ...own,
    ...secrets.filter((name) => name in section).map((name) => unset(["channels", channel, name])),
  ];
}

const hasOwnToken = (section: Record<string, unknown>, { token }: ChannelSetup): boolean =>
  [token?.key, token?.file].some((key) => key !== undefined && key in section);

/** A secret on the command line is in every user's `ps` and in the shell's history; `-` reads it from a pipe or a terminal. */
export async function tokenFrom(given: string | undefined): Promise<string | undefined> {
  if (given !== "-") return given?.trim();
  const text = (await Bun.stdin.text()).trim();
  if (text) return text;
  throw new AppError("usage", "Nothing came on standard input.", {
    hint: "Pipe the token into it: clawdbot channels add --channel <channel> --token - < file",
  });
}
