/** What every channel must do, whatever network is behind it. A channel's own test calls this once with its fake. */
import { describe, expect, test } from "bun:test";

import type { Channel, ChannelContext } from "../../src/channels/channel.ts";
import type { Inbound, Outbound } from "../../src/flow.ts";
import { quiet } from "../flow/house.ts";

export type ChannelSetUp = {
  config: unknown;
  /** An address that takes messages, and one that the platform refuses. */
  good: Outbound["to"];
  refused: Outbound["to"];
  context?: Partial<ChannelContext<never>>;
  /** Texts that arrived on the platform. */
  arrived(): string[];
  close(): Promise<void>;
};

export function channelContract(
  load: () => Promise<Channel>,
  setUp: () => Promise<ChannelSetUp>,
): void {
  const open = async () => {
    const channel = await load();
    const at = await setUp();
    const received: Inbound[] = [];
    const account = await channel.start({
      account: "default",
      config: channel.config.parse(at.config),
      signal: new AbortController().signal,
      log: quiet,
      receive: async (inbound) => {
        received.push(inbound);
        return { runId: inbound.id, duplicate: false };
      },
      say: async () => undefined,
      ...at.context,
    });
    return { channel, at, account, received };
  };
  const out = (to: Outbound["to"], text: string): Outbound => ({
    to,
    text,
    media: [],
    key: `k-${text}`,
  });

  describe("as every channel", () => {
    test("it says how long a message may be", async () => {
      const channel = await load();
      expect(channel.limits.text).toBeGreaterThan(0);
      expect(channel.id).toMatch(/^[a-z][a-z0-9-]*$/);
    });

    test("what is sent arrives once and is confirmed with an id", async () => {
      const { at, account } = await open();
      const receipt = await account.send(out(at.good, "hello"));
      expect(receipt.ids.length).toBeGreaterThan(0);
      expect(at.arrived()).toEqual(["hello"]);
      await account.stop();
      await at.close();
    });

    test("what the platform refuses is channel_rejected, so it is never tried again", async () => {
      const { at, account } = await open();
      await expect(account.send(out(at.refused, "hello"))).rejects.toMatchObject({
        code: "channel_rejected",
      });
      expect(at.arrived()).toEqual([]);
      await account.stop();
      await at.close();
    });

    test("it can be stopped and started again", async () => {
      const { at, account } = await open();
      await account.stop();
      await at.close();
      const again = await open();
      await again.account.send(out(again.at.good, "back"));
      expect(again.at.arrived()).toEqual(["back"]);
      await again.account.stop();
      await again.at.close();
    });
  });
}
