/** Messages that Telegram brings: nothing is believed without the secret, nothing is acknowledged that is not stored. */
import { afterEach, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { ChannelContext } from "../../src/channels/channel.ts";
import { MemoryState } from "../contract/platform.ts";
import { openRig, type Rig } from "../fakes/telegram-rig.ts";
import { startTelegram, type Telegram } from "../fakes/telegram.ts";

const SECRET = "a-secret_of-the-hook";
const open: { telegram: Telegram; rig?: Rig }[] = [];
afterEach(async () => {
  for (const { telegram, rig } of open.splice(0)) {
    await rig?.[Symbol.asyncDispose]();
    await telegram.close();
  }
});

function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  return port!;
}

async function openHook(
  over: Partial<ChannelContext<never>> = {},
  config: Record<string, unknown> = {},
) {
  const telegram = await startTelegram();
  const entry: (typeof open)[number] = { telegram };
  open.push(entry);
  const port = freePort();
  const url = `http://127.0.0.1:${port}/telegram-webhook`;
  const settings = { webhookUrl: url, webhookSecret: SECRET, webhookPort: port, ...config };
  const rig = await openRig(settings, over, { telegram });
  entry.rig = rig;
  await telegram.until(() => telegram.callsOf("setWebhook").length > 0);
  return { telegram, rig, url, port };
}
const post = (url: string, body: BodyInit, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });
const header = "x-telegram-bot-api-secret-token";

test("messages are brought and taken, several chats at once", async () => {
  const { telegram, rig } = await openHook();
  telegram.person().text("one");
  telegram.person().text("two");
  telegram.person(43).text("three");
  await rig.receives(3);
  const ofAnn = rig.received.filter(({ sender }) => sender.id === "42");
  expect(ofAnn.map(({ text }) => text)).toEqual(["one", "two"]);
  expect(telegram.callsOf("getUpdates")).toEqual([]);
  await rig.until((now) => now.connected === true && now.roundTripMs !== undefined);
  expect(rig.status).toMatchObject({ mode: "webhook", self: { handle: "my_bot" } });
});

test("without the secret nothing is read", async () => {
  const { rig, url } = await openHook();
  const update = JSON.stringify({ update_id: 1, message: { text: "let me in" } });
  for (const headers of [
    {},
    { [header]: "" },
    { [header]: `${SECRET}x` },
    { [header]: SECRET.toUpperCase() },
    { authorization: SECRET },
  ])
    expect((await post(url, update, headers as Record<string, string>)).status).toBe(401);
  // Not even whether it is well-formed.
  expect((await post(url, "{", {})).status).toBe(401);
  expect(rig.received).toEqual([]);
});

test("with the secret only updates, only there, and not too large", async () => {
  const { url, port } = await openHook();
  const secret = { [header]: SECRET };
  expect((await post(url, "{", secret)).status).toBe(400);
  expect((await post(url, "[]", secret)).status).toBe(400);
  expect((await post(url, '{"update_id":"x"}', secret)).status).toBe(400);
  expect((await post(url, "x".repeat(1_000_001), secret)).status).toBe(413);
  expect((await fetch(url)).status).toBe(405);
  expect((await post(`${url}/more`, "{}", secret)).status).toBe(404);
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect([health.status, await health.text()]).toEqual([200, "ok"]);
});

test("what could not be stored is brought again", async () => {
  let refusals = 2;
  const taken: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { telegram } = await openHook({
    async receive({ id, text }) {
      if (refusals-- > 0) throw new AppError("disk_full", "The disk is full.");
      taken.push(text);
      if (taken.length === 2) resolve();
      return { runId: id, duplicate: false };
    },
  });
  telegram.person().text("keep me");
  telegram.person().text("and me");
  await promise;
  expect(taken).toEqual(["keep me", "and me"]);
  expect(refusals).toBeLessThan(0);
});

test("an album is one message, and its pictures survive an end in the middle", async () => {
  const state = new MemoryState();
  const { telegram, rig, url, port } = await openHook({ state });
  telegram.person().album(["both", undefined]);
  await telegram.until(() => telegram.world.queue.length === 0);
  expect(rig.received).toEqual([]);
  expect(await state.keys("part:")).toHaveLength(2);
  await rig[Symbol.asyncDispose]();
  expect(rig.received).toEqual([]);
  const settings = { webhookUrl: url, webhookSecret: SECRET, webhookPort: port };
  const again = await openRig(settings, { state }, { telegram });
  open[0]!.rig = again;
  expect(await again.next()).toMatchObject({ text: "both" });
  expect(again.received[0]!.media).toHaveLength(2);
});

test("a webhook that somebody left is removed before messages are fetched", async () => {
  const telegram = await startTelegram();
  open.push({ telegram });
  await fetch(
    `${telegram.apiRoot}/bot${telegram.token}/setWebhook?url=${encodeURIComponent("https://old.example/x")}`,
  );
  const rig = await openRig({}, {}, { telegram });
  open[0]!.rig = rig;
  telegram.person().text("hello");
  expect((await rig.next()).text).toBe("hello");
  expect(telegram.callsOf("deleteWebhook")).toHaveLength(1);
});

test("a webhook without its secret, without HTTPS or on a port that is taken does not start", async () => {
  const port = freePort();
  const url = `http://127.0.0.1:${port}/telegram-webhook`;
  const cases: [Record<string, unknown>, string][] = [
    [{ webhookSecret: undefined }, "needs channels.telegram.webhookSecret"],
    [{ webhookSecret: "no spaces" }, "channels.telegram.webhookSecret may only"],
    [{ webhookUrl: "http://example.com/x" }, "https://"],
    [{ webhookUrl: "example.com" }, "https://"],
  ];
  for (const [config, words] of cases) {
    const telegram = await startTelegram();
    open.push({ telegram });
    const settings = { webhookUrl: url, webhookSecret: SECRET, webhookPort: port, ...config };
    await expect(openRig(settings, {}, { telegram })).rejects.toThrow(words);
  }
  const other = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response() });
  const telegram = await startTelegram();
  open.push({ telegram });
  const settings = { webhookUrl: url, webhookSecret: SECRET, webhookPort: port };
  await expect(openRig(settings, {}, { telegram })).rejects.toMatchObject({
    code: "channel_misconfigured",
    hint: expect.stringContaining("webhookPort"),
  });
  await other.stop(true);
});
