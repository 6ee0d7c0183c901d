/** A messaging port whose every account a test makes up; what methods ask of it is recorded. */
import { AppError } from "../../src/base/errors.ts";
import { type AccountView, factsOf } from "../../src/channels/accounts.ts";
import type { AccountPlan, ChannelFacts, LoginStep, Probe } from "../../src/channels/channel.ts";
import { PAIRING_LIMITS } from "../../src/channels/pairing-limits.ts";
import type { NetworkId } from "../../src/channels/registry.ts";
import type { ChannelStatus } from "../../src/channels/status.ts";
import type { MessagingPort } from "../../src/gateway/ports.ts";
import type { NewOutbox, Store } from "../../src/store/store.ts";

export class FakeMessaging implements MessagingPort {
  views: AccountView[] = [];
  readonly sent: NewOutbox[] = [];
  readonly acted: { name: string; at: unknown; params: Record<string, unknown> }[] = [];
  readonly notified: string[] = [];
  readonly probes = new Map<string, Probe | AppError>();
  readonly timeouts: number[] = [];
  /** What `act` gives, or throws. */
  answer: unknown = { ids: ["77"], at: 1 };
  /** The steps of the next sign-in. */
  steps: LoginStep[] = [];
  loggedIn: unknown[] = [];
  linked = true;

  constructor(private readonly store: Store) {}

  /** An account of the config, running and connected unless said otherwise. */
  add(
    channel: NetworkId,
    status: Partial<ChannelStatus> = {},
    plan: Partial<AccountPlan<unknown>> = {},
  ): void {
    this.views.push({
      channel,
      plan: {
        id: "default",
        enabled: true,
        config: { dmPolicy: "pairing", groupPolicy: "allowlist", allowFrom: [42] },
        credential: { source: "config" },
        ...plan,
      },
      status: { running: true, connected: true, reconnectAttempts: 0, ...status },
    });
  }

  async accounts(): Promise<AccountView[]> {
    return this.views;
  }

  facts(channel: NetworkId): Promise<ChannelFacts<never>> {
    return factsOf(channel);
  }

  async probe(at: { channel: string }, timeoutMs: number): Promise<Probe> {
    this.timeouts.push(timeoutMs);
    const found = this.probes.get(at.channel) ?? { ok: true, elapsedMs: 5, detail: "fine" };
    if (found instanceof AppError) throw found;
    return found;
  }

  readonly logins: MessagingPort["logins"] = {
    start: async (at, wish) => {
      this.loggedIn.push({ ...at, ...wish });
      return this.steps.shift() ?? { kind: "wait", text: "Still connecting." };
    },
    goesOn: () => this.steps.length > 0,
    wait: async () => this.steps.shift(),
    cancel: async () => undefined,
    logout: async () => this.linked,
  };

  capabilities(): ReturnType<MessagingPort["capabilities"]> {
    return ["send", "react"];
  }

  async send(out: NewOutbox) {
    this.sent.push(out);
    await this.store.outbox.put([out], 1);
    await this.store.outbox.sending(out.key);
    const receipt = { ids: ["901"], at: 2 };
    await this.store.outbox.delivered(out.key, receipt);
    return receipt;
  }

  async act(name: string, at: unknown, params: Record<string, unknown>): Promise<unknown> {
    this.acted.push({ name, at, params });
    if (this.answer instanceof AppError) throw this.answer;
    return this.answer;
  }

  readonly pairing: MessagingPort["pairing"] = {
    list: (channel) => this.store.pairing.list(Date.now(), PAIRING_LIMITS.ttlMs, channel),
    approve: async (code, channel, notify) => {
      const row = await this.store.pairing.approve(code, Date.now(), PAIRING_LIMITS.ttlMs, channel);
      if (row && notify) this.notified.push(row.sender);
      return row;
    },
    dismiss: (code) => this.store.pairing.dismiss(code),
    allowed: () => this.store.pairing.allowed(),
    revoke: (row) => this.store.pairing.revoke(row),
  };
}
