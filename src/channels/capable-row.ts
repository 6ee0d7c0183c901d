/** One account in the answer of `channels.capabilities`. */
import type { z } from "zod";

import { ACTIONS } from "./action-table.ts";
import type { NetworkId } from "./registry.ts";
import type { AccountSnapshot, Capabilities } from "./summary.ts";

export const capabilitiesRow = (
  channel: NetworkId,
  account: AccountSnapshot,
  support: readonly string[],
): z.output<typeof Capabilities> => ({
  channel,
  accountId: account.accountId,
  ...(account.name !== undefined && { accountName: account.name }),
  configured: account.configured,
  enabled: account.enabled,
  support: [...support],
  actions: Object.entries(ACTIONS).flatMap(([name, { needs }]) =>
    support.includes(needs) ? [name] : [],
  ),
  probe: account.probe ?? null,
});
