/** The fake of Telegram with a running account on it; for tests. */
import type { Channel, ChannelContext } from "../../src/channels/channel.ts";
import telegramChannel from "../../src/channels/telegram/index.ts";
import type { Address, Inbound, Outbound } from "../../src/flow.ts";
import { type Started, startOn } from "../contract/platform.ts";
import { startTelegram, type Telegram, type TelegramOptions } from "./telegram.ts";

export type Rig = Started & {
  telegram: Telegram;
  /** Sends to Ann, whose id is 42. */
  say(out: Partial<Outbound>): ReturnType<Started["account"]["send"]>;
  /** The n-th message that was received, as soon as it is there. */
  next(n?: number): Promise<Inbound>;
  [Symbol.asyncDispose](): Promise<void>;
};

export const at = (chatId: string, more: Partial<Address> = {}): Address => ({
  channel: "telegram",
  account: "default",
  chatId,
  ...more,
});

/** @param config more keys of the account */
export async function openRig(
  config: Record<string, unknown> = {},
  over: Partial<ChannelContext<never>> = {},
  options: TelegramOptions & { state?: Record<string, unknown>; telegram?: Telegram } = {},
): Promise<Rig> {
  const telegram = options.telegram ?? (await startTelegram(options));
  telegram.person();
  const started = await startOn(
    telegramChannel as unknown as Channel,
    {
      config: { botToken: telegram.token, apiRoot: telegram.apiRoot, ...config },
      ...(options.state && { state: options.state }),
    },
    over,
  );
  let count = 0;
  return {
    ...started,
    telegram,
    say: (out) =>
      started.account.send({
        to: at("42"),
        text: "",
        plain: out.text ?? "",
        media: [],
        key: `k${count++}`,
        ...out,
      }),
    async next(n = 1) {
      await started.receives(n);
      return started.received[n - 1]!;
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
      if (!options.telegram) await telegram.close();
    },
  };
}
