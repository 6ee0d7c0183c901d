import { expect, test } from "bun:test";

import { AppError } from "../base/errors.ts";
import {
  codeOfStatus,
  CUT_HINT,
  innerAppError,
  networkFailure,
  refusal,
  retryAfterMs,
} from "./failure.ts";

const where = { id: "acme", baseUrl: "https://api.acme.test/v1", apiKey: "sk-secret-1" };

test("a wait is read in ms, in seconds and as a date, and never believed beyond a day", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const wait = (headers: Record<string, string>) => retryAfterMs(new Headers(headers), now);
  expect(wait({ "retry-after-ms": "1500" })).toBe(1500);
  expect(wait({ "retry-after": "2.5" })).toBe(2500);
  expect(wait({ "retry-after": "Thu, 01 Jan 2026 00:00:10 GMT" })).toBe(10_000);
  expect(wait({ "retry-after": "Wed, 31 Dec 2025 00:00:00 GMT" })).toBe(0);
  expect(wait({ "retry-after": "999999999" })).toBe(24 * 3_600_000);
  for (const odd of ["-5", "later", "", "1e9999"])
    expect(wait({ "retry-after": odd })).toBeUndefined();
  expect(retryAfterMs(undefined)).toBeUndefined();
});

test("a message never holds the key, a web page or more than a few lines", () => {
  const said = (text: string) =>
    refusal(where, { code: "provider_auth", status: 401, text }).message;
  expect(said("Incorrect API key provided: sk-secret-1.")).toBe(
    "acme refused the key (401): Incorrect API key provided: ***.",
  );
  expect(
    said("<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>…</body></html>"),
  ).toBe('acme refused the key (401): it sent a web page instead of an answer ("403 Forbidden")');
  expect(said("x".repeat(10_000)).length).toBeLessThan(500);
  expect(said("")).toBe("acme refused the key (401).");
});

test("a hint fits what happened: an error of the provider is not a question of the network", () => {
  const hint = (more: object) =>
    refusal(where, { code: "provider_timeout", text: "x", ...more }).hint;
  expect(hint({ status: 500 })).toBe(
    "The provider had an error of its own. Try again in a moment.",
  );
  expect(hint({ hint: CUT_HINT })).toContain("broke in the middle");
  expect(networkFailure(where, new Error("x")).hint).toContain("base URL");
});

test("a refused key is named by where it comes from", () => {
  const from = { ...where, keySource: "ANTHROPIC_API_KEY" };
  expect(refusal(from, { code: "provider_auth", status: 401, text: "bad" }).message).toBe(
    "acme refused the key in ANTHROPIC_API_KEY (401): bad",
  );
});

test("a long wait is told in words, a short one is not", () => {
  const said = (seconds: number) =>
    refusal(where, {
      code: "provider_rate_limit",
      status: 429,
      text: "slow down",
      headers: new Headers({ "retry-after": String(seconds) }),
    }).message;
  expect(said(60)).toBe("acme limits the rate (429): slow down");
  expect(said(75)).toBe("acme limits the rate (429): slow down. It answers again in 75 s.");
  expect(said(3600)).toEndWith("It answers again in 60 min.");
  expect(said(5 * 3600)).toEndWith("It answers again in 5 h.");
});

test("a refusal about a picture is marked as one", () => {
  const image = { code: "provider_rejected", status: 400, text: "x", image: true } as const;
  expect(refusal(where, image).details).toMatchObject({ image: true, status: 400 });
  expect(refusal(where, image).hint).toContain("picture");
});

test("a status decides where it can", () => {
  const codes = [401, 402, 403, 408, 413, 429, 500, 502, 503, 504, 529].map(codeOfStatus);
  expect(codes).toEqual([
    "provider_auth",
    "provider_billing",
    "provider_auth",
    "provider_timeout",
    "provider_context",
    "provider_rate_limit",
    "provider_timeout",
    "provider_timeout",
    "provider_overloaded",
    "provider_timeout",
    "provider_overloaded",
  ]);
  for (const status of [400, 404, 409, 422, 302]) expect(codeOfStatus(status)).toBeUndefined();
});

test("an untrusted certificate is not worth another try, an unreachable host is", () => {
  const failure = (code: string) => networkFailure(where, Object.assign(new Error("x"), { code }));
  expect(failure("DEPTH_ZERO_SELF_SIGNED_CERT").code).toBe("provider_rejected");
  expect(failure("ECONNREFUSED").message).toBe("Nothing answers at api.acme.test.");
  expect(failure("ECONNREFUSED").code).toBe("provider_timeout");
  expect(failure("EWEIRD").message).toContain("EWEIRD");
});

test("our own error is found inside what a client library wraps around it", () => {
  const own = new AppError("provider_timeout", "silent");
  expect(innerAppError(new Error("connection", { cause: new Error("x", { cause: own }) }))).toBe(
    own,
  );
  expect(innerAppError(new Error("other"))).toBeUndefined();
});
