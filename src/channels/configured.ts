/** All accounts as the gateway would find them, from config and environment alone; none of them is asked anything. */
import { type AccountView, factsOf } from "./accounts.ts";
import type { AccountPlan, ChannelSetup } from "./channel.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "./registry.ts";
import { type AccountSnapshot, snapshotOf } from "./summary.ts";
import { idleReason } from "./supervised.ts";

export type Configured = {
  channel: NetworkId;
  setup: ChannelSetup;
  plan: AccountPlan<unknown>;
  /** Without `linked`: only the store knows that. */
  snapshot: AccountSnapshot;
};

/** @param section what the config has under `channels.<id>`; undefined when there is nothing */
export async function configuredAccounts(
  section: (id: NetworkId) => unknown,
  env: (name: string) => string | undefined,
): Promise<Configured[]> {
  const rows = await Promise.all(
    NETWORK_IDS.map(async (channel) => {
      const own = section(channel);
      if (own === undefined && !NETWORKS[channel].env.some((name) => env(name))) return [];
      const { accounts, setup } = await factsOf(channel);
      return accounts(own as never, env).map((plan) => {
        const lastError = idleReason(plan);
        const view: AccountView = {
          channel,
          plan,
          status: {
            running: false,
            connected: false,
            reconnectAttempts: 0,
            ...(lastError && { lastError }),
          },
        };
        const { linked: _, ...snapshot } = snapshotOf(view, setup);
        return { channel, setup, plan, snapshot };
      });
    }),
  );
  return rows.flat();
}
