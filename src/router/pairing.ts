/** Strangers who write directly: each is told their id and a code once, and those who were let in are known here. */
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import { PAIRING_LIMITS } from "../channels/pairing-limits.ts";
import type { Address, Inbound } from "../flow.ts";
import type { Store } from "../store/store.ts";
import { Buckets } from "./limits.ts";

/** Strangers who are told a code, per account and minute: no more than can wait, so that no code is pushed out sooner. */
const REPLIES_PER_MINUTE = PAIRING_LIMITS.cap;
/** An older message is not worth a code: people wrote to this number before an assistant listened. In ms. */
const FRESH_MS = 600_000;
/** Between two warnings about the same account, in ms. */
const WARNING_EVERY_MS = 3_600_000;

export type PairingDeps = {
  store: Pick<Store, "pairing" | "outbox">;
  clock: Clock;
  log: Logger;
  /** The line that tells a stranger their own id. */
  idLine(channel: string, id: string): string;
  /** What a person types, with the profile when there is one: `clawdbot --profile work`. */
  cli: string;
  /** Called when a stranger was given a code, for those who watch. */
  requested(who: { channel: string; account: string; sender: string }): void;
  /** As people read it: `Clawdbot`. */
  product: string;
};

export type PairingReply = { text: string; key: string };

export class Pairing {
  private allowed = new Map<string, Set<string>>();
  private readonly replies: Buckets;
  private readonly warnings: Buckets;

  constructor(private readonly deps: PairingDeps) {
    this.replies = new Buckets(deps.clock, {
      perMinute: REPLIES_PER_MINUTE,
      burst: REPLIES_PER_MINUTE,
    });
    this.warnings = new Buckets(deps.clock, { perMinute: 60_000 / WARNING_EVERY_MS, burst: 1 });
  }

  /** Reads who was let in. Called at the start and after every change; another process' changes are seen at the next start. */
  async reload(): Promise<void> {
    const rows = await this.deps.store.pairing.allowed();
    const allowed = new Map<string, Set<string>>();
    for (const row of rows) {
      const key = accountKey(row);
      allowed.set(key, (allowed.get(key) ?? new Set()).add(row.sender));
    }
    this.allowed = allowed;
  }

  /** Ids that were let in at this account. */
  approved(at: Pick<Address, "channel" | "account">): ReadonlySet<string> {
    return this.allowed.get(accountKey(at)) ?? NOBODY;
  }

  /**
   * What a stranger is told; undefined when it has been told already, or too many ask. A code is made only when it can be told: a
   * stranger who asks during a flood is not left with a code that nobody named.
   */
  async reply(inbound: Inbound): Promise<PairingReply | undefined> {
    const { store, clock, log } = this.deps;
    const { from, sender } = inbound;
    const at = clock.now();
    const account = accountKey(from);
    if (at - inbound.at > FRESH_MS) return undefined;
    // Taken before anything is waited for, so that a thousand at once find it gone.
    if (!this.replies.take(account)) {
      if (this.warnings.take(account))
        log.warn("many strangers ask to be let in; the others are answered later", {
          channel: from.channel,
          account: from.account,
          perMinute: REPLIES_PER_MINUTE,
        });
      return undefined;
    }
    const { code } = await store.pairing.request(
      { channel: from.channel, account: from.account, sender: sender.id, meta: metaOf(sender) },
      at,
      PAIRING_LIMITS,
    );
    const key = ["pairing", from.channel, from.account, code].join(":");
    // Not `created`: after a crash between the code and its message, the message is still owed.
    if (!inbound.command && (await store.outbox.get(key))) {
      this.replies.give(account);
      return undefined;
    }
    this.deps.requested({ channel: from.channel, account: from.account, sender: sender.id });
    log.info("a stranger was given a code", { channel: from.channel, sender: sender.id });
    return { text: this.text(from.channel, sender.id, code), key };
  }

  /** The words of the original; guides and people know them. The last line stands for any code, so that it can be read out. */
  private text(channel: string, id: string, code: string): string {
    const { product, cli, idLine } = this.deps;
    return [
      `${product}: access not configured.`,
      "",
      idLine(channel, id),
      "",
      `Pairing code: ${code}`,
      "",
      "Ask the bot owner to approve with:",
      `${cli} pairing approve ${channel} <code>`,
    ].join("\n");
  }
}

/** What somebody is told who was let in. */
export const approvalText = (product: string): string =>
  `✅ ${product} access approved. Send a message to start chatting.`;

const NOBODY: ReadonlySet<string> = new Set();
const accountKey = ({ channel, account }: Pick<Address, "channel" | "account">): string =>
  `${channel}\n${account}`;

/** Names for the owner to recognise the stranger by; nothing is decided by them. */
function metaOf({ name, handle }: Inbound["sender"]): Record<string, string> {
  const plain = (text: string) =>
    text
      .replace(/[\s\p{C}]+/gu, " ")
      .trim()
      .slice(0, 100);
  return { ...(name && { name: plain(name) }), ...(handle && { username: plain(handle) }) };
}
