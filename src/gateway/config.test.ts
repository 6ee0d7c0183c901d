import { expect, test } from "bun:test";

import { GatewayConfig, SECRET_MIN, secretProblem } from "./config.ts";

test("placeholders of the guides and templates are known, however they are written", () => {
  const known = [
    "change-me-now",
    "CHANGE_ME",
    "changeme",
    "YOUR_TOKEN",
    "your-token",
    "your-gateway-token-here",
    "<token>",
    "${GATEWAY_TOKEN}",
    "password",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "replace-me",
    "000000000000000000000000000000",
  ];
  for (const text of known) expect([text, secretProblem(text)]).toEqual([text, "placeholder"]);
});

test("a secret that others can try needs 24 characters", () => {
  expect(secretProblem("a1b2".repeat(6))).toBeUndefined();
  expect("a1b2".repeat(6)).toHaveLength(SECRET_MIN);
  expect(secretProblem("a1b2".repeat(6).slice(1))).toBe("too_short");
  expect(secretProblem("your-token-is-not-this-one-8f3a")).toBeUndefined();
});

test("blanks do not make a secret", () => {
  expect(secretProblem(" ".repeat(40))).toBe("empty");
  expect(secretProblem(`${" ".repeat(30)}short`)).toBe("too_short");
});

test("the section is complete by its defaults", () => {
  expect(GatewayConfig.parse({})).toMatchObject({
    port: 18789,
    bind: "loopback",
    auth: { rateLimit: { maxAttempts: 10, windowMs: 60_000, lockoutMs: 300_000 } },
    controlUi: { enabled: true, basePath: "/", requirePairing: false },
    trustedProxies: [],
  });
});
