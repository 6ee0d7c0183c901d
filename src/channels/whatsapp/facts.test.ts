import { describe, expect, test } from "bun:test";

import type { Inbound } from "../../flow.ts";
import { WhatsappConfig } from "./config.ts";
import { facts, OWNER_ROLE } from "./facts.ts";
import { chatId, jidOf, personId } from "./jid.ts";

const config = (section: Record<string, unknown>) => WhatsappConfig.parse(section);
const inbound = (over: Partial<Inbound> & { chatId?: string } = {}): Inbound => ({
  id: "1",
  from: { channel: "whatsapp", account: "default", chatId: over.chatId ?? "+15551234567" },
  chat: "dm",
  sender: { id: "+15551234567" },
  text: "",
  media: [],
  mentioned: false,
  at: 0,
  ...over,
});

describe("ids of people", () => {
  test("every spelling of a number is one id", () => {
    const spellings = [
      ...["+15551234567", "15551234567", "+1 (555) 123-4567", "whatsapp:+1-555-123-4567"],
      ...["0015551234567", " 1.555.123.4567 ", "15551234567@s.whatsapp.net", "15551234567:12@c.us"],
      ...["WhatsApp: 1555 1234567", "1/555/1234567"],
    ];
    expect(new Set(spellings.map(facts.senderId))).toEqual(new Set(["+15551234567"]));
  });

  test("what is no number is nobody", () => {
    const bad = [
      ...[
        "",
        " ",
        "+",
        "++15551234567",
        "+1555-CALL",
        "ada",
        "@ada",
        "*",
        "null",
        "1234",
        "0151 234567",
      ],
      ...[
        "1234567890123456",
        "+99915550001234567",
        "١٥٥٥١٢٣٤٥٦٧",
        "+1555１２３４５６７",
        "15551234567@evil.net",
      ],
      ...[
        "15551234567@g.us",
        "+1555 1234567 x9",
        "15551234567\n15557654321",
        "status@broadcast",
        "00+15551234567",
      ],
    ];
    expect(bad.filter((entry) => facts.senderId(entry) !== undefined)).toEqual([]);
  });

  test("a longer number that ends with an allowed one is somebody else", () => {
    expect(facts.senderId("+99915551234")).toBe("+99915551234");
    const rules = facts.rules(config({ allowFrom: ["+15551234"] }), inbound());
    expect(rules.allowFrom).toEqual(["+15551234"]);
  });

  test("a hidden id stays one", () => {
    expect(personId("123456@lid")).toBe("123456@lid");
    expect(personId("123456:7@lid")).toBe("123456@lid");
    expect(personId("x@lid")).toBeUndefined();
  });
});

test("where to send: a number, a group, a hidden id", () => {
  expect(facts.target("whatsapp:+1 555 1234567")).toEqual({ chatId: "+15551234567" });
  expect(facts.target("120363000000001000@g.us")).toEqual({ chatId: "120363000000001000@g.us" });
  expect(facts.target("491511234567-1600000000@G.US").chatId).toBe("491511234567-1600000000@g.us");
  for (const raw of ["", "ada", "120363@newsletter", "status@broadcast", "12@g.us"])
    expect(() => facts.target(raw)).toThrow(expect.objectContaining({ code: "bad_request" }));
  expect(jidOf("+15551234567")).toBe("15551234567@s.whatsapp.net");
  expect(chatId(jidOf("+15551234567"))).toBe("+15551234567");
});

test("an account is there when its section is; what it does not say, the channel says", () => {
  const env = () => undefined;
  expect(facts.accounts(undefined, env)).toEqual([]);
  expect(facts.accounts(config({}), env)).toMatchObject([
    { id: "default", enabled: true, credential: { source: "linked" } },
  ]);
  const section = config({
    dmPolicy: "open",
    mediaMaxMb: 7,
    accounts: { work: { name: "Work", dmPolicy: "allowlist" }, old: { enabled: false } },
  });
  const plans = facts.accounts(section, env);
  expect(plans.map(({ id, enabled, name }) => [id, enabled, name])).toEqual([
    ["work", true, "Work"],
    ["old", false, undefined],
  ]);
  expect(plans.map((plan) => [plan.config.dmPolicy, plan.config.mediaMaxMb])).toEqual([
    ["allowlist", 7],
    ["open", 7],
  ]);
  expect(facts.accounts(config({ enabled: false }), env)[0]!.enabled).toBe(false);
  expect(facts.accounts(config({ web: { enabled: false } }), env)[0]!.enabled).toBe(false);
});

describe("rules", () => {
  const group = "120363000000001000@g.us";
  const inGroup = inbound({ chat: "group", chatId: group });
  const rules = (section: Record<string, unknown>, message = inGroup) =>
    facts.rules(config(section), message);

  test("with no list at all only the owner's own chat is let in", () => {
    expect(rules({}, inbound()).allowFrom).toEqual([]);
    const own = inbound({ sender: { id: "+15550000001", roles: [OWNER_ROLE] } });
    expect(rules({ dmPolicy: "disabled" }, own)).toMatchObject({
      ...{ allowFrom: ["+15550000001"], dmPolicy: "allowlist" },
    });
    const forged = { ...own, chat: "group" as const };
    expect(rules({}, forged).allowFrom).toEqual([]);
  });

  test("groups: everybody's list, the map, and `*` in both", () => {
    const base = { allowFrom: ["+1 555 1234567", "nonsense", "*"] };
    expect(rules(base).groupAllowFrom).toEqual(["+15551234567", "*"]);
    expect(rules({ ...base, groupAllowFrom: ["+15557654321"] }).groupAllowFrom).toEqual([
      "+15557654321",
    ]);
    expect(rules({}).room).toEqual({ enabled: true, requireMention: true });
    expect(rules({ groups: { "1@g.us": {} } }).room).toBe("unlisted");
    expect(rules({ groups: { "*": { requireMention: false } } }).room).toMatchObject({
      requireMention: false,
    });
    const both = {
      "*": { requireMention: false, systemPrompt: "all" },
      [group]: { enabled: false },
    };
    expect(rules({ groups: both }).room).toEqual({
      ...{ enabled: false, requireMention: false, systemPrompt: "all" },
    });
  });

  test("tools: the sender in the group, the group, everybody, in this order", () => {
    const own = { deny: ["exec"] };
    const all = { allow: ["read"] };
    const of = (groups: Record<string, unknown>) => {
      const { room } = rules({ groups });
      return room === "unlisted" ? room : room.tools;
    };
    expect(of({ [group]: { toolsBySender: { "+1 555 1234567": own }, tools: all } })).toEqual(own);
    expect(of({ [group]: { toolsBySender: { "+15557654321": own }, tools: all } })).toEqual(all);
    expect(of({ [group]: {}, "*": { toolsBySender: { "*": own }, tools: all } })).toEqual(own);
    expect(of({ [group]: {} })).toBeUndefined();
  });
});

test("a stranger is told the number", () => {
  expect(facts.idLine("+15551234567")).toBe("Your WhatsApp phone number: +15551234567");
});
