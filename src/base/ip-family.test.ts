import { expect, test } from "bun:test";
import { isIP } from "node:net";

import { ipFamily } from "./ip-family.ts";

const PARTS = ["0", "1", "01", "255", "256", "ffff", "FFFF", "fffff", "", ":", "::", ".", "a", "g"];

test("it says what node:net says", () => {
  const known = [
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "0x7f.0.0.1",
    "127.1",
    " 127.0.0.1",
    "127.0.0.1\n",
    "::",
    "::1",
    "::ffff:7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:127.0.0.256",
    "::127.0.0.1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::8::9",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1]/x",
    "::1]@evil",
    "[::1]",
    ":::",
    ":1",
    "1:",
    "",
    "localhost",
    "a.b.c.d",
    "::g",
    "12345::",
    "1.2.3.4::",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
  ];
  for (const text of known) expect([text, ipFamily(text)]).toEqual([text, isIP(text) as 0 | 4 | 6]);
});

test("it says what node:net says of what is put together from pieces", () => {
  // A fixed sequence, so that a failure can be seen again.
  let state = 20_261_120;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  for (let i = 0; i < 20_000; i++) {
    const sign = next(2) ? ":" : ".";
    const text = Array.from({ length: 1 + next(9) }, () => PARTS[next(PARTS.length)]).join(sign);
    expect([text, ipFamily(text)]).toEqual([text, isIP(text) as 0 | 4 | 6]);
  }
});

test("an address with a zone is none: whoever compares takes the zone off first", () => {
  expect(ipFamily("fe80::1%eth0")).toBe(0);
});
