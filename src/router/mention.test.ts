import { describe, expect, test } from "bun:test";

import type { Inbound } from "../flow.ts";
import {
  compilePattern,
  isMentioned,
  isMentionRequired,
  mentionPatterns,
  Mentions,
} from "./mention.ts";

const mentions = new Mentions();
const calls = (text: string, ...patterns: string[]) => mentions.match(text, patterns);

describe("patterns", () => {
  test("the agent's come first, even none, then those for all, then its name and emoji", () => {
    const agent = { identity: { name: "Claw Bot", emoji: "🦞" } };
    const all = { groupChat: { mentionPatterns: ["all"] } };
    const own = { ...agent, groupChat: { mentionPatterns: ["own"] } };
    expect(mentionPatterns(own, all)).toEqual(["own"]);
    expect(mentionPatterns({ ...agent, groupChat: { mentionPatterns: [] } }, all)).toEqual([]);
    expect(mentionPatterns(agent, all)).toEqual(["all"]);
    expect(mentionPatterns(undefined, {})).toEqual([]);
    const derived = mentionPatterns(agent, {});
    for (const text of [
      "claw bot?",
      "hey @Claw  Bot, you",
      "CLAW\nBOT",
      "look 🦞",
      "cl\u200baw bot",
    ])
      expect([text, calls(text, ...derived)]).toEqual([text, true]);
    for (const text of ["clawbot", "clawed bots", "myclaw bot", "claw", "клaw bot", "сlaw bot", ""])
      expect([text, calls(text, ...derived)]).toEqual([text, false]);
  });

  test("a name in any script has edges, and signs in it are letters", () => {
    const of = (name: string) => mentionPatterns({ identity: { name } }, {});
    expect(calls("hallo Größe!", ...of("Größe"))).toBe(true);
    expect(calls("Größenwahn", ...of("Größe"))).toBe(false);
    expect(calls("ask c++ about it", ...of("C++"))).toBe(true);
    expect(calls("ask ccc about it", ...of("C++"))).toBe(false);
    expect(calls("你好 小龙 在吗", ...of("小龙"))).toBe(true);
  });

  test("a word edge that lost its backslash in the file is put right", () => {
    expect(mentionPatterns({ groupChat: { mentionPatterns: ["\bclaw\b"] } }, {})).toEqual([
      "\\bclaw\\b",
    ]);
  });

  test("letter case and invisible characters do not count", () => {
    expect(calls("C\u200dL\u2060A\u202eW", "\\bclaw\\b")).toBe(true);
    expect(calls("claw", "CLAW")).toBe(true);
  });

  test("a mistake in one pattern leaves the others, and is reported once", () => {
    const refused: string[] = [];
    const all = new Mentions((pattern) => refused.push(pattern));
    for (let i = 0; i < 3; i++) expect(all.match("claw", ["(", "cl(aw"])).toBe(false);
    expect(all.match("claw", ["(", "claw"])).toBe(true);
    expect(refused).toEqual(["(", "cl(aw"]);
  });

  test("a pattern that a hostile text could keep busy is not used", () => {
    for (const slow of [
      "(a+)+$",
      "(a|aa)+b",
      "((a|b))*c",
      "(.*)*x",
      "(?:a{1,30}){1,30}x",
      ".*a.*b.*c",
      "(a)\\1+",
      `${"a?".repeat(30)}b`,
      "x".repeat(201),
      "",
    ])
      expect([slow, typeof compilePattern(slow)]).toEqual([slow, "string"]);
    for (const fine of [
      "\\bclaw\\b",
      "^hey\\s+claw\\s*[,:!]?\\s*",
      "(?:claw|bot)",
      "claw\\w*",
      "@?claw(?:bot)?",
      "[cC]l[a4]w+",
      "(?<!x)claw",
    ])
      expect([fine, compilePattern(fine) instanceof RegExp]).toEqual([fine, true]);
  });

  test("a long text is searched at both ends only", () => {
    const filler = "x ".repeat(50_000);
    expect(calls(`claw ${filler}`, "\\bclaw\\b")).toBe(true);
    expect(calls(`${filler} claw`, "\\bclaw\\b")).toBe(true);
    expect(calls(`${filler} claw ${filler}`, "\\bclaw\\b")).toBe(false);
  });
});

describe("the gate", () => {
  const inbound = (over: Partial<Inbound>): Inbound => ({
    id: "1",
    from: { channel: "x", account: "default", chatId: "g" },
    chat: "group",
    sender: { id: "42" },
    text: "claw, are you there?",
    media: [],
    mentioned: false,
    at: 0,
    ...over,
  });
  const named = (text: string) => calls(text, "\\bclaw\\b");

  test("the platform's mention, a reply to us, a menu command and our name count", () => {
    const nothing = { text: "hello" };
    expect(isMentioned(inbound(nothing), named)).toBe(false);
    expect(isMentioned(inbound({ ...nothing, mentioned: true }), named)).toBe(true);
    const quoted = { id: "9", text: "", sender: "us" };
    expect(isMentioned(inbound({ ...nothing, quoted }), named)).toBe(false);
    expect(isMentioned(inbound({ ...nothing, quoted: { ...quoted, mine: true } }), named)).toBe(
      true,
    );
    expect(isMentioned(inbound({ ...nothing, command: { name: "x", args: "" } }), named)).toBe(
      true,
    );
    expect(isMentioned(inbound({}), named)).toBe(true);
  });

  test("our name means nothing in a message that mentions somebody else", () => {
    expect(isMentioned(inbound({ mentionsOthers: true }), named)).toBe(false);
    expect(isMentioned(inbound({ mentionsOthers: true, mentioned: true }), named)).toBe(true);
  });

  test("what was set by /activation counts before the config", () => {
    expect(isMentionRequired("always", true)).toBe(false);
    expect(isMentionRequired("mention", false)).toBe(true);
    expect(isMentionRequired(undefined, false)).toBe(false);
  });
});
