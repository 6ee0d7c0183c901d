import { expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/base/time.ts";
import { Delivery } from "../../src/delivery/outbox.ts";
import type { Address, Outbound } from "../../src/flow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { quiet } from "./house.ts";

const chat = (chatId: string): Address => ({ channel: "net", account: "a", chatId });

/** Time that only moves when the test says so. */
function fakeClock() {
  let now = 1_000_000;
  const sleepers: { at: number; wake: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((wake, reject) => {
        sleepers.push({ at: now + ms, wake });
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  return {
    clock,
    sleeping: () => sleepers.length,
    advance(ms: number) {
      now += ms;
      for (const s of sleepers.splice(0))
        if (s.at <= now) s.wake();
        else sleepers.push(s);
    },
  };
}

async function setUp(send: (out: Outbound) => Promise<string>) {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  const time = fakeClock();
  const delivery = new Delivery({
    store,
    clock: time.clock,
    log: quiet,
    limit: () => 100,
    send: async (out) => ({ ids: [await send(out)], at: time.clock.now() }),
  });
  const put = (to: Address, ...texts: string[]) =>
    store.outbox.put(
      texts.map((text) => ({ key: `${to.chatId}-${text}`, to, text })),
      time.clock.now(),
    );
  return { store, time, delivery, put };
}

test("a message counts as delivered only with the platform's id", async () => {
  const { store, delivery, put } = await setUp(async (out) => `id of ${out.text}`);
  await put(chat("1"), "a");
  delivery.wake();
  await delivery.settled();
  expect(await store.outbox.get("1-a")).toMatchObject({
    state: "delivered",
    receipt: { ids: ["id of a"] },
  });
});

test("a failed message is tried again after the time the platform names, and those behind it wait", async () => {
  const sent: string[] = [];
  let failures = 1;
  const { time, delivery, put } = await setUp(async (out) => {
    if (failures-- > 0)
      throw new AppError("channel_unreachable", "slow down", { retryAfterMs: 7000 });
    sent.push(out.text);
    return "id";
  });
  await put(chat("1"), "a", "b");
  await put(chat("2"), "other");
  delivery.wake();
  await delivery.settled();
  expect(sent).toEqual(["other"]);
  time.advance(6999);
  delivery.wake();
  await delivery.settled();
  expect(sent).toEqual(["other"]);
  time.advance(1);
  delivery.wake();
  await delivery.settled();
  expect(sent).toEqual(["other", "a", "b"]);
});

test("what the platform refuses is given up and does not hold back the next message", async () => {
  const sent: string[] = [];
  const { store, delivery, put } = await setUp(async (out) => {
    if (out.text === "bad") throw new AppError("channel_rejected", "blocked by the user");
    sent.push(out.text);
    return "id";
  });
  await put(chat("1"), "bad", "good");
  delivery.wake();
  await delivery.settled();
  expect(sent).toEqual(["good"]);
  expect(await store.outbox.get("1-bad")).toMatchObject({
    state: "dead",
    error: "blocked by the user",
  });
});

test("what a crash left half sent is not sent a second time", async () => {
  const sent: string[] = [];
  const { store, delivery, put } = await setUp(async (out) => {
    sent.push(out.text);
    return "id";
  });
  await put(chat("1"), "half", "next");
  await store.outbox.sending("1-half");
  await delivery.recover();
  await delivery.settled();
  expect(sent).toEqual(["next"]);
  expect((await store.outbox.get("1-half"))!.state).toBe("unknown");
});
