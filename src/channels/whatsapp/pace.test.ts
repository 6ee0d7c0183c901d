import { expect, test } from "bun:test";

import { MemoryState } from "../../../test/contract/platform.ts";
import type { Clock } from "../../base/time.ts";
import { Pace } from "./pace.ts";

function setUp(config: Partial<ConstructorParameters<typeof Pace>[0]> = {}) {
  const slept: number[] = [];
  let now = 1_700_000_000_000;
  const clock: Clock = {
    now: () => now,
    async sleep(ms) {
      slept.push(ms);
      now += ms;
    },
  };
  const state = new MemoryState();
  const wanted = { perMinute: 20, burst: 5, perChatMs: 1000, newPeoplePerDay: 2, ...config };
  const make = (): Pace => new Pace(wanted, state, clock, new AbortController().signal);
  return { pace: make(), make, slept, pass: (ms: number) => void (now += ms) };
}

test("some at once, then one every three seconds", async () => {
  const { pace, slept, pass } = setUp();
  for (let i = 0; i < 5; i++) await pace.turn(`chat ${i}`);
  expect(slept).toEqual([]);
  await pace.turn("another");
  await pace.turn("and another");
  expect(slept).toEqual([3000, 3000]);
  pass(60_000);
  for (let i = 0; i < 5; i++) await pace.turn(`chat ${i}`);
  expect(slept.length).toBe(2);
});

test("a second between two messages in one chat", async () => {
  const { pace, slept, pass } = setUp();
  await pace.turn("a");
  await pace.turn("b");
  expect(slept).toEqual([]);
  pass(400);
  await pace.turn("a");
  expect(slept).toEqual([600]);
});

test("a long wait is left to the outbox, and takes nobody's turn", async () => {
  const { pace, slept, pass } = setUp({ perMinute: 1, burst: 1 });
  await pace.turn("a");
  const refused = async (): Promise<{ code: string; retryAfterMs: number }> => {
    try {
      await pace.turn("b");
    } catch (cause) {
      return cause as never;
    }
    throw new TypeError("it was not refused");
  };
  expect(await refused()).toMatchObject({ code: "channel_unreachable", retryAfterMs: 60_000 });
  expect(await refused()).toMatchObject({ retryAfterMs: 60_000 });
  pass(60_000);
  await pace.turn("b");
  expect(slept).toEqual([]);
});

test("two new people a day, also across a restart; whoever wrote first does not count", async () => {
  const { pace, make, pass } = setUp();
  await pace.meet("+1");
  await pace.meet("+2");
  const again = make();
  expect(await again.isKnown("+1")).toBe(true);
  const refused = async (who: string): Promise<unknown> => {
    try {
      await again.meet(who);
    } catch (cause) {
      return cause;
    }
    return undefined;
  };
  expect(await refused("+3")).toMatchObject({ code: "channel_unreachable" });
  expect(await again.met("+3")).toEqual({ "people/+3": true });
  expect(await again.met("+1")).toEqual({});
  pass(86_400_000);
  expect(await refused("+3")).toBeUndefined();
});
