/** Fetching and taking messages from Telegram while things go wrong: the offset, the token, the network, the webhook. */
import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { ChannelContext } from "../../src/channels/channel.ts";
import { Client } from "../../src/channels/telegram/client.ts";
import { TelegramConfig } from "../../src/channels/telegram/config.ts";
import { Poller } from "../../src/channels/telegram/poll.ts";
import { probe } from "../../src/channels/telegram/probe.ts";
import type { Inbound } from "../../src/flow.ts";
import { MemoryState, startOn } from "../contract/platform.ts";
import { openRig } from "../fakes/telegram-rig.ts";
import { startTelegram } from "../fakes/telegram.ts";
import { quiet } from "../flow/house.ts";

type Receive = ChannelContext<never>["receive"];
/** Takes messages as the store would, unless `refuse` says no. */
function keeper(refuse: (inbound: Inbound) => boolean = () => false) {
  const state = new MemoryState();
  const taken: string[] = [];
  const tried: string[] = [];
  const waiting = new Set<() => void>();
  const receive: Receive = async (inbound, values) => {
    tried.push(inbound.text);
    if (refuse(inbound)) throw new AppError("busy", "Not now.", { retryAfterMs: 1 });
    if (values) await state.put(values);
    taken.push(inbound.text);
    for (const look of [...waiting]) look();
    return { runId: inbound.id, duplicate: false };
  };
  const until = (test: () => boolean) =>
    new Promise<void>((done) => {
      const look = () => {
        if (!test()) return;
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  return { state, taken, tried, receive, until };
}
const PIECE = "a".repeat(4_000);

describe("the offset", () => {
  test("is stored with the message, and a start goes on behind it", async () => {
    const telegram = await startTelegram();
    const ann = telegram.person();
    const kept = keeper();
    {
      await using rig = await openRig({}, kept, { telegram });
      ann.text("one");
      ann.text("two");
      await kept.until(() => kept.taken.length === 2);
      expect(await rig.state.get("offset")).toBeUndefined();
      expect(await kept.state.get<number>("offset")).toBe(telegram.world.lastUpdate + 1);
    }
    ann.text("three");
    await using _ = await openRig({}, kept, { telegram });
    await kept.until(() => kept.taken.length === 3);
    expect(kept.taken).toEqual(["one", "two", "three"]);
    await telegram.close();
  });

  test("passes what nobody has to read", async () => {
    await using rig = await openRig();
    const first = rig.telegram.world.lastUpdate + 1;
    await rig.telegram.until(() => rig.telegram.callsOf("getUpdates").length > 0);
    rig.telegram.person().block();
    await rig.telegram.until(() =>
      rig.telegram.callsOf("getUpdates").some(({ params }) => params["offset"] === first + 1),
    );
    expect(await rig.state.get<number>("offset")).toBe(first + 1);
  });

  test("a refused message holds up its chat and no other, and comes again in order", async () => {
    let refusals = 3;
    const kept = keeper(({ text }) => text === "two" && refusals-- > 0);
    await using rig = await openRig({}, kept);
    const ann = rig.telegram.person();
    for (const text of ["one", "two", "three"]) ann.text(text);
    rig.telegram.person(43).text("elsewhere");
    await kept.until(() => kept.taken.length === 4);
    expect(kept.taken.filter((text) => text !== "elsewhere")).toEqual(["one", "two", "three"]);
    expect(kept.tried.filter((text) => text === "two")).toHaveLength(4);
    expect(await kept.state.get<number>("offset")).toBe(rig.telegram.world.lastUpdate + 1);
  });

  test("does not pass an album before all of it is stored", async () => {
    const offsets: unknown[] = [];
    const kept = keeper();
    const receive: Receive = (inbound, values) => {
      offsets.push([inbound.text, values?.["offset"]]);
      return kept.receive(inbound, values);
    };
    await using rig = await openRig({}, { ...kept, receive });
    const first = rig.telegram.world.lastUpdate + 1;
    rig.telegram.person().album(["both", undefined]);
    rig.telegram.person(43).text("meanwhile");
    await kept.until(() => kept.taken.length === 2);
    expect(offsets).toEqual([
      ["meanwhile", first],
      ["both", first + 3],
    ]);
  });

  test("the pieces of a long text are one message, and a command behind them is its own", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    ann.text(PIECE);
    ann.text("b".repeat(4_000));
    ann.text("the end");
    ann.text("/stop");
    await rig.receives(2);
    expect(rig.received.map(({ text }) => text.length)).toEqual([8_007, 5]);
  });

  test("a numbering that begins anew is followed", async () => {
    await using rig = await openRig({}, {}, { state: { offset: 900_000 } });
    rig.telegram.world.renumber(5);
    rig.telegram.person().text("after a quiet week");
    rig.telegram.person().text("and another");
    await rig.receives(2);
    await rig.telegram.until(() =>
      rig.telegram.callsOf("getUpdates").some(({ params }) => params["offset"] === 7),
    );
    expect(rig.received.map(({ text }) => text)).toEqual(["after a quiet week", "and another"]);
  });

  test("batches in the wrong order are put right, and an update that comes twice is taken once", async () => {
    const kept = keeper();
    await using rig = await openRig({}, kept);
    rig.telegram.reversed = true;
    const ann = rig.telegram.person();
    for (let i = 0; i < 5; i++) ann.text(`${i}`);
    const [again] = rig.telegram.world.queue;
    await kept.until(() => kept.taken.length === 5);
    expect(kept.taken).toEqual(["0", "1", "2", "3", "4"]);
    rig.telegram.again(again!);
    ann.text("5");
    await kept.until(() => kept.taken.includes("5"));
    // The core knows its id.
    expect(kept.taken.filter((text) => text === "0").length).toBeLessThanOrEqual(2);
  });

  test("an update that cannot be read is left out, those behind it are not", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    ann.say({ photo: [null as never] });
    ann.text("still here");
    expect((await rig.next()).text).toBe("still here");
  });
});

describe("the platform is not there", () => {
  test("another program with the same token: it is said, and tried again", async () => {
    await using rig = await openRig();
    rig.telegram.fault({
      method: "getUpdates",
      status: 409,
      description:
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    });
    await rig.telegram.until(() => rig.telegram.callsOf("getUpdates").length > 0);
    // Another poll ends ours, as the platform does it.
    const other = fetch(`${rig.telegram.apiRoot}/bot${rig.telegram.token}/getUpdates`);
    await rig.until((now) => now.lastError !== undefined);
    expect(rig.status).toMatchObject({ connected: false, lastDisconnect: { status: 409 } });
    expect(rig.status.lastError).toContain("Another program polls with this token");
    await other;
    rig.telegram.person().text("still here");
    await rig.receives(1);
    await rig.until((now) => now.connected === true && now.lastError === undefined);
    expect(rig.failures).toEqual([]);
  });

  test("a pause that it asks for is kept", async () => {
    const telegram = await startTelegram();
    telegram.fault({ method: "getMe", status: 429, retryAfter: 1 });
    const before = Date.now();
    await using rig = await openRig({}, {}, { telegram });
    await rig.until((now) => now.connected === true);
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_000);
    await telegram.close();
  });

  test("silence without a close ends the poll, and the next one is begun", async () => {
    const telegram = await startTelegram();
    const statuses: (boolean | undefined)[] = [];
    const over = new AbortController();
    const config = TelegramConfig.parse({ apiRoot: telegram.apiRoot });
    const client = new Client({
      ...{ config, token: telegram.token, setting: "x", signal: over.signal },
      refused: () => undefined,
    });
    telegram.fault({ method: "getUpdates", how: "silent" });
    const poller = new Poller({
      ...{ client, log: quiet, signal: over.signal, offset: undefined },
      offer: () => ({ done: Promise.resolve(), gathered: false }),
      status: ({ connected }) => void (connected !== undefined && statuses.push(connected)),
      ...{ pollSeconds: 1, graceMs: 30 },
    });
    const life = poller.run();
    await telegram.until(() => telegram.callsOf("getUpdates").length > 1);
    over.abort();
    await life;
    expect(statuses).toEqual([false, true, false]);
    await telegram.close();
  });

  test("a proxy is used for calls and for files", async () => {
    const seen: string[] = [];
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch({ url }) {
        seen.push(new URL(url).pathname.replace(/bot[^/]+/, "bot"));
        return Response.json({ ok: true, result: { username: "behind" } });
      },
    });
    const config = TelegramConfig.parse({
      apiRoot: "http://localhost:9",
      proxy: `http://127.0.0.1:${proxy.port}`,
    });
    const { signal } = new AbortController();
    const options = { config, token: "1:aaa", setting: "x", signal, refused: () => undefined };
    const client = new Client(options);
    expect((await client.ask("getMe")).username).toBe("behind");
    await new Response(await client.download("a/b.txt")).text();
    expect(seen).toEqual(["/bot/getMe", "/file/bot/a/b.txt"]);
    await proxy.stop(true);
  });

  test("a token that never was one is told with its setting", async () => {
    await using rig = await openRig({ botToken: "999999:never-was-a-token" });
    await rig.until((_, refused) => refused.length > 0);
    expect(rig.failures[0]).toMatchObject({ code: "channel_misconfigured" });
    expect(rig.failures[0]!.message).toContain("channels.telegram.botToken");
    expect(rig.failures[0]!.message).not.toContain("999999");
  });

  test("without a token, or with an API on another machine, it does not start", async () => {
    const { default: channel } = await import("../../src/channels/telegram/index.ts");
    const start = (config: Record<string, unknown>) =>
      startOn(channel as never, { config }).then(({ stop }) => stop());
    await expect(start({})).rejects.toMatchObject({
      code: "channel_misconfigured",
      message: "There is no bot token: channels.telegram.botToken is empty.",
    });
    const botToken = "1:aaa";
    for (const apiRoot of ["http://10.0.0.1", "http://127.0.0.1.evil.example", "ftp://x", "x"])
      await expect(start({ botToken, apiRoot })).rejects.toThrow("channels.telegram.apiRoot");
    const listen = { listen: false };
    const allowed = { botToken, apiRoot: "http://10.0.0.1/", dangerouslyAllowRemoteApiRoot: true };
    await (await startOn(channel as never, { config: allowed }, listen)).stop();
  });

  test("stopping ends a file that is being fetched, and the message is not lost", async () => {
    const telegram = await startTelegram();
    const kept = keeper();
    const over = { state: kept.state, receive: kept.receive, until: undefined };
    {
      await using _ = await openRig({}, over as never, { telegram });
      telegram.fault({ method: "getFile", how: "silent" });
      telegram.person().photo("look");
      telegram.person().text("and?");
      await telegram.until(() => telegram.callsOf("getUpdates").length > 2);
    }
    expect(kept.taken).toEqual([]);
    await using _ = await openRig({}, over as never, { telegram });
    await kept.until(() => kept.taken.length === 2);
    expect(kept.taken).toEqual(["look", "and?"]);
    await telegram.close();
  });
});

test("a store that cannot be read ends the account, to be started again", async () => {
  class Broken extends MemoryState {
    override async get<T>(): Promise<T | undefined> {
      throw new AppError("store_failed", "The disk is gone.");
    }
  }
  const commands = () => undefined;
  await using rig = await openRig({}, { state: new Broken(), commands });
  await rig.until((_, refused) => refused.length > 0);
  expect(rig.failures[0]).toMatchObject({ code: "store_failed" });
});

describe("the menu", () => {
  const command = (name: string) => ({ name, description: `About ${name}`, args: [] });
  test("is set once, with the config's own commands, and not again while it is the same", async () => {
    const telegram = await startTelegram();
    const state = new MemoryState();
    const config = {
      customCommands: [
        { command: "/report", description: "The report" },
        { command: "Not good", description: "x" },
        { command: "status", description: "twice" },
      ],
    };
    const commands = () => [command("status"), command("my-skill")];
    for (let i = 0; i < 2; i++) {
      await using rig = await openRig(config, { state, commands }, { telegram });
      await rig.until((now) => now.connected === true);
      await telegram.until(() => telegram.callsOf("setMyCommands").length > 0);
    }
    const calls = telegram.callsOf("setMyCommands");
    expect(calls).toHaveLength(1);
    expect((calls[0]!.params["commands"] as { command: string }[]).map((c) => c.command)).toEqual([
      "status",
      "my_skill",
      "report",
    ]);
    await telegram.close();
  });

  test("waits as long as the platform asks, and holds up nothing", async () => {
    const telegram = await startTelegram();
    telegram.fault({ method: "setMyCommands", status: 429, retryAfter: 1 });
    await using rig = await openRig({}, { commands: () => [command("status")] }, { telegram });
    await rig.until((now) => now.connected === true);
    await telegram.until(() => telegram.callsOf("setMyCommands").length > 0);
    expect(rig.status.lastError).toBeUndefined();
    await telegram.close();
  });

  test("is emptied when it shall be empty, and left alone when nothing is said", async () => {
    const telegram = await startTelegram();
    for (const commands of [() => undefined, () => []]) {
      await using rig = await openRig({}, { commands }, { telegram });
      await rig.until((now) => now.connected === true);
      await rig.telegram.until(() => telegram.callsOf("getUpdates").length > 0);
    }
    expect(telegram.callsOf("setMyCommands").map(({ params }) => params["commands"])).toEqual([[]]);
    await telegram.close();
  });
});

describe("a look at the bot", () => {
  const look = async (config: Record<string, unknown>, privacy = false) => {
    const telegram = await startTelegram({ privacy });
    telegram.group(-1002).room.bot = "left";
    const signal = new AbortController().signal;
    const parsed = TelegramConfig.parse({ ...config, apiRoot: telegram.apiRoot });
    const options = { token: telegram.token, setting: "x", signal, refused: () => undefined };
    const found = await probe(new Client({ config: parsed, ...options }), parsed, signal);
    await telegram.close();
    return found;
  };

  test("says who it is", async () => {
    expect(await look({})).toMatchObject({
      ok: true,
      detail: "@my_bot (123456)",
      facts: { bot: { id: 123456, canJoinGroups: true }, webhook: { url: "" } },
    });
  });

  test("warns of what does not fit the config", async () => {
    const groups = {
      "-1001": { requireMention: false },
      "-1002": { requireMention: false },
      club: {},
    };
    const { warnings } = await look({ groups }, true);
    expect(warnings).toHaveLength(4);
    expect(warnings![0]).toContain("channels.telegram.groups.club is no number");
    expect(warnings![1]).toContain("/setprivacy");
    expect(warnings![2]).toContain("-1001");
  });
});
