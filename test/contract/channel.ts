/** What every channel must do, whatever network is behind it. A channel's own test calls this once with its fake. */
import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Channel } from "../../src/channels/channel.ts";
import type { Address, Outbound } from "../../src/flow.ts";
import { type Platform, type Started, startOn } from "./platform.ts";

const out = (to: Address, text: string): Outbound => ({
  to,
  text,
  plain: text,
  media: [],
  key: `k-${text}`,
});

/** For what a channel without a network does not have. */
type Part = "network";

export function channelContract(
  load: () => Promise<Channel>,
  open: () => Promise<Platform>,
  without: Part[] = [],
): void {
  const on = async (run: (at: Platform, started: Started) => Promise<void>) => {
    const platform = await open();
    const started = await startOn(await load(), platform);
    try {
      await run(platform, started);
    } finally {
      await started.stop();
      await platform.close();
    }
  };

  describe("as every channel", () => {
    test("it says how long a message may be", async () => {
      const channel = await load();
      expect(channel.limits.text).toBeGreaterThan(0);
      expect(channel.id).toMatch(/^[a-z][a-z0-9-]*$/);
    });

    test("what is sent arrives once and is confirmed with an id", () =>
      on(async (at, { account }) => {
        const receipt = await account.send(out(at.good, "hello"));
        expect(receipt.ids.length).toBeGreaterThan(0);
        expect(receipt.ids.every((id) => id.length > 0)).toBe(true);
        expect(at.arrived()).toEqual(["hello"]);
      }));

    test("what the platform refuses is channel_rejected, so it is never tried again", () =>
      on(async (at, { account }) => {
        await expect(account.send(out(at.refused, "hello"))).rejects.toMatchObject({
          code: "channel_rejected",
        });
        expect(at.arrived()).toEqual([]);
      }));

    test("it can be stopped twice and started again", async () => {
      const platform = await open();
      const first = await startOn(await load(), platform);
      await first.stop();
      await first.account.stop();
      const again = await startOn(await load(), platform);
      await again.account.send(out(platform.good, "back"));
      expect(platform.arrived()).toEqual(["back"]);
      await again.stop();
      await platform.close();
    });
  });

  if (without.includes("network")) return;
  describe("as every channel with a network behind it", () => {
    test("what a person writes is received, from where an answer reaches them", () =>
      on(async (at, { account, received, receives }) => {
        await at.says("hello there", "1");
        await receives(1);
        expect(received[0]).toMatchObject({ text: "hello there", chat: "dm", media: [] });
        const { from, sender, id, at: when } = received[0]!;
        expect(id.length).toBeGreaterThan(0);
        expect(sender.id.length).toBeGreaterThan(0);
        expect(Math.abs(Date.now() - when)).toBeLessThan(86_400_000);
        await account.send(out(from, "and hello to you"));
        expect(at.arrived()).toEqual(["and hello to you"]);
      }));

    test("a message that the platform delivers again has the same id", () =>
      on(async (at, { received, receives }) => {
        await at.says("once", "1");
        await receives(1);
        await at.says("once", "1");
        await at.says("then another", "2");
        await receives(2);
        expect(received.map(({ text }) => text)).toEqual(["once", "then another"]);
      }));

    test("messages are received in the order in which they were written", () =>
      on(async (at, { received, receives }) => {
        for (let i = 1; i <= 20; i++) await at.says(`number ${i}`, `${i}`);
        await receives(20);
        expect(received.map(({ text }) => text)).toEqual(
          Array.from({ length: 20 }, (_, i) => `number ${i + 1}`),
        );
      }));

    test("what could not be stored is offered again", async () => {
      const platform = await open();
      const taken: string[] = [];
      let refusals = 2;
      const { promise: stored, resolve } = Promise.withResolvers<void>();
      const started = await startOn(await load(), platform, {
        async receive(inbound) {
          if (refusals-- > 0) throw new AppError("disk_full", "The disk is full.");
          taken.push(inbound.text);
          resolve();
          return { runId: inbound.id, duplicate: false };
        },
      });
      await platform.says("keep me", "1");
      await stored;
      expect(taken).toEqual(["keep me"]);
      await started.stop();
      await platform.close();
    });

    test("a platform that is busy says when to come back", () =>
      on(async (at, { account }) => {
        at.busy(7);
        const refused = account.send(out(at.good, "hello"));
        await expect(refused).rejects.toMatchObject({ code: "channel_unreachable" });
        const error = await refused.catch((cause: AppError) => cause);
        expect((error as AppError).retryAfterMs).toBeGreaterThanOrEqual(7_000);
        await account.send(out(at.good, "hello"));
        expect(at.arrived()).toEqual(["hello"]);
      }));

    test("a broken server is worth another try", () =>
      on(async (at, { account }) => {
        at.broken();
        await expect(account.send(out(at.good, "hello"))).rejects.toMatchObject({
          code: "channel_unreachable",
        });
      }));

    test("it says that it is connected, and comes back by itself after a cut", () =>
      on(async (at, { status, until, received, receives }) => {
        await until((now) => now.connected === true);
        expect(status.self?.id).toBeTruthy();
        at.cut();
        await at.says("after the cut", "9");
        await receives(1);
        expect(received[0]!.text).toBe("after the cut");
        expect(status.connected).toBe(true);
      }));

    test("a credential that was taken back ends it, and the message names what to do", () =>
      on(async (at, { until, failures, status }) => {
        await until((now) => now.connected === true);
        at.revoke();
        at.cut();
        await until((_, refused) => refused.length > 0);
        expect(["channel_misconfigured", "not_linked"]).toContain(failures[0]!.code);
        expect(`${failures[0]!.message} ${failures[0]!.hint}`).toMatch(/channels[. ]\w+/);
        expect(status.connected).toBe(false);
      }));
  });
}
