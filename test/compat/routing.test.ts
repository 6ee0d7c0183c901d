/** Session keys, bindings and words that the original has, and that configs, state directories and people know. */
import { describe, expect, test } from "bun:test";

import type { Inbound } from "../../src/flow.ts";
import { isAckWanted } from "../../src/router/ack.ts";
import { type BoundAgent, boundAgent, broadcastAgents } from "../../src/router/bindings.ts";
import { debounceMs } from "../../src/router/debounce.ts";
import { approvalText } from "../../src/router/pairing.ts";
import { BindingsConfig, BroadcastConfig } from "../../src/router/routes/config.ts";
import { sessionKeyFor } from "../../src/router/session.ts";
import { MessagesConfig, SessionConfig } from "../../src/sessions/config.ts";

const inbound = (over: Partial<Inbound> & { from?: Inbound["from"] } = {}): Inbound => ({
  id: "1",
  from: { channel: "telegram", account: "default", chatId: "42" },
  chat: "dm",
  sender: { id: "42" },
  text: "hi",
  media: [],
  mentioned: false,
  at: 0,
  ...over,
});
const at = (chatId: string, threadId?: string, channel = "telegram") => ({
  channel,
  account: "default",
  chatId,
  ...(threadId !== undefined && { threadId }),
});

describe("session keys", () => {
  type Row = [what: string, message: Partial<Inbound>, session: object, key: string];
  const table: Row[] = [
    ["a direct message", {}, {}, "agent:a:main"],
    ["per person", {}, { dmScope: "per-peer" }, "agent:a:dm:42"],
    ["per channel and person", {}, { dmScope: "per-channel-peer" }, "agent:a:telegram:dm:42"],
    [
      "per account, channel and person",
      {},
      { dmScope: "per-account-channel-peer" },
      "agent:a:telegram:default:dm:42",
    ],
    ["one for everything", {}, { scope: "global", dmScope: "per-peer" }, "agent:a:main"],
    ["a group", { chat: "group", from: at("-100") }, {}, "agent:a:telegram:group:-100"],
    [
      "a forum topic",
      { chat: "group", from: at("-100", "7") },
      {},
      "agent:a:telegram:group:-100:topic:7",
    ],
    [
      "a channel",
      { chat: "channel", from: at("99", undefined, "discord") },
      {},
      "agent:a:discord:channel:99",
    ],
    [
      "a thread of a channel",
      { chat: "channel", from: at("C1", "171.5", "slack") },
      {},
      "agent:a:slack:channel:c1:thread:171.5",
    ],
    [
      "a thread that is a channel of its own",
      { chat: "channel", from: at("555", undefined, "discord"), room: { parentId: "99" } },
      {},
      "agent:a:discord:channel:555",
    ],
    ["a thread of a direct message", { from: at("42", "3") }, {}, "agent:a:main:thread:3"],
    [
      "a thread of a direct message, per person",
      { from: at("42", "3") },
      { dmScope: "per-channel-peer" },
      "agent:a:telegram:dm:42:thread:3",
    ],
    [
      "a person and not the chat",
      { from: at("D777", undefined, "discord"), sender: { id: "U42" } },
      { dmScope: "per-peer" },
      "agent:a:dm:u42",
    ],
    [
      "a whatsapp group in lower case",
      { chat: "group", from: at("120363-1@G.US", undefined, "whatsapp") },
      {},
      "agent:a:whatsapp:group:120363-1@g.us",
    ],
    ["nobody", { sender: { id: " " } }, { dmScope: "per-peer" }, "agent:a:dm:unknown"],
    [
      "one person on two networks",
      { sender: { id: "+15550001234" }, from: at("x", undefined, "whatsapp") },
      {
        dmScope: "per-peer",
        identityLinks: { Ada: ["telegram:42", "whatsapp:+15550001234"] },
      },
      "agent:a:dm:ada",
    ],
    [
      "a link without a channel",
      {},
      { dmScope: "per-channel-peer", identityLinks: { ada: ["42"] } },
      "agent:a:telegram:dm:ada",
    ],
    [
      "somebody else's link",
      {},
      { dmScope: "per-peer", identityLinks: { ada: ["discord:42"], bob: ["142", "4"] } },
      "agent:a:dm:42",
    ],
    ["links without a scope", {}, { identityLinks: { ada: ["telegram:42"] } }, "agent:a:main"],
    [
      "links in a group",
      { chat: "group", from: at("-100") },
      { dmScope: "per-peer", identityLinks: { ada: ["-100"] } },
      "agent:a:telegram:group:-100",
    ],
  ];
  for (const [what, message, session, key] of table)
    test(`${what}: ${key}`, () => {
      const made = sessionKeyFor(inbound(message), "a", SessionConfig.parse(session), "owner");
      expect(made as string).toBe(key);
    });
});

describe("bindings", () => {
  const agents = { ids: ["main", "a", "b", "c", "d", "e", "f", "g"], defaultId: "main" };
  const bound = (rows: unknown[], message: Partial<Inbound>): BoundAgent =>
    boundAgent(inbound(message), BindingsConfig.parse(rows), agents);
  const pick = (rows: unknown[], message: Partial<Inbound> = {}) => {
    const { agentId, matchedBy } = bound(rows, message);
    return [agentId, matchedBy];
  };
  const telegram = (agentId: string, match: object = {}) => ({
    agentId,
    match: { channel: "Telegram", ...match },
  });

  test("the narrowest tier decides, whatever the order of the config", () => {
    const rows = [
      telegram("g", { accountId: "*" }),
      telegram("f", { accountId: "default" }),
      telegram("e", { teamId: "S" }),
      telegram("d", { guildId: "S" }),
      telegram("c", { guildId: "S", roles: ["r1", 7] }),
      telegram("b", { peer: { kind: "group", id: -100 } }),
      telegram("a", { peer: { kind: "group", id: "-100:topic:7" } }),
    ];
    const room = { space: { id: "S" } };
    const topic: Partial<Inbound> = {
      chat: "group",
      from: at("-100", "7"),
      room,
      sender: { id: "42", roles: ["7"] },
    };
    const tiers: unknown[] = [];
    for (let left = [...rows]; ;) {
      const found = pick(left, topic);
      tiers.push(found);
      if (found[0] === "main") break;
      left = left.filter((row) => row.agentId !== found[0]);
    }
    expect(tiers).toEqual([
      ["a", "binding.peer"],
      ["b", "binding.peer.parent"],
      ["c", "binding.guild+roles"],
      ["d", "binding.guild"],
      ["e", "binding.team"],
      ["f", "binding.account"],
      ["g", "binding.channel"],
      ["main", "default"],
    ]);
  });

  test("a thread is answered by whoever answers its channel, unless it has its own (D2)", () => {
    const row = {
      agentId: "a",
      match: { channel: "discord", peer: { kind: "channel", id: "99" } },
    };
    const thread: Partial<Inbound> = {
      chat: "channel",
      from: at("555", undefined, "discord"),
      room: { parentId: "99" },
    };
    expect(pick([row], thread)).toEqual(["a", "binding.peer.parent"]);
    const own = {
      agentId: "b",
      match: { channel: "discord", peer: { kind: "channel", id: "555" } },
    };
    expect(pick([row, own], thread)).toEqual(["b", "binding.peer"]);
  });

  test("inside a tier the first one counts", () => {
    expect(pick([telegram("a"), telegram("b")])).toEqual(["a", "binding.account"]);
  });

  test("no account means the default one, a star means all", () => {
    const second = { from: { ...at("42"), account: "second" } };
    expect(pick([telegram("a")], second)).toEqual(["main", "default"]);
    expect(pick([telegram("a", { accountId: "" })])).toEqual(["a", "binding.account"]);
    expect(pick([telegram("a", { accountId: "second" })], second)).toEqual([
      "a",
      "binding.account",
    ]);
    expect(pick([telegram("a", { accountId: "*" })], second)).toEqual(["a", "binding.channel"]);
    const peer = { kind: "direct", id: 42 };
    expect(pick([telegram("a", { peer })], second)).toEqual(["main", "default"]);
    expect(pick([telegram("a", { peer, accountId: "*" })], second)).toEqual(["a", "binding.peer"]);
  });

  test("a person is one by id in a direct message, and a group is no person", () => {
    const dm = telegram("a", { peer: { kind: "dm", id: "42" } });
    expect(pick([dm])).toEqual(["a", "binding.peer"]);
    expect(pick([dm], { chat: "group", from: at("42") })).toEqual(["main", "default"]);
    expect(pick([dm], { sender: { id: "43", name: "42", handle: "42" }, from: at("43") })).toEqual([
      "main",
      "default",
    ]);
  });

  test("every condition of a binding must hold", () => {
    const row = telegram("a", { peer: { kind: "group", id: "-100" }, guildId: "S" });
    const message: Partial<Inbound> = { chat: "group", from: at("-100") };
    expect(pick([row], message)).toEqual(["main", "default"]);
    expect(pick([row], { ...message, room: { space: { id: "S" } } })).toEqual([
      "a",
      "binding.peer",
    ]);
    const roles = telegram("b", { guildId: "S", roles: ["r"] });
    expect(pick([roles], { ...message, room: { space: { id: "S" } } })).toEqual([
      "main",
      "default",
    ]);
  });

  test("an agent that there is not gives way to the default agent", () => {
    expect(bound([telegram("Ghost")], {})).toEqual({
      agentId: "main",
      matchedBy: "default",
      unknown: "ghost",
    });
    expect(pick([telegram("A")])).toEqual(["a", "binding.account"]);
  });

  test("a broadcast names the agents of a chat; those that there are not are left out", () => {
    const config = BroadcastConfig.parse({
      strategy: "parallel",
      "-100": ["a", "ghost", "b", "A"],
      "+15550001234": ["c"],
      "-200": ["ghost"],
      "-300": [],
    });
    const group = (chatId: string, threadId?: string): Inbound =>
      inbound({ chat: "group", from: at(chatId, threadId) });
    expect(broadcastAgents(group("-100"), config, agents)).toEqual({
      agentIds: ["a", "b"],
      unknown: ["ghost"],
    });
    expect(broadcastAgents(group("-100", "7"), config, agents)?.agentIds).toEqual(["a", "b"]);
    const person = inbound({ sender: { id: "+15550001234" } });
    expect(broadcastAgents(person, config, agents)?.agentIds).toEqual(["c"]);
    for (const chat of ["-200", "-300", "-400", "strategy"])
      expect(broadcastAgents(group(chat), config, agents)).toBeUndefined();
    expect(broadcastAgents(group("-100"), undefined, agents)).toBeUndefined();
  });
});

describe("waiting for more", () => {
  const wait = (messages: unknown, message: Partial<Inbound> = {}, channelMs?: number) =>
    debounceMs(inbound(message), MessagesConfig.parse({ inbound: messages }), channelMs);

  test("the channel's entry, then its own key, then the one for all", () => {
    expect(wait(undefined)).toBe(0);
    expect(wait({ debounceMs: 500 })).toBe(500);
    expect(wait({ debounceMs: 500 }, {}, 700)).toBe(700);
    expect(wait({ debounceMs: 500, byChannel: { telegram: 900 } }, {}, 700)).toBe(900);
    expect(wait({ debounceMs: 500, byChannel: { telegram: 0 } }, {}, 700)).toBe(0);
    expect(wait({ debounceMs: 500, byChannel: { discord: 900 } }, {}, 0)).toBe(500);
  });

  test("media, places, commands and words that stop go at once", () => {
    for (const message of [
      { media: [{ kind: "image" as const, mime: "image/png" }] },
      { notes: ["📍 1, 2"] },
      { text: " /status" },
      { text: "STOP" },
      { command: { name: "x", args: "" } },
      { event: { kind: "edit" as const, of: "1" } },
    ])
      expect(wait({ debounceMs: 500 }, message)).toBe(0);
    expect(wait({ debounceMs: 500 }, { text: "stop it, please" })).toBe(500);
  });
});

test("a message gets the reaction that the config's word for it says", () => {
  const called = { required: true, mentioned: true };
  const open = { required: false, mentioned: true };
  const rows = [
    ["group-mentions", "group", called, true],
    ["group-mentions", "group", open, false],
    ["group-mentions", "dm", undefined, false],
    ["group-all", "channel", open, true],
    ["group-all", "dm", undefined, false],
    ["direct", "dm", undefined, true],
    ["direct", "group", called, false],
    ["all", "dm", undefined, true],
    ["off", "dm", undefined, false],
    ["none", "group", called, false],
  ] as const;
  for (const [scope, chat, gate, wanted] of rows)
    expect([scope, chat, isAckWanted(scope, chat, gate)]).toEqual([scope, chat, wanted]);
});

test("who was approved is told in the words of the original", () => {
  expect(approvalText("Clawdbot")).toBe(
    "✅ Clawdbot access approved. Send a message to start chatting.",
  );
});
