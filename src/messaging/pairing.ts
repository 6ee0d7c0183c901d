import type { Logger } from "../base/log.ts";
/** Letting strangers in, from wherever the owner is: a command of the terminal, the Control UI, a chat. */
import type { Clock } from "../base/time.ts";
import { PAIRING_LIMITS } from "../channels/pairing-limits.ts";
import { approvalText } from "../router/pairing.ts";
import type { AllowedRow, NewOutbox, PairingRow, Store } from "../store/store.ts";

export type PairingDesk = {
  list(channel?: string): Promise<PairingRow[]>;
  /** `notify` tells the person. Undefined: nobody waits with this code. */
  approve(code: string, channel?: string, notify?: boolean): Promise<PairingRow | undefined>;
  dismiss(code: string): Promise<boolean>;
  allowed(): Promise<AllowedRow[]>;
  allow(row: AllowedRow): Promise<void>;
  revoke(row: Pick<AllowedRow, "channel" | "account" | "sender">): Promise<boolean>;
};

export type PairingDeskDeps = {
  store: Pick<Store, "pairing" | "outbox">;
  clock: Clock;
  log: Logger;
  product: string;
  /** Where a direct message to a sender goes. */
  chatOf(row: Pick<PairingRow, "channel" | "account" | "sender">): NewOutbox["to"] | undefined;
  /** Called after every change of who is let in. */
  changed(): Promise<void>;
  /** For those who watch: this person waits no more, or is not let in any more. */
  resolved(who: Pick<PairingRow, "channel" | "account" | "sender">): void;
  /** Something waits in the outbox. */
  wake(): void;
};

export function pairingDesk(deps: PairingDeskDeps): PairingDesk {
  const { store, clock, log } = deps;
  const { ttlMs } = PAIRING_LIMITS;
  return {
    list: (channel) => store.pairing.list(clock.now(), ttlMs, channel),

    async approve(code, channel, notify = false) {
      const row = await store.pairing.approve(code, clock.now(), ttlMs, channel);
      if (!row) return undefined;
      await deps.changed();
      deps.resolved(row);
      log.info("a sender was let in", { channel: row.channel, sender: row.sender });
      const to = notify ? deps.chatOf(row) : undefined;
      if (to) {
        const key = ["approved", row.channel, row.account, row.code].join(":");
        await store.outbox.put([{ key, to, text: approvalText(deps.product) }], clock.now());
        deps.wake();
      }
      return row;
    },

    async dismiss(code) {
      const rows = await store.pairing.list(clock.now(), ttlMs);
      const row = rows.find((each) => each.code === code.trim().toUpperCase());
      const done = await store.pairing.dismiss(code);
      if (done && row) deps.resolved(row);
      return done;
    },

    allowed: () => store.pairing.allowed(),

    async allow(row) {
      await store.pairing.allow(row);
      await deps.changed();
    },

    async revoke(row) {
      const done = await store.pairing.revoke(row);
      if (done) {
        await deps.changed();
        deps.resolved(row);
        log.info("a sender is not let in any more", { channel: row.channel, sender: row.sender });
      }
      return done;
    },
  };
}
