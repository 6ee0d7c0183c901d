import { describe, expect, test } from "bun:test";

import { createRedactor, maskSecret } from "./redact.ts";

const mask = createRedactor().text;
/** A secret of every usual kind, spelled in two parts so that no scanner takes this file for a leak. */
const kinds: [kind: string, secret: string][] = [
  ["OpenAI", `sk-${"a1B2".repeat(8)}`],
  ["GitHub", `ghp_${"x9Y8".repeat(9)}`],
  ["GitHub, fine-grained", `github_pat_${"x9Y8".repeat(9)}`],
  ["Slack", `xoxb-${"1234567890-".repeat(3)}abc`],
  ["Slack app", `xapp-${"1-A0-".repeat(5)}`],
  ["Groq", `gsk_${"q7".repeat(20)}`],
  ["Google", `AIza${"Zz09".repeat(9)}`],
  ["Perplexity", `pplx-${"p0".repeat(20)}`],
  ["npm", `npm_${"n5".repeat(18)}`],
  ["Telegram", `123456789:${"AbCd".repeat(9)}`],
];

describe("the built-in patterns", () => {
  for (const [kind, secret] of kinds)
    test(`mask a key of ${kind} in the middle of a sentence`, () => {
      const masked = mask(`the key ${secret} was refused`);
      expect(masked).toBe(`the key ${maskSecret(secret)} was refused`);
    });

  test("mask assignments, JSON fields, flags, headers and addresses with a password", () => {
    const secret = "Pa55-word_That.is~long";
    for (const line of [
      `export SOME_API_KEY=${secret}`,
      `GATEWAY_TOKEN: "${secret}"`,
      `{"apiKey":"${secret}"}`,
      JSON.stringify(JSON.stringify({ botToken: secret })),
      `clawdbot gateway --token ${secret}`,
      `--bot-token=${secret}`,
      `Authorization: Bearer ${secret}`,
      `postgres://user:${secret}@host/db`,
      `https://host/?access_token=${secret}&x=1`,
    ])
      expect(mask(line)).not.toContain(secret);
  });

  test("leave ordinary text alone", () => {
    const text =
      "listening on ws://127.0.0.1:18789 (PID 42); 500 tokens; password must be set; 12:30:59 done";
    expect(mask(text)).toBe(text);
  });

  test("hide a private key, also one that is cut off", () => {
    const body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    const label = "RSA PRIVATE KEY";
    const whole = `a -----BEGIN ${label}-----\n${body}\n-----END ${label}----- b`;
    expect(mask(whole)).toBe(`a -----BEGIN ${label}-----…-----END ${label}----- b`);
    expect(mask(whole.slice(0, 60))).not.toContain(body.slice(0, 8));
  });
});

test("a short secret shows nothing of itself, a long one its first six and last four characters", () => {
  expect(maskSecret("seventeen-letters")).toBe("***");
  expect(maskSecret("eighteen--letters-")).toBe("eighte…ers-");
});

test("a known secret is masked wherever it stands, also as part of an URL", () => {
  const redactor = createRedactor(["hunter2 & more"]);
  redactor.add("another-one");
  redactor.add("short");
  expect(redactor.text("x hunter2 & more y another-one short")).toBe("x *** y *** short");
  expect(redactor.text("?q=hunter2%20%26%20more")).toBe("?q=hunter…more");
});

test("a secret across the border of two windows is found", () => {
  const secret = kinds[0]![1];
  for (const before of [65_530, 65_536, 65_520]) {
    const masked = mask(`${"x ".repeat(before / 2)}${secret}`);
    expect(masked).not.toContain(secret.slice(10, 20));
    expect(masked).toEndWith(maskSecret(secret));
  }
});

test("text without secrets comes back unchanged, whatever its length", () => {
  const text = "é🦞 plain text, nothing to hide.\n".repeat(20_000);
  expect(mask(text)).toBe(text);
});

test("hostile repetitions end in linear time", () => {
  // Quadratic behaviour would take minutes here; the limit of the test is what fails then.
  for (const part of ["A=", "KEY", "://a", "sk-", '"token', "1234567", "-----BEGIN "])
    expect(mask(part.repeat(200_000)).length).toBeGreaterThan(0);
});

describe("configured patterns", () => {
  test("replace the built-in ones, with the last group as the secret", () => {
    const { text } = createRedactor([], ["id=(\\d+)", "/card\\s(\\w+)/i"]);
    expect(text(`id=12345 CARD abc ${kinds[0]![1]}`)).toBe(`id=*** CARD *** ${kinds[0]![1]}`);
  });

  test("that could run for ever or are no pattern are refused with a reason", () => {
    const redactor = createRedactor([], ["(a+)+$", "key=(a*a*a*a*a*)b", "(", "/x/q"]);
    expect(redactor.rejected.map((line) => line.split(":")[0])).toEqual([
      "(a+)+$",
      "key=(a*a*a*a*a*)b",
      "(",
      "/x/q",
    ]);
    expect(redactor.text("aaaa(")).toBe("aaaa(");
  });

  test("that are merely slow hide the rest instead of showing it", () => {
    const { text, rejected } = createRedactor([], ["a*a*b"], 50);
    expect(rejected).toEqual([]);
    expect(text("a".repeat(2_000_000))).toMatch(/\[\d+ characters hidden: /);
  });
});

test("an example of a command is no secret", () => {
  const example = "Put it in with `clawdbot channels add --token <token>`.";
  expect(createRedactor().text(example)).toBe(example);
  expect(createRedactor().text("run `x --token abcdef1234` now")).toBe("run `x --token ***` now");
});
