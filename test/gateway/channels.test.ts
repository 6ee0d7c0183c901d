/** `channels.*`, `web.login.*`, `pairing.*`, and the channel parts of `health` and `status`. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Dialled } from "./dial.ts";
import { signedIn } from "./dial.ts";
import { openRig, type Rig } from "./rig.ts";

let rig: Rig;
let client: Dialled;
beforeAll(async () => {
  rig = await openRig();
  client = await signedIn(rig.url, { maxProtocol: 3 });
});
afterAll(async () => {
  client.socket.close();
  await rig.close();
});
beforeEach(() => {
  rig.messaging.views = [];
  rig.messaging.probes.clear();
  rig.messaging.timeouts.length = 0;
  rig.messaging.steps = [];
  rig.messaging.loggedIn = [];
  rig.messaging.notified.length = 0;
});

const TOKEN = "123456789:AAE-secret-secret-secret-secret-12";

describe("channels.status", () => {
  test("has the original's shape, with null for what is not known", async () => {
    rig.messaging.add("telegram", {
      mode: "polling",
      self: { id: "7", handle: "clawd_bot" },
      lastInboundAt: 5,
      roundTripMs: 12,
    });
    rig.messaging.add("telegram", { running: false, connected: false }, { id: "work", name: "W" });
    const answer = await client.call("channels.status", {});
    expect(answer.channelOrder).toEqual(["telegram", "whatsapp", "discord"]);
    expect(answer.channelLabels).toEqual({
      telegram: "Telegram",
      whatsapp: "WhatsApp",
      discord: "Discord",
    });
    expect(answer.channelMeta[0]).toEqual({
      id: "telegram",
      label: "Telegram",
      detailLabel: "Telegram Bot",
      systemImage: "paperplane",
    });
    expect(answer.channelDefaultAccountId).toEqual({
      telegram: "default",
      whatsapp: "default",
      discord: "default",
    });
    // The keys that the original's card reads, each there and null rather than missing.
    expect(answer.channels.telegram).toMatchObject({
      configured: true,
      tokenSource: "config",
      running: true,
      mode: "polling",
      lastStartAt: null,
      lastStopAt: null,
      lastError: null,
      probe: null,
      lastProbeAt: null,
    });
    expect(answer.channels.whatsapp).toMatchObject({
      configured: false,
      linked: false,
      authAgeMs: null,
      self: null,
      running: false,
      connected: false,
      lastConnectedAt: null,
      lastDisconnect: null,
      reconnectAttempts: 0,
      lastMessageAt: null,
      lastEventAt: null,
      lastError: null,
    });
    expect(answer.channels.discord).toMatchObject({ configured: false, tokenSource: "none" });
    const [main, work] = answer.channelAccounts.telegram;
    expect(main).toMatchObject({
      accountId: "default",
      enabled: true,
      configured: true,
      running: true,
      connected: true,
      dmPolicy: "pairing",
      allowFrom: ["42"],
      lastInboundAt: 5,
      lastOutboundAt: null,
      roundTripMs: 12,
    });
    expect(work).toMatchObject({ accountId: "work", name: "W", running: false });
    expect(answer.channelAccounts.discord).toEqual([]);
  });

  test("shows a linked phone under its number", async () => {
    rig.messaging.add(
      "whatsapp",
      { linked: true, self: { id: "15551234567:8@s.whatsapp.net" } },
      { credential: { source: "linked" } },
    );
    const { channels } = await client.call("channels.status", {});
    expect(channels.whatsapp).toMatchObject({
      configured: true,
      linked: true,
      self: { e164: "+15551234567", jid: "15551234567:8@s.whatsapp.net" },
    });
  });

  test("never has the token, whatever stands in the account's config", async () => {
    rig.messaging.add(
      "telegram",
      {},
      { config: { botToken: TOKEN, allowFrom: [], dmPolicy: "open" } },
    );
    for (const method of ["channels.status", "channels.capabilities", "health", "status"])
      expect(JSON.stringify(await client.call(method, { probe: true }))).not.toContain(TOKEN);
  });

  test("a probe asks each running account once, within a second at least", async () => {
    rig.messaging.add("telegram");
    rig.messaging.add("discord", { running: false, connected: false, lastError: "no token" });
    rig.messaging.probes.set("telegram", {
      ok: true,
      elapsedMs: 9,
      detail: "@clawd_bot",
      facts: { bot: { id: 7, username: "clawd_bot" } },
      warnings: ["Privacy mode is on."],
    });
    const answer = await client.call("channels.status", { probe: true, timeoutMs: 3 });
    expect(rig.messaging.timeouts).toEqual([1000]);
    expect(answer.channels.telegram.probe).toMatchObject({
      ok: true,
      elapsedMs: 9,
      bot: { id: 7, username: "clawd_bot" },
    });
    expect(answer.channels.telegram.lastProbeAt).toBeNumber();
    expect(answer.channels.discord.probe).toBeNull();
    expect(answer.warnings).toContainEqual({
      channel: "telegram",
      accountId: "default",
      kind: "permissions",
      message: "Telegram: Privacy mode is on.",
    });
  });

  test("a probe that throws is a probe that failed, and the others are there", async () => {
    rig.messaging.add("telegram");
    rig.messaging.add("discord");
    rig.messaging.probes.set(
      "telegram",
      new AppError("channel_unreachable", "Telegram cannot be reached.", { hint: "Look." }),
    );
    const { channels, warnings } = await client.call("channels.status", { probe: true });
    expect(channels.telegram.probe).toMatchObject({
      ok: false,
      error: "Telegram cannot be reached. Look.",
    });
    expect(channels.discord.probe.ok).toBe(true);
    expect(warnings.map((each: { kind: string }) => each.kind)).toEqual(["auth"]);
  });

  test("warnings name what is wrong and the command that mends it", async () => {
    const old = Date.now() - 600_000;
    rig.messaging.add(
      "telegram",
      { connected: false, lastDisconnect: { at: old, error: "ETIMEDOUT" } },
      { config: { dmPolicy: "open", groupPolicy: "open", allowFrom: ["*"] } },
    );
    rig.messaging.add(
      "whatsapp",
      { linked: false, running: false },
      { credential: { source: "linked" } },
    );
    rig.messaging.add(
      "discord",
      { running: false, lastError: "not configured" },
      { credential: { source: "none" } },
    );
    rig.messaging.add("discord", { running: false }, { id: "off", enabled: false });
    const { warnings } = await client.call("channels.status", {});
    expect(warnings).toMatchObject([
      { kind: "runtime", message: "Telegram: no connection for 10m: ETIMEDOUT" },
      { kind: "privacy", fix: "clawdbot security audit --fix" },
      { kind: "privacy", fix: "clawdbot config set channels.telegram.groupPolicy allowlist" },
      { kind: "auth", fix: "clawdbot channels login --channel whatsapp" },
      { kind: "config", message: "Discord: it has no token." },
    ]);
  });

  test("who is let in by a list is told, and not who is not, whatever the policy says", async () => {
    const open = async (dmPolicy: string, allowFrom: unknown[]) => {
      rig.messaging.views.length = 0;
      rig.messaging.add("telegram", {}, { config: { dmPolicy, allowFrom } });
      const { warnings } = await client.call("channels.status", {});
      return warnings.some(({ kind }: { kind: string }) => kind === "privacy");
    };
    expect(await open("pairing", ["*"])).toBe(true);
    expect(await open("open", [7])).toBe(false);
    expect(await open("disabled", ["*"])).toBe(false);
  });

  test("an account that has just lost its line is no news", async () => {
    rig.messaging.add("telegram", {
      connected: false,
      lastDisconnect: { at: Date.now() - 1_000 },
    });
    expect((await client.call("channels.status", {})).warnings).toEqual([]);
  });
});

test("channels.capabilities gives the actions that the account's own code offers", async () => {
  rig.messaging.add("telegram");
  rig.messaging.add("discord", { running: false, connected: false });
  const { channels } = await client.call("channels.capabilities", {});
  expect(channels[0]).toMatchObject({ channel: "telegram", support: ["send", "react"] });
  expect(channels[0].actions).toContain("react");
  expect(channels[0].actions).not.toContain("edit");
  expect(channels[1]).toMatchObject({ channel: "discord", support: [], actions: [] });
  const one = await client.call("channels.capabilities", { channel: "discord" });
  expect(one.channels.length).toBe(1);
  expect((await client.request("channels.capabilities", { channel: "fax" })).error?.message).toBe(
    "unknown channel: fax",
  );
});

describe("signing in", () => {
  test("the first picture is a PNG and the text behind it", async () => {
    rig.messaging.steps = [{ kind: "qr", data: "2@abc" }];
    const answer = await client.call("web.login.start", { force: true, accountId: "work" });
    expect(answer.qrDataUrl).toStartWith("data:image/png;base64,iVBORw0KGgo");
    expect(answer).toMatchObject({ qr: "2@abc", message: expect.stringContaining("Scan") });
    expect(rig.messaging.loggedIn).toEqual([
      { channel: "whatsapp", account: "work", force: true, timeoutMs: 30_000 },
    ]);
  });

  test("already linked is a message without a picture; a code is for a phone number", async () => {
    rig.messaging.steps = [{ kind: "done", text: "Linked already." }];
    const linked = await client.call("web.login.start", {});
    expect(linked).toEqual({ message: "Linked already.", connected: true });
    rig.messaging.steps = [{ kind: "code", code: "ABCD-EFGH" }];
    const typed = await client.call("web.login.start", { phone: "+15551234567" });
    expect(typed.code).toBe("ABCD-EFGH");
    expect(rig.messaging.loggedIn.at(-1)).toMatchObject({ phone: "+15551234567" });
  });

  test("a sign-in that fails at once is an error with its hint", async () => {
    const error = new AppError("not_linked", "Logged out.", { hint: "Again." });
    rig.messaging.steps = [{ kind: "failed", error }];
    const { error: shape } = await client.request("web.login.start", {});
    expect(shape).toMatchObject({
      code: "NOT_LINKED",
      message: "Logged out.",
      details: { hint: "Again." },
    });
  });

  test("a wait lasts until the end; with `next` it also gives what comes before it", async () => {
    rig.messaging.steps = [
      { kind: "qr", data: "two" },
      { kind: "wait", text: "Almost." },
      { kind: "done", text: "Linked." },
    ];
    expect(await client.call("web.login.wait", {})).toEqual({
      connected: true,
      over: true,
      message: "Linked.",
    });
    rig.messaging.steps = [{ kind: "qr", data: "three" }];
    expect(await client.call("web.login.wait", { next: true })).toMatchObject({
      connected: false,
      over: false,
      qr: "three",
    });
    expect(await client.call("web.login.wait", { timeoutMs: 1 })).toMatchObject({
      connected: false,
    });
  });

  test("a channel with a token has no sign-in, and a wrong name is told", async () => {
    const errorOf = async (method: string, params: object) =>
      (await client.request(method, params)).error?.message;
    expect(await errorOf("web.login.start", { channel: "telegram" })).toBe(
      "web login is not supported by provider telegram",
    );
    expect(await errorOf("channels.logout", { channel: "fax" })).toBe(
      "invalid channels.logout channel",
    );
  });

  test("a sign-out says whether there was a link", async () => {
    expect(await client.call("channels.logout", { channel: "whatsapp" })).toEqual({
      channel: "whatsapp",
      accountId: "default",
      cleared: true,
      loggedOut: true,
    });
    rig.messaging.linked = false;
    const again = await client.call("channels.logout", { channel: "WhatsApp" });
    expect(again).toMatchObject({ cleared: false });
    rig.messaging.linked = true;
  });
});

describe("pairing", () => {
  const ask = async (sender: string) =>
    (
      await rig.store.pairing.request(
        { channel: "telegram", account: "default", sender, meta: { username: "ann" } },
        Date.now(),
        { ttlMs: 3_600_000, cap: 3 },
      )
    ).code;

  test("who waits is listed, let in by the code, and told if that is wished", async () => {
    const code = await ask("42");
    const { requests } = await client.call("pairing.list", { channel: "Telegram" });
    expect(requests).toMatchObject([
      { channel: "telegram", accountId: "default", id: "42", code, meta: { username: "ann" } },
    ]);
    expect((await client.call("pairing.list", { channel: "discord" })).requests).toEqual([]);
    const answer = await client.call("pairing.approve", { code: code.toLowerCase(), notify: true });
    expect(answer.approved).toMatchObject({ id: "42", code });
    expect(rig.messaging.notified).toEqual(["42"]);
    const after = await client.call("pairing.list", {});
    expect(after.requests).toEqual([]);
    expect(after.allowed).toMatchObject([{ channel: "telegram", id: "42" }]);
    await client.call("pairing.revoke", { channel: "telegram", id: "42" });
    expect((await client.call("pairing.list", {})).allowed).toEqual([]);
  });

  test("a wrong code, or one of another channel, lets nobody in", async () => {
    const code = await ask("43");
    const errorOf = async (method: string, params: object) =>
      (await client.request(method, params)).error?.message;
    expect(await errorOf("pairing.approve", { code: "NOTACODE" })).toBe(
      "No pending pairing request found for code: NOTACODE",
    );
    expect(await errorOf("pairing.approve", { code, channel: "discord" })).toContain(code);
    expect(await errorOf("pairing.revoke", { channel: "telegram", id: "99" })).toContain("99");
    expect(await rig.store.pairing.allowed()).toEqual([]);
    await client.call("pairing.dismiss", { code });
    expect(await errorOf("pairing.dismiss", { code })).toContain("No pending");
  });
});

test("what a scope does not cover is refused", async () => {
  const admin = ["channels.logout", "web.login.start", "web.login.wait"];
  const write = ["send", "message.action"];
  const read = ["channels.status", "channels.capabilities", "message.trace", "messages.recent"];
  const pairing = ["pairing.list", "pairing.approve", "pairing.dismiss", "pairing.revoke"];
  const all = [...admin, ...write, ...read, ...pairing, "poll"];
  const open: [protocol: number, scope: string, names: string[]][] = [
    [3, "operator.read", read],
    [3, "operator.write", [...read, ...write]],
    [3, "operator.pairing", pairing],
    [3, "operator.approvals", []],
    [4, "operator.write", [...read, ...write, "poll"]],
    [4, "operator.pairing", pairing],
  ];
  for (const [protocol, scope, names] of open) {
    const only = { minProtocol: protocol, maxProtocol: protocol, scopes: [scope] };
    const who = await signedIn(rig.url, only);
    const allowed: string[] = [];
    for (const name of all) {
      const { error } = await who.request(name, { id: "none", code: "none", channel: "none" });
      if (!error?.message.startsWith("missing scope")) allowed.push(name);
    }
    expect([protocol, scope, allowed.sort()]).toEqual([protocol, scope, names.toSorted()]);
    who.socket.close();
  }
});

test("health and status have the channels too", async () => {
  rig.messaging.add("telegram", { self: { id: "7", handle: "clawd_bot" } });
  rig.messaging.add("whatsapp", { linked: false, running: false, connected: false });
  const health = await client.call("health", {});
  expect(health.channelOrder).toEqual(["telegram", "whatsapp", "discord"]);
  expect(health.channels.telegram).toMatchObject({
    accountId: "default",
    configured: true,
    accounts: { default: { running: true, connected: true } },
  });
  expect(health.channels.whatsapp).toMatchObject({ configured: false, linked: false });
  const status = await client.call("status", {});
  expect(status.channelSummary).toEqual([
    "Telegram: connected as @clawd_bot",
    "WhatsApp: not linked",
  ]);
  expect(status.linkChannel).toEqual({
    id: "whatsapp",
    label: "WhatsApp",
    linked: false,
    authAgeMs: null,
  });
});
