/** The process dies between any two steps: no message is lost, none is taken twice, and no Signal session breaks. */
import { expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { AccountState } from "../../src/channels/channel.ts";
import type { Inbound } from "../../src/flow.ts";
import { MemoryState } from "../contract/platform.ts";
import { begin, copyOf, type House, out, stateOf } from "../fakes/whatsapp/house.ts";
import { startWhatsApp, type WhatsApp } from "../fakes/whatsapp/index.ts";

/**
 * A store that is written `last` times: then the process is dead, and `death` is its last act. (A write that never ends would be
 * truer, but the Signal library has one queue for all accounts of a process, and would stand still for the next one too.)
 */
class DyingState extends MemoryState {
  writes = 0;
  readonly died = Promise.withResolvers<void>();
  constructor(
    private readonly last: number,
    private readonly death: () => void,
  ) {
    super();
  }
  override async put(entries: Record<string, unknown>): Promise<void> {
    this.writes++;
    if (this.writes > this.last) {
      this.death();
      this.died.resolve();
      throw new AppError("store_failed", "The process is dead.");
    }
    await super.put(entries);
  }
}

/** Kills the process: nothing of it reaches the server any more. */
async function kill(fake: WhatsApp, house: House): Promise<void> {
  fake.cut();
  await Promise.all([house.stop(), fake.world.until(() => !fake.world.connection)]);
}

const clean = (fake: WhatsApp): void => {
  expect(fake.world.problems).toEqual([]);
  expect(fake.world.receipts.filter(({ type }) => type === "retry")).toEqual([]);
  expect(fake.world.refusedByDevice).toEqual([]);
};

test("killed before any write of a conversation: every message once, every session whole", async () => {
  for (const last of [0, 1, 2, 3, 4, 6, 8, 11, 15]) {
    const fake = startWhatsApp();
    const ada = fake.person("Ada");
    const bob = fake.person("Bob");
    const group = fake.group([ada, bob]);
    const state = new DyingState(last, () => fake.cut());
    for (const [key, value] of (await stateOf(fake)).values) state.values.set(key, value);
    const stored = new Map<string, string>();
    const receive =
      (into: AccountState) => async (inbound: Inbound, keys?: Record<string, unknown>) => {
        await into.put({ ...keys, [`core/${inbound.id}`]: inbound.text });
        return { runId: inbound.id, duplicate: false };
      };
    const first = await begin(fake, {}, { receive: receive(state) }, state);
    const file = await fake.file("image", Buffer.alloc(300, 1));
    await fake.says(ada, "one");
    await fake.says(bob, { imageMessage: { ...file, mimetype: "image/jpeg", caption: "two" } });
    await fake.says(ada, "three", { group });
    const answers = async () => {
      await first.account.send(out(ada.id, "answer one"));
      await first.account.send(out(group.id, "answer three"));
    };
    const lived = Promise.all([answers(), core(state, stored, 3)]);
    await Promise.race([state.died.promise, lived.catch(() => state.died.promise)]);
    await kill(fake, first);

    const rest = copyOf(state);
    const second = await begin(fake, {}, { receive: receive(rest) }, rest);
    await fake.says(ada, "four");
    await fake.says(bob, "five", { group });
    await core(rest, stored, 5);
    await second.account.send(out(ada.id, "answer one"));
    await second.account.send(out(group.id, "answer three"));
    await second.account.send(out(bob.id, "answer two"));
    await fake.world.until(() => fake.world.linked!.waiting.size === 0);
    expect([...stored.values()].sort()).toEqual(["five", "four", "one", "three", "two"]);
    expect([...new Set(fake.texts())].sort()).toEqual(["answer one", "answer three", "answer two"]);
    expect(fake.texts().length).toBe(3);
    clean(fake);
    await second.stop();
    await fake.close();
  }
}, 20_000);

/** Resolves when the core has so many. */
async function core(state: MemoryState, stored: Map<string, string>, count: number): Promise<void> {
  for (;;) {
    for (const key of await state.keys("core/")) stored.set(key, (await state.get<string>(key))!);
    if (stored.size >= count) return;
    await Bun.sleep(5);
  }
}

test("a message that was not stored is not acknowledged, and its keys are not used up", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const state = await stateOf(fake);
  const died = Promise.withResolvers<never>();
  const offered = Promise.withResolvers<void>();
  const first = await begin(
    fake,
    {},
    {
      receive: () => {
        offered.resolve();
        return died.promise;
      },
    },
    state,
  );
  await fake.says(ada, "do not lose me");
  await offered.promise;
  // A receipt that was on its way would be there before the answer to this.
  await first.account.probe!(new AbortController().signal);
  expect(fake.world.receipts).toEqual([]);
  expect(await state.keys("key/session/")).toEqual([]);
  const left = copyOf(state);
  fake.cut();
  died.reject(new AppError("store_failed", "The process is dead."));
  await kill(fake, first);
  const second = await begin(fake, {}, {}, left);
  await second.receives(1);
  expect(second.received.map(({ text }) => text)).toEqual(["do not lose me"]);
  await fake.world.until(() => fake.world.receipts.length > 0);
  clean(fake);
  await second.stop();
  await fake.close();
});

test("a message and what decrypting it did to the keys are one write", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const group = fake.group([ada]);
  const units: Record<string, unknown>[] = [];
  const house = await begin(
    fake,
    {},
    {
      async receive(inbound, keys = {}) {
        units.push(keys);
        await house.state.put(keys);
        fake.world.changed();
        return { runId: inbound.id, duplicate: false };
      },
    },
  );
  await fake.says(ada, "hello");
  await fake.world.until(() => units.length === 1 && fake.world.receipts.length > 0);
  expect(Object.keys(units[0]!)).toContain("key/session/771001001_1.0");
  // The one-time key is gone in the same moment.
  expect(
    Object.entries(units[0]!).find(([key]) => key.startsWith("key/pre-key/"))![1],
  ).toBeUndefined();
  expect(Object.keys(units[0]!)).toContain("recent/000");
  // With the first one the group is asked for; the second needs nobody.
  await fake.says(ada, "in the group", { group });
  await fake.world.until(() => units.length === 2);
  await fake.says(ada, "again", { group });
  await fake.world.until(() => units.length === 3 && fake.world.linked!.waiting.size === 0);
  const all = Object.keys(Object.assign({}, ...units));
  expect(all.some((key) => key.startsWith(`key/sender-key/${group.id}`))).toBe(true);
  await house.stop();
  await fake.close();
});

test("a message whose receipt was lost is acknowledged again and not taken again", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const group = fake.group([ada]);
  const config = { sendReadReceipts: false };
  const first = await begin(fake, config);
  fake.world.faults.lostReceipts = 2;
  await fake.says(ada, "once");
  await fake.says(ada, "once in the group", { group });
  await first.receives(2);
  await fake.world.until(() => fake.world.faults.lostReceipts === 0);
  expect(fake.world.linked!.waiting.size).toBe(2);
  await first.stop();
  const second = await begin(fake, config, {}, copyOf(first.state));
  await fake.world.until(() => fake.world.linked!.waiting.size === 0);
  await fake.says(ada, "next");
  await fake.says(ada, "next in the group", { group });
  await second.receives(2);
  expect(second.received.map(({ text }) => text)).toEqual(["next", "next in the group"]);
  clean(fake);
  await second.stop();
  await fake.close();
});

test("what leaves was sealed with a key that is used up on the disk", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const state = await stateOf(fake);
  const house = await begin(fake, {}, {}, state);
  await house.account.send(out(ada.id, "first"));
  // The next write of Ada's session waits; until it is there, nothing may leave.
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const put = state.put.bind(state);
  state.put = async (entries) => {
    if (Object.keys(entries).some((key) => key.startsWith("key/session/"))) {
      asked.resolve();
      await gate.promise;
    }
    await put(entries);
  };
  const sent = house.account.send(out(ada.id, "second"));
  await asked.promise;
  await house.account.probe!(new AbortController().signal);
  expect(fake.texts()).toEqual(["first"]);
  gate.resolve();
  await sent;
  expect(fake.texts()).toEqual(["first", "second"]);
  await house.stop();
  await fake.close();
});

test("a picture that was taken over before the process died is fetched by the next one", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const state = await stateOf(fake);
  const file = await fake.file("image", Buffer.alloc(300, 1));
  const gate = Promise.withResolvers<void>();
  fake.world.files.before = gate.promise;
  const first = await begin(fake, {}, {}, state);
  await fake.says(ada, { imageMessage: { ...file, mimetype: "image/jpeg", caption: "look" } });
  await fake.says(ada, "and this");
  await fake.world.until(() => fake.world.linked!.waiting.size === 0);
  expect(first.received).toEqual([]);
  const left = copyOf(state);
  await kill(fake, first);
  fake.world.files.before = undefined;
  gate.resolve();
  const second = await begin(fake, {}, {}, left);
  await second.receives(2);
  expect(second.received.map(({ text, media }) => [text, media.length])).toEqual([
    ["look", 1],
    ["and this", 0],
  ]);
  expect(await second.state.keys("inbox/")).toEqual([]);
  clean(fake);
  await second.stop();
  await fake.close();
});

test("a full disk: the same message again, in order, until there is room", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const taken: string[] = [];
  let refusals = 3;
  const done = Promise.withResolvers<void>();
  const house = await begin(
    fake,
    {},
    {
      async receive(inbound) {
        if (refusals-- > 0) throw new AppError("disk_full", "The disk is full.");
        taken.push(inbound.text);
        if (taken.length === 2) done.resolve();
        return { runId: inbound.id, duplicate: false };
      },
    },
  );
  await fake.says(ada, "first");
  await fake.says(ada, "second");
  await done.promise;
  expect(taken).toEqual(["first", "second"]);
  clean(fake);
  await house.stop();
  await fake.close();
});

test("a phone that lost its session is understood again, with a key that was stored before it was offered", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const house = await begin(fake);
  await fake.says(ada, "before");
  await house.receives(1);
  await house.account.send(out(ada.id, "answer"));
  // The session is gone from our store, as after a restore of an old backup.
  for (const key of await house.state.keys("key/session/")) house.state.values.delete(key);
  // A slow disk shows what does not wait for it.
  const put = house.state.put.bind(house.state);
  house.state.put = async (entries) => {
    await Bun.sleep(20);
    await put(entries);
  };
  await fake.says(ada, "cannot be read at first");
  const offered = await fake.world.until(() => fake.world.offered);
  expect(house.state.values.has(`key/pre-key/${offered}`)).toBe(true);
  await house.receives(2);
  expect(house.received[1]!.text).toBe("cannot be read at first");
  expect(fake.world.problems).toEqual([]);
  await house.stop();
  await fake.close();
});

test("one-time keys are made, stored and sent to the server before it runs out", async () => {
  const fake = startWhatsApp({ prekeys: 4 });
  const house = await begin(fake);
  await fake.world.until(() => fake.world.linked!.prekeys.size === 9);
  const creds = (await house.state.get<{ nextPreKeyId: number }>("creds"))!;
  expect(creds.nextPreKeyId).toBe(10);
  expect((await house.state.keys("key/pre-key/")).length).toBe(9);
  await house.stop();
  await fake.close();
});
