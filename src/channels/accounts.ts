/** The accounts of all channels, found by address. Started after the gateway listens, because their code is heavy. */

import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { Address, Inbound, Outbound, Receipt } from "../flow.ts";
import type { CommandInfo } from "./action.ts";
import type {
  Accepted,
  AccountMedia,
  AccountPlan,
  AccountState,
  Channel,
  ChannelAccount,
  ChannelContext,
  ChannelFacts,
} from "./channel.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS, OPERATORS } from "./registry.ts";
import type { ChannelStatus } from "./status.ts";
import { idleReason, Supervised } from "./supervised.ts";

/** What is behind the contexts of all accounts; filled in messaging.ts. */
export type AccountsDeps = {
  clock: Clock;
  log: Logger;
  /** The section of a network as the config has it now. */
  section(id: NetworkId): unknown;
  env(name: string): string | undefined;
  receive(inbound: Inbound, state?: Record<string, unknown>): Promise<Accepted>;
  wants(inbound: Inbound): Promise<boolean>;
  say(sessionKey: string, text: string): Promise<string | undefined>;
  state(channel: string, account: string): AccountState;
  media: AccountMedia;
  legacyDir(channel: string, account: string): string;
  commands(channel: NetworkId, config: unknown): CommandInfo[] | undefined;
  moved(where: { channel: string; account: string }, from: string, to: string): Promise<void>;
  /** False: no network is started (an environment variable, a command of the terminal). */
  listen: boolean;
  changed?(channel: string, account: string, status: ChannelStatus): void;
};

export type AccountView = {
  channel: NetworkId;
  plan: AccountPlan<unknown>;
  status: ChannelStatus;
};

const DEFAULT_ACCOUNT = "default";
/** Before a network's code is loaded, in ms; it takes about as long as this. */
const BREATH_MS = 50;

/** A network's facts, whose config is that network's own; callers hand over what `section` gave. */
export const factsOf = (id: NetworkId): Promise<ChannelFacts<never>> =>
  NETWORKS[id].facts() as Promise<ChannelFacts<never>>;

export const isNetwork = (id: string): id is NetworkId => NETWORK_IDS.includes(id as NetworkId);

export class Accounts {
  private readonly running = new Map<string, Supervised>();
  private readonly facts = new Map<NetworkId, ChannelFacts<never>>();
  private operators: { channel: Channel; account: ChannelAccount } | undefined;
  /** Changes come one after the other: two at once could start an account twice. */
  private changing: Promise<unknown> = Promise.resolve();
  /** The code that is being loaded. */
  private loading: Promise<unknown> = Promise.resolve();
  private stopped = false;

  constructor(private readonly deps: AccountsDeps) {}

  /** The channel of the operators, which needs no platform. */
  async startOperators(): Promise<void> {
    const { deps } = this;
    const { default: channel } = await OPERATORS.load();
    const account = await channel.start({
      ...{ env: deps.env, listen: true, receive: deps.receive, wants: deps.wants, say: deps.say },
      account: DEFAULT_ACCOUNT,
      config: channel.config.parse({}),
      signal: new AbortController().signal,
      log: deps.log.child(OPERATORS.id),
      state: deps.state(OPERATORS.id, DEFAULT_ACCOUNT),
      media: deps.media,
      legacyDir: deps.legacyDir(OPERATORS.id, DEFAULT_ACCOUNT),
      status: () => undefined,
      failed: () => undefined,
      commands: () => undefined,
      moved: async () => undefined,
    });
    this.operators = { channel, account };
  }

  /** Makes what runs be what the config says: starts, stops and restarts only what differs. */
  apply(): Promise<void> {
    return this.inTurn(async () => {
      const wanted = await this.plans();
      const gone = [...this.running].filter(([key, { plan }]) => {
        const now = wanted.find((row) => keyOf(row.channel, row.plan.id) === key);
        return !now || !Bun.deepEquals(now.plan, plan, true);
      });
      await Promise.all(gone.map(([key, each]) => this.remove(key, each)));
      await Promise.all(wanted.map(({ channel, plan }) => this.add(channel, plan)));
    });
  }

  /** Stops one account, for a sign-in or sign-out; `apply` or `startOne` brings it back. */
  stopOne(channel: NetworkId, account: string): Promise<void> {
    return this.inTurn(async () => {
      const key = keyOf(channel, account);
      const found = this.running.get(key);
      if (found) await this.remove(key, found);
    });
  }

  startOne(channel: NetworkId, account: string): Promise<void> {
    return this.inTurn(async () => {
      const row = (await this.plans()).find(
        (each) => each.channel === channel && each.plan.id === account,
      );
      if (row) await this.add(channel, row.plan);
    });
  }

  /** Every account that the config or the environment names, running or not. */
  async list(): Promise<AccountView[]> {
    return (await this.plans()).map(({ channel, plan }) => {
      const found = this.running.get(keyOf(channel, plan.id));
      const idle: ChannelStatus = {
        running: false,
        connected: false,
        reconnectAttempts: 0,
        lastError: idleReason(plan),
      };
      return { channel, plan, status: found?.status ?? idle };
    });
  }

  /** Accounts that were started, the default one of each channel first. */
  configured(): { channel: string; account: string }[] {
    const rows = [...this.running.keys()].map((key) => {
      const [channel = "", account = ""] = key.split("\n");
      return { channel, account };
    });
    return rows.sort(
      (a, b) => Number(b.account === DEFAULT_ACCOUNT) - Number(a.account === DEFAULT_ACCOUNT),
    );
  }

  /** What an account's config says, for the router; undefined for one that does not run. */
  planOf(at: Pick<Address, "channel" | "account">): AccountPlan<unknown> | undefined {
    return this.running.get(keyOf(at.channel, at.account))?.plan;
  }

  /** Known for every network that has an account. */
  factsFor(id: NetworkId): ChannelFacts<never> | undefined {
    return this.facts.get(id);
  }

  /** The channel's code; undefined until one of its accounts has loaded it. */
  channelOf(at: Pick<Address, "channel" | "account">): Channel | undefined {
    if (at.channel === OPERATORS.id) return this.operators?.channel;
    return this.running.get(keyOf(at.channel, at.account))?.channel;
  }

  /** The running account. Throws `channel_unreachable` for one that does not run (yet). */
  account(at: Pick<Address, "channel" | "account">): ChannelAccount {
    const found =
      at.channel === OPERATORS.id
        ? this.operators?.account
        : this.running.get(keyOf(at.channel, at.account))?.current;
    if (found) return found;
    const why = this.running.get(keyOf(at.channel, at.account))?.status.lastError;
    throw new AppError(
      "channel_unreachable",
      `${at.channel} (${at.account}) is not running${why ? `: ${why}` : "."}`,
      { hint: "`clawdbot channels status` shows what is wrong." },
    );
  }

  /** Whether something can be sent there now. */
  runs(at: Pick<Address, "channel" | "account">): boolean {
    if (at.channel === OPERATORS.id) return this.operators !== undefined;
    return this.running.get(keyOf(at.channel, at.account))?.current !== undefined;
  }

  /** Every account that runs now. */
  all(): { channel: NetworkId; account: ChannelAccount }[] {
    return [...this.running].flatMap(([key, { current }]) =>
      current ? [{ channel: key.split("\n")[0] as NetworkId, account: current }] : [],
    );
  }

  /** Throws what the channel throws; `channel_unreachable` for an account that does not run (yet). */
  async send(out: Outbound): Promise<Receipt> {
    const receipt = await this.account(out.to).send(out);
    const { status } = this.running.get(keyOf(out.to.channel, out.to.account)) ?? {};
    if (status) status.lastOutboundAt = receipt.at;
    return receipt;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.inTurn(async () => {
      await Promise.all([...this.running].map(([key, each]) => this.remove(key, each)));
      await this.operators?.account.stop();
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.changing.then(work, work);
    this.changing = next.then(
      () => undefined,
      () => undefined,
    );
    return next;
  }

  private async plans(): Promise<{ channel: NetworkId; plan: AccountPlan<unknown> }[]> {
    const { section, env } = this.deps;
    const rows = await Promise.all(
      NETWORK_IDS.map(async (channel) => {
        const configured = section(channel);
        if (configured === undefined && !NETWORKS[channel].env.some((name) => env(name))) return [];
        const facts = await factsOf(channel);
        this.facts.set(channel, facts);
        return facts.accounts(configured as never, env).map((plan) => ({
          channel,
          plan: withVariable(channel, plan, facts.setup.token?.key),
        }));
      }),
    );
    return rows.flat();
  }

  /** One network's code after the other, and not at once: meanwhile nothing else runs, and somebody has just asked for our health. */
  private load(channel: NetworkId): Promise<Channel> {
    const code = this.loading.then(async () => {
      await this.deps.clock.sleep(BREATH_MS);
      return (await NETWORKS[channel].load()).default as Channel;
    });
    // Whoever waits for it is told of a failure.
    this.loading = code.then(
      () => undefined,
      () => undefined,
    );
    return code;
  }

  private async add(channel: NetworkId, plan: AccountPlan<unknown>): Promise<void> {
    const key = keyOf(channel, plan.id);
    if (this.stopped || !this.deps.listen || this.running.has(key)) return;
    const { deps } = this;
    const supervised = new Supervised({
      clock: deps.clock,
      log: deps.log.child(plan.id === DEFAULT_ACCOUNT ? channel : `${channel}/${plan.id}`),
      load: () => this.load(channel),
      plan,
      context: this.contextOf(channel, plan),
      changed: (status) => deps.changed?.(channel, plan.id, status),
    });
    this.running.set(key, supervised);
    await supervised.start();
  }

  private contextOf(channel: NetworkId, plan: AccountPlan<unknown>) {
    const { deps } = this;
    const where = { channel, account: plan.id };
    const key = keyOf(channel, plan.id);
    return {
      env: deps.env,
      listen: true,
      receive: async (inbound: Inbound, state?: Record<string, unknown>) => {
        const accepted = await deps.receive(inbound, state);
        const { status } = this.running.get(key) ?? {};
        if (status) status.lastInboundAt = deps.clock.now();
        return accepted;
      },
      wants: deps.wants,
      say: deps.say,
      state: deps.state(channel, plan.id),
      media: deps.media,
      legacyDir: deps.legacyDir(channel, plan.id),
      commands: () => deps.commands(channel, plan.config),
      moved: (from: string, to: string) => deps.moved(where, from, to),
    } satisfies Partial<ChannelContext<unknown>>;
  }

  private async remove(key: string, supervised: Supervised): Promise<void> {
    this.running.delete(key);
    await supervised.stop();
  }
}

const keyOf = (channel: string, account: string): string => `${channel}\n${account}`;

/** A token that is written as `${NAME}` and was left so: the variable is not set. */
function withVariable(
  channel: string,
  plan: AccountPlan<unknown>,
  key: string | undefined,
): AccountPlan<unknown> {
  const value = key && (plan.config as Record<string, unknown>)[key];
  const name = typeof value === "string" ? /^\$\{(\w+)\}$/.exec(value.trim())?.[1] : undefined;
  if (!name) return plan;
  const problem = `channels.${channel} (${plan.id}): ${key} uses the variable ${name}, which is not set.`;
  return { ...plan, credential: { source: "none", problem } };
}
