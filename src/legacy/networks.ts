/** The networks as the conversion of sessions and people needs them, and what older installations kept of their accounts. */
import { AppError } from "../base/errors.ts";
import { factsOf, isNetwork } from "../channels/accounts.ts";
import type { ChannelFacts } from "../channels/channel.ts";
import { type Configured, configuredAccounts } from "../channels/configured.ts";
import type { ChannelLegacy } from "../channels/legacy.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "../channels/registry.ts";
import type { Config } from "../config/schema.ts";
import type { Networks } from "./session.ts";

/** Account of a network that the config does not name. */
export const DEFAULT_ACCOUNT = "default";

export type KnownNetworks = Networks & {
  /** An entry of an older allow list as an id; undefined for a name, which anybody can take. */
  sender(channel: string, entry: string): string | undefined;
  /** Accounts of a network in the config; `default` where it names none. */
  accounts(channel: string): string[];
  /** Those of the config whose network kept files. */
  keepers: {
    channel: NetworkId;
    account: string;
    config: Record<string, unknown>;
    legacy: ChannelLegacy;
  }[];
};

/** @param config undefined when it cannot be used: then every network has its default account */
export async function openNetworks(
  config: Config | undefined,
  env: (name: string) => string | undefined,
): Promise<KnownNetworks> {
  const facts = new Map<string, ChannelFacts<never>>();
  const legacies = new Map<string, ChannelLegacy>();
  for (const id of NETWORK_IDS) {
    facts.set(id, await factsOf(id));
    const row = NETWORKS[id];
    if ("legacy" in row) legacies.set(id, await row.legacy());
  }
  const configured: Configured[] = await configuredAccounts((id) => config?.channels[id], env);
  const accounts = (channel: string): string[] => {
    const own = configured.filter((row) => row.channel === channel).map(({ plan }) => plan.id);
    return own.length > 0 ? own : [DEFAULT_ACCOUNT];
  };
  return {
    accounts,
    target(channel, to) {
      try {
        return facts.get(channel)?.target(to);
      } catch (cause) {
        // Expected: what this version does not take for a target.
        if (cause instanceof AppError) return undefined;
        throw cause;
      }
    },
    label: (to) => facts.get(to.channel)?.label?.(to) ?? to.chatId,
    oldKey(key) {
      for (const legacy of legacies.values()) {
        const found = legacy.oldKey?.(key);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    sender(channel, entry) {
      const known = facts.get(channel);
      return known ? known.senderId(entry) : entry.trim() || undefined;
    },
    keepers: [...legacies].flatMap(([channel, legacy]) =>
      !isNetwork(channel)
        ? []
        : accounts(channel).map((account) => {
            const own = configured.find(
              (row) => row.channel === channel && row.plan.id === account,
            );
            return {
              channel,
              account,
              config: (own?.plan.config ?? {}) as Record<string, unknown>,
              legacy,
            };
          }),
    ),
  };
}
