/** The running accounts of all channels, found by address. Started after the gateway listens, because their code is heavy. */
import { AppError } from "../base/errors.ts";
import type { Address, Outbound, Receipt } from "../flow.ts";
import type { Channel, ChannelAccount, ChannelContext } from "./channel.ts";
import { CHANNELS } from "./registry.ts";

type Running = { channel: Channel; account: ChannelAccount };

/** The account that every channel has when its config names none. */
const DEFAULT_ACCOUNT = "default";

export class Accounts {
  private readonly running = new Map<string, Running>();

  constructor(private readonly context: Omit<ChannelContext<unknown>, "account" | "config">) {}

  /** Loads and starts every channel. */
  async start(): Promise<void> {
    for (const [id, row] of Object.entries(CHANNELS)) {
      const { default: channel } = await row.load();
      const account = await channel.start({
        ...this.context,
        log: this.context.log.child(id),
        account: DEFAULT_ACCOUNT,
        config: channel.config.parse({}),
      });
      this.running.set(keyOf({ channel: id, account: DEFAULT_ACCOUNT }), { channel, account });
    }
  }

  /** Most characters of one message there; undefined when the transcript itself is the message, so that nothing is to be sent. */
  limit(to: Address): number | undefined {
    const found = this.running.get(keyOf(to));
    return found?.channel.transcript ? undefined : found?.channel.limits.text;
  }

  /** Throws what the channel throws; `channel_unreachable` for an account that does not run (yet). */
  async send(out: Outbound): Promise<Receipt> {
    const found = this.running.get(keyOf(out.to));
    if (!found)
      throw new AppError("channel_unreachable", `The channel ${out.to.channel} is not running.`);
    return found.account.send(out);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running.values()].map(({ account }) => account.stop()));
    this.running.clear();
  }
}

const keyOf = ({ channel, account }: Pick<Address, "channel" | "account">): string =>
  `${channel}\n${account}`;
