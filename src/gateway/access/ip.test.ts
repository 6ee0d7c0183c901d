import { expect, test } from "bun:test";

import { inList, isLoopback, limitKey, plainIp } from "./ip.ts";

test("loopback is decided by bytes, in every spelling", () => {
  for (const ip of [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "[::1]",
  ])
    expect([ip, isLoopback(ip)]).toEqual([ip, true]);
  for (const ip of [
    "127.evil.com",
    "127.0.0.1.evil.com",
    "128.0.0.1",
    "::2",
    "1::1",
    "",
    "localhost",
    "::ffff:8.8.8.8",
    "0177.0.0.1",
    "2130706433",
  ])
    expect([ip, isLoopback(ip)]).toEqual([ip, false]);
});

test("one address has one spelling", () => {
  expect(plainIp("::ffff:192.0.2.7")).toBe("192.0.2.7");
  expect(plainIp("2001:DB8::1")).toBe(plainIp("2001:db8:0:0:0:0:0:1"));
  expect(plainIp("fe80::1%eth0")).toBe("fe80:0:0:0:0:0:0:1");
  expect(plainIp("unix")).toBe("unix");
});

test("a list holds addresses and networks, and nothing that is neither", () => {
  expect(inList("10.1.2.3", ["10.0.0.0/8"])).toBe(true);
  expect(inList("::ffff:10.1.2.3", ["10.0.0.0/8"])).toBe(true);
  expect(inList("11.0.0.1", ["10.0.0.0/8"])).toBe(false);
  expect(inList("10.0.0.128", ["10.0.0.0/25"])).toBe(false);
  expect(inList("10.0.0.127", ["10.0.0.0/25"])).toBe(true);
  expect(inList("2001:db8::5", ["2001:db8::/32"])).toBe(true);
  expect(inList("192.0.2.1", ["192.0.2.1"])).toBe(true);
  expect(inList("8.8.8.8", ["0.0.0.0/0"])).toBe(true);
  expect(inList("::1", ["0.0.0.0/0"])).toBe(false);
  for (const bad of ["", "*", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "evil"])
    expect([bad, inList("10.0.0.1", [bad])]).toEqual([bad, false]);
  expect(inList("not an ip", ["0.0.0.0/0", "::/0"])).toBe(false);
});

test("limits count an IPv6 network as one, because one machine owns all of a /64", () => {
  expect(limitKey("2001:db8:1:2:3:4:5:6")).toBe(limitKey("2001:db8:1:2::9"));
  expect(limitKey("2001:db8:1:3::1")).not.toBe(limitKey("2001:db8:1:2::1"));
  expect(limitKey("192.0.2.1")).not.toBe(limitKey("192.0.2.2"));
});
