import { expect, test } from "bun:test";

import { Limiter } from "./limiter.ts";

const setUp = (maxKeys?: number) => {
  const clock = { at: 0, now: () => clock.at };
  const settings = { maxAttempts: 3, windowMs: 1_000, lockoutMs: 5_000 };
  return { clock, limiter: new Limiter(clock, () => settings, maxKeys) };
};

test("failures count only within the window", () => {
  const { clock, limiter } = setUp();
  for (const at of [0, 400, 1_100, 1_300]) {
    clock.at = at;
    limiter.fail("a");
  }
  expect(limiter.lockedFor("a")).toBe(5_000);
  expect(limiter.lockedFor("b")).toBe(0);
});

test("a success forgets, a lock ends by itself", () => {
  const { clock, limiter } = setUp();
  limiter.fail("a");
  limiter.fail("a");
  limiter.succeed("a");
  expect(limiter.fail("a")).toBe(false);
  limiter.fail("a");
  expect(limiter.fail("a")).toBe(true);
  clock.at = 4_999;
  expect(limiter.lockedFor("a")).toBe(1);
  clock.at = 5_000;
  expect(limiter.lockedFor("a")).toBe(0);
});

test("a million keys keep the memory bounded and do not unlock a locked one", () => {
  const { limiter } = setUp(100);
  for (let i = 0; i < 3; i++) limiter.fail("victim");
  for (let i = 0; i < 100_000; i++) limiter.fail(`k${i}`);
  expect(limiter.size).toBe(100);
  expect(limiter.lockedFor("victim")).toBe(5_000);
});
