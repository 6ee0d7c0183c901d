import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Message, Usage } from "../../src/flow.ts";
import { type Dialled, type Frame, signedIn } from "./dial.ts";
import { openRig, type Rig } from "./rig.ts";

const USAGE: Usage = { input: 10, output: 5, cacheRead: 2, cacheWrite: 1 };
const said = (text: string): Message => ({
  role: "assistant",
  blocks: [{ type: "text", text }],
  at: 7,
});
const ended = (client: Dialled, runId: string) =>
  client.event("chat", (p) => p.runId === runId && p.state !== "delta");
const ok = { type: "end", status: "ok", usage: USAGE, at: 9 } as const;

/** One client of each generation. */
async function pair(rig: Rig) {
  const old = await signedIn(rig.url, { maxProtocol: 3 });
  const recent = await signedIn(rig.url, { minProtocol: 4, caps: ["tool-events"] });
  return { old, recent };
}
const agentData = (client: Dialled, stream: string) =>
  client.events("agent").flatMap((p) => (p.stream === stream ? [p.data] : []));

test("who may not read sees no conversation, whatever else it may do", async () => {
  await using rig = await openRig();
  const reader = await signedIn(rig.url, { scopes: ["operator.read"], caps: ["tool-events"] });
  const blind = [
    await signedIn(rig.url, { minProtocol: 4, scopes: [], caps: ["tool-events"] }),
    await signedIn(rig.url, { scopes: ["operator.pairing", "operator.approvals"] }),
    await signedIn(rig.url, { role: "node", scopes: ["operator.admin"] }),
  ];
  rig.runs.emit("r", { type: "start", at: 5 });
  rig.runs.say("r", "private");
  rig.runs.emit("r", { type: "message", message: said("private") });
  rig.runs.emit("r", ok);
  await ended(reader, "r");
  for (const client of blind) {
    // An answer never overtakes an event.
    await client.request("nothing", {});
    expect(client.events("chat")).toEqual([]);
    expect(client.events("agent")).toEqual([]);
    expect(JSON.stringify(client.frames)).not.toContain("private");
  }
});

describe("a run", () => {
  test("starts, streams, ends: lifecycle, cumulative text, one final", async () => {
    await using rig = await openRig();
    const { old, recent } = await pair(rig);
    rig.runs.emit("r", { type: "start", at: 5 });
    rig.runs.say("r", "Hel");
    await old.event("chat", (p) => p.state === "delta");
    rig.runs.say("r", "lo");
    rig.runs.emit("r", { type: "message", message: said("Hello") });
    rig.runs.emit("r", ok);
    for (const client of [old, recent]) {
      const final = (await ended(client, "r")).payload;
      expect(final).toMatchObject({
        runId: "r",
        sessionKey: "agent:main:main",
        state: "final",
        message: { role: "assistant", content: [{ type: "text", text: "Hello" }] },
        usage: { totalTokens: 18 },
      });
      const lifecycle = agentData(client, "lifecycle");
      expect(lifecycle).toEqual([
        { phase: "start", startedAt: 5 },
        { phase: "end", startedAt: 5, endedAt: 9 },
      ]);
      const deltas = client.events("chat").filter((p) => p.state === "delta");
      expect(deltas.map((p) => p.message.content[0].text)).toEqual(["Hel", "Hello"]);
      const texts = agentData(client, "assistant");
      expect(texts.at(-1)!.text).toBe("Hello");
      expect(texts.map((d) => d.delta).join("")).toBe("Hello");
    }
    expect(recent.events("chat").flatMap((p) => p.deltaText ?? [])).toEqual(["Hel", "lo"]);
    expect(old.events("chat").every((p) => !("deltaText" in p))).toBe(true);
  });

  test("the first delta goes at once, a burst becomes few, and none of the text is missing", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    rig.runs.say("r", "a");
    await client.event("chat", (p) => p.state === "delta");
    for (let i = 0; i < 500; i++) rig.runs.say("r", "b");
    rig.runs.emit("r", ok);
    await ended(client, "r");
    const deltas = client.events("chat").filter((p) => p.state === "delta");
    expect(deltas.length).toBe(2);
    expect(deltas.at(-1)!.message.content[0].text).toBe(`a${"b".repeat(500)}`);
    expect(client.events("agent").filter((p) => p.stream === "assistant").length).toBeLessThan(5);
  });

  test("text that nothing follows is still sent", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    rig.runs.say("r", "one ");
    rig.runs.say("r", "two");
    await client.event("chat", (p) => p.message?.content[0].text === "one two");
    await client.event("agent", (p) => p.data.text === "one two");
  });

  test("text after a tool call: old clients see it grow, new ones are told to begin anew", async () => {
    await using rig = await openRig();
    const { old, recent } = await pair(rig);
    rig.runs.say("r", "Let me look.");
    rig.runs.emit("r", { type: "message", message: said("Let me look.") });
    rig.runs.say("r", "Done.");
    rig.runs.emit("r", { type: "message", message: said("Done.") });
    rig.runs.emit("r", ok);
    await Promise.all([ended(old, "r"), ended(recent, "r")]);
    const texts = (c: Dialled) =>
      c.events("chat").flatMap((p) => (p.state === "delta" ? [p.message.content[0].text] : []));
    expect(texts(old)).toEqual(["Let me look.", "Let me look.\n\nDone."]);
    expect(texts(recent)).toEqual(["Let me look.", "Done."]);
    expect(recent.events("chat").map((p) => p.replace)).toEqual([undefined, true, undefined]);
  });

  test("a failed attempt is void: the next one replaces its text", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url, { minProtocol: 4 });
    rig.runs.say("r", "wrong");
    await client.event("chat");
    rig.runs.emit("r", { type: "restart" });
    rig.runs.say("r", "right");
    const delta = await client.event("chat", (p) => p.deltaText === "right");
    expect(delta.payload.replace).toBe(true);
  });

  test("an error carries the sentence and the hint, for new clients also the code", async () => {
    await using rig = await openRig();
    const { old, recent } = await pair(rig);
    const error = new AppError("provider_rate_limit", "Too many requests.");
    rig.runs.emit("r", { type: "end", status: "error", error, usage: USAGE, at: 1 });
    const [a, b] = [(await ended(old, "r")).payload, (await ended(recent, "r")).payload];
    expect(a.state).toBe("error");
    expect(a.errorMessage).toStartWith("Too many requests. ");
    expect(a.errorKind).toBeUndefined();
    expect(b).toMatchObject({
      errorKind: "rate_limit",
      errorDetail: { code: "provider_rate_limit" },
    });
    expect(agentData(old, "lifecycle").at(-1)).toMatchObject({
      phase: "error",
      error: "Too many requests.",
    });
  });

  test("a stop keeps what was said and names who stopped it", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    await client.call("chat.send", { sessionKey: "main", message: "hi", idempotencyKey: "k1" });
    rig.runs.say("k1", "half an ans");
    await client.event("chat");
    await client.call("chat.send", { sessionKey: "main", message: "Stop", idempotencyKey: "k2" });
    const end = (await ended(client, "k1")).payload;
    expect(end).toMatchObject({
      state: "aborted",
      stopReason: "stop",
      message: { content: [{ text: "half an ans" }] },
    });
  });

  test("tool events go to who asked for them, and to all when the session is verbose", async () => {
    await using rig = await openRig();
    const { old, recent } = await pair(rig);
    const call = { type: "tool_call" as const, id: "t1", name: "read", args: { path: "a" } };
    const run = (id: string) => {
      rig.runs.emit(id, { type: "tool_start", call });
      rig.runs.emit(id, { type: "tool_update", call, text: "50%" });
      rig.runs.emit(id, { type: "tool_end", call, result: { text: "ok" }, ms: 3 });
      rig.runs.emit(id, ok);
    };
    run("quiet");
    await Promise.all([ended(old, "quiet"), ended(recent, "quiet")]);
    expect(agentData(old, "tool")).toEqual([]);
    expect(agentData(recent, "tool")).toEqual([
      { phase: "start", name: "read", toolCallId: "t1", args: { path: "a" } },
      { phase: "update", name: "read", toolCallId: "t1", partialResult: "50%" },
      { phase: "result", name: "read", toolCallId: "t1", ms: 3, isError: false, result: "ok" },
    ]);
    await old.call("sessions.patch", { key: "main", verboseLevel: "full" });
    rig.runs.emit("loud", { type: "start", at: 1 });
    await old.event("agent", (p) => p.runId === "loud");
    await old.call("health", {});
    run("loud");
    await ended(old, "loud");
    expect(agentData(old, "tool").map((d) => d.phase)).toEqual(["start", "update", "result"]);
  });

  test("a gap in the run's own numbers is announced", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    rig.runs.emit("r", { type: "start", at: 1 });
    const [first] = [rig.bus];
    first.emit("run", {
      runId: "r",
      agentId: "main",
      sessionKey: "agent:main:main" as never,
      sessionId: "s",
      seq: 5,
      at: 1,
      event: ok,
    });
    const gap = await client.event("agent", (p) => p.stream === "error");
    expect(gap.payload.data).toEqual({ reason: "seq gap", expected: 2, received: 5 });
  });

  test("events need the read scope, and a node gets none", async () => {
    await using rig = await openRig();
    const blind = await signedIn(rig.url, { minProtocol: 4, scopes: [] });
    const node = await signedIn(rig.url, { role: "node" });
    const reader = await signedIn(rig.url, { scopes: ["operator.read"] });
    rig.runs.emit("r", ok);
    await ended(reader, "r");
    for (const client of [blind, node])
      expect(client.frames.filter((f) => f.event === "chat" || f.event === "agent")).toEqual([]);
  });
});

describe("session keys in events", () => {
  test("whoever wrote `main` reads `main` for its runs; everybody else the canonical key", async () => {
    await using rig = await openRig();
    const app = await signedIn(rig.url, { maxProtocol: 3 });
    const page = await signedIn(rig.url, { maxProtocol: 3 });
    await app.call("chat.send", { sessionKey: "MAIN", message: "hi", idempotencyKey: "k" });
    rig.runs.emit("k", ok);
    rig.runs.emit("other", ok);
    expect((await ended(app, "k")).payload.sessionKey).toBe("main");
    expect((await ended(page, "k")).payload.sessionKey).toBe("agent:main:main");
    expect((await ended(app, "other")).payload.sessionKey).toBe("agent:main:main");
  });
});

describe("fan-out", () => {
  test("each client gets every event once, in order, numbered without a gap from its own beginning", async () => {
    await using rig = await openRig();
    const clients = await Promise.all(Array.from({ length: 20 }, () => signedIn(rig.url)));
    const late = await signedIn(rig.url);
    for (let i = 0; i < 200; i++) rig.runs.emit(`r${i}`, ok);
    for (const client of [...clients, late]) {
      await ended(client, "r199");
      const numbered = client.frames.filter((f) => f.seq !== undefined);
      expect(numbered.map((f) => f.seq)).toEqual(numbered.map((_, i) => i + 1));
      const finals = client.events("chat").map((p) => p.runId);
      expect(finals).toEqual(Array.from({ length: 200 }, (_, i) => `r${i}`));
    }
  });

  test("an answer never overtakes the events before it", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    for (let i = 0; i < 50; i++) {
      rig.runs.emit(`r${i}`, ok);
      const id = client.post("health", {});
      await client.frame((f) => f.id === id && f.type === "res");
      expect(client.events("chat").at(-1)?.runId).toBe(`r${i}`);
    }
  });

  test("presence and health carry both counters; nobody else's frame has them", async () => {
    await using rig = await openRig();
    const client = await signedIn(rig.url);
    const other = await signedIn(rig.url, {
      client: { id: "clawdbot-macos", version: "2", platform: "mac", mode: "ui", instanceId: "i1" },
    });
    const joined = await client.event("presence", (p) =>
      p.presence.some((e: { instanceId?: string }) => e.instanceId === "i1"),
    );
    expect(joined.stateVersion).toEqual({
      presence: expect.any(Number),
      health: expect.any(Number),
    });
    other.socket.close();
    await client.event("presence", (p) =>
      p.presence.some(
        (e: { instanceId?: string; reason: string }) =>
          e.instanceId === "i1" && e.reason === "disconnect",
      ),
    );
    rig.runs.emit("r", ok);
    expect((await ended(client, "r")).stateVersion).toBeUndefined();
  });
});

describe("stop", () => {
  test("clients hear why, are closed with 1012, and the port is free again", async () => {
    const rig = await openRig();
    const client = await signedIn(rig.url);
    const stopped = rig.gateway.stop({ reason: "gateway restarting", restartExpectedMs: 1500 });
    expect((await client.event("shutdown")).payload).toEqual({
      reason: "gateway restarting",
      restartExpectedMs: 1500,
    });
    expect(await client.closed).toEqual({ code: 1012, reason: "service restart" });
    await stopped;
    expect(fetch(`${rig.http}/healthz`)).rejects.toThrow();
    await rig.close();
  });
});

/** Frames are closed objects: the original's clients drop one with any other key without a word. */
describe("frame keys", () => {
  const ALLOWED: Record<string, string[]> = {
    event: ["type", "event", "payload", "seq", "stateVersion"],
    res: ["type", "id", "ok", "payload", "error"],
  };
  const ERROR = ["code", "message", "details", "retryable", "retryAfterMs"];
  test("no frame has a key that old clients do not know", async () => {
    await using rig = await openRig();
    const { old, recent } = await pair(rig);
    rig.runs.emit("r", { type: "start", at: 1 });
    rig.runs.say("r", "x");
    rig.runs.emit("r", { type: "message", message: said("x") });
    rig.runs.emit("r", ok);
    await Promise.all([ended(old, "r"), ended(recent, "r")]);
    for (const client of [old, recent]) {
      await client.request("nope", {});
      await client.request("chat.history", { sessionKey: "main" });
      for (const frame of client.frames as Frame[]) {
        expect(Object.keys(frame).filter((k) => !ALLOWED[frame.type]!.includes(k))).toEqual([]);
        if (frame.error)
          expect(Object.keys(frame.error).filter((k) => !ERROR.includes(k))).toEqual([]);
        if (frame.stateVersion)
          expect(Object.keys(frame.stateVersion).sort()).toEqual(["health", "presence"]);
      }
    }
  });
});
