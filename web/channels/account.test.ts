import { expect, test } from "bun:test";

import type { AccountItem, ChannelsStatus } from "../wire.ts";
import { cardsOf, stateOf } from "./account.ts";

const NOW = 1_800_000_000_000;
const well: AccountItem = {
  accountId: "default",
  enabled: true,
  configured: true,
  running: true,
  connected: true,
  lastEventAt: NOW - 5_000,
};
const state = (over: Partial<AccountItem>) => stateOf("telegram", { ...well, ...over }, NOW);

test("connected is only what was heard of lately, and says who we are", () => {
  expect(state({ self: { handle: "my_bot" } })).toEqual({
    tone: "good",
    word: "Connected as @my_bot",
    text: undefined,
  });
  expect(state({ self: { id: "1", e164: "+15550100" } }).word).toBe("Connected as +15550100");
  expect(state({}).word).toBe("Connected");
  const silent = state({ lastEventAt: NOW - 12 * 60_000 });
  expect(silent.tone).toBe("warn");
  expect(silent.word).toMatch(/nothing was heard for 12 min/);
});

test("what does not work says why, and names the setting", () => {
  const wrong = "The token is wrong. Set channels.telegram.botToken.";
  expect(state({ configured: false, running: false, connected: false, lastError: wrong })).toEqual({
    tone: "bad",
    word: "Needs a setting",
    text: wrong,
  });
  expect(state({ running: false, connected: false, lastError: "It fell over." })).toMatchObject({
    tone: "bad",
    word: "Not running",
    text: "It fell over.",
  });
  expect(state({ running: false, connected: false }).text).toMatch(/no reason/);
  const off = state({ accountId: "work", enabled: false });
  expect(off.tone).toBe("off");
  expect(off.text).toContain("channels.telegram.accounts.work.enabled");
});

test("on the way there it is neither good nor bad", () => {
  expect(state({ connected: false })).toMatchObject({ tone: "warn", word: "Connecting" });
  const lastDisconnect = { at: NOW, error: "cut" };
  expect(state({ connected: false, reconnectAttempts: 4, lastDisconnect })).toEqual({
    tone: "warn",
    word: "Not connected, attempt 4",
    text: "cut",
  });
});

test("an account without a link is told apart from one that the phone logged out", () => {
  const gone = { linked: false, running: false, connected: false };
  expect(state(gone)).toMatchObject({ tone: "bad", word: "Not linked" });
  expect(state(gone).text).toMatch(/Link it with a phone/);
  expect(state({ ...gone, lastDisconnect: { at: NOW, loggedOut: true } }).text).toMatch(
    /logged it out/,
  );
});

const status: ChannelsStatus = {
  ts: NOW,
  channelOrder: ["telegram", "whatsapp", "matrix"],
  channelLabels: { telegram: "Telegram", whatsapp: "WhatsApp" },
  channels: {},
  channelAccounts: { telegram: [well, { ...well, accountId: "work", name: "The \u202eoffice" }] },
  warnings: [
    { channel: "telegram", accountId: "work", message: "Telegram (work): it is open.", fix: "x" },
    { channel: "telegram", accountId: "default", message: "Telegram: no token." },
  ],
};

test("there is one card per account in the gateway's order, and its warnings are its own", () => {
  const { cards, missing } = cardsOf(status);
  expect(cards.map(({ title }) => title)).toEqual(["Telegram", "Telegram · The office"]);
  expect(cards.map(({ warnings }) => warnings.map(({ message }) => message))).toEqual([
    ["No token."],
    ["It is open."],
  ]);
  expect(missing.map(({ id, label }) => [id, label])).toEqual([
    ["whatsapp", "WhatsApp"],
    ["matrix", "matrix"],
  ]);
});
