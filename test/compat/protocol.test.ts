/** What clients of the recorded generations send and read. A change here breaks somebody's installed program. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { ERRORS } from "../../src/base/errors.ts";
import { ConnectParams } from "../../src/gateway/access/connect-params.ts";
import { EVENTS } from "../../src/gateway/hello.ts";
import { methods } from "../../src/gateway/methods/index.ts";
import { dial } from "../gateway/dial.ts";
import { openRig, type Rig, TOKEN } from "../gateway/rig.ts";

const PRODUCTS = ["clawdbot", "moltbot", "openclaw"];
const THREE = ["operator.admin", "operator.approvals", "operator.pairing"];

/** The `connect` of every client that is known. */
const CLIENTS: [name: string, protocol: number, params: object][] = PRODUCTS.flatMap((p) => [
  [
    `${p} CLI`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: "cli", version: "2026.1.24", platform: "linux", mode: "cli", instanceId: "u" },
      caps: [],
      role: "operator",
      scopes: THREE,
      auth: { token: TOKEN },
    },
  ],
  [
    `${p} probe`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: {
        id: "cli",
        version: "2026.1.24",
        platform: "linux",
        mode: "probe",
        instanceId: "u",
      },
      caps: [],
      role: "operator",
      scopes: ["operator.admin"],
      auth: { token: TOKEN },
    },
  ],
  [
    `${p} TUI`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: {
        id: "gateway-client",
        displayName: `${p}-tui`,
        version: "1",
        platform: "darwin",
        mode: "ui",
        instanceId: "u",
      },
      caps: [],
      scopes: ["operator.admin"],
      auth: { token: TOKEN, password: undefined },
    },
  ],
  [
    `${p} macOS app`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: {
        id: `${p}-macos`,
        displayName: "Mac",
        version: "1",
        platform: "macos",
        mode: "ui",
        instanceId: "u",
      },
      caps: [],
      scopes: THREE,
      auth: { token: TOKEN },
      locale: "en_US",
      userAgent: "x",
    },
  ],
  [
    `${p} Control UI`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: `${p}-control-ui`, version: "dev", platform: "Linux x86_64", mode: "webchat" },
      role: "operator",
      scopes: THREE,
      caps: [],
      auth: { token: TOKEN },
      userAgent: "Mozilla/5.0",
      locale: "en-US",
    },
  ],
  [
    `${p} iOS node`,
    3,
    {
      minProtocol: 3,
      maxProtocol: 3,
      client: {
        id: `${p}-ios`,
        version: "1",
        platform: "ios",
        mode: "node",
        deviceFamily: "iPhone",
        modelIdentifier: "iPhone17,1",
      },
      role: "node",
      scopes: [],
      caps: ["canvas", "camera"],
      commands: ["canvas.present"],
      permissions: { camera: true },
      auth: { token: TOKEN },
    },
  ],
]);
const NEWER: typeof CLIENTS = [
  [
    "newer CLI",
    4,
    {
      minProtocol: 4,
      maxProtocol: 4,
      client: {
        id: "cli",
        version: "2026.9.6",
        platform: "linux",
        deviceFamily: "Linux",
        mode: "cli",
        instanceId: "u",
      },
      caps: [],
      role: "operator",
      scopes: ["operator.read"],
      auth: { token: TOKEN, password: TOKEN },
    },
  ],
  [
    "newer probe",
    4,
    {
      minProtocol: 3,
      maxProtocol: 4,
      client: { id: "cli", version: "2026.9.6", platform: "linux", mode: "probe" },
      scopes: ["operator.read"],
      auth: { token: TOKEN },
    },
  ],
  [
    "newer Control UI",
    4,
    {
      minProtocol: 4,
      maxProtocol: 4,
      client: {
        id: "openclaw-control-ui",
        version: "2026.9.6",
        platform: "web",
        mode: "webchat",
        buildId: "b",
        timeZone: "Europe/Berlin",
        deviceFamily: "Linux",
      },
      caps: ["agent-kind", "approvals", "tool-events", "inline-widgets"],
      role: "operator",
      scopes: [
        "operator.admin",
        "operator.read",
        "operator.write",
        "operator.approvals",
        "operator.questions",
        "operator.pairing",
      ],
      auth: { token: TOKEN, password: TOKEN },
    },
  ],
];

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

describe("clients that are installed somewhere", () => {
  for (const [name, protocol, params] of [...CLIENTS, ...NEWER])
    test(`${name} connects and is spoken to in its protocol`, async () => {
      const client = await dial(rig.url);
      const hello = await client.request("connect", params);
      expect(hello.error).toBeUndefined();
      expect(hello.payload.protocol).toBe(protocol);
      expect(hello.payload.policy.tickIntervalMs).toBe(30_000);
      client.socket.close();
    });

  test("every id and mode of every generation is in the schema", () => {
    const client = { version: "1", platform: "x" };
    const ids = [
      "webchat-ui",
      "webchat",
      "cli",
      "gateway-client",
      "node-host",
      "test",
      "fingerprint",
    ];
    for (const p of PRODUCTS)
      for (const suffix of [
        "control-ui",
        "macos",
        "ios",
        "android",
        "probe",
        "tui",
        "linux",
        "worker",
      ])
        ids.push(`${p}-${suffix}`);
    for (const id of ids)
      for (const mode of ["webchat", "cli", "ui", "backend", "node", "probe", "test", "worker"])
        expect(
          ConnectParams.safeParse({
            minProtocol: 3,
            maxProtocol: 3,
            client: { ...client, id, mode },
          }).success,
        ).toBe(true);
  });
});

describe("what an old page reads", () => {
  test("the chat: hello's key, history, a send, growing deltas, a final, the history again", async () => {
    const client = await dial(rig.url);
    const hello = await client.request(
      "connect",
      CLIENTS.find(([n]) => n.includes("Control UI"))![2],
    );
    const key = hello.payload.snapshot.sessionDefaults.mainSessionKey;
    const empty = await client.call("chat.history", { sessionKey: key, limit: 200 });
    expect(empty).toMatchObject({
      sessionKey: key,
      messages: [],
      thinkingLevel: expect.any(String),
    });
    const sent = await client.call("chat.send", {
      sessionKey: key,
      message: "hello",
      deliver: false,
      idempotencyKey: "page-1",
      attachments: undefined,
    });
    expect(sent).toEqual({ runId: "page-1", status: "started" });
    rig.runs.say("page-1", "Hi ");
    await client.event("chat");
    rig.runs.say("page-1", "there");
    rig.runs.emit("page-1", {
      type: "message",
      message: { role: "assistant", blocks: [{ type: "text", text: "Hi there" }], at: 1 },
    });
    await rig.runs.end("page-1", { status: "ok" });
    const final = await client.event("chat", (p) => p.state === "final");
    const deltas = client.events("chat").filter((p) => p.state === "delta");
    const lengths = deltas.map((p) => p.message.content[0].text.length);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(deltas.every((p) => p.sessionKey === key && p.message.role === "assistant")).toBe(true);
    expect(final.payload).toMatchObject({ runId: "page-1", sessionKey: key, state: "final" });
    client.socket.close();
  });

  test("the shapes of its other pages", async () => {
    const client = await dial(rig.url);
    await client.request("connect", CLIENTS.find(([n]) => n.includes("Control UI"))![2]);
    expect(
      await client.call("sessions.list", { activeMinutes: 10, includeGlobal: true }),
    ).toMatchObject({
      ts: expect.any(Number),
      path: expect.any(String),
      count: expect.any(Number),
      defaults: { model: "demo", contextTokens: 100_000 },
      sessions: expect.any(Array),
    });
    expect((await client.call("config.get", {})).hash).toBeString();
    expect((await client.call("config.schema", {})).schema.properties).toBeObject();
    expect((await client.call("device.pair.list", {})).pending).toBeArray();
    expect((await client.call("system-presence", {}))[0]).toMatchObject({ ts: expect.any(Number) });
    expect((await client.call("status", {})).sessions.count).toBeNumber();
    expect((await client.call("agent.identity.get", { sessionKey: "main" })).name).toBe(
      "Assistant",
    );
    expect((await client.call("logs.tail", { limit: 500, maxBytes: 250_000 })).lines).toBeArray();
    client.socket.close();
  });
});

describe("names", () => {
  test("the wire codes are the original's five", () => {
    expect([...new Set(Object.values(ERRORS).map((e) => e.wire))].sort()).toEqual([
      "AGENT_TIMEOUT",
      "INVALID_REQUEST",
      "NOT_LINKED",
      "NOT_PAIRED",
      "UNAVAILABLE",
    ]);
  });

  test("the methods and events of this generation are there", () => {
    const wanted =
      "health logs.tail status usage.cost config.get config.schema models.list agents.list sessions.list sessions.subscribe sessions.preview sessions.patch sessions.reset sessions.delete sessions.resolve last-heartbeat system-presence agent agent.identity.get agent.wait chat.history chat.abort chat.send chat.inject device.pair.list device.pair.approve device.pair.reject device.token.revoke channels.status channels.logout web.login.start web.login.wait send poll wizard.start wizard.next wizard.cancel wizard.status";
    const ours =
      "dashboard.link gateway.restart.request gateway.replace.request channels.capabilities web.login.cancel message.action message.trace messages.recent pairing.list pairing.approve pairing.dismiss pairing.revoke commands.list".split(
        " ",
      );
    expect(Object.keys(methods).sort()).toEqual([...wanted.split(" "), ...ours].sort());
    for (const event of [
      "connect.challenge",
      "agent",
      "chat",
      "presence",
      "tick",
      "shutdown",
      "health",
    ])
      expect(Object.keys(EVENTS)).toContain(event);
  });

  test("scopes of protocol 3", () => {
    const scopes = (scope: string) =>
      Object.entries(methods).flatMap(([name, m]) => (m.scope === scope ? [name] : []));
    expect(scopes("operator.write").sort()).toEqual(
      ["agent", "agent.wait", "chat.abort", "chat.send", "message.action", "send"].sort(),
    );
    expect(scopes("operator.admin").sort()).toEqual(
      [
        "dashboard.link",
        "gateway.restart.request",
        "gateway.replace.request",
        "channels.logout",
        "poll",
        "web.login.start",
        "web.login.wait",
        "wizard.cancel",
        "wizard.next",
        "wizard.start",
        "wizard.status",
        "web.login.cancel",
        "chat.inject",
        "config.get",
        "config.schema",
        "sessions.delete",
        "sessions.patch",
        "sessions.reset",
        "sessions.resolve",
      ].sort(),
    );
    expect(
      scopes("operator.pairing").every((name) => /^(device\.(pair|token)|pairing)\b/.test(name)),
    ).toBe(true);
  });
});
