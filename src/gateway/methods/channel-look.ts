/** What the messaging port knows, as the wire has it. Shared by `channels.status`, `health` and `status`. */
import { toAppError } from "../../base/errors.ts";
import type { AccountView } from "../../channels/accounts.ts";
import type { ChannelFacts, Probe } from "../../channels/channel.ts";
import { NETWORK_IDS, type NetworkId } from "../../channels/registry.ts";
import {
  type AccountSnapshot,
  cardOf,
  defaultAccount,
  snapshotOf,
} from "../../channels/summary.ts";
import type { MessagingPort } from "../ports.ts";

export type ChannelLook = {
  id: NetworkId;
  setup: ChannelFacts<never>["setup"];
  accounts: AccountSnapshot[];
  defaultAccountId: string;
  card: ReturnType<typeof cardOf>;
};

/** Every network in the order in which they are shown, with its accounts. With `probe` each running account makes one round trip. */
export async function lookAtChannels(
  messaging: MessagingPort,
  { probe, only, now }: { probe?: { timeoutMs: number }; only?: NetworkId; now: () => number },
): Promise<ChannelLook[]> {
  const views = await messaging.accounts();
  return Promise.all(
    NETWORK_IDS.filter((id) => only === undefined || id === only).map(async (id) => {
      const { setup } = await messaging.facts(id);
      const own = views.filter(({ channel }) => channel === id);
      const accounts = await Promise.all(
        own.map(async (view) => {
          const result =
            probe && view.status.running
              ? await probeOne(messaging, view, probe.timeoutMs)
              : undefined;
          return snapshotOf(view, setup, result && { probe: result, at: now() });
        }),
      );
      return {
        id,
        setup,
        accounts,
        defaultAccountId: defaultAccount(accounts),
        card: cardOf(accounts, setup),
      };
    }),
  );
}

/** A probe that cannot be made is a probe that failed: one account must not hide the others. */
async function probeOne(
  messaging: MessagingPort,
  { channel, plan }: AccountView,
  timeoutMs: number,
): Promise<Probe> {
  const before = performance.now();
  try {
    return await messaging.probe({ channel, account: plan.id }, timeoutMs);
  } catch (cause) {
    const { message, hint } = toAppError(cause);
    const elapsedMs = Math.round(performance.now() - before);
    return { ok: false, elapsedMs, detail: hint ? `${message} ${hint}` : message };
  }
}
