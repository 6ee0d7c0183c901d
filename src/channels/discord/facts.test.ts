import { describe, expect, test } from "bun:test";

import type { Inbound } from "../../flow.ts";
import { DiscordConfig } from "./config.ts";
import { facts, slugOf, tokenOf } from "./facts.ts";
import { INVITE_PERMISSIONS, permissionsOf } from "./permissions.ts";

const ANN = "200000000000000001";
const GUILD = "300000000000000001";
const ROOM = "400000000000000001";
const noEnv = () => undefined;
const env = (name: string) => (name === "DISCORD_BOT_TOKEN" ? "from-env" : undefined);
const parse = (config: object) => DiscordConfig.parse(config);

const said = (more: Partial<Inbound> = {}): Inbound => ({
  id: "1",
  from: { channel: "discord", account: "default", chatId: ROOM },
  chat: "channel",
  sender: { id: ANN, name: "Ann", handle: "ann" },
  text: "hi",
  media: [],
  mentioned: false,
  room: { title: "general", space: { id: GUILD, name: "Friends of Claws" } },
  at: 0,
  ...more,
});
const direct = said({
  chat: "dm",
  from: { channel: "discord", account: "default", chatId: `user:${ANN}` },
  room: {},
});
const rules = (config: object, inbound = said()) => facts.rules(parse(config), inbound);

describe("accounts", () => {
  const ids = (section: object | undefined, from = noEnv as typeof env) =>
    facts
      .accounts(section && parse(section), from)
      .map(({ id, credential }) => [id, credential.source]);

  test("the variable alone is an account, and fills in for the default one only", () => {
    expect(ids(undefined)).toEqual([]);
    expect(ids(undefined, env)).toEqual([["default", "env"]]);
    expect(ids({}, env)).toEqual([["default", "env"]]);
    expect(ids({ token: "t" }, env)).toEqual([["default", "config"]]);
    expect(ids({ accounts: { work: {} } }, env)).toEqual([["work", "none"]]);
    expect(ids({ accounts: { default: {}, work: { token: "w" } } }, env)).toEqual([
      ["default", "env"],
      ["work", "config"],
    ]);
    expect(ids({ token: "t", accounts: { work: { token: "w" } } })).toEqual([
      ["default", "config"],
      ["work", "config"],
    ]);
  });

  test("an account has its own keys over those of the channel, and never the channel's token", () => {
    const [main, work] = facts.accounts(
      parse({
        token: "Bot a",
        dmPolicy: "allowlist",
        accounts: { work: { token: "b", groupPolicy: "open" } },
      }),
      noEnv,
    );
    expect(tokenOf(main!.config, noEnv, "default")?.token).toBe("a");
    expect(work!.config).toMatchObject({ token: "b", dmPolicy: "allowlist", groupPolicy: "open" });
    const [, bare] = facts.accounts(parse({ token: "a", accounts: { bare: {} } }), noEnv);
    expect(tokenOf(bare!.config, noEnv, "bare")).toBeUndefined();
    expect(bare!.credential.source).toBe("none");
  });

  test("one token for two accounts is a mistake of the second", () => {
    const plans = facts.accounts(
      parse({ token: "a", accounts: { two: { token: "Bot a" } } }),
      noEnv,
    );
    expect(plans[0]!.credential.problem).toBeUndefined();
    expect(plans[1]!.credential.problem).toContain("channels.discord.accounts.two.token");
  });

  test("what is switched off for the channel is off for all", () => {
    const plans = facts.accounts(
      parse({ enabled: false, token: "a", accounts: { b: { enabled: true, token: "b" } } }),
      noEnv,
    );
    expect(plans.map(({ enabled }) => enabled)).toEqual([false, false]);
  });
});

describe("ids", () => {
  test("only stable ids are senders", () => {
    for (const good of [
      ANN,
      `discord:${ANN}`,
      `user:${ANN}`,
      `discord:user:${ANN}`,
      `<@${ANN}>`,
      `<@!${ANN}>`,
      ` ${ANN} `,
      `pk:${ANN}`,
    ])
      expect(facts.senderId(good)).toBe(ANN);
    for (const bad of [
      "",
      " ",
      "ann",
      "@ann",
      "ann#1234",
      "Ann",
      "+",
      "1",
      `${ANN}0000`,
      `x${ANN}`,
      `channel:${ANN}`,
      "２０００００００００００００００００１",
      "<@&200000000000000001>",
    ])
      expect(facts.senderId(bad)).toBeUndefined();
  });

  test("a place is a person or a channel, and a bare number could be either", () => {
    const at = (raw: string) => facts.target(raw).chatId;
    expect(at(`user:${ANN}`)).toBe(`user:${ANN}`);
    expect(at(`discord:${ANN}`)).toBe(`user:${ANN}`);
    expect(at(`<@${ANN}>`)).toBe(`user:${ANN}`);
    expect(at(`channel:${ROOM}`)).toBe(ROOM);
    expect(at(`discord:channel:${ROOM}`)).toBe(ROOM);
    expect(at(`<#${ROOM}>`)).toBe(ROOM);
    expect(() => at(ROOM)).toThrow("could be a person or a channel");
    for (const bad of ["", "general", "#general", "@ann", "user:", "channel:1", "telegram:5"])
      expect(() => at(bad)).toThrow("is no place on Discord");
    for (const raw of [`user:${ANN}`, `channel:${ROOM}`])
      expect(facts.label!(facts.target(raw))).toBe(raw);
  });

  test("a stranger is told the id", () => {
    expect(facts.idLine("5")).toBe("Your Discord user id: 5");
  });

  test("slugs", () => {
    expect(slugOf("#Friends of  Claws!")).toBe("friends-of-claws");
    expect(slugOf("🦞")).toBe("");
  });
});

describe("direct messages", () => {
  test("strangers ask for a code unless the config says otherwise, in either spelling", () => {
    expect(rules({}, direct)).toMatchObject({ dmPolicy: "pairing", allowFrom: [] });
    expect(rules({ dm: { policy: "allowlist", allowFrom: [`<@${ANN}>`] } }, direct)).toMatchObject({
      dmPolicy: "allowlist",
      allowFrom: [ANN],
    });
    expect(
      rules({ dmPolicy: "open", allowFrom: ["*"], dm: { policy: "allowlist" } }, direct),
    ).toMatchObject({
      dmPolicy: "open",
      allowFrom: ["*"],
    });
    expect(
      rules({ dm: { enabled: false, policy: "open" }, allowFrom: ["*"] }, direct).dmPolicy,
    ).toBe("disabled");
  });

  test("a name is in no list, unless that danger was chosen", () => {
    const lists = { allowFrom: ["ann", "Ann", "ann#1234"] };
    expect(rules(lists, direct).allowFrom).toEqual([]);
    const chosen = { ...lists, dangerouslyAllowNameMatching: true };
    expect(rules(chosen, direct).allowFrom).toContain(ANN);
    expect(
      rules(chosen, { ...direct, sender: { id: "5", name: "Anna", handle: "аnn" } }).allowFrom,
    ).toEqual([]);
  });

  test("conversations of several people are off unless switched on", () => {
    const group = said({ chat: "group", room: {} });
    expect(rules({}, group).room).toMatchObject({ enabled: false });
    expect(rules({ dm: { groupEnabled: true } }, group).room).toMatchObject({ enabled: true });
    expect(rules({ dm: { groupEnabled: true, groupChannels: ["1"] } }, group).room).toBe(
      "unlisted",
    );
  });
});

describe("servers", () => {
  const room = (config: object, inbound = said()) => rules(config, inbound).room;

  test("a listed server lets its people in, with a mention; another one does not", () => {
    const listed = rules({ guilds: { [GUILD]: {} } });
    expect(listed).toMatchObject({
      groupPolicy: "open",
      room: { enabled: true, requireMention: true },
    });
    expect(room({ guilds: { "300000000000000009": {} } })).toBe("unlisted");
    expect(room({})).toBe("unlisted");
    expect(rules({ groupPolicy: "open" })).toMatchObject({
      groupPolicy: "open",
      room: { requireMention: true },
    });
    expect(rules({ groupPolicy: "open", guilds: { "1": {} } }).room).toBe("unlisted");
    expect(rules({ groupPolicy: "disabled", guilds: { [GUILD]: {} } }).groupPolicy).toBe(
      "disabled",
    );
  });

  test("with a list of senders and no servers, the listed are let in anywhere", () => {
    expect(rules({ allowFrom: [ANN] })).toMatchObject({
      groupPolicy: "allowlist",
      groupAllowFrom: [ANN],
      room: { requireMention: true },
    });
    expect(rules({ groupAllowFrom: ["5"], guilds: { [GUILD]: {} } }).groupPolicy).toBe("allowlist");
  });

  test("a server's name is anybody's, so it counts only when that danger was chosen", () => {
    const guilds = { "friends-of-claws": {} };
    expect(room({ guilds })).toBe("unlisted");
    expect(room({ guilds, dangerouslyAllowNameMatching: true })).toMatchObject({ enabled: true });
    expect(room({ guilds: { [GUILD]: { requireMention: false }, "*": {} } })).toMatchObject({
      requireMention: false,
    });
  });

  test("channels: by id, by the parent of a thread, by name, by star; a listed map lists all", () => {
    const with_ = (channels: object, inbound?: Inbound) =>
      room({ guilds: { [GUILD]: { requireMention: false, channels } } }, inbound);
    expect(with_({})).toMatchObject({ requireMention: false });
    expect(with_({ [ROOM]: { requireMention: true } })).toMatchObject({ requireMention: true });
    expect(with_({ general: { allow: false } })).toMatchObject({ enabled: false });
    expect(with_({ "#General": { enabled: true } })).toMatchObject({ enabled: true });
    expect(with_({ other: {} })).toBe("unlisted");
    expect(with_({ other: {}, "*": { systemPrompt: "Be kind." } })).toMatchObject({
      systemPrompt: "Be kind.",
    });
    const thread = said({
      from: { channel: "discord", account: "default", chatId: "9" },
      room: { title: "general", thread: "secret", parentId: ROOM, space: { id: GUILD } },
    });
    expect(with_({ [ROOM]: { allow: true } }, thread)).toMatchObject({ enabled: true });
    expect(with_({ secret: { allow: true } }, thread)).toBe("unlisted");
  });

  test("users and roles of the channel before those of the server; an empty list is nobody", () => {
    const people = (guild: object, inbound?: Inbound) => {
      const found = room({ guilds: { [GUILD]: guild } }, inbound);
      return found === "unlisted" ? found : found.allowFrom;
    };
    expect(people({})).toBeUndefined();
    expect(people({ users: [`user:${ANN}`, "bob"] })).toEqual([ANN]);
    expect(people({ users: [] })).toEqual([]);
    expect(people({ users: [ANN], channels: { general: { users: ["5"] } } })).toEqual([]);
    expect(people({ users: ["*"] })).toEqual(["*"]);
    expect(people({ roles: ["77"] })).toEqual([]);
    expect(people({ roles: ["77"] }, said({ sender: { id: ANN, roles: ["77"] } }))).toEqual([ANN]);
  });

  test("tools by sender, else of the channel, else of the server", () => {
    const tools = (guild: object) => {
      const found = room({ guilds: { [GUILD]: guild } });
      return found === "unlisted" ? found : found.tools;
    };
    expect(tools({ tools: { deny: ["exec"] } })).toEqual({ deny: ["exec"] });
    expect(
      tools({ tools: { deny: ["exec"] }, toolsBySender: { [ANN]: { allow: ["exec"] } } }),
    ).toEqual({ allow: ["exec"] });
    expect(tools({ toolsBySender: { "*": { deny: ["a"] }, ann: { allow: ["exec"] } } })).toEqual({
      deny: ["a"],
    });
    expect(
      tools({ tools: { deny: ["a"] }, channels: { general: { tools: { deny: ["b"] } } } }),
    ).toEqual({ deny: ["b"] });
  });
});

test("permissions are counted as the platform counts them", () => {
  const send = 1n << 11n;
  const of = (more: object) =>
    permissionsOf({
      guild: {
        id: "1",
        owner_id: "9",
        roles: [
          { id: "1", permissions: `${send}` },
          { id: "2", permissions: "0" },
          { id: "3", permissions: "8" },
        ],
      },
      member: { id: "5", roles: [] },
      overwrites: [],
      ...more,
    }) & send;
  expect(of({})).toBe(send);
  expect(of({ overwrites: [{ id: "1", allow: "0", deny: `${send}` }] })).toBe(0n);
  const mixed = [
    { id: "1", allow: "0", deny: `${send}` },
    { id: "2", allow: `${send}`, deny: "0" },
  ];
  expect(of({ overwrites: mixed, member: { id: "5", roles: ["2"] } })).toBe(send);
  expect(
    of({
      overwrites: [...mixed, { id: "5", allow: "0", deny: `${send}` }],
      member: { id: "5", roles: ["2"] },
    }),
  ).toBe(0n);
  expect(of({ overwrites: mixed, member: { id: "5", roles: ["3"] } })).toBe(send);
  expect(of({ overwrites: mixed, member: { id: "9", roles: [] } })).toBe(send);
  expect(INVITE_PERMISSIONS).toBe("309237763136");
});
