import { describe, expect, test } from "bun:test";

import { hostAllowed, originAllowed, parseHost, peerOf } from "./origin.ts";

const NONE = { allowedHosts: [], allowedOrigins: [], platformHosts: [] };
const headers = (more: Record<string, string> = {}) =>
  new Headers({ host: "localhost:18789", ...more });

describe("who is asking", () => {
  test("a direct program on this machine is local, under every loopback name", () => {
    for (const host of ["localhost:18789", "127.0.0.1", "[::1]:18789", "LOCALHOST"])
      for (const ip of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
        expect([host, peerOf(headers({ host }), ip, []).local]).toEqual([host, true]);
  });

  test("another name, another address or any sign of a proxy is not local", () => {
    expect(peerOf(headers({ host: "evil.com" }), "127.0.0.1", []).local).toBe(false);
    expect(peerOf(headers({ host: "box.ts.net" }), "127.0.0.1", []).local).toBe(false);
    expect(peerOf(headers(), "192.0.2.1", []).local).toBe(false);
    for (const name of [
      "x-forwarded-for",
      "x-forwarded-proto",
      "forwarded",
      "x-real-ip",
      "via",
      "cf-connecting-ip",
      "tailscale-user-login",
      "fly-client-ip",
    ])
      for (const trusted of [[], ["127.0.0.1"]])
        expect([
          name,
          peerOf(headers({ [name]: "127.0.0.1" }), "127.0.0.1", trusted).local,
        ]).toEqual([name, false]);
  });

  test("an unknown proxy is believed nothing", () => {
    const peer = peerOf(headers({ "x-forwarded-for": "127.0.0.1" }), "10.0.0.2", []);
    expect(peer).toMatchObject({ ip: "10.0.0.2", unknownProxy: true, local: false });
  });

  test("behind trusted proxies the client is the rightmost stranger, not what the client wrote", () => {
    const ipOf = (xff: string) =>
      peerOf(headers({ "x-forwarded-for": xff }), "10.0.0.2", ["10.0.0.0/8"]).ip;
    expect(ipOf("127.0.0.1, 203.0.113.9, 10.0.0.3")).toBe("203.0.113.9");
    expect(ipOf("1.1.1.1,203.0.113.9:4711")).toBe("203.0.113.9");
    expect(ipOf("[2001:db8::1]:443")).toBe("2001:db8:0:0:0:0:0:1");
    expect(ipOf("10.0.0.9")).toBe("10.0.0.2");
    expect(ipOf("garbage")).toBe("10.0.0.2");
    expect(ipOf(`203.0.113.1,${"9,".repeat(50_000)}203.0.113.9`)).toBe("203.0.113.9");
  });
});

describe("hosts", () => {
  test("a header is one host with an optional port, or nothing", () => {
    expect(parseHost("Example.com:80")).toEqual({ name: "example.com", port: "80" });
    expect(parseHost("[::1]:9")).toEqual({ name: "::1", port: "9" });
    for (const bad of [
      null,
      "",
      "a b",
      "a,b",
      "a@b",
      "a/b",
      "a:b",
      "a:1:2",
      "::1",
      "a:123456",
      "x".repeat(300),
    ])
      expect([bad, parseHost(bad)]).toEqual([bad, undefined]);
  });

  test("addresses and localhost are fine; names must be known", () => {
    for (const host of ["localhost", "127.0.0.1:1", "192.168.0.9", "[2001:db8::1]:18789"])
      expect([host, hostAllowed(host, NONE)]).toEqual([host, true]);
    for (const host of [null, "evil.com", "localhost.", "localhost.evil.com", "127.0.0.1.nip.io"])
      expect([host, hostAllowed(host, NONE)]).toEqual([host, false]);
    const listed = {
      ...NONE,
      allowedHosts: ["Chat.Example.com"],
      allowedOrigins: ["https://ui.example.com"],
    };
    expect(hostAllowed("chat.example.com:443", listed)).toBe(true);
    expect(hostAllowed("ui.example.com", listed)).toBe(true);
    expect(hostAllowed("x.chat.example.com", listed)).toBe(false);
  });
});

describe("origins", () => {
  test("the port that a scheme implies counts", () => {
    expect(originAllowed("https://a.com", "a.com", NONE)).toBe(true);
    expect(originAllowed("https://a.com", "a.com:443", NONE)).toBe(true);
    expect(originAllowed("http://a.com", "a.com:80", NONE)).toBe(true);
    expect(originAllowed("https://a.com", "a.com:80", NONE)).toBe(false);
    expect(originAllowed("http://[::1]:5", "[::1]:5", NONE)).toBe(true);
  });

  test("what no browser sends for an honest page is refused, although it names this host", () => {
    for (const origin of [
      "http://A.com",
      "HTTP://a.com",
      "http://a.com/",
      "http://x@a.com",
      "null",
    ])
      expect([origin, originAllowed(origin, "a.com", NONE)]).toEqual([origin, false]);
  });

  test("a star allows every page, a listed one only itself", () => {
    expect(originAllowed("https://x", "y", { ...NONE, allowedOrigins: ["*"] })).toBe(true);
    const rules = { ...NONE, allowedOrigins: ["https://ui.example.com/"] };
    expect(originAllowed("https://ui.example.com", "y", rules)).toBe(true);
    expect(originAllowed("https://ui.example.com:8443", "y", rules)).toBe(false);
  });
});
