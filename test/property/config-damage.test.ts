/** Whatever happens to the file, loading it ends in a config or in a named problem with its line; never in anything else. */
import { expect, test } from "bun:test";

import fc from "fast-check";

import { AppError } from "../../src/base/errors.ts";
import { openConfig } from "../../src/config/handle.ts";
import { loadConfig } from "../../src/config/load.ts";
import { parsePath } from "../../src/config/path.ts";
import { keepLog, makeHome } from "../config-home.ts";

const TEXT = `// öffentlich
{
  "gateway": { mode: 'local', port: 0x4965, auth: { token: "\\u0041\${HOME}" } }, /* 🦞 */
  agents: { list: [ { id: "main", default: true }, ], defaults: { model: "a/b" } },
  channels: { discord: { "groupPolicy": "allowlist", guilds: { "1": {} } } },
  messages: { queue: { cap: 20, debounceMs: +1e3 } },
}
`;

test("a config cut off at any byte loads or is refused with its line, and never as an empty one", async () => {
  using home = makeHome();
  const bytes = new TextEncoder().encode(TEXT);
  const whole = TEXT.trimEnd().length;
  for (let length = 0; length < bytes.length; length++) {
    home.write(bytes.slice(0, length));
    const { config, errors } = await loadConfig(home.where);
    const complete = new TextDecoder().decode(bytes.slice(0, length)).length >= whole;
    expect([length, config !== undefined]).toEqual([length, complete]);
    if (complete) continue;
    expect([length, errors[0]?.line]).toEqual([length, expect.any(Number)]);
    expect(errors[0]?.hint).toBeTruthy();
  }
});

test("opening a cut-off config throws config_invalid and nothing else", async () => {
  using home = makeHome();
  for (let length = 0; length < TEXT.trimEnd().length; length += 17) {
    home.write(TEXT.slice(0, length));
    const failed = await openConfig({ ...home.where, log: keepLog().log }).catch((e: unknown) => e);
    expect(failed).toBeInstanceOf(AppError);
    expect(failed).toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/line \d+/),
    });
  }
});

test("any bytes, and any byte changed, end the same way", async () => {
  using home = makeHome();
  const check = async (content: Uint8Array) => {
    home.write(content);
    const { config, errors } = await loadConfig(home.where);
    expect(config === undefined).toBe(errors.length > 0);
  };
  const bytes = new TextEncoder().encode(TEXT);
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 150 });
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const copy = bytes.slice();
      copy[at] = byte;
      return check(copy);
    }),
    { numRuns: 300 },
  );
});

test("any JSON value under any key is a config or a named problem", async () => {
  using home = makeHome();
  const key = fc.constantFrom(
    "gateway",
    "agents",
    "tools",
    "models",
    "auth",
    "session",
    "messages",
    "env",
    "meta",
    "ui",
    "routing",
    "agent",
    "channels",
    "identity",
    "logging",
    "$include",
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(key, fc.jsonValue({ maxDepth: 4 })), async (value) => {
      const loaded = await loadConfig({ ...home.where, text: JSON.stringify(value) });
      expect(loaded.config === undefined).toBe(loaded.errors.length > 0);
      for (const problem of [...loaded.errors, ...loaded.warnings])
        if (problem.path) expect(typeof problem.line).toBe("number");
    }),
    { numRuns: 300 },
  );
});

test("any text is a path or is refused as one", () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom("a", ".", "[", "]", '"', "'", "\\", "0", " "),
        maxLength: 12,
      }),
      (text) => {
        try {
          expect(parsePath(text).length).toBeGreaterThan(0);
        } catch (cause) {
          expect(cause).toMatchObject({ code: "usage" });
        }
      },
    ),
    { numRuns: 1000 },
  );
});
