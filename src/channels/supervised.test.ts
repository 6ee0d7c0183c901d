import { expect, test } from "bun:test";

import { z } from "zod";

import { AppError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { AccountPlan, Channel, ChannelContext } from "./channel.ts";
import { Supervised, type SupervisedDeps } from "./supervised.ts";

const plan: AccountPlan<unknown> = {
  id: "default",
  enabled: true,
  config: {},
  credential: { source: "config" },
};

/** A clock whose sleeps end at once and are remembered. */
function quickClock() {
  const slept: number[] = [];
  let now = 1_000_000;
  const clock: Clock = {
    now: () => now,
    async sleep(ms, signal) {
      if (signal?.aborted) throw signal.reason;
      slept.push(ms);
      now += ms;
      await Promise.resolve();
    },
  };
  return { clock, slept, pass: (ms: number) => (now += ms) };
}

type Life = { ctx: ChannelContext<unknown>; stopped: boolean };

function supervise(
  script: (start: number, ctx: ChannelContext<unknown>) => void,
  over: Partial<SupervisedDeps> = {},
) {
  const lives: Life[] = [];
  const { clock, slept, pass } = quickClock();
  const { promise: seen, resolve } = Promise.withResolvers<void>();
  const channel: Channel = {
    id: "test",
    config: z.unknown(),
    limits: { text: 100 },
    render: "plain",
    async start(ctx) {
      const life = { ctx, stopped: false };
      expect(lives.every((each) => each.stopped)).toBe(true);
      lives.push(life);
      try {
        script(lives.length, ctx);
      } catch (cause) {
        life.stopped = true;
        throw cause;
      }
      return {
        send: async () => ({ ids: ["1"], at: 0 }),
        async stop() {
          life.stopped = true;
        },
      };
    },
  };
  const supervised = new Supervised({
    clock,
    log: silentLogger,
    load: async () => channel,
    plan,
    context: {} as SupervisedDeps["context"],
    changed: (status) => {
      if (status.lastError?.startsWith("enough")) resolve();
    },
    ...over,
  });
  return { supervised, lives, slept, seen, pass };
}

const unreachable = () => new AppError("channel_unreachable", "nobody answers");
const enough = () => new AppError("channel_misconfigured", "enough: the token is wrong");

test("an account that fails is started again, with pauses that grow and never two at once", async () => {
  const { supervised, lives, slept, seen } = supervise((start) => {
    throw start < 12 ? unreachable() : enough();
  });
  await supervised.start();
  await seen;
  expect(lives.length).toBe(12);
  expect(slept.length).toBe(11);
  for (const [i, ms] of slept.entries()) {
    const limit = Math.min(300_000, 1000 * 2 ** i);
    expect(ms).toBeGreaterThanOrEqual(limit / 2);
    expect(ms).toBeLessThanOrEqual(limit);
  }
  await supervised.stop();
});

test("what only a person can mend is not tried again", async () => {
  const { supervised, lives, slept } = supervise(() => {
    throw enough();
  });
  await supervised.start();
  await supervised.stop();
  expect(lives.length).toBe(1);
  expect(slept).toEqual([]);
  expect(supervised.status).toMatchObject({ running: false, connected: false });
  expect(supervised.status.lastError).toContain("the token is wrong");
});

test("a failure while it runs stops it first, and waits as long as the platform asks", async () => {
  const { supervised, lives, slept, seen } = supervise((start, ctx) => {
    if (start === 1)
      queueMicrotask(() =>
        ctx.failed(new AppError("channel_unreachable", "busy", { retryAfterMs: 77_000 })),
      );
    else throw enough();
  });
  await supervised.start();
  await seen;
  expect(lives[0]!.stopped).toBe(true);
  expect(slept).toEqual([77_000]);
  await supervised.stop();
});

test("after a long healthy time the pauses begin anew", async () => {
  const { supervised, slept, seen, pass } = supervise((start, ctx) => {
    if (start < 4) throw unreachable();
    if (start === 4)
      queueMicrotask(() => {
        pass(700_000);
        ctx.failed(unreachable());
      });
    else throw enough();
  });
  await supervised.start();
  await seen;
  expect(slept.length).toBe(4);
  expect(slept[3]!).toBeLessThanOrEqual(1000);
  await supervised.stop();
});

test("stopping ends the account and its signal, and nothing starts after it", async () => {
  const { supervised, lives } = supervise(() => undefined);
  await supervised.start();
  expect(supervised.status.running).toBe(true);
  expect(supervised.current).toBeDefined();
  await supervised.stop();
  expect(lives[0]!.stopped).toBe(true);
  expect(lives[0]!.ctx.signal.aborted).toBe(true);
  expect(supervised.current).toBeUndefined();
  expect(supervised.status.running).toBe(false);
});

test.each([
  [{ ...plan, enabled: false }, "disabled"],
  [{ ...plan, credential: { source: "none" as const } }, "not configured"],
  [
    { ...plan, credential: { source: "none" as const, problem: "set channels.x.token" } },
    "set channels.x.token",
  ],
])("an account that cannot be started says why and is left alone", async (odd, why) => {
  const { supervised, lives } = supervise(() => undefined, { plan: odd });
  await supervised.start();
  expect(lives).toEqual([]);
  expect(supervised.status.lastError).toBe(why);
  await supervised.stop();
});

test("what a channel throws that is no error of ours ends it and nothing else", async () => {
  const { supervised, slept, seen } = supervise((start) => {
    if (start === 1) throw new TypeError("undefined is not a function");
    throw enough();
  });
  await supervised.start();
  await seen;
  expect(slept.length).toBe(1);
  await supervised.stop();
});
