import { describe, expect, test } from "bun:test";

import type { AccessRules, RoomRules } from "../channels/channel.ts";
import type { Inbound } from "../flow.ts";
import { type Access, type AccessInput, authorize, isSenderId, ownersOf } from "./access.ts";

const NOBODY = ownersOf([], "x", (id) => id);
const room: RoomRules = { enabled: true, requireMention: true };
const rules = (over: Partial<AccessRules> = {}): AccessRules => ({
  dmPolicy: "pairing",
  allowFrom: [],
  groupPolicy: "allowlist",
  groupAllowFrom: [],
  room,
  historyLimit: 50,
  bots: false,
  ...over,
});
const ask = (
  over: Partial<AccessRules>,
  {
    id = "42",
    chat = "dm",
    sender = {},
    approved = [],
    owners = NOBODY,
    accessGroups = true,
  }: {
    id?: string;
    chat?: Inbound["chat"];
    sender?: Partial<Inbound["sender"]>;
    approved?: string[];
    owners?: AccessInput["owners"];
    accessGroups?: boolean;
  } = {},
): Access =>
  authorize({
    rules: rules(over),
    inbound: { chat, sender: { id, ...sender } },
    approved: new Set(approved),
    owners,
    accessGroups,
  });
/** `allow`, `pair`, or the reason of the drop. */
const word = (access: Access): string => (access.kind === "drop" ? access.reason : access.kind);

describe("direct messages", () => {
  const table: [
    policy: AccessRules["dmPolicy"],
    allowFrom: string[],
    approved: string[],
    string,
  ][] = [
    ["disabled", ["42", "*"], ["42"], "disabled"],
    ["open", ["*"], [], "allow"],
    ["open", [], [], "not_allowed"],
    ["open", ["7"], [], "not_allowed"],
    ["open", ["42"], [], "allow"],
    ["allowlist", [], [], "not_allowed"],
    ["allowlist", ["7"], [], "not_allowed"],
    ["allowlist", ["42"], [], "allow"],
    ["allowlist", ["*"], [], "allow"],
    ["allowlist", [], ["42"], "allow"],
    ["pairing", [], [], "pair"],
    ["pairing", ["7"], ["8"], "pair"],
    ["pairing", ["42"], [], "allow"],
    ["pairing", [], ["42"], "allow"],
    ["pairing", ["*"], [], "allow"],
  ];
  for (const [dmPolicy, allowFrom, approved, expected] of table)
    test(`${dmPolicy}, listed ${allowFrom.join(" ") || "nobody"}, approved ${approved.join(" ") || "nobody"}: ${expected}`, () => {
      expect(word(ask({ dmPolicy, allowFrom }, { approved }))).toBe(expected);
    });

  test("the rules for groups say nothing about direct messages", () => {
    const open = { groupPolicy: "open", groupAllowFrom: ["42", "*"] } as const;
    expect(word(ask({ ...open, dmPolicy: "allowlist" }))).toBe("not_allowed");
  });
});

describe("groups", () => {
  type Row = [
    policy: AccessRules["groupPolicy"],
    groupAllowFrom: string[],
    room: AccessRules["room"],
    expected: string,
  ];
  const table: Row[] = [
    ["disabled", ["42", "*"], room, "disabled"],
    ["disabled", ["*"], { ...room, allowFrom: ["42"] }, "disabled"],
    ["allowlist", [], room, "not_allowed"],
    ["allowlist", ["7"], room, "not_allowed"],
    ["allowlist", ["42"], room, "allow"],
    ["allowlist", ["*"], room, "allow"],
    ["allowlist", ["42"], "unlisted", "unlisted"],
    ["allowlist", ["7"], "unlisted", "not_allowed"],
    ["open", [], room, "allow"],
    ["open", ["7"], room, "allow"],
    ["open", [], "unlisted", "unlisted"],
    ["open", ["42"], { ...room, enabled: false }, "disabled"],
    // The chat's own list takes the place of the other one, and an empty one lets nobody in.
    ["allowlist", ["42"], { ...room, allowFrom: ["7"] }, "not_allowed"],
    ["allowlist", ["7"], { ...room, allowFrom: ["42"] }, "allow"],
    ["allowlist", ["42"], { ...room, allowFrom: [] }, "not_allowed"],
    ["open", [], { ...room, allowFrom: ["7"] }, "not_allowed"],
    ["open", [], { ...room, allowFrom: [] }, "not_allowed"],
    ["open", [], { ...room, allowFrom: ["*"] }, "allow"],
  ];
  for (const chat of ["group", "channel"] as const)
    for (const [groupPolicy, groupAllowFrom, at, expected] of table)
      test(`${chat}, ${groupPolicy}, listed ${groupAllowFrom.join(" ") || "nobody"}, ${JSON.stringify(at)}: ${expected}`, () => {
        expect(word(ask({ groupPolicy, groupAllowFrom, room: at }, { chat }))).toBe(expected);
      });

  test("who was let in by a code for direct messages is a stranger there (B5)", () => {
    expect(word(ask({}, { chat: "group", approved: ["42"] }))).toBe("not_allowed");
    const open = ask({ groupPolicy: "open" }, { chat: "group", approved: ["42"] });
    expect(open).toEqual({ kind: "allow", trust: "guest", commands: false });
  });

  test("the policy for direct messages says nothing about groups", () => {
    const access = ask({ dmPolicy: "open", allowFrom: ["*"] }, { chat: "group" });
    expect(word(access)).toBe("not_allowed");
  });
});

describe("identities", () => {
  test("only the very same id is on a list (B3)", () => {
    const allowFrom = ["+15550001234", "42"];
    for (const id of [
      "+99915550001234",
      "5550001234",
      "+1555000123",
      "+15550001234 ",
      " 42",
      "042",
      "４２",
      "٤٢",
      "4\u200b2",
      "42\n",
      "",
      " ",
      "+",
      "\u0000",
      "null",
      "undefined",
    ])
      expect([id, word(ask({ dmPolicy: "allowlist", allowFrom }, { id }))]).toEqual([
        id,
        "not_allowed",
      ]);
    expect(word(ask({ allowFrom }, { id: "+15550001234" }))).toBe("allow");
  });

  test("a sender without an id is nobody, however open the door is", () => {
    for (const id of ["", " ", "\t", "*", "*42", "４２", "a b", "x".repeat(201)]) {
      const open = { dmPolicy: "open", allowFrom: ["*", id], groupPolicy: "open" } as const;
      expect([id, isSenderId(id)]).toEqual([id, false]);
      expect(word(ask(open, { id, approved: [id] }))).toBe("not_allowed");
      expect(word(ask(open, { id, chat: "group" }))).toBe("not_allowed");
    }
  });

  test("names and handles let nobody in (B2)", () => {
    const sender = { name: "ada", handle: "ada" };
    for (const allowFrom of [["ada"], ["@ada"]])
      expect(word(ask({ allowFrom, dmPolicy: "allowlist" }, { sender }))).toBe("not_allowed");
  });

  test("our own account and bots are not answered, bots only where they are wanted (B7)", () => {
    const open = { dmPolicy: "open", allowFrom: ["*", "42"] } as const;
    expect(word(ask(open, { sender: { self: true } }))).toBe("own");
    expect(word(ask({ ...open, bots: true }, { sender: { self: true } }))).toBe("own");
    expect(word(ask(open, { sender: { bot: true } }))).toBe("bot");
    expect(word(ask({ ...open, bots: true }, { sender: { bot: true } }))).toBe("allow");
    expect(word(ask({ bots: true }, { sender: { bot: true } }))).toBe("not_allowed");
  });
});

describe("trust and commands", () => {
  const of = (access: Access) => access.kind === "allow" && [access.trust, access.commands];
  const owners = (...entries: string[]) => ownersOf(entries, "x", (id) => id);

  test("without named owners, who is named for direct messages or was approved is the owner", () => {
    expect(of(ask({ allowFrom: ["42"] }))).toEqual(["owner", true]);
    expect(of(ask({}, { approved: ["42"] }))).toEqual(["owner", true]);
    expect(of(ask({ allowFrom: ["42"], groupPolicy: "open" }, { chat: "group" }))).toEqual([
      "owner",
      true,
    ]);
    expect(of(ask({ groupAllowFrom: ["42"] }, { chat: "group" }))).toEqual(["known", true]);
  });

  test("with named owners nobody else is one, not even when no entry can be used", () => {
    expect(of(ask({ allowFrom: ["42"] }, { owners: owners("x:42") }))).toEqual(["owner", true]);
    expect(of(ask({ allowFrom: ["42"] }, { owners: owners("x:7") }))).toEqual(["known", true]);
    expect(of(ask({}, { approved: ["42"], owners: owners("x:7") }))).toEqual(["known", true]);
    expect(of(ask({ allowFrom: ["42"] }, { owners: owners("x:group:1") }))).toEqual([
      "known",
      true,
    ]);
  });

  test("whoever is let in only because everybody is, is a guest", () => {
    expect(of(ask({ allowFrom: ["*"] }))).toEqual(["guest", true]);
    expect(of(ask({ groupPolicy: "open" }, { chat: "group" }))).toEqual(["guest", false]);
    expect(of(ask({ groupAllowFrom: ["*"] }, { chat: "group" }))).toEqual(["guest", true]);
  });

  test("an open door for direct messages gives no commands in groups", () => {
    const open = { groupPolicy: "open", allowFrom: ["*"] } as const;
    expect(of(ask(open, { chat: "group" }))).toEqual(["guest", false]);
  });

  test("without access groups, everybody who is let in may use commands", () => {
    expect(of(ask({ groupPolicy: "open" }, { chat: "group", accessGroups: false }))).toEqual([
      "guest",
      true,
    ]);
  });

  test("an owner is one only of the own channel, by a person's id (B6)", () => {
    const canonical = (entry: string) => (/^[\d+]+$/.test(entry) ? entry : undefined);
    const made = (...entries: (string | number)[]) => ownersOf(entries, "tele", canonical);
    expect([...made("tele:42", "TELE:43", 44, "other:45", "  tele: 46 ").ids]).toEqual([
      "42",
      "43",
      "44",
      "46",
    ]);
    const chats = [
      "channel:42",
      "tele:channel:42",
      "tele:group:42",
      "group:42",
      "guild:1",
      "thread:2",
      "-100123",
      "tele:-100123",
      "120363@g.us",
      "42:topic:7",
      "*",
      "tele:*",
      "",
      "tele:",
    ];
    const refused = made(...chats);
    expect([...refused.ids]).toEqual([]);
    expect(refused.refused).toEqual(chats);
    expect(refused.configured).toBe(true);
    expect([...made("tele:ada", "@ada").ids]).toEqual([]);
  });
});
