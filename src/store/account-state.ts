/** The durable values of one account of one channel, in the store's small values. Used by the gateway and by `channels login`. */
import type { AccountState } from "../channels/channel.ts";
import type { Store } from "./store.ts";

/** The scope of its values; the channel stores offsets under it in the same unit as a message. */
export const accountScope = (channel: string, account: string): string =>
  `channel:${channel}:${account}`;

export function accountState(kv: Store["kv"], channel: string, account: string): AccountState {
  const scope = accountScope(channel, account);
  return {
    get: (key) => kv.get(scope, key),
    put: (entries) => kv.put(scope, entries),
    keys: (prefix) => kv.keys(scope, prefix),
    async clear() {
      await kv.clear(scope);
    },
  };
}
