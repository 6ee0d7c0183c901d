import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { createHash, generateKeyPairSync, sign } from "node:crypto";

import { ConnectParams } from "../../src/gateway/access/connect-params.ts";
import { Devices } from "../../src/gateway/access/devices.ts";
import { methods } from "../../src/gateway/methods/index.ts";
import { CLIENT, connectParams, dial, signedIn } from "./dial.ts";
import { openRig, type Rig, TOKEN } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ handshakeMs: 300 });
});
afterAll(() => rig.close());

describe("before hello", () => {
  test("a challenge with nonce and time comes at once, without seq", async () => {
    const client = await dial(rig.url);
    const frame = await client.challenge();
    expect(Object.keys(frame).sort()).toEqual(["event", "payload", "type"]);
    expect(frame.payload.nonce).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number.isInteger(frame.payload.ts)).toBe(true);
    client.socket.close();
  });

  test("silence ends with code 1000 and no reason", async () => {
    const client = await dial(rig.url);
    expect(await client.closed).toEqual({ code: 1000, reason: "" });
  });

  test("text that is no JSON closes with 1000", async () => {
    const client = await dial(rig.url);
    client.socket.send("hello?");
    expect((await client.closed).code).toBe(1000);
  });

  test("JSON that is no request closes with 1008", async () => {
    const client = await dial(rig.url);
    client.socket.send(JSON.stringify({ type: "event", event: "x" }));
    expect(await client.closed).toEqual({ code: 1008, reason: "invalid request frame" });
  });

  const refusals: [name: string, params: object, wire: string, message: RegExp, code: number][] = [
    [
      "an unknown property",
      { extra: 1 },
      "INVALID_REQUEST",
      /^invalid connect params: at root: unexpected property 'extra'$/,
      1008,
    ],
    [
      "an unknown client id",
      { client: { ...CLIENT, id: "evil" } },
      "INVALID_REQUEST",
      /^invalid connect params: at \/client\/id: must be one of /,
      1008,
    ],
    [
      "a missing property",
      { client: { id: "cli", version: "1", platform: "x" } },
      "INVALID_REQUEST",
      /^invalid connect params: at \/client: must have required property 'mode'$/,
      1008,
    ],
    [
      "a protocol that is too new",
      { minProtocol: 5, maxProtocol: 9 },
      "INVALID_REQUEST",
      /^protocol mismatch$/,
      1002,
    ],
    [
      "a protocol that is too old",
      { minProtocol: 1, maxProtocol: 2 },
      "INVALID_REQUEST",
      /^protocol mismatch$/,
      1002,
    ],
    ["an unknown role", { role: "root" }, "INVALID_REQUEST", /^invalid role$/, 1008],
    [
      "no token",
      { auth: undefined },
      "INVALID_REQUEST",
      /^unauthorized: gateway token missing \(provide gateway auth token\)$/,
      1008,
    ],
    [
      "a wrong token",
      { auth: { token: "nope" } },
      "INVALID_REQUEST",
      /^unauthorized: gateway token mismatch \(provide gateway auth token\)$/,
      1008,
    ],
    [
      "a wrong token of the command line",
      { client: { ...CLIENT, id: "cli", mode: "cli" }, auth: { token: "nope" } },
      "INVALID_REQUEST",
      /gateway token mismatch \(set gateway\.remote\.token to match gateway\.auth\.token\)$/,
      1008,
    ],
    [
      "a wrong token of an old page",
      {
        client: { ...CLIENT, id: "clawdbot-control-ui", mode: "webchat" },
        auth: { token: "nope" },
      },
      "INVALID_REQUEST",
      /\(open a tokenized dashboard URL or paste token in Control UI settings\)$/,
      1008,
    ],
  ];
  for (const [name, params, wire, message, code] of refusals)
    test(`${name}: the error comes first, then the close`, async () => {
      const client = await dial(rig.url);
      const answer = await client.connect(params);
      expect(answer.ok).toBe(false);
      expect(answer.error?.code).toBe(wire);
      expect(answer.error?.message).toMatch(message);
      const end = await client.closed;
      expect(end.code).toBe(code);
      expect(answer.error!.message.startsWith(end.reason.slice(0, 100))).toBe(true);
      expect(Buffer.byteLength(end.reason)).toBeLessThanOrEqual(120);
    });

  test("a version without overlap learns which one is spoken", async () => {
    const client = await dial(rig.url);
    const answer = await client.connect({ minProtocol: 7, maxProtocol: 8 });
    expect(answer.error?.details).toMatchObject({
      code: "PROTOCOL_MISMATCH",
      expectedProtocol: 4,
      minimumProbeProtocol: 3,
    });
  });

  test("every method is refused before connect", async () => {
    for (const name of [...Object.keys(methods), "config.apply", "nonsense"]) {
      const client = await dial(rig.url);
      const answer = await client.request(name, {});
      expect(answer.error).toEqual({
        code: "INVALID_REQUEST",
        message: "invalid handshake: first request must be connect",
      });
      expect(await client.closed).toEqual({
        code: 1008,
        reason: "invalid handshake: first request must be connect",
      });
    }
  });
});

describe("hello", () => {
  test("the highest common version is chosen", async () => {
    for (const [min, max, chosen] of [
      [3, 3, 3],
      [3, 4, 4],
      [4, 4, 4],
      [1, 99, 4],
    ]) {
      const client = await dial(rig.url);
      const { payload } = await client.connect({ minProtocol: min, maxProtocol: max });
      expect(payload.protocol).toBe(chosen);
      client.socket.close();
    }
  });

  test("a client of protocol 3 finds everything that it reads", async () => {
    const client = await dial(rig.url);
    const { payload } = await client.connect({ maxProtocol: 3 });
    expect(payload).toMatchObject({
      type: "hello-ok",
      protocol: 3,
      server: { version: "1.2.3" },
      snapshot: {
        configPath: expect.any(String),
        stateDir: expect.any(String),
        stateVersion: { presence: expect.any(Number), health: expect.any(Number) },
        sessionDefaults: {
          defaultAgentId: "main",
          mainKey: "main",
          mainSessionKey: "agent:main:main",
          scope: "per-sender",
        },
      },
      policy: { maxBufferedBytes: 1_572_864, tickIntervalMs: 30_000 },
    });
    expect(payload.policy.maxPayload).toBeGreaterThanOrEqual(524_288);
    expect(payload.auth).toBeUndefined();
    expect(payload.features.methods).toContain("chat.send");
    expect(payload.features.events).toContain("chat");
    client.socket.close();
  });

  test("a client of protocol 4 learns its scopes, and paths only as an admin", async () => {
    const reader = await dial(rig.url);
    const hello = await reader.connect({ minProtocol: 4, scopes: ["operator.read", "bogus"] });
    expect(hello.payload.auth).toEqual({
      method: "token",
      role: "operator",
      scopes: ["operator.read"],
    });
    expect(hello.payload.snapshot.stateDir).toBeUndefined();
    expect(hello.payload.server).toMatchObject({ bootId: "boot-1" });
    reader.socket.close();
  });

  test("no scopes mean admin for protocol 3 and nothing for protocol 4", async () => {
    const old = await signedIn(rig.url, { maxProtocol: 3, scopes: undefined });
    expect((await old.request("config.get", {})).ok).toBe(true);
    const recent = await signedIn(rig.url, { minProtocol: 4, scopes: undefined });
    const refused = await recent.request("status", {});
    expect(refused.error).toMatchObject({
      code: "FORBIDDEN",
      message: "missing scope: operator.read",
      details: { code: "MISSING_SCOPE", missingScope: "operator.read" },
    });
    old.socket.close();
    recent.socket.close();
  });

  test("scopes outside the grant are ignored, however many are asked for", async () => {
    const scopes = ["*", "operator.root", ...Array.from({ length: 3_000 }, () => "operator.read")];
    const client = await signedIn(rig.url, { maxProtocol: 3, scopes });
    expect((await client.request("status", {})).ok).toBe(true);
    expect((await client.request("chat.send", {})).error).toMatchObject({
      code: "INVALID_REQUEST",
      message: "missing scope: operator.write",
    });
    client.socket.close();
  });

  test("a node may call nothing of an operator", async () => {
    const client = await signedIn(rig.url, { role: "node", scopes: ["operator.admin"] });
    expect((await client.request("status", {})).error?.message).toBe("unauthorized role: node");
    client.socket.close();
  });

  test("a second connect is refused and the connection lives on", async () => {
    const client = await signedIn(rig.url);
    const again = await client.request("connect", connectParams());
    expect(again.error?.message).toBe("connect is only valid as the first request");
    expect((await client.request("health", {})).ok).toBe(true);
    client.socket.close();
  });

  test("a second connect while the first is looked at ends the connection", async () => {
    await using own = await openRig();
    const looked = Promise.withResolvers<undefined>();
    using slow = spyOn(own.store.kv, "get").mockReturnValue(looked.promise);
    const client = await dial(own.url);
    const { nonce } = (await client.challenge()).payload;
    client.post("connect", connectParams({ device: deviceKeys().sign(nonce) }));
    client.post("connect", connectParams({ scopes: [] }));
    expect(await client.closed).toEqual({ code: 1008, reason: "invalid request frame" });
    expect(slow).toHaveBeenCalledTimes(1);
    looked.resolve(undefined);
    expect(client.frames.filter((f) => f.type === "res")).toEqual([]);
  });

  test("an unknown method tells a reader of the missing scope, an admin of the method", async () => {
    const admin = await signedIn(rig.url);
    expect((await admin.request("nope", {})).error?.message).toBe("unknown method: nope");
    expect((await admin.request("toString", {})).error?.message).toBe("unknown method: toString");
    const reader = await signedIn(rig.url, { scopes: ["operator.read"] });
    expect((await reader.request("nope", {})).error?.message).toBe("missing scope: operator.admin");
    admin.socket.close();
    reader.socket.close();
  });
});

type Sent = {
  version: 1 | 2 | 3;
  nonce?: string;
  token?: string;
  signedAt?: number;
  pem?: boolean;
};

/** A device that signs like the clients of one generation. */
function deviceOf({ version, nonce, token = TOKEN, signedAt = Date.now(), pem }: Sent) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(12);
  const id = createHash("sha256").update(raw).digest("hex");
  const head = [`v${version}`, id, CLIENT.id, CLIENT.mode, "operator", "operator.admin", signedAt];
  const parts = [
    ...head,
    token,
    ...(version > 1 ? [nonce] : []),
    ...(version > 2 ? ["linux", ""] : []),
  ];
  return {
    id,
    publicKey: pem
      ? publicKey.export({ format: "pem", type: "spki" }).toString()
      : raw.toString("base64url"),
    signature: sign(null, Buffer.from(parts.join("|")), privateKey).toString("base64url"),
    signedAt,
    ...(nonce === undefined ? {} : { nonce }),
  };
}

describe("device identities", () => {
  for (const version of [2, 3] as const)
    test(`a signature of generation ${version} with the nonce is accepted and recorded`, async () => {
      const client = await dial(rig.url);
      const { nonce } = (await client.challenge()).payload;
      const device = deviceOf({ version, nonce, pem: version === 3 });
      expect((await client.connect({ device })).error).toBeUndefined();
      const { paired } = await client.call("device.pair.list", {});
      expect(paired).toContainEqual(
        expect.objectContaining({ deviceId: device.id, clientId: "test", role: "operator" }),
      );
      client.socket.close();
    });

  test("a local program may sign without a nonce", async () => {
    const client = await dial(rig.url);
    expect((await client.connect({ device: deviceOf({ version: 1 }) })).error).toBeUndefined();
    client.socket.close();
  });

  const faults: [string, (nonce: string) => object, string][] = [
    [
      "of another socket",
      () => deviceOf({ version: 2, nonce: crypto.randomUUID() }),
      "device nonce mismatch",
    ],
    [
      "eleven minutes old",
      (nonce) => deviceOf({ version: 2, nonce, signedAt: Date.now() - 660_000 }),
      "device signature expired",
    ],
    [
      "over another token",
      (nonce) => deviceOf({ version: 2, nonce, token: "other" }),
      "device signature invalid",
    ],
    [
      "with another id",
      (nonce) => ({ ...deviceOf({ version: 2, nonce }), id: "0".repeat(64) }),
      "device identity mismatch",
    ],
    [
      "with a broken key",
      (nonce) => ({ ...deviceOf({ version: 2, nonce }), publicKey: "AAAA" }),
      "device public key invalid",
    ],
  ];
  for (const [name, device, message] of faults)
    test(`a signature ${name} is refused although the token is right`, async () => {
      const client = await dial(rig.url);
      const { nonce } = (await client.challenge()).payload;
      const answer = await client.connect({ device: device(nonce) });
      expect(answer.error?.message).toBe(message);
      expect(await client.closed).toEqual({ code: 1008, reason: message });
    });

  test("behind a proxy a nonce is required", async () => {
    const client = await dial(rig.url, { "x-forwarded-for": "203.0.113.9" });
    const answer = await client.connect({ device: deviceOf({ version: 1 }) });
    expect(answer.error?.message).toBe("device nonce required");
  });

  test("with requirePairing a remote device waits until an operator approves it", async () => {
    await using strict = await openRig({
      file: { gateway: { controlUi: { requirePairing: true } } },
    });
    const remote = { "x-forwarded-for": "203.0.113.9" };
    const bare = await dial(strict.url, remote);
    expect((await bare.connect()).error).toMatchObject({
      code: "NOT_PAIRED",
      message: "device identity required",
    });
    const keys = deviceKeys();
    const first = await dial(strict.url, remote);
    const refused = await first.connect({
      device: keys.sign((await first.challenge()).payload.nonce),
    });
    expect(refused.error).toMatchObject({ code: "NOT_PAIRED", message: "pairing required" });
    const { requestId } = refused.error!.details as { requestId: string };

    const operator = await signedIn(strict.url);
    expect((await operator.call("device.pair.list", {})).pending).toHaveLength(1);
    await operator.call("device.pair.approve", { requestId });
    const second = await dial(strict.url, remote);
    const welcome = await second.connect({
      device: keys.sign((await second.challenge()).payload.nonce),
    });
    expect(welcome.ok).toBe(true);
  });
});

describe("devices", () => {
  const remote = { "x-forwarded-for": "203.0.113.9" };
  const strict = () => openRig({ file: { gateway: { controlUi: { requirePairing: true } } } });
  const offer = async (own: Rig, keys: Keys, headers: Record<string, string>) => {
    const client = await dial(own.url, headers);
    const { nonce } = (await client.challenge()).payload;
    const answer = await client.connect({ device: keys.sign(nonce) });
    client.socket.close();
    return answer;
  };

  test("a revoked one is refused, from here and from afar, with the right token and signature", async () => {
    await using own = await openRig();
    const keys = deviceKeys();
    expect((await offer(own, keys, {})).ok).toBe(true);
    expect(await new Devices(own.store.kv).revoke(keys.id, 5)).toMatchObject({ revokedAtMs: 5 });
    for (const headers of [{}, remote])
      expect((await offer(own, keys, headers)).error).toMatchObject({
        code: "NOT_PAIRED",
        message: "device revoked",
      });
    expect((await offer(own, deviceKeys(), {})).ok).toBe(true);
  });

  test("revoking one ends its connections and no others; only an approval lets it in again", async () => {
    await using own = await openRig();
    const [lost, other] = [deviceKeys(), deviceKeys()];
    const come = async (keys: Keys) => {
      const client = await dial(own.url);
      const { nonce } = (await client.challenge()).payload;
      expect((await client.connect({ device: keys.sign(nonce) })).error).toBeUndefined();
      return client;
    };
    const [victim, bystander] = [await come(lost), await come(other)];
    const answer = await bystander.call("device.token.revoke", { deviceId: lost.id, role: "x" });
    expect(answer).toEqual({
      deviceId: lost.id,
      role: "operator",
      revokedAtMs: expect.any(Number),
    });
    expect(await victim.closed).toEqual({ code: 1008, reason: "device revoked" });
    expect((await offer(own, lost, {})).error?.message).toBe("device revoked");
    const listed = await bystander.call("device.pair.list");
    expect(listed.paired).toContainEqual(expect.objectContaining({ deviceId: lost.id }));
    // Its own connection gets the answer before it ends.
    const last = await bystander.call("device.token.revoke", { deviceId: other.id });
    expect(last.deviceId).toBe(other.id);
    expect((await bystander.closed).reason).toBe("device revoked");
    const third = await come(deviceKeys());
    await third.call("device.pair.approve", { requestId: lost.id });
    expect((await offer(own, lost, {})).ok).toBe(true);
    expect((await offer(own, other, {})).ok).toBe(false);
    expect(
      (await third.request("device.token.revoke", { deviceId: "nobody" })).error,
    ).toMatchObject({
      message: "unknown deviceId",
    });
    third.socket.close();
  });

  test("turning a revoked device's request away does not forget that it is revoked", async () => {
    await using own = await strict();
    const devices = new Devices(own.store.kv);
    const params = ConnectParams.parse(connectParams());
    const seen = () =>
      devices.seen({ deviceId: "d", publicKey: "k" }, params, {
        now: 1,
        ip: "::1",
        approve: false,
      });
    await seen();
    await devices.revoke("d", 2);
    const { requestId } = await seen();
    expect(await devices.decide(requestId!, false, 3)).toMatchObject({ revokedAtMs: 2 });
    expect(await seen()).toMatchObject({ revokedAtMs: 2 });
    expect(await devices.decide("d", false, 4)).toBeUndefined();
    expect(await devices.decide("d", true, 5)).toMatchObject({ approvedAtMs: 5 });
    expect((await seen()).revokedAtMs).toBeUndefined();
  });

  test("signing in on this machine approves a program's device, never that of a page", async () => {
    await using own = await strict();
    const [page, program] = [deviceKeys(), deviceKeys()];
    expect((await offer(own, page, { origin: own.http })).ok).toBe(true);
    expect((await offer(own, program, {})).ok).toBe(true);
    expect((await offer(own, page, remote)).error?.message).toBe("pairing required");
    expect((await offer(own, program, remote)).ok).toBe(true);
  });

  test("a page has to sign the nonce", async () => {
    const client = await dial(rig.url, { origin: rig.http });
    const answer = await client.connect({ device: deviceOf({ version: 1 }) });
    expect(answer.error?.message).toBe("device nonce required");
  });

  test("those that wait make room; who was approved or revoked stays", async () => {
    await using own = await openRig();
    const devices = new Devices(own.store.kv);
    const params = ConnectParams.parse(connectParams());
    const come = (deviceId: string, now: number, approve: boolean) =>
      devices.seen({ deviceId, publicKey: "k" }, params, { now, ip: "::1", approve });
    await come("approved", 0, true);
    await come("revoked", 0, false);
    await devices.revoke("revoked", 1);
    for (let i = 0; i < 520; i++) await come(`stranger-${i}`, 10 + i, false);
    const ids = (await devices.list()).map((d) => d.deviceId);
    expect(ids).toHaveLength(500);
    expect(ids).toContain("approved");
    expect(ids).toContain("revoked");
    expect(ids).not.toContain("stranger-0");
    expect(ids).toContain("stranger-519");
  });
});

type Keys = ReturnType<typeof deviceKeys>;

/** One device that can sign again. */
function deviceKeys() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(12);
  const id = createHash("sha256").update(raw).digest("hex");
  return {
    id,
    sign(nonce: string) {
      const signedAt = Date.now();
      const text = ["v2", id, "test", "test", "operator", "operator.admin", signedAt, TOKEN, nonce];
      const signature = sign(null, Buffer.from(text.join("|")), privateKey).toString("base64url");
      return { id, publicKey: raw.toString("base64url"), signature, signedAt, nonce };
    },
  };
}
