import { expect, test } from "bun:test";

import type { Clock } from "../base/time.ts";
import { AuthConfig } from "./config.ts";
import { Cooldowns } from "./cooldown.ts";

const HOUR = 3_600_000;

function setup(cooldowns: Record<string, unknown> = {}) {
  const clock: Clock & { at: number } = {
    at: 1_000_000,
    now: () => clock.at,
    sleep: () => Promise.resolve(),
  };
  let changes = 0;
  const { cooldowns: settings } = AuthConfig.parse({ cooldowns });
  const options = { clock, settings, changed: () => void changes++ };
  return { clock, options, pauses: new Cooldowns(options), changes: () => changes };
}
const opus = { provider: "anthropic", keyId: "env:A", model: "opus" };
const sonnet = { ...opus, model: "sonnet" };
const otherKey = { ...opus, keyId: "env:B" };

test("pauses grow from 30 s over 1 min to 5 min, and a success ends the series", () => {
  const { clock, pauses } = setup();
  const lengths: number[] = [];
  for (let i = 0; i < 4; i++) {
    pauses.fail(opus, "provider_overloaded");
    lengths.push(pauses.pause(opus)!.until - clock.at);
    clock.at += HOUR;
  }
  expect(lengths).toEqual([30_000, 60_000, 300_000, 300_000]);
  pauses.succeed(opus);
  pauses.fail(opus, "provider_overloaded");
  expect(pauses.pause(opus)!.until - clock.at).toBe(30_000);
});

test("billing pauses the key for 5, 10, 20 and at most 24 hours", () => {
  const { clock, pauses } = setup();
  const hours: number[] = [];
  for (let i = 0; i < 4; i++) {
    pauses.fail(opus, "provider_billing");
    hours.push((pauses.pause(opus)!.until - clock.at) / HOUR);
    clock.at += HOUR;
  }
  expect(hours).toEqual([5, 10, 20, 24]);
  expect(pauses.pause(sonnet)).toBeDefined();
  expect(pauses.pause(otherKey)).toBeUndefined();
});

test("the billing pause can be set, also for one provider", () => {
  const { clock, pauses } = setup({
    billingBackoffHours: 2,
    billingBackoffHoursByProvider: { openai: 1 },
  });
  pauses.fail(opus, "provider_billing");
  pauses.fail({ ...opus, provider: "openai" }, "provider_billing");
  expect(pauses.pause(opus)!.until - clock.at).toBe(2 * HOUR);
  expect(pauses.pause({ ...opus, provider: "openai" })!.until - clock.at).toBe(HOUR);
});

test("a rate limit pauses the model only, for as long as the vendor says", () => {
  const { clock, pauses } = setup();
  pauses.fail(opus, "provider_rate_limit", 123_000);
  expect(pauses.pause(opus)!.until - clock.at).toBe(123_000);
  expect(pauses.pause(sonnet)).toBeUndefined();
  clock.at += 123_000;
  expect(pauses.pause(opus)).toBeUndefined();
});

test("a refused key pauses all its models", () => {
  const { pauses } = setup();
  pauses.fail(opus, "provider_auth");
  expect(pauses.pause(sonnet)?.code).toBe("provider_auth");
  expect(pauses.pause(otherKey)).toBeUndefined();
});

test("refused requests, too long conversations and stopped answers never pause anything", () => {
  const { pauses, changes } = setup();
  for (const code of ["provider_rejected", "provider_context", "aborted", "internal"] as const)
    pauses.fail(opus, code);
  expect(pauses.pause(opus)).toBeUndefined();
  expect(changes()).toBe(0);
});

test("a series is forgotten after the failure window", () => {
  const { clock, pauses } = setup({ failureWindowHours: 1 });
  pauses.fail(opus, "provider_timeout");
  pauses.fail(opus, "provider_timeout");
  clock.at += 2 * HOUR;
  expect(pauses.export()).toEqual({});
  pauses.fail(opus, "provider_timeout");
  expect(pauses.pause(opus)!.until - clock.at).toBe(30_000);
});

test("pauses survive a restart, and a damaged store does no harm", () => {
  const { options, pauses } = setup();
  pauses.fail(opus, "provider_billing");
  const next = new Cooldowns(options);
  next.import(JSON.parse(JSON.stringify(pauses.export())));
  expect(next.pause(opus)).toEqual(pauses.pause(opus)!);
  for (const junk of [
    null,
    7,
    "x",
    [],
    { a: null, b: { until: "x" }, c: { until: 1, at: 1, count: 1, code: "nope" } },
  ])
    next.import(junk);
  expect(Object.keys(next.export())).toHaveLength(1);
});
