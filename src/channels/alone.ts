/** One account in this process, for one question or one message: nothing is read from the platform, and nothing is kept. */
import { join } from "node:path";

import { AppError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { MediaStore } from "../media/store.ts";
import type { AccountPlan, AccountState, Channel, ChannelAccount, Probe } from "./channel.ts";
import { type NetworkId, NETWORKS } from "./registry.ts";

export type Alone = {
  channel: NetworkId;
  plan: AccountPlan<unknown>;
  env(name: string): string | undefined;
};

/** Values that are gone with the process: what an account remembers belongs to the gateway. */
function forgetful(): AccountState {
  const values = new Map<string, unknown>();
  return {
    get: async <T>(key: string) => values.get(key) as T | undefined,
    async put(entries) {
      for (const [key, value] of Object.entries(entries)) values.set(key, value);
    },
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)).sort(),
    clear: async () => values.clear(),
  };
}

const deaf = (): AppError => new AppError("busy", "Nothing is received here.");

/** Starts, uses and stops it. Throws what the channel throws, and `channel_misconfigured` for an account that cannot be used. */
export async function withAccount<T>(
  { paths }: { paths: Pick<Paths, "stateDir"> },
  { channel: id, plan, env }: Alone,
  use: (account: ChannelAccount, channel: Channel) => Promise<T>,
): Promise<T> {
  const { problem, source } = plan.credential;
  if (problem || source === "none")
    throw new AppError("channel_misconfigured", problem ?? `${NETWORKS[id].label} has no token.`);
  const channel = (await NETWORKS[id].load()).default as Channel;
  const media = new MediaStore(join(paths.stateDir, "media"));
  const ending = new AbortController();
  const failure = Promise.withResolvers<never>();
  // Nobody may be waiting for it when it comes.
  failure.promise.catch((cause: unknown) => cause);
  let account: ChannelAccount | undefined;
  try {
    account = await channel.start({
      account: plan.id,
      config: plan.config,
      env,
      signal: ending.signal,
      log: silentLogger,
      listen: false,
      receive: () => Promise.reject(deaf()),
      legacyDir: "/nowhere",
      wants: async () => false,
      say: async () => undefined,
      state: forgetful(),
      media: { save: () => Promise.reject(deaf()), open: (ref) => media.open(ref) },
      status: () => undefined,
      failed: (error) => failure.reject(error),
      commands: () => undefined,
      moved: async () => undefined,
    });
    return await Promise.race([use(account, channel), failure.promise]);
  } finally {
    ending.abort();
    await account?.stop();
  }
}

/** What a token was found to be. `refused`: the platform says that it is wrong. `silent`: nobody could be asked. */
export type Tried = { outcome: "works" | "refused" | "silent"; detail: string; probe?: Probe };

/** One round trip with the credential. Never throws for what the platform or the network does. */
export async function tryAccount(
  where: { paths: Pick<Paths, "stateDir"> },
  alone: Alone,
  timeoutMs: number,
): Promise<Tried> {
  const late = new AppError("channel_unreachable", `No answer within ${timeoutMs / 1000} s.`);
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(late), timeoutMs);
  const ask = withAccount(where, alone, async (account) =>
    account.probe?.(AbortSignal.timeout(timeoutMs)),
  );
  // The one that comes second is nobody's.
  ask.catch((cause: unknown) => cause);
  try {
    const probe = await Promise.race([ask, timer.promise]);
    if (!probe) return { outcome: "works", detail: "This channel has no probe." };
    const outcome = probe.ok ? "works" : unanswered(probe.detail) ? "silent" : "refused";
    return { outcome, detail: probe.detail, probe };
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const detail = cause.hint ? `${cause.message} ${cause.hint}` : cause.message;
    const wrong = ["channel_misconfigured", "channel_rejected", "not_linked"].includes(cause.code);
    return { outcome: wrong ? "refused" : "silent", detail };
  } finally {
    clearTimeout(timeout);
  }
}

/** A probe tells in words only whether the platform refused or could not be asked; these are the words of every channel. */
const unanswered = (detail: string): boolean =>
  /cannot be reached|could not be reached|did not answer|no answer/i.test(detail);
