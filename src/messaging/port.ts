/** What the gateway's methods may ask of the chat networks. */
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import { type Accounts, factsOf } from "../channels/accounts.ts";
import type { ActingPorts } from "../channels/action-table.ts";
import { capabilitiesOf } from "../channels/capable.ts";
import type { AccountState, Channel } from "../channels/channel.ts";
import { type LoginDesk, openLogins } from "../channels/login-desk.ts";
import { NETWORKS, PARTS } from "../channels/registry.ts";
import type { ConfigHandle } from "../config/handle.ts";
import type { Delivery } from "../delivery/outbox.ts";
import type { PairingDesk } from "./pairing.ts";

/** Its settings stand at the channel's own place. */
const DEFAULT_ACCOUNT = "default";

export type PortDeps = {
  accounts: Accounts;
  delivery: Delivery;
  pairing: PairingDesk;
  acting: ActingPorts;
  config: ConfigHandle;
  clock: Clock;
  log: Logger;
  state(channel: string, account: string): AccountState;
};

export type MessagingPort = ReturnType<typeof messagingPort>;

export function messagingPort({ accounts, delivery, pairing, acting, ...deps }: PortDeps) {
  const { config } = deps;
  const logins: LoginDesk = openLogins({
    clock: deps.clock,
    log: deps.log,
    load: async (channel) => (await NETWORKS[channel].load()).default as Channel,
    plan: async ({ channel, account }) =>
      (await accounts.list()).find((each) => each.channel === channel && each.plan.id === account)
        ?.plan,
    env: (name) => config.env().raw(name),
    state: deps.state,
    stop: ({ channel, account }) => accounts.stopOne(channel, account),
    start: ({ channel, account }) => accounts.startOne(channel, account),
    // Whoever has just scanned the picture wants the channel: without its section it would not start.
    async linked({ channel, account }) {
      const own = account === DEFAULT_ACCOUNT ? [] : ["accounts", account];
      const path = ["channels", channel, ...own, "enabled"];
      await config.edit([{ kind: "set", path, value: true }]);
      await accounts.apply();
    },
  });
  return {
    accounts: () => accounts.list(),
    facts: factsOf,
    async probe(at: { channel: string; account: string }, timeoutMs: number) {
      const account = accounts.account(at);
      if (!account.probe) throw new AppError("bad_request", `${at.channel} has no probe.`);
      return account.probe(AbortSignal.timeout(timeoutMs));
    },
    logins,
    capabilities: (at: { channel: string; account: string }) =>
      capabilitiesOf(accounts.account(at)),
    send: (out: Parameters<Delivery["send"]>[0]) => delivery.send(out),
    act: async (
      name: string,
      to: { channel: string; account: string; chatId: string; threadId?: string },
      params: Record<string, unknown>,
    ) => (await (await PARTS.acting()).act(acting, name, to, params)).result,
    pairing,
  };
}
