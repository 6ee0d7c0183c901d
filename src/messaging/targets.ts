/** What delivery has to know of an address: the channel's limits, and what its account's config says. */
import type { Accounts } from "../channels/accounts.ts";
import { isNetwork } from "../channels/accounts.ts";
import { NETWORKS } from "../channels/registry.ts";
import { DEFAULT_RETRY, type Retry, type Target } from "../delivery/target.ts";
import type { Address } from "../flow.ts";
import type { Policy } from "./policy.ts";

/** Keys that decide how something is sent; each channel has those of them that its platform can do. */
type SendingKeys = {
  markdown: { tables?: Target["tables"] };
  chunkMode: Target["chunkMode"];
  textChunkLimit: number;
  maxLinesPerMessage: number;
  replyToMode: Target["replyToMode"];
  retry: Retry;
  mediaMaxMb: number;
};

const MEGABYTE = 1_000_000;

/** Undefined for an account that does not run now. */
export function deliveryTarget(
  to: Address,
  policy: Policy,
  accounts: Accounts,
): Target | undefined {
  const channel = accounts.runs(to) ? accounts.channelOf(to) : undefined;
  if (!channel) return undefined;
  const own = policy.section<SendingKeys>(to);
  const network = isNetwork(to.channel) ? NETWORKS[to.channel] : undefined;
  const lines = own.maxLinesPerMessage ?? channel.limits.lines;
  return {
    limits: { ...channel.limits, ...(lines !== undefined && { lines }) },
    render: channel.render,
    ...(channel.transcript && { transcript: true }),
    tables: own.markdown?.tables ?? network?.tables ?? "code",
    chunkMode: own.chunkMode ?? "length",
    ...(own.textChunkLimit !== undefined && { textLimit: own.textChunkLimit }),
    replyToMode: own.replyToMode ?? "off",
    retry: own.retry ?? DEFAULT_RETRY,
    mediaMaxBytes: (own.mediaMaxMb ?? network?.mediaMb ?? 5) * MEGABYTE,
    ...(channel.idempotent && { idempotent: true }),
  };
}
