/** Accounts, who may talk, and how ids and targets are written on Telegram: without its library. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TelegramConfig } from "../../src/channels/telegram/config.ts";
import { facts } from "../../src/channels/telegram/facts.ts";
import { messageNumber } from "../../src/channels/telegram/target.ts";
import type { Inbound } from "../../src/flow.ts";
import { inbound } from "../flow/house.ts";

const section = (raw: Record<string, unknown>) => TelegramConfig.parse(raw);
const env =
  (values: Record<string, string> = {}) =>
  (name: string) =>
    values[name];
const plans = (raw: Record<string, unknown> | undefined, values: Record<string, string> = {}) =>
  facts.accounts(raw && section(raw), env(values));
const A = "111:aaaa-token";
const B = "222:bbbb-token";

test("the environment alone is enough, for the default account only", () => {
  expect(plans(undefined)).toEqual([]);
  expect(plans(undefined, { TELEGRAM_BOT_TOKEN: A })).toMatchObject([
    { id: "default", enabled: true, credential: { source: "env" } },
  ]);
  expect(plans({ accounts: { work: {} } }, { TELEGRAM_BOT_TOKEN: A })).toMatchObject([
    { id: "work", credential: { source: "none" } },
  ]);
  expect(plans({})).toMatchObject([{ id: "default", credential: { source: "none" } }]);
});

test("a token is taken in the published order, and an account never has the channel's", () => {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-telegram-"));
  const file = join(dir, "token");
  writeFileSync(file, `${B}\n`);
  const [fromFile] = plans({ tokenFile: file, botToken: A }, { TELEGRAM_BOT_TOKEN: "333:cccc" });
  expect(fromFile).toMatchObject({ credential: { source: "tokenFile" } });
  expect(fromFile!.config).toMatchObject({ tokenFile: file, botToken: undefined });
  const [ownFirst] = plans({ tokenFile: file, accounts: { default: { botToken: A } } });
  expect(ownFirst!.config).toMatchObject({ tokenFile: undefined, botToken: A });
  const rows = plans({ botToken: A, accounts: { Work: { name: "Work" } } });
  expect(rows.map(({ id, credential }) => [id, credential.source])).toEqual([
    ["work", "none"],
    ["default", "config"],
  ]);
  rmSync(dir, { recursive: true });
});

test("a token file that is missing is a problem, and nothing else is tried", () => {
  const [plan] = plans({ tokenFile: "/nowhere/token", botToken: A }, { TELEGRAM_BOT_TOKEN: A });
  expect(plan!.credential.source).toBe("tokenFile");
  expect(plan!.credential.problem).toContain("channels.telegram.tokenFile is not there");
});

test("what is no token is told with the setting's name", () => {
  const problem = (raw: Record<string, unknown>) => plans(raw)[0]!.credential.problem;
  expect(problem({ botToken: "YOUR_TOKEN" })).toContain(
    "channels.telegram.botToken is no bot token",
  );
  expect(problem({ accounts: { work: { botToken: "1:a/../x" } } })).toContain(
    "channels.telegram.accounts.work.botToken",
  );
  expect(problem({ botToken: ` ${A} ` })).toBeUndefined();
});

test("a second account with the same token does not run, so there is one poll of each", () => {
  const rows = plans({
    accounts: { one: { botToken: A }, two: { botToken: A }, three: { botToken: B } },
  });
  expect(rows.map(({ credential }) => credential.problem)).toEqual([
    undefined,
    "channels.telegram.accounts.two.botToken is the same token as channels.telegram.accounts.one.botToken; every account needs a bot of its own.",
    undefined,
  ]);
  const off = plans({
    accounts: { one: { botToken: A, enabled: false }, two: { botToken: A } },
  });
  expect(off.map(({ credential }) => credential.problem)).toEqual([undefined, undefined]);
});

test("an account has the channel's keys, and its own over them", () => {
  const [plan] = plans({
    dmPolicy: "open",
    allowFrom: ["*"],
    accounts: { work: { botToken: A, allowFrom: [7] } },
  });
  expect(plan!.config).toMatchObject({ dmPolicy: "open", allowFrom: [7], replyToMode: "first" });
  expect(plan!.config.accounts).toBeUndefined();
});

test("only numbers are ids", () => {
  for (const id of ["42", "telegram:42", "tg:42", "TG: 42", " 42 "])
    expect(facts.senderId(id)).toBe("42");
  expect(facts.senderId("-1001234")).toBe("-1001234");
  for (const no of ["@ann", "ann", "", "*", "+42", "042", "４２", "42 43", "42abc", "4.2", "tg:"])
    expect(facts.senderId(no)).toBeUndefined();
  expect(facts.idLine("42")).toBe("Your Telegram user id: 42");
});

const message = (over: Partial<Inbound> = {}, group = true) =>
  inbound("hi", {
    from: { channel: "telegram", account: "default", chatId: group ? "-100" : "42" },
    chat: group ? "group" : "dm",
    sender: { id: "42", handle: "ann" },
    ...over,
  });
const rules = (raw: Record<string, unknown>, over: Partial<Inbound> = {}, group = true) =>
  facts.rules(section(raw), message(over, group));
const inTopic = (threadId: string) => ({
  from: { channel: "telegram", account: "default", chatId: "-100", threadId },
});

test("names authorise nobody, unless the config says that they do", () => {
  const raw = { allowFrom: ["@ann", "tg:7", 8, "*"] };
  expect(rules(raw).allowFrom).toEqual(["7", "8", "*"]);
  expect(rules({ ...raw, dangerouslyAllowNameMatching: true }).allowFrom).toEqual([
    "42",
    "7",
    "8",
    "*",
  ]);
  const others = { sender: { id: "42", handle: "аnn" } };
  expect(
    rules({ allowFrom: ["@ann"], dangerouslyAllowNameMatching: true }, others).allowFrom,
  ).toEqual([]);
});

test("the list of groups falls back to the list of direct messages, an empty one does not", () => {
  expect(rules({ allowFrom: [7] }).groupAllowFrom).toEqual(["7"]);
  expect(rules({ allowFrom: [7], groupAllowFrom: [] }).groupAllowFrom).toEqual([]);
});

test("groups that are not listed are unlisted when others are", () => {
  expect(rules({}).room).toEqual({ enabled: true, requireMention: true });
  expect(rules({ groups: { "-200": {} } }).room).toBe("unlisted");
  expect(rules({ groups: { "*": { requireMention: false } } }).room).toEqual({
    enabled: true,
    requireMention: false,
  });
  expect(rules({ groups: { "-200": {} } }, {}, false).room).toMatchObject({ enabled: true });
});

test("a topic comes before its group, a group before all groups", () => {
  const groups = {
    "*": { requireMention: false, enabled: false, tools: { deny: ["exec"] } },
    "-100": {
      systemPrompt: "Be short.",
      allowFrom: ["tg:9"],
      topics: {
        "7": { requireMention: true, systemPrompt: "Speak French." },
        "8": { enabled: false },
        "*": { allowFrom: [1] },
      },
    },
  };
  expect(rules({ groups }, inTopic("7")).room).toEqual({
    enabled: true,
    allowFrom: ["1"],
    requireMention: true,
    systemPrompt: "Be short.\n\nSpeak French.",
    tools: { deny: ["exec"] },
  });
  expect(rules({ groups }, inTopic("8")).room).toMatchObject({ enabled: false });
  expect(rules({ groups }).room).toMatchObject({ allowFrom: ["9"], requireMention: false });
});

test("tools of the sender come before those of the group", () => {
  const groups = {
    "*": { tools: { allow: ["read"] }, toolsBySender: { "*": { deny: ["write"] } } },
    "-100": { tools: { deny: ["exec"] }, toolsBySender: { "tg:42": { alsoAllow: ["exec"] } } },
  };
  const toolsOf = (over: Partial<Inbound>) => {
    const { room } = rules({ groups }, over);
    return room === "unlisted" ? room : room.tools;
  };
  expect(toolsOf({})).toEqual({ alsoAllow: ["exec"] });
  expect(toolsOf({ sender: { id: "43" } })).toEqual({ deny: ["exec"] });
  expect(toolsOf({ ...message(), from: { ...message().from, chatId: "-300" } })).toEqual({
    deny: ["write"],
  });
});

test("targets in every spelling", () => {
  const rows: [string, string, string?][] = [
    ["42", "42"],
    ["telegram:42", "42"],
    ["tg:group:-1001", "-1001"],
    ["-1001:topic:7", "-1001", "7"],
    ["-1001:7", "-1001", "7"],
    ["@newsroom", "@newsroom"],
    ["t.me/newsroom", "@newsroom"],
    ["https://t.me/newsroom/", "@newsroom"],
    ["https://t.me/c/123456", "-100123456"],
  ];
  for (const [raw, chatId, threadId] of rows) {
    expect(facts.target(raw)).toEqual({ chatId, ...(threadId && { threadId }) });
    const again = facts.target(facts.label!(facts.target(raw)));
    expect(again).toEqual(facts.target(raw));
  }
  for (const wrong of ["", "ann", "4 2", "@a", "@x/../y", "1:topic:x", "t.me/"])
    expect(() => facts.target(wrong)).toThrow("is no target on Telegram");
});

test("a message is known by its number, alone or behind its chat", () => {
  expect(["7", "-100:7", "42:7"].map(messageNumber)).toEqual([7, 7, 7]);
  expect(["callback:7x", "edit:9:a", "", "0", "-7", undefined].map(messageNumber)).toEqual(
    Array.from({ length: 6 }, () => undefined),
  );
});
