import { describe, expect, spyOn, test } from "bun:test";

import { Guard, type Presented, verify } from "../../src/gateway/access/auth.ts";
import type { Peer } from "../../src/gateway/access/origin.ts";
import type { GatewayAuth } from "../../src/gateway/ports.ts";
import { dial, signedIn, upgradeStatus } from "./dial.ts";
import { openRig, TOKEN } from "./rig.ts";

const REMOTE: Peer = { ip: "203.0.113.5", local: false, trusted: false, unknownProxy: false };
const LIMITS = { maxAttempts: 10, windowMs: 60_000, lockoutMs: 300_000 };

function guardAt(auth: GatewayAuth) {
  const clock = { at: 1_000_000, now: () => clock.at };
  return {
    clock,
    guard: new Guard(
      () => auth,
      clock,
      () => LIMITS,
    ),
  };
}

describe("verify", () => {
  const values = [undefined, "", "wrong", "the-secret"];
  for (const mode of ["token", "password"] as const)
    test(`${mode} mode: over all combinations only the secret, in any field, lets in`, () => {
      const auth: GatewayAuth = { mode, [mode]: "the-secret" };
      for (const token of values)
        for (const password of values)
          for (const deviceToken of [undefined, "wrong", "the-secret"])
            for (const bootstrapToken of [undefined, "x"]) {
              const sent = Object.fromEntries(
                Object.entries({ token, password, deviceToken, bootstrapToken }).filter(
                  ([, v]) => v !== undefined,
                ),
              ) as Presented;
              const verdict = verify(auth, sent);
              const right = token === "the-secret" || password === "the-secret";
              expect([sent, verdict.ok]).toEqual([sent, right]);
              if (!verdict.ok)
                expect([sent, verdict.reason]).toEqual([
                  sent,
                  token || password ? `${mode}_mismatch` : `${mode}_missing`,
                ]);
            }
    });

  test("a mode without a secret lets nobody in, not even with an empty one", () => {
    for (const mode of ["token", "password"] as const)
      for (const sent of [{}, { token: "" }, { password: "" }, { token: "undefined" }])
        expect(verify({ mode, [mode]: "" }, sent)).toEqual({
          ok: false,
          reason: `${mode}_missing_config`,
        });
  });

  test("the secret of the other mode is worth nothing", () => {
    const auth: GatewayAuth = { mode: "password", password: "pw", token: "tok" };
    expect(verify(auth, { token: "tok" }).ok).toBe(false);
    expect(verify({ ...auth, mode: "token" }, { password: "pw" }).ok).toBe(false);
    expect(verify({ mode: "password", token: "tok" }, { token: "tok", password: "tok" })).toEqual({
      ok: false,
      reason: "password_missing_config",
    });
  });

  test("a secret is compared by its digest, in a time that tells neither its length nor where it differs", () => {
    using compared = spyOn(crypto, "timingSafeEqual");
    const auth: GatewayAuth = { mode: "token", token: "the-secret" };
    for (const token of ["the-secret", "the-secrex", "x", "y".repeat(4_000)])
      verify(auth, { token, password: "another" });
    const lengths = compared.mock.calls.map((call) => call.map((each) => each.byteLength));
    expect(lengths).toEqual(Array.from({ length: 8 }, () => [32, 32]));
  });

  test("mode none lets everybody in", () => {
    expect(verify({ mode: "none" }, {}).ok).toBe(true);
  });
});

describe("rate limit", () => {
  test("ten wrong secrets lock the address for five minutes, even for the right one", () => {
    const { guard, clock } = guardAt({ mode: "token", token: "s" });
    for (let i = 0; i < 10; i++)
      expect(guard.check(REMOTE, { token: "x" })).toMatchObject({ reason: "token_mismatch" });
    expect(guard.check(REMOTE, { token: "s" })).toMatchObject({
      reason: "rate_limited",
      retryAfterMs: 300_000,
    });
    clock.at += 300_000;
    expect(guard.check(REMOTE, { token: "s" }).ok).toBe(true);
  });

  test("a bogus device token beside a wrong secret is still counted", () => {
    const { guard } = guardAt({ mode: "password", password: "s" });
    for (let i = 0; i < 10; i++) guard.check(REMOTE, { password: "x", deviceToken: `d${i}` });
    expect(guard.check(REMOTE, { password: "s" })).toMatchObject({ reason: "rate_limited" });
  });

  test("a device token alone is a guess too", () => {
    for (const field of ["deviceToken", "bootstrapToken"]) {
      const { guard } = guardAt({ mode: "token", token: "s" });
      for (let i = 0; i < 10; i++) guard.check(REMOTE, { [field]: `d${i}` });
      expect(guard.check(REMOTE, { token: "s" })).toMatchObject({ reason: "rate_limited" });
    }
  });

  test("who signs in may mistype again; the wider limit of a proxy forgets nothing", () => {
    const { guard } = guardAt({ mode: "token", token: "s" });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 9; i++) guard.check(REMOTE, { token: "x" });
      expect(guard.check(REMOTE, { token: "s" }).ok).toBe(true);
    }
    const peer = { ...REMOTE, ip: "172.16.0.2", unknownProxy: true };
    const honest = { ...peer, claimedIp: "198.51.100.1" };
    for (let i = 0; i < 200; i++) {
      guard.check({ ...peer, claimedIp: `203.0.${i}.1` }, { token: "x" });
      if (i < 199) expect(guard.check(honest, { token: "s" }).ok).toBe(true);
    }
    expect(guard.check(honest, { token: "s" }).ok).toBe(false);
  });

  test("a missing secret is no guess", () => {
    const { guard } = guardAt({ mode: "token", token: "s" });
    for (let i = 0; i < 50; i++) guard.check(REMOTE, {});
    expect(guard.check(REMOTE, { token: "s" }).ok).toBe(true);
  });

  test("an IPv6 neighbour in the same /64 shares the lock, another network does not", () => {
    const { guard } = guardAt({ mode: "token", token: "s" });
    for (let i = 0; i < 10; i++)
      guard.check({ ...REMOTE, ip: `2001:db8:0:1::${i + 1}` }, { token: "x" });
    expect(guard.check({ ...REMOTE, ip: "2001:db8:0:1::99" }, { token: "s" }).ok).toBe(false);
    expect(guard.check({ ...REMOTE, ip: "2001:db8:0:2::1" }, { token: "s" }).ok).toBe(true);
  });

  test("behind an unknown proxy one client cannot lock out another, and making up addresses does not help", () => {
    const { guard } = guardAt({ mode: "token", token: "s" });
    const via = (claimedIp: string) => ({
      ...REMOTE,
      ip: "172.16.0.2",
      unknownProxy: true,
      claimedIp,
    });
    for (let i = 0; i < 10; i++) guard.check(via("203.0.113.66"), { token: "x" });
    expect(guard.check(via("203.0.113.66"), { token: "s" })).toMatchObject({
      reason: "rate_limited",
    });
    expect(guard.check(via("198.51.100.1"), { token: "s" }).ok).toBe(true);
    for (let i = 0; i < 200; i++) guard.check(via(`203.0.${i}.1`), { token: "x" });
    expect(guard.check(via("203.0.250.1"), { token: "s" })).toMatchObject({
      reason: "rate_limited",
    });
  });

  test("a page behind a proxy is no page of this machine: its origin buys no bucket of its own", () => {
    const { guard } = guardAt({ mode: "token", token: "s" });
    const peer = { ...REMOTE, ip: "127.0.0.1", unknownProxy: true, claimedIp: "203.0.113.7" };
    for (let i = 0; i < 10; i++)
      guard.check({ ...peer, origin: `http://10.0.0.${i}` }, { token: "x" });
    expect(guard.check({ ...peer, origin: "http://10.0.1.1" }, { token: "s" }).ok).toBe(false);
  });

  test("a page on this machine is locked out by its origin; a program beside it is not", async () => {
    await using rig = await openRig();
    const origin = new URL(rig.http).origin;
    for (let i = 0; i < 10; i++) {
      const page = await dial(rig.url, { origin });
      expect((await page.connect({ auth: { token: `guess-${i}` } })).error?.message).toMatch(
        /mismatch/,
      );
      await page.closed;
    }
    const page = await dial(rig.url, { origin });
    const answer = await page.connect();
    expect(answer.error).toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      details: { code: "AUTH_RATE_LIMITED" },
    });
    expect(answer.error!.retryAfterMs).toBeGreaterThan(290_000);
    const program = await signedIn(rig.url);
    program.socket.close();
  });
});

describe("secrets that change", () => {
  test("a replaced secret works at once, and sessions of the old one end", async () => {
    const auth: { now: GatewayAuth } = { now: { mode: "token", token: TOKEN } };
    await using rig = await openRig({ auth: () => auth.now });
    const watcher = await signedIn(rig.url);
    const caller = await signedIn(rig.url);
    auth.now = { mode: "token", token: "a-new-token-that-is-long-enough" };
    caller.post("health", {});
    expect(await caller.closed).toEqual({ code: 1008, reason: "auth changed" });
    // Somebody who only listens must not get one more event.
    rig.runs.say("r1", "secret");
    expect(await watcher.closed).toEqual({ code: 1008, reason: "auth changed" });
    expect(watcher.events("agent")).toEqual([]);
    const fresh = await signedIn(rig.url, { auth: { token: auth.now.token } });
    fresh.socket.close();
  });
});

describe("what a client says of itself", () => {
  test("no client id, mode or header replaces the secret", async () => {
    await using rig = await openRig();
    for (const id of [
      "clawdbot-control-ui",
      "gateway-client",
      "cli",
      "node-host",
      "clawdbot-probe",
    ])
      for (const mode of ["webchat", "backend", "probe", "cli"]) {
        const client = await dial(rig.url, {
          "x-openclaw-scopes": "operator.admin",
          "tailscale-user-login": "owner@example.com",
          authorization: `Bearer ${TOKEN}`,
        });
        const answer = await client.connect({
          client: { id, version: "1", platform: "linux", mode },
          auth: undefined,
        });
        expect(answer.ok).toBe(false);
      }
  });
});

describe("origins and hosts", () => {
  test("only a page of this very gateway may open a socket", async () => {
    await using rig = await openRig({
      file: { gateway: { controlUi: { allowedOrigins: ["https://panel.example.com"] } } },
    });
    const { port, origin } = new URL(rig.http);
    const expected: [string, number][] = [
      [origin, 101],
      ["https://panel.example.com", 101],
      ["https://evil", 403],
      ["null", 403],
      ["", 403],
      [`http://127.0.0.1.evil.com:${port}`, 403],
      [`http://localhost:${port}@evil`, 403],
      [`http://localhost:${port}`, 403],
      ["http://127.0.0.1:1", 403],
      ["http://127.0.0.1", 403],
      [origin.toUpperCase(), 403],
      [`http://127.0.0.1.:${port}`, 403],
      [`${origin}/`, 403],
      [`ftp://127.0.0.1:${port}`, 403],
      ["https://panel.example.com.evil.com", 403],
    ];
    for (const [sent, status] of expected)
      expect([sent, await upgradeStatus(rig.http, { Origin: sent })]).toEqual([sent, status]);
    expect(rig.logs.filter((l) => l.message === "origin not allowed")).toHaveLength(1);
  });

  test("a page under a foreign name is refused although its origin equals its host", async () => {
    await using rig = await openRig({
      file: { gateway: { allowedHosts: ["chat.example.com", "*.ts.net"] } },
      platformHosts: () => ["my-app.fly.dev"],
    });
    const { port } = new URL(rig.http);
    const expected: [host: string, origin: string, status: number][] = [
      [`evil.com:${port}`, `http://evil.com:${port}`, 421],
      ["chat.example.com", "https://chat.example.com", 101],
      ["my-app.fly.dev", "https://my-app.fly.dev", 101],
      ["box.tail1.ts.net", "https://box.tail1.ts.net", 101],
      ["ts.net", "https://ts.net", 421],
      ["evilts.net", "https://evilts.net", 421],
      [`localhost:${port}`, `http://localhost:${port}`, 101],
      ["192.168.1.20:8080", "http://192.168.1.20:8080", 101],
      ["localhost.evil.com", "http://localhost.evil.com", 421],
    ];
    for (const [host, origin, status] of expected)
      expect([host, await upgradeStatus(rig.http, { Host: host, Origin: origin })]).toEqual([
        host,
        status,
      ]);
  });

  test("two Host headers are no host", async () => {
    await using rig = await openRig();
    const headers = { Host: "localhost\r\nHost: localhost", Origin: "http://localhost" };
    expect(await upgradeStatus(rig.http, headers)).toBe(421);
  });
});

test("the log names today's ways in, the wire the words that old clients match", async () => {
  await using rig = await openRig();
  const client = await dial(rig.url);
  const { error } = await client.connect({ auth: { token: "wrong" } });
  expect(error?.message).toBe("unauthorized: gateway token mismatch (provide gateway auth token)");
  const line = rig.logs.find((l) => l.level === "warn" && "reason" in (l.data ?? {}));
  expect(line?.data?.["reason"]).toBe(
    "unauthorized: gateway token mismatch (sign in with the token, or a link from `clawdbot dashboard`)",
  );
});
