/** `send`, `poll`, `message.action`, and what became of messages. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { DropReason, Inbound, Route, SessionKey } from "../../src/flow.ts";
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
  const { messaging } = rig;
  messaging.views = [];
  messaging.sent.length = 0;
  messaging.acted.length = 0;
  messaging.answer = { ids: ["77"], at: 1 };
  messaging.add("telegram");
});

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const errorOf = async (method: string, params: object) =>
  (await client.request(method, params)).error?.message;

describe("send", () => {
  test("goes to the only channel, and answers with the platform's id under the original's names", async () => {
    const sent = await client.call("send", { to: "42", message: "hello", idempotencyKey: "s1" });
    expect(sent).toEqual({
      runId: "s1",
      messageId: "901",
      messageIds: ["901"],
      channel: "telegram",
      chatId: "42",
    });
    expect(rig.messaging.sent).toEqual([
      {
        key: "send:s1",
        to: { channel: "telegram", account: "default", chatId: "42" },
        text: "hello",
      },
    ]);
  });

  test("carries files, buttons, thread and reply", async () => {
    await client.call("send", {
      to: "42",
      message: "look",
      media: [{ data: PNG, mime: "text/html", name: "a.png" }],
      mediaUrl: `data:image/png;base64,${PNG}`,
      buttons: [[{ text: "Yes", data: "/yes" }]],
      threadId: "7",
      replyToId: "5",
      silent: true,
      idempotencyKey: "s2",
    });
    const [out] = rig.messaging.sent;
    expect(out).toMatchObject({
      to: { chatId: "42", threadId: "7", replyToId: "5" },
      silent: true,
      buttons: [[{ text: "Yes", data: "/yes" }]],
    });
    // The bytes decide what it is, not what the caller says.
    expect(out!.media).toMatchObject([
      { kind: "image", mime: "image/png", name: "a.png", data: PNG },
      { kind: "image", mime: "image/png" },
    ]);
  });

  test("leaves a file of the web to delivery, which knows what may be fetched", async () => {
    const mediaUrl = "https://example.org/cat.png?size=1";
    await client.call("send", { to: "42", mediaUrl, idempotencyKey: "s6" });
    expect(rig.messaging.sent[0]!.media as unknown).toEqual([
      { kind: "image", mime: "image/png", url: mediaUrl },
    ]);
  });

  test("with a session key the text is shown there too, once per key", async () => {
    const key = "agent:main:main" as SessionKey;
    const { sessionId } = await rig.store.sessions.ensure(key, "main", 1);
    const call = { to: "42", message: "mirrored", sessionKey: "main", idempotencyKey: "s3" };
    await client.call("send", call);
    await client.call("send", call);
    const entries = await rig.store.transcript.page(sessionId, { limit: 10 });
    expect(JSON.stringify(entries).split("mirrored").length).toBe(2);
  });

  test("says which channel, account, address or file it cannot use", async () => {
    const base = { to: "42", message: "x", idempotencyKey: "s4" };
    expect(await errorOf("send", { ...base, channel: "fax" })).toBe("unsupported channel: fax");
    expect(await errorOf("send", { ...base, accountId: "none" })).toBe(
      'Telegram has no account "none".',
    );
    expect(await errorOf("send", { ...base, message: " " })).toContain("nothing to send");
    for (const mediaUrl of ["file:///etc/passwd", "/etc/passwd", "ftp://host/x"])
      expect(await errorOf("send", { ...base, mediaUrl })).toContain("data:, http: or https:");
    expect(await errorOf("send", { to: "42", message: "x" })).toContain("idempotencyKey");
    rig.messaging.add("discord");
    expect(await errorOf("send", base)).toBe(
      "Channel is required when multiple channels are configured: telegram, discord",
    );
    rig.messaging.views = [];
    expect(await errorOf("send", base)).toBe("No channel is configured.");
    expect(rig.messaging.sent).toEqual([]);
  });

  test("without a channel the linked one is meant where there are several, as it ever was", async () => {
    rig.messaging.add("whatsapp", { linked: true }, { credential: { source: "linked" } });
    const sent = await client.call("send", {
      to: "+15551234567",
      message: "x",
      idempotencyKey: "s5",
    });
    expect(sent.channel).toBe("whatsapp");
    expect(sent.toJid).toBeString();
  });
});

describe("poll", () => {
  const poll = { to: "42", question: "Lunch?", options: ["a", "b"], idempotencyKey: "p1" };

  test("is asked once for the same key, also when it is asked twice at the same time", async () => {
    const [one, two] = await Promise.all([client.call("poll", poll), client.call("poll", poll)]);
    expect(one).toEqual({ runId: "p1", messageId: "77", channel: "telegram", chatId: "42" });
    expect(two).toEqual(one);
    expect(rig.messaging.acted).toEqual([
      {
        name: "poll",
        at: { channel: "telegram", account: "default", chatId: "42" },
        params: { question: "Lunch?", options: ["a", "b"], maxSelections: 1 },
      },
    ]);
  });

  test("that failed may be asked again", async () => {
    rig.messaging.answer = new AppError("channel_unreachable", "No network.");
    expect(await errorOf("poll", { ...poll, idempotencyKey: "p2" })).toBe("No network.");
    rig.messaging.answer = { ids: ["78"], at: 1, pollId: "q" };
    const again = await client.call("poll", { ...poll, idempotencyKey: "p2" });
    expect(again).toMatchObject({ messageId: "78", pollId: "q" });
  });

  test("has two to twelve answers", async () => {
    expect(await errorOf("poll", { ...poll, options: ["a"] })).toContain("options");
  });
});

test("message.action names the action, the chat and the rest", async () => {
  rig.messaging.answer = [{ id: "1" }];
  const answer = await client.call("message.action", {
    action: "react",
    to: "42",
    params: { messageId: "5", emoji: "👍", threadId: "9" },
  });
  expect(answer).toEqual({
    action: "react",
    channel: "telegram",
    accountId: "default",
    result: [{ id: "1" }],
  });
  expect(rig.messaging.acted[0]).toMatchObject({
    name: "react",
    at: { channel: "telegram", chatId: "42", threadId: "9" },
  });
  rig.messaging.answer = new AppError("bad_request", "telegram has no search.");
  expect(await errorOf("message.action", { action: "search", to: "42" })).toBe(
    "telegram has no search.",
  );
});

describe("what became of a message", () => {
  const inbound = (id: string, text = "hello"): Inbound => ({
    id,
    from: { channel: "telegram", account: "default", chatId: "42" },
    chat: "dm",
    sender: { id: "42", name: "Ann" },
    text,
    media: [],
    mentioned: false,
    at: 1_000,
  });
  const turn: Route = {
    kind: "turn",
    agentId: "main",
    sessionKey: "agent:main:main" as SessionKey,
    reply: inbound("x").from,
    matchedBy: "default",
    trust: "owner",
  };
  const dropped = (reason: DropReason): Route => ({ kind: "drop", reason });

  test("a dropped one has its reason in a sentence and what to do", async () => {
    await rig.store.inbound.accept(inbound("m1"), dropped("not_paired"), "r1");
    const { trace } = await client.call("message.trace", { id: "m1" });
    expect(trace).toMatchObject({
      id: "m1",
      channel: "telegram",
      sender: { id: "42", name: "Ann" },
      decision: {
        kind: "drop",
        reason: "not_paired",
        what: expect.stringContaining("has not been let in"),
        remedy: expect.stringContaining("pairing approve"),
      },
      answered: false,
      outcome: "Not answered.",
    });
    expect(trace.run).toBeUndefined();
  });

  test("an answered one has its run and what was sent, by any of its ids", async () => {
    await rig.store.inbound.accept(inbound("m2"), turn, "r2");
    await rig.store.turns.begin(["r2"], [], 2_000);
    const row = { key: "r2:0", runId: "r2", to: inbound("x").from, text: "hi Ann" };
    await rig.store.turns.finish("r2", { state: "done", at: 3_000, entries: [], outbox: [row] });
    const waiting = await client.call("message.trace", { id: "m2" });
    expect(waiting.trace).toMatchObject({ answered: false, outcome: "The answer is on its way." });
    await rig.store.outbox.sending("r2:0");
    await rig.store.outbox.delivered("r2:0", { ids: ["555"], at: 4_000 });
    for (const id of ["m2", "r2", "r2:0", "555"]) {
      const { trace } = await client.call("message.trace", { id });
      expect(trace).toMatchObject({
        id: "m2",
        run: { id: "r2", state: "done", attempts: 1, startedAt: 2_000, endedAt: 3_000 },
        outbox: [{ key: "r2:0", state: "delivered", ids: ["555"], sentAt: 4_000 }],
        answered: true,
        outcome: "Answered.",
      });
    }
  });

  test("one whose answer was refused says so", async () => {
    await rig.store.inbound.accept(inbound("m3"), turn, "r3");
    await rig.store.turns.begin(["r3"], [], 2_000);
    const row = { key: "r3:0", runId: "r3", to: inbound("x").from, text: "hi" };
    await rig.store.turns.finish("r3", { state: "done", at: 3_000, entries: [], outbox: [row] });
    await rig.store.outbox.sending("r3:0");
    await rig.store.outbox.giveUp("r3:0", "dead", "bot was blocked by the user");
    const { trace } = await client.call("message.trace", { id: "m3" });
    expect(trace.outcome).toContain("bot was blocked by the user");
  });

  test("an unknown one is not found, with where to look", async () => {
    const { error } = await client.request("message.trace", { id: "nope" });
    expect(error).toMatchObject({
      message: "No message is known under nope.",
      details: { code: "not_found", hint: expect.stringContaining("message recent") },
    });
  });

  test("the newest come page by page, and those without an answer alone", async () => {
    const all = await client.call("messages.recent", { channel: "telegram" });
    expect(all.messages.map((each: { id: string }) => each.id)).toEqual(["m3", "m2", "m1"]);
    expect(all.nextBefore).toBeUndefined();
    const first = await client.call("messages.recent", { limit: 1 });
    const second = await client.call("messages.recent", { limit: 1, before: first.nextBefore });
    expect([first.messages[0].id, second.messages[0].id]).toEqual(["m3", "m2"]);
    const { messages } = await client.call("messages.recent", { unanswered: true });
    expect(messages.map((each: { id: string }) => each.id)).toEqual(["m3", "m1"]);
    expect((await client.call("messages.recent", { channel: "discord" })).messages).toEqual([]);
  });

  test("files of a message are counted, not sent along", async () => {
    const media = [{ kind: "image" as const, mime: "image/png", data: PNG }];
    await rig.store.inbound.accept({ ...inbound("m4"), media }, dropped("own"), "r4");
    const answer = await client.call("message.trace", { id: "m4" });
    expect(answer.trace.media).toBe(1);
    expect(JSON.stringify(answer)).not.toContain(PNG);
  });
});
