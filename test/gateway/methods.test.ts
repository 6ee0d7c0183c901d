import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { REDACTED } from "../../src/config/edit.ts";
import type { SessionKey } from "../../src/flow.ts";
import { ATTACHMENT_BYTES, readAttachments } from "../../src/gateway/attachments.ts";
import { describe as describeMethods } from "../../src/gateway/method.ts";
import { type Methods, methods } from "../../src/gateway/methods/index.ts";
import { RpcClient } from "../../src/protocol/client.ts";
import type { NewEntry } from "../../src/store/store.ts";
import { dial, type Dialled, signedIn } from "./dial.ts";
import { openRig, type Rig, TOKEN } from "./rig.ts";

const MAIN = "agent:main:main" as SessionKey;
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
let rig: Rig;
let client: Dialled;
beforeAll(async () => {
  rig = await openRig({
    file: { agents: { list: [{ id: "main", name: "Clawd" }, { id: "ops" }] } },
  });
  client = await signedIn(rig.url, { maxProtocol: 3 });
});
afterAll(async () => {
  client.socket.close();
  await rig.close();
});
const errorOf = async (method: string, params: unknown) =>
  (await client.request(method, params)).error?.message;

async function transcript(key: SessionKey, texts: string[]): Promise<string> {
  const { sessionId } = await rig.store.sessions.ensure(key, "main", 1);
  await rig.store.transcript.append(
    sessionId,
    texts.map((text, i) => ({
      at: i,
      body: { kind: "message", message: { role: "user", blocks: [{ type: "text", text }], at: i } },
    })),
  );
  return sessionId;
}

describe("every method", () => {
  test("is described by its schemas, with a sentence and a scope", () => {
    for (const info of describeMethods(methods)) {
      expect([info.name, info.params.type]).toEqual([info.name, "object"]);
      expect(info.doc).toMatch(/^[A-Z].*\.$/);
      expect(info.scope).toStartWith("operator.");
    }
  });

  test("refuses parameters of a wrong type with the original's words", async () => {
    expect(await errorOf("chat.send", { sessionKey: 5 })).toMatch(
      /^invalid chat\.send params: .*at \/sessionKey: must be string/,
    );
    expect(await errorOf("chat.history", { sessionKey: "x", limit: 0 })).toBe(
      "invalid chat.history params: at /limit: must be >= 1",
    );
    expect(await errorOf("chat.send", [1])).toMatch(/^invalid chat\.send params: must be object/);
  });

  test("takes unknown parameters of newer clients", async () => {
    expect((await client.request("health", { somethingNew: 1 })).ok).toBe(true);
  });

  test("has a typed client: a wrong name or parameter does not compile", async () => {
    const typed = new RpcClient<Methods>({
      url: rig.url,
      client: { id: "test", version: "1", platform: "x", mode: "test" },
      auth: () => ({ token: TOKEN }),
      reconnect: false,
    });
    await typed.connect();
    const { sessions } = await typed.call("sessions.list", { limit: 5 });
    expect(Array.isArray(sessions)).toBe(true);
    // @ts-expect-error a wrong parameter type is a compile error
    expect(typed.call("sessions.list", { limit: "x" })).rejects.toThrow();
    // @ts-expect-error an unknown method is a compile error
    expect(typed.call("sessions.nope", {})).rejects.toThrow();
    typed.close();
  });
});

test("what a scope does not cover is refused, for clients of both protocols", async () => {
  const pairing = ["device.pair.approve", "device.pair.list", "device.pair.reject"];
  const reading = ["config.get", "config.schema"];
  const changing = ["sessions.delete", "sessions.patch", "sessions.reset"];
  const admin = ["chat.inject", "dashboard.link", "gateway.restart.request"];
  /** Later clients may do more with less, as their generation did. */
  const open: [protocol: number, scope: string, names: string[]][] = [
    [3, "operator.read", []],
    [3, "operator.write", []],
    [3, "operator.pairing", pairing],
    [3, "operator.approvals", []],
    [4, "operator.read", reading],
    [4, "operator.write", [...reading, ...changing]],
    [4, "operator.pairing", pairing],
    [4, "operator.sessions.write", []],
  ];
  for (const [protocol, scope, names] of open) {
    const only = { minProtocol: protocol, maxProtocol: protocol, scopes: [scope] };
    const who = await signedIn(rig.url, only);
    const allowed: string[] = [];
    for (const name of [...admin, ...pairing, ...reading, ...changing]) {
      const { error } = await who.request(name, { key: "none", requestId: "none" });
      if (!error?.message.startsWith("missing scope")) allowed.push(name);
    }
    expect([protocol, scope, allowed.sort()]).toEqual([protocol, scope, names.toSorted()]);
    who.socket.close();
  }
});

describe("chat.send", () => {
  test("takes the message under the client's key, which is also the run id", async () => {
    const sent = await client.call("chat.send", {
      sessionKey: "main",
      message: "hello",
      thinking: "high",
      timeoutMs: 5_000,
      deliver: false,
      idempotencyKey: "send-1",
    });
    expect(sent).toEqual({ runId: "send-1", status: "started" });
    expect(rig.runs.submitted.at(-1)).toMatchObject({
      id: "send-1",
      text: "hello",
      from: { channel: "webchat" },
      chat: "dm",
      wish: { sessionKey: MAIN, thinking: "high", timeoutMs: 5_000 },
    });
  });

  test("a repeated key starts nothing: in flight while it runs, ok or the error afterwards", async () => {
    const send = (id: string) =>
      client.call("chat.send", { sessionKey: "main", message: "hello", idempotencyKey: id });
    await send("again");
    expect(await send("again")).toEqual({ runId: "again", status: "in_flight" });
    await rig.runs.end("again", { status: "ok" });
    expect(await send("again")).toEqual({ runId: "again", status: "ok" });
    await send("bad");
    await rig.runs.end("bad", { status: "error", error: { code: "internal", message: "no luck" } });
    expect(await send("bad")).toEqual({ runId: "bad", status: "error", summary: "no luck" });
    expect(rig.runs.submitted.filter((m) => m.id === "again")).toHaveLength(1);
  });

  test("stop words stop instead of being answered; a sentence with one does not", async () => {
    for (const word of ["/stop", "STOP", " esc ", "abort", "wait", "exit", "interrupt"]) {
      const before = rig.runs.submitted.length;
      const answer = await client.call("chat.send", {
        sessionKey: "agent:main:quiet",
        message: word,
        idempotencyKey: `stop-${word}`,
      });
      expect(answer).toEqual({ ok: true, aborted: false, runIds: [] });
      expect(rig.runs.submitted).toHaveLength(before);
    }
    const params = { sessionKey: "main", message: "please stop that", idempotencyKey: "no-stop" };
    expect((await client.call("chat.send", params)).status).toBe("started");
  });

  test("nothing to say is an error", async () => {
    const params = { sessionKey: "main", message: "  ", idempotencyKey: "x" };
    expect(await errorOf("chat.send", params)).toBe("message or attachment required");
  });

  test("images are known by their bytes; what is none or is broken is refused by its name", async () => {
    const send = (attachments: object[], id: string) =>
      client.request("chat.send", {
        sessionKey: "main",
        message: "look",
        attachments,
        idempotencyKey: id,
      });
    const content = `data:image/webp;base64,${PNG}`;
    const text = Buffer.from("hello world").toString("base64");
    const good = await send(
      [{ type: "image", mimeType: "image/webp", fileName: "a.webp", content }],
      "img-1",
    );
    expect(good.ok).toBe(true);
    expect(rig.runs.submitted.at(-1)!.media).toEqual([
      { kind: "image", mime: "image/png", data: PNG, name: "a.webp" },
    ]);
    const bad: [object, RegExp][] = [
      [{ fileName: "x", content: 5 }, /^attachment x: content must be base64 string$/],
      [{ fileName: "x", content: "%%%" }, /^attachment x: invalid base64 content$/],
      [{ fileName: "x", content: "" }, /^x is empty\.$/],
      [{ fileName: "x", content: "data:image/png;base64," }, /^x is empty\.$/],
      [
        { fileName: "x.txt", mimeType: "image/png", content: text },
        /^x\.txt is not a picture that the model can see: PNG, JPEG, GIF and WebP are\.$/,
      ],
      [
        { fileName: "x.png", content: PNG.slice(0, 16) },
        /^x\.png is broken: it cannot be read as a picture\.$/,
      ],
      [
        { fileName: "x", content: "A".repeat(6_700_000) },
        /^attachment x: exceeds size limit \(\d+ > 5000000 bytes\)$/,
      ],
    ];
    for (const [i, [attachment, message]] of bad.entries())
      expect((await send([attachment], `img-bad-${i}`)).error?.message).toMatch(message);
  });

  test("a picture beyond the limit is refused by its length, before it is decoded", async () => {
    const read = (content: string) => readAttachments([{ content }]);
    const tooLarge = "exceeds size limit";
    await expect(read(`=${"A".repeat(6_700_000)}`)).rejects.toThrow(tooLarge);
    await expect(read(Buffer.alloc(ATTACHMENT_BYTES + 1).toString("base64"))).rejects.toThrow(
      tooLarge,
    );
    const whole = Buffer.concat([Buffer.from(PNG, "base64"), Buffer.alloc(ATTACHMENT_BYTES)]);
    const most = whole.subarray(0, ATTACHMENT_BYTES).toString("base64");
    expect(await read(most)).toHaveLength(1);
    const many = Array.from({ length: 21 }, () => ({ content: PNG }));
    expect(
      await errorOf("chat.send", { message: "x", idempotencyKey: "many", attachments: many }),
    ).toMatch(/attachments/);
  });

  test("a session whose policy forbids it takes nothing", async () => {
    await client.call("sessions.patch", { key: "agent:main:closed", sendPolicy: "deny" });
    const params = { sessionKey: "agent:main:closed", message: "x", idempotencyKey: "denied" };
    expect(await errorOf("chat.send", params)).toBe("send blocked by session policy");
  });

  test("a key that can be none is refused", async () => {
    const params = { sessionKey: "a\u0000b", message: "x", idempotencyKey: "k" };
    expect(await errorOf("chat.send", params)).toStartWith("invalid session key");
  });
});

describe("chat.history", () => {
  test("gives the newest messages in order, and pages back without loss or overlap", async () => {
    const key = "agent:main:paged" as SessionKey;
    const sessionId = await transcript(key, ["1", "2", "3", "4", "5"]);
    const first = await client.call("chat.history", { sessionKey: "paged", limit: 2 });
    expect(first).toMatchObject({ sessionKey: "paged", sessionId, thinkingLevel: "low" });
    const texts = (page: { messages: { content: { text: string }[] }[] }) =>
      page.messages.map((m) => m.content[0]!.text);
    expect(texts(first)).toEqual(["4", "5"]);
    expect(first.messages.map((m: { seq: number; id: string }) => [m.seq, m.id])).toEqual([
      [4, "4"],
      [5, "5"],
    ]);
    const second = await client.call("chat.history", {
      sessionKey: "paged",
      limit: 2,
      before: first.nextBefore,
    });
    expect(texts(second)).toEqual(["2", "3"]);
    const third = await client.call("chat.history", {
      sessionKey: "paged",
      limit: 2,
      before: second.nextBefore,
    });
    expect(texts(third)).toEqual(["1"]);
    expect(third.nextBefore).toBeUndefined();
  });

  test("includes the run in progress and what waits, so that a reloaded page shows both", async () => {
    const run = {
      runId: "r",
      sessionKey: MAIN,
      startedAt: 1,
      text: "so far",
      thinking: "",
      tools: [],
    };
    rig.runs.liveRuns.push(run);
    rig.runs.queuedRuns.push({ runId: "q", text: "next", at: 2 });
    const page = await client.call("chat.history", { sessionKey: "main" });
    expect(page.live).toEqual([run]);
    expect(page.queued).toEqual([{ runId: "q", text: "next", at: 2 }]);
    rig.runs.liveRuns.length = 0;
    rig.runs.queuedRuns.length = 0;
  });

  test("a message that is finished while the page is read is in the transcript, not lost between", async () => {
    await using own = await openRig();
    const c = await signedIn(own.url);
    const { sessionId } = await own.store.sessions.ensure(MAIN, "main", 1);
    const run = {
      runId: "r",
      sessionKey: MAIN,
      startedAt: 1,
      text: "almost",
      thinking: "",
      tools: [],
    };
    own.runs.liveRuns.push(run);
    const { page } = own.store.transcript;
    let reads = 0;
    own.store.transcript.page = async (id, q) => {
      const found = await page(id, q);
      if (reads++ > 0) return found;
      // The run commits its message right after the first read.
      own.runs.liveRuns.length = 0;
      const blocks = [{ type: "text" as const, text: "done" }];
      const message = { role: "assistant" as const, blocks, at: 2 };
      await own.store.transcript.append(sessionId, [{ at: 2, body: { kind: "message", message } }]);
      return found;
    };
    const answer = await c.call("chat.history", { sessionKey: "main" });
    expect(answer.live).toEqual([]);
    expect(answer.messages).toMatchObject([{ content: [{ text: "done" }] }]);
    c.socket.close();
  });

  test("an unknown session is empty, not an error", async () => {
    const page = await client.call("chat.history", { sessionKey: "agent:main:never" });
    expect(page.messages).toEqual([]);
    expect(page.sessionId).toBeUndefined();
  });
});

describe("chat.abort and chat.inject", () => {
  test("abort of another session's run is refused, of an unknown one does nothing", async () => {
    await client.call("chat.send", { sessionKey: "main", message: "x", idempotencyKey: "ab-1" });
    expect(await errorOf("chat.abort", { sessionKey: "agent:main:b", runId: "ab-1" })).toBe(
      "runId does not match sessionKey",
    );
    expect(await client.call("chat.abort", { sessionKey: "main", runId: "who" })).toEqual({
      ok: true,
      aborted: false,
      runIds: [],
    });
    expect(await client.call("chat.abort", { sessionKey: "main", runId: "ab-1" })).toEqual({
      ok: true,
      aborted: true,
      runIds: ["ab-1"],
    });
  });

  test("inject appends for everybody to see", async () => {
    await transcript("agent:main:inj" as SessionKey, ["hi"]);
    const { messageId } = await client.call("chat.inject", {
      sessionKey: "agent:main:inj",
      message: "note",
      label: "Cron",
    });
    const event = await client.event("chat", (p) => p.runId === `inject-${messageId}`);
    expect(event.payload).toMatchObject({
      state: "final",
      seq: 0,
      message: { role: "assistant", content: [{ text: "[Cron]\n\nnote" }] },
    });
    const page = await client.call("chat.history", { sessionKey: "agent:main:inj" });
    expect(page.messages.at(-1).content[0].text).toBe("[Cron]\n\nnote");
  });
});

describe("agent", () => {
  test("answers twice under one id: accepted, then the result", async () => {
    const id = client.post("agent", { message: "do it", idempotencyKey: "ag-1", timeout: 5 });
    const first = await client.frame((f) => f.id === id);
    expect(first.payload).toMatchObject({ runId: "ag-1", status: "accepted" });
    expect(first.payload.acceptedAt).toBeNumber();
    const model = { provider: "demo", model: "demo", ref: "demo/demo" };
    await rig.runs.end("ag-1", { status: "ok", text: "done", model });
    const second = await client.frame((f) => f.id === id && f.payload?.status === "ok");
    expect(second.payload).toMatchObject({
      runId: "ag-1",
      summary: "completed",
      result: {
        payloads: [{ text: "done", mediaUrl: null }],
        meta: { durationMs: 0, agentMeta: { provider: "demo", model: "demo" } },
      },
    });
  });

  test("a failed run ends with an error that carries the code and a payload", async () => {
    const id = client.post("agent", { message: "do it", idempotencyKey: "ag-2" });
    await client.frame((f) => f.id === id);
    await rig.runs.end("ag-2", {
      status: "error",
      error: { code: "provider_auth", message: "bad key", hint: "check" },
    });
    const second = await client.frame((f) => f.id === id && f.ok === false);
    expect(second).toMatchObject({
      payload: { runId: "ag-2", status: "error", summary: "bad key" },
      error: {
        code: "UNAVAILABLE",
        message: "bad key",
        details: { code: "provider_auth", hint: "check" },
      },
    });
  });

  test("refuses what contradicts itself", async () => {
    const call = (more: object) => errorOf("agent", { message: "x", idempotencyKey: "n", ...more });
    expect(await call({ agentId: "nobody" })).toBe(
      'There is no agent "nobody". Agents: main, ops.',
    );
    expect(await call({ channel: "pigeon" })).toBe("invalid agent params: unknown channel: pigeon");
    expect(await call({ agentId: "ops", sessionKey: "agent:main:main" })).toBe(
      'invalid agent params: agent "ops" does not match session key agent "main"',
    );
  });

  test("agent.wait: ok, error and timeout", async () => {
    await client.call("chat.send", { sessionKey: "main", message: "x", idempotencyKey: "w-1" });
    expect(await client.call("agent.wait", { runId: "w-1", timeoutMs: 1 })).toEqual({
      runId: "w-1",
      status: "timeout",
    });
    const waiting = client.call("agent.wait", { runId: "w-1", timeoutMs: 5_000 });
    await rig.runs.end("w-1", { status: "error", error: { code: "internal", message: "oops" } });
    expect(await waiting).toMatchObject({ status: "error", error: "oops" });
  });

  test("identity and list name the agents", async () => {
    expect(await client.call("agent.identity.get", {})).toEqual({
      agentId: "main",
      name: "Clawd",
      avatar: "A",
    });
    expect(await errorOf("agent.identity.get", { agentId: "ops", sessionKey: "main" })).toMatch(
      /does not match session key agent "main"/,
    );
    const list = await client.call("agents.list", {});
    expect(list).toMatchObject({ defaultId: "main", mainKey: "main", scope: "per-sender" });
    expect(list.agents.map((a: { id: string }) => a.id)).toEqual(["main", "ops"]);
  });
});

describe("sessions", () => {
  test("list: newest first, with defaults, paged by time", async () => {
    await using own = await openRig();
    const c = await signedIn(own.url);
    for (let i = 1; i <= 5; i++)
      await own.store.sessions.ensure(`agent:main:s${i}` as SessionKey, "main", i * 1_000);
    const keys = (page: { sessions: { key: string }[] }) =>
      page.sessions.map((s) => s.key.slice(11));
    const first = await c.call("sessions.list", { limit: 2 });
    expect(keys(first)).toEqual(["s5", "s4"]);
    expect(first).toMatchObject({
      count: 2,
      total: 5,
      path: "(multiple)",
      defaults: { modelProvider: "demo", model: "demo", contextTokens: 100_000 },
    });
    const second = await c.call("sessions.list", { limit: 2, before: first.nextBefore });
    expect(keys(second)).toEqual(["s3", "s2"]);
    expect(first.sessions[0]).toMatchObject({ kind: "direct", updatedAt: 5_000, totalTokens: 0 });
    c.socket.close();
  });

  test("patch: null and the default clear, wrong words are named, labels are unique", async () => {
    const key = "agent:main:patched";
    const set = await client.call("sessions.patch", { key, label: "Work", thinkingLevel: "high" });
    expect(set).toMatchObject({ ok: true, key, entry: { label: "Work", thinkingLevel: "high" } });
    const off = await client.call("sessions.patch", { key, thinkingLevel: "off", label: null });
    expect(off.entry.thinkingLevel).toBeUndefined();
    expect(off.entry.label).toBeUndefined();
    expect(await errorOf("sessions.patch", { key, verboseLevel: "loud" })).toBe(
      'invalid sessions.patch params: at /verboseLevel: invalid verboseLevel (use "on"|"off"|"full")',
    );
    await client.call("sessions.patch", { key, label: "Taken" });
    expect(await errorOf("sessions.patch", { key: "agent:main:other", label: "Taken" })).toBe(
      "label already in use: Taken",
    );
    expect(await errorOf("sessions.patch", { key, spawnedBy: "x" })).toMatch(
      /only supported for subagent/,
    );
  });

  test("resolve wants exactly one of key, id and label", async () => {
    expect(await errorOf("sessions.resolve", {})).toBe(
      "Either key, sessionId, or label is required",
    );
    expect(await errorOf("sessions.resolve", { key: "main", label: "x" })).toBe(
      "Provide either key, sessionId, or label (not multiple)",
    );
    expect(await errorOf("sessions.resolve", { label: "ghost" })).toBe("No session found: ghost");
    const sessionId = await transcript("agent:main:byid" as SessionKey, []);
    expect(await client.call("sessions.resolve", { sessionId })).toEqual({
      ok: true,
      key: "agent:main:byid",
    });
  });

  test("reset begins anew under the same key and keeps the settings", async () => {
    const key = "agent:main:fresh" as SessionKey;
    const before = await transcript(key, ["old"]);
    await client.call("sessions.patch", { key, thinkingLevel: "low" });
    const { entry } = await client.call("sessions.reset", { key });
    expect(entry.sessionId).not.toBe(before);
    expect(entry).toMatchObject({ thinkingLevel: "low", abortedLastRun: false });
    expect((await client.call("chat.history", { sessionKey: key })).messages).toEqual([]);
    expect(await errorOf("sessions.reset", { key: " " })).toBe("key required");
  });

  test("delete stops the run first; the main session cannot be deleted", async () => {
    expect(await errorOf("sessions.delete", { key: "main" })).toBe(
      "Cannot delete the main session (agent:main:main).",
    );
    const key = "agent:main:gone";
    await client.call("chat.send", { sessionKey: key, message: "x", idempotencyKey: "del-1" });
    expect(await client.call("sessions.delete", { key })).toMatchObject({
      ok: true,
      deleted: true,
    });
    expect(await client.call("sessions.delete", { key })).toMatchObject({
      ok: true,
      deleted: false,
    });
  });

  test("preview shortens, and tells missing from empty", async () => {
    await transcript("agent:main:prev" as SessionKey, ["a".repeat(50)]);
    await transcript("agent:main:none" as SessionKey, []);
    const { previews } = await client.call("sessions.preview", {
      keys: ["agent:main:prev", "agent:main:none", "agent:main:missing"],
      maxChars: 20,
    });
    expect(previews).toEqual([
      {
        key: "agent:main:prev",
        status: "ok",
        items: [{ role: "user", text: `${"a".repeat(19)}…` }],
      },
      { key: "agent:main:none", status: "empty", items: [] },
      { key: "agent:main:missing", status: "missing", items: [] },
    ]);
  });
});

describe("health, status, models, logs", () => {
  test("health is of now: a session that was just made is counted", async () => {
    const first = await client.call("health", {});
    expect(first).toMatchObject({
      ok: true,
      defaultAgentId: "main",
      channelOrder: ["telegram", "whatsapp", "discord"],
    });
    await rig.store.sessions.ensure("agent:main:health" as SessionKey, "main", 1);
    const { count } = (await client.call("health", {})).sessions;
    expect(count).toBe(first.sessions.count + 1);
  });

  test("status counts sessions and names the model", async () => {
    const status = await client.call("status", {});
    expect(status).toMatchObject({
      version: "1.2.3",
      defaultModel: "demo/demo",
      sessions: { count: expect.any(Number), defaults: { model: "demo", contextTokens: 100_000 } },
    });
  });

  test("models.list gives the catalogue", async () => {
    const { models, defaultRef } = await client.call("models.list", {});
    expect(defaultRef).toBe("demo/demo");
    expect(models[0]).toMatchObject({ id: "demo", provider: "demo", contextWindow: 100_000 });
  });

  test("commands.list gives what can be typed, without what is switched off", async () => {
    const answer = await client.call("commands.list", {});
    const commands = answer["commands"] as { name: string; args: { choices?: string[] }[] }[];
    const names = commands.map(({ name }) => name);
    expect(names).toContain("status");
    expect(names).not.toContain("restart");
    const think = commands.find(({ name }) => name === "think")!;
    expect(think).toMatchObject({ textAliases: ["/think"], acceptsArgs: true });
    expect(think.args[0]!.choices).toContain("high");
  });

  test("last-heartbeat is null, presence lists the gateway", async () => {
    expect(await client.call("last-heartbeat", {})).toBeNull();
    const presence = await client.call("system-presence", {});
    expect(presence).toContainEqual(expect.objectContaining({ mode: "gateway", reason: "self" }));
  });

  test("logs.tail: from the end, then only what is new, again from the end after a rotation", async () => {
    await using own = await openRig();
    const c = await signedIn(own.url);
    const file = `${own.stateDir}/gateway.log`;
    expect((await c.call("logs.tail", {})).lines).toEqual([]);
    await Bun.write(file, "one\ntwo\nthr");
    const first = await c.call("logs.tail", {});
    expect(first).toMatchObject({ file, lines: ["one", "two"], cursor: 8 });
    await Bun.write(file, "one\ntwo\nthree\nfour\n");
    const second = await c.call("logs.tail", { cursor: first.cursor });
    expect(second.lines).toEqual(["three", "four"]);
    await Bun.write(file, "new\n");
    const third = await c.call("logs.tail", { cursor: second.cursor });
    expect(third).toMatchObject({ lines: ["new"], reset: true });
    await Bun.write(file, `${"x".repeat(100)}\nlast\n`);
    const cut = await c.call("logs.tail", { maxBytes: 20 });
    expect(cut).toMatchObject({ lines: ["last"], truncated: true });
    c.socket.close();
  });
});

describe("config", () => {
  test("config.get shows the file and the defaults, never a secret", async () => {
    const secret = "a-real-secret-with-24-chars!";
    await using own = await openRig({
      file: { gateway: { auth: { token: secret } }, models: { providers: {} } },
    });
    const c = await signedIn(own.url);
    const view = await c.call("config.get", {});
    expect(JSON.stringify(view)).not.toContain(secret);
    expect(view).toMatchObject({
      exists: true,
      valid: true,
      issues: [],
      legacyIssues: [],
    });
    expect(view.parsed.gateway.auth.token).toBe(REDACTED);
    expect(view.config.gateway.port).toBe(18_789);
    expect(JSON.parse(view.raw).gateway.auth.token).toBe(REDACTED);
    c.socket.close();
  });

  test("config.schema is an object schema with hints for the form", async () => {
    const { schema, uiHints } = await client.call("config.schema", {});
    expect(schema).toMatchObject({ type: "object", properties: { gateway: { type: "object" } } });
    expect(uiHints["gateway.auth.token"]).toMatchObject({ label: "Token", sensitive: true });
    expect(Object.keys(uiHints)).toContain("agents.list.[].id");
  });

  test("a reader of protocol 4 may read it, one of protocol 3 not", async () => {
    const old = await signedIn(rig.url, { maxProtocol: 3, scopes: ["operator.read"] });
    const recent = await signedIn(rig.url, { minProtocol: 4, scopes: ["operator.read"] });
    expect((await old.request("config.get", {})).error?.message).toBe(
      "missing scope: operator.admin",
    );
    expect((await recent.request("config.get", {})).ok).toBe(true);
    old.socket.close();
    recent.socket.close();
  });
});

test("the local socket needs no token", async () => {
  await using own = await openRig({ unix: true });
  const c = await dial(`ws+unix://${own.gateway.socketPath}:/`);
  expect((await c.connect({ auth: undefined })).ok).toBe(true);
  expect((await c.request("status", {})).ok).toBe(true);
  c.socket.close();
});

describe("usage.cost", () => {
  test("adds up what the models have used today, in the original's words", async () => {
    await using own = await openRig();
    const c = await signedIn(own.url, { scopes: ["operator.read"] });
    const key = "agent:main:main" as SessionKey;
    const { sessionId } = await own.store.sessions.ensure(key, "main", 1);
    const at = Date.now();
    const usage = { input: 100, output: 10, cacheRead: 5, cacheWrite: 1 };
    const entry = (provider: string, model: string): NewEntry => ({
      at,
      body: {
        kind: "message",
        message: { role: "assistant", blocks: [], at },
        choice: { provider, model, ref: `${provider}/${model}` },
        usage,
      },
    });
    await own.store.transcript.append(sessionId, [
      entry("anthropic", "claude-opus-4-5"),
      entry("nobody", "knows"),
    ]);
    const { payload } = await c.request("usage.cost", { days: 2 });
    expect(payload).toMatchObject({
      days: 2,
      daily: [{ input: 200, totalTokens: 232 }],
      totals: { input: 200, output: 20, cacheRead: 10, cacheWrite: 2, totalTokens: 232 },
    });
    const { totals, models } = payload as {
      totals: { totalCost: number; missingCostEntries: number };
      models: { ref: string; totalCost: number }[];
    };
    expect(totals.missingCostEntries).toBe(1);
    expect(totals.totalCost).toBeGreaterThan(0);
    expect(models.map(({ ref }) => ref)).toEqual(["anthropic/claude-opus-4-5", "nobody/knows"]);
    expect((await c.request("usage.cost", { days: 0 })).ok).toBe(false);
    c.socket.close();
  });
});

describe("dashboard.link", () => {
  test("gives a link that signs in once, to administrators only", async () => {
    const { url } = await client.call("dashboard.link", {});
    const [page, ticket] = url.split("#ticket=");
    expect(page).toBe(rig.url.replace("ws", "http"));
    const signIn = () =>
      fetch(`${page}api/sign-in`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ticket }),
      });
    expect((await signIn()).status).toBe(200);
    expect((await signIn()).status).not.toBe(200);
    const reader = await signedIn(rig.url, { scopes: ["operator.read"] });
    expect((await reader.request("dashboard.link", {})).ok).toBe(false);
    reader.socket.close();
  });
});
