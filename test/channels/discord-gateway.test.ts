/** The connection to Discord: cuts, deaf sockets, refusals for good, and what was said meanwhile. */
import { expect, test } from "bun:test";

import { GuardedStrategy } from "../../src/channels/discord/guard.ts";
import { startOn } from "../contract/platform.ts";
import { type FakeDiscord, startDiscord } from "../fakes/discord.ts";
import { channel, out, refusal, type RigOptions, withDiscord } from "./discord-rig.ts";

const texts = (list: { text: string }[]) => list.map(({ text }) => text);

test("a cut is resumed, and nothing said meanwhile is lost or doubled", () =>
  withDiscord(async ({ fake, ann, room, received, next }) => {
    ann.say(room, "before");
    await next(1);
    fake.gateway.cut();
    ann.say(room, "meanwhile");
    ann.dm("directly");
    await next(3);
    expect(texts(received)).toEqual(["before", "meanwhile", "directly"]);
    expect(fake.gateway.resumes).toBe(1);
    expect(fake.gateway.identifies).toBe(1);
  }));

test(
  "when the session is gone, what was said meanwhile is read, oldest first and before what comes next",
  () =>
    withDiscord(
      async ({ fake, ann, room, received, next, account, to, until }) => {
        ann.say(room, "before");
        ann.dm("also before");
        await next(2);
        fake.gateway.forget();
        fake.gateway.cut();
        await until((now) => now.connected === false);
        const bob = fake.person("Bob");
        // No session hears these.
        for (let i = 1; i <= 5; i++) (i % 2 ? ann : bob).say(room, `missed ${i}`);
        ann.dm("missed directly");
        fake.world.message(room.id, fake.world.self, "our own");
        await fake.gateway.ready();
        ann.say(room, "after");
        await next(9);
        const inRoom = received.filter(({ from }) => from.chatId === room.id);
        expect(texts(inRoom)).toEqual([
          "before",
          ...[1, 2, 3, 4, 5].map((i) => `missed ${i}`),
          "after",
        ]);
        expect(inRoom[1]).toMatchObject({ room: { title: "general" }, sender: { name: "Ann" } });
        expect(texts(received)).toContain("missed directly");
        await account.send(out(to(room.id), "here again"));
      },
      { fake: { heartbeatMs: 1_000 } },
    ),
  15_000,
);

test(
  "what was missed is read even when the platform refuses every question once",
  () =>
    withDiscord(
      async ({ fake, ann, received, next, until }) => {
        ann.dm("before");
        await next(1);
        fake.gateway.forget();
        fake.gateway.cut();
        await until((now) => now.connected === false);
        ann.dm("missed");
        fake.fail({ method: "GET", path: /\/channels\/\d+\/messages/, status: 502 });
        fake.fail({
          ...{ method: "GET", path: /\/channels\/\d+$/, status: 429 },
          body: { message: "You are being rate limited.", retry_after: 0.1, global: false },
          headers: { "retry-after": "0.1", "x-ratelimit-scope": "user" },
        });
        await fake.gateway.ready();
        ann.dm("after");
        await next(3);
        expect(texts(received)).toEqual(["before", "missed", "after"]);
      },
      { fake: { heartbeatMs: 1_000 } },
    ),
  15_000,
);

test("after a restart, more than a page of messages is read", () => {
  const state: Record<string, unknown> = {};
  let rooms: string[] = [];
  const options: RigOptions = {
    state,
    before: (fake) => {
      const [room] = [...fake.world.channels.values()];
      const ann = [...fake.world.users.values()].find(({ username }) => username === "ann")!;
      state[`last/${room!.id}`] = fake.world.message(room!.id, ann, "known").id;
      state["last/123456789012345678"] = "1";
      for (let i = 0; i < 130; i++) fake.world.message(room!.id, ann, `n${i}`);
      rooms = [room!.id];
    },
  };
  return withDiscord(async ({ received, next, state: kept, fake }) => {
    await next(130);
    expect(texts(received)).toEqual(Array.from({ length: 130 }, (_, i) => `n${i}`));
    await fake.call("GET", /\/channels\/123456789012345678\/messages/);
    expect(await kept.keys("last/")).toEqual(rooms.map((id) => `last/${id}`));
  }, options);
});

test("twice or in another order: everything is heard once, and what comes late moves nothing back", () =>
  withDiscord(async ({ fake, ann, room, received, next, state }) => {
    const early = fake.world.message(room.id, ann.user, "early");
    const late = ann.say(room, "late");
    fake.deliver(late);
    fake.deliver(early);
    ann.dm("end");
    await next(3);
    expect(texts(received)).toEqual(expect.arrayContaining(["late", "early", "end"]));
    expect(await state.get<string>(`last/${room.id}`)).toBe(late.id);
  }));

test("a reconnect that the platform asks for, and an invalid session", () =>
  withDiscord(async ({ fake, ann, next, until, status }) => {
    fake.gateway.send(7, null);
    await until(() => fake.gateway.resumes === 1 && status.connected === true);
    ann.dm("one");
    await next(1);
    expect(status.lastDisconnect?.status).toBe(4200);
    expect(fake.gateway.identifies).toBe(1);
  }));

test("a socket that is deaf is replaced, and only that", () =>
  withDiscord(
    async ({ fake, ann, room, next, until, failures, status }) => {
      ann.say(room, "before");
      await next(1);
      // Two heartbeats are answered, so that their distance is known.
      await until((now) => now.roundTripMs !== undefined);
      const beats = () => fake.gateway.received.filter(({ op }) => op === 1).length;
      await until(() => beats() >= 3);
      fake.gateway.freeze();
      fake.gateway.forget();
      ann.say(room, "into the void");
      await next(2);
      expect(status.connected).toBe(true);
      expect(fake.gateway.identifies).toBe(2);
      expect(failures).toEqual([]);
    },
    { fake: { heartbeatMs: 40 } },
  ));

test("heartbeats that are not answered count as deaf, although the socket is open", () =>
  withDiscord(
    async ({ fake, until, status }) => {
      const beats = () => fake.gateway.received.filter(({ op }) => op === 1).length;
      await until(() => beats() >= 3);
      fake.gateway.answering = false;
      await until((now) => now.connected === false);
      fake.gateway.answering = true;
      await until((now) => now.connected === true);
      expect(status.lastDisconnect).toBeDefined();
    },
    { fake: { heartbeatMs: 40 } },
  ));

for (const [code, words] of [
  [4004, "channels.discord.token"],
  [4010, "channels.discord"],
  [4011, "too many servers"],
  [4012, "version"],
  [4013, "Message Content Intent"],
  [4014, "Message Content Intent"],
] as const)
  test(`a close with ${code} ends the account and says what to do`, () =>
    withDiscord(
      async ({ fake, until, failures, status }) => {
        await until((_, refused) => refused.length > 0);
        expect(failures).toHaveLength(1);
        expect(failures[0]!.code).toBe("channel_misconfigured");
        expect(`${failures[0]!.message} ${failures[0]!.hint}`).toContain(words);
        expect(status.connected).toBe(false);
        expect(fake.gateway.identifies).toBe(1);
      },
      { ready: false, before: (fake) => fake.gateway.refusals.push(code) },
    ));

test("an intent that is off in the portal is named", () =>
  withDiscord(
    async ({ failures, until }) => {
      await until((_, refused) => refused.length > 0);
      expect(failures[0]!.message).toContain("Message Content Intent and Server Members Intent");
      expect(failures[0]!.hint).toContain("https://discord.com/developers/applications");
    },
    { ready: false, fake: { flags: 0 }, config: { intents: { guildMembers: true } } },
  ));

test("a wrong token is refused before any connection, and the variable is named when it comes from there", () =>
  withDiscord(
    async ({ fake, failures, until }) => {
      await until((_, refused) => refused.length > 0);
      expect(failures[0]!.code).toBe("channel_misconfigured");
      expect(failures[0]!.message).toContain("DISCORD_BOT_TOKEN");
      expect(fake.gateway.identifies).toBe(0);
    },
    { ready: false, config: { token: "" }, env: { DISCORD_BOT_TOKEN: "Bot wrong" } },
  ));

test("no sign-in while the platform allows none", () =>
  withDiscord(
    async ({ fake, status, until }) => {
      await until((now) => now.lastError !== undefined);
      expect(status.lastError).toContain("allows no more sign-ins");
      expect(fake.gateway.identifies).toBe(0);
    },
    { ready: false, before: (fake) => (fake.gateway.sessionsLeft = 0) },
  ));

/** Every attempt to go on with the session is refused from now on. */
function storm(fake: FakeDiscord): void {
  fake.gateway.refusals.push(...Array.from({ length: 50 }, () => 4000));
  fake.gateway.cut();
}

test("a storm of closes is no storm of connections", () =>
  withDiscord(async ({ fake, until, status, failures, ann, next }) => {
    const begun = performance.now();
    storm(fake);
    await until((now) => (now.reconnectAttempts ?? 0) >= 3);
    expect(fake.gateway.resumes).toBe(2);
    // Half a second each is the library's own pause; the second attempt waits for at least as long again.
    expect(performance.now() - begun).toBeGreaterThan(1_900);
    expect(status.connected).toBe(false);
    fake.gateway.refusals.length = 0;
    ann.dm("over?");
    await next(1);
    expect(failures).toEqual([]);
  }));

test("packets that make no sense are left out, and the connection goes on", () =>
  withDiscord(async ({ fake, ann, next, failures, status }) => {
    for (const socket of fake.gateway.sockets)
      for (const text of [
        "{nope",
        "null",
        "[]",
        '{"op":0,"t":"MESSAGE_CREATE","s":3,"d":null}',
        '{"op":0,"t":"MESSAGE_CREATE","s":4,"d":{"id":"x","channel_id":"y","author":{"id":"z"}}}',
        '{"op":0,"t":"GUILD_CREATE","s":5,"d":{"id":"1"}}',
        '{"op":0,"t":"INTERACTION_CREATE","s":6,"d":{}}',
        '{"op":0,"t":"MESSAGE_REACTION_ADD","s":7,"d":{"guild_id":"1"}}',
        '{"op":0,"t":"SOMETHING_NEW","s":8,"d":{}}',
        '{"op":99}',
        '{"op":9}',
        '{"op":10,"d":null}',
      ])
        socket.send(text);
    ann.dm("still there?");
    await next(1);
    expect(failures).toEqual([]);
    expect(status.connected).toBe(true);
  }));

test("the library still has the methods that are fenced", async () => {
  const fake = await startDiscord();
  const broken: string[] = [];
  const { Client } = await import("discord.js");
  let strategy: GuardedStrategy | undefined;
  const client = new Client({
    intents: 1,
    rest: { api: fake.apiRoot },
    ws: {
      buildStrategy: (manager) =>
        (strategy = new GuardedStrategy(manager, {
          mayConnect: async () => (broken.push("asked"), true),
          hello: () => undefined,
          dispatch: () => undefined,
          ack: () => undefined,
          closed: () => undefined,
          broke: () => undefined,
        })),
    },
  });
  await client.login(fake.token);
  expect(broken).toEqual(["asked"]);
  const [shard] = [...(Reflect.get(strategy!, "shards") as Map<number, object>).values()];
  const names = ["internalConnect", "onMessage", "onClose", "onError", "heartbeat"];
  expect(
    names.map((name) => [name, typeof Reflect.get(Object.getPrototypeOf(shard!), name)]),
  ).toEqual(names.map((name) => [name, "function"]));
  await client.destroy();
  await fake.stop();
});

test("an API on another machine is refused, unless that is allowed", async () => {
  const start = (config: object) =>
    startOn(channel, { config: { token: "x", ...config } }, { listen: false }).then(({ stop }) =>
      stop(),
    );
  const bad = await refusal(start({ apiRoot: "https://evil.example/api" }));
  expect(bad.code).toBe("channel_misconfigured");
  expect(bad.text).toContain("channels.discord.apiRoot");
  for (const apiRoot of [
    "http://127.0.0.1.evil.example/api",
    "file:///etc",
    "nonsense",
    "http://10.0.0.1",
  ])
    expect((await refusal(start({ apiRoot }))).code).toBe("channel_misconfigured");
  await start({ apiRoot: "https://mirror.example/api", dangerouslyAllowRemoteApiRoot: true });
  await start({ apiRoot: "https://discord.com/api/" });
  await start({});
  expect((await refusal(start({ token: " " }))).text).toContain("channels.discord.token");
});

test("it stops at once, also in the middle of a pause", async () => {
  const fake = await startDiscord();
  const started = await startOn(channel, { config: { token: fake.token, apiRoot: fake.apiRoot } });
  await started.until((now) => now.connected === true);
  storm(fake);
  await started.until((now) => (now.reconnectAttempts ?? 0) >= 2);
  await started.stop();
  expect(fake.gateway.sockets.size).toBe(0);
  await fake.stop();
});
