import { expect, test } from "bun:test";

import { AppError } from "../base/errors.ts";
import { codeOfStatus, innerAppError, networkFailure, refusal, retryAfterMs } from "./failure.ts";

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
