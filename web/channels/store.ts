/** The channels as the gateway last described them. */
import { signal } from "@preact/signals";

import { call, connected, RpcError } from "../connection.ts";
import type { AccountItem, ChannelsStatus } from "../wire.ts";

/** The answer, and the page's own clock when it came. */
export const status = signal<{ answer: ChannelsStatus; at: number } | undefined>(undefined);
export const statusError = signal<RpcError | undefined>(undefined);

/** What the last test of an account gave; an ordinary look makes no round trip. */
type Probed = { ok: boolean; elapsedMs?: number; detail?: string };
export const probes = signal<ReadonlyMap<string, Probed>>(new Map());
export const accountKey = (channel: string, account: Pick<AccountItem, "accountId">): string =>
  `${channel}/${account.accountId}`;

/** How long the platforms are given for a test, in ms. */
const PROBE_MS = 10_000;

/** Asks again. With `probe` every running account makes one round trip. Never throws; gives whether it was answered. */
export async function loadChannels(probe = false): Promise<boolean> {
  if (!connected.value) return false;
  try {
    const answer: ChannelsStatus = await call(
      "channels.status",
      probe ? { probe, timeoutMs: PROBE_MS } : {},
      { timeoutMs: PROBE_MS * 3 },
    );
    status.value = { answer, at: Date.now() };
    statusError.value = undefined;
    if (probe) probes.value = probesOf(answer);
    return true;
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    // A lost connection is shown as such.
    if (connected.value) statusError.value = cause;
    return false;
  }
}

const probesOf = ({ channelAccounts }: ChannelsStatus): Map<string, Probed> =>
  new Map(
    Object.entries(channelAccounts).flatMap(([channel, accounts]) =>
      accounts.flatMap((account) =>
        account.probe ? [[accountKey(channel, account), account.probe] as const] : [],
      ),
    ),
  );
