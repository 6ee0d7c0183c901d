import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigSchema } from "../../src/config/schema.ts";
import { loadGeneratedToken, secretFor, startProblems } from "../../src/gateway/secret.ts";

const LONG = "k3Jx9-vQ2mWz7_pLr8TnYb4c";
const config = (gateway: object) => ConfigSchema.parse({ gateway: { mode: "local", ...gateway } });

describe("which secret counts", () => {
  const cases: [string, object, object, object, string | undefined, object][] = [
    ["the generated one when nothing is set", {}, {}, {}, "gen", { mode: "token", token: "gen" }],
    [
      "the file before the generated one",
      { auth: { token: "f" } },
      {},
      {},
      "gen",
      { mode: "token", token: "f" },
    ],
    [
      "the environment before the file",
      { auth: { token: "f" } },
      {},
      { gatewayToken: "e" },
      "gen",
      { mode: "token", token: "e" },
    ],
    [
      "a flag before all",
      { auth: { token: "f" } },
      { token: "x" },
      { gatewayToken: "e" },
      "gen",
      { mode: "token", token: "x" },
    ],
    [
      "a password alone means password mode",
      { auth: { password: "p" } },
      {},
      {},
      "gen",
      { mode: "password", password: "p" },
    ],
    [
      "a named mode wins over what is set",
      { auth: { mode: "password", token: "t", password: "p" } },
      {},
      {},
      undefined,
      { mode: "password", password: "p" },
    ],
    [
      "an empty variable is no secret",
      { auth: { token: "f" } },
      {},
      { gatewayToken: " " },
      undefined,
      { mode: "token", token: "f" },
    ],
    ["none is none", { auth: { mode: "none", token: "f" } }, {}, {}, "gen", { mode: "none" }],
  ];
  for (const [name, gateway, flags, env, generated, expected] of cases)
    test(name, () =>
      expect(secretFor(config(gateway), flags, env, generated)).toEqual(expected as never),
    );
});

describe("starts that are refused", () => {
  test("loopback needs no secret of its own", () => {
    expect(startProblems(config({}), {}, {})).toBeUndefined();
    expect(startProblems(config({ auth: { token: "short" } }), {}, {})).toBeUndefined();
  });

  test("every other bind needs a secret that nobody guesses", () => {
    for (const bind of ["lan", "tailnet", "custom"] as const) {
      expect(startProblems(config({ bind }), {}, {})?.message).toBe(
        `Refusing to bind gateway to ${bind} without auth.`,
      );
      for (const weak of ["change-me-now", "YOUR_TOKEN", "your-token", "a".repeat(40), "short"]) {
        const error = startProblems(config({ bind, auth: { token: weak } }), {}, {});
        expect([weak, error?.code]).toEqual([weak, "start_refused"]);
        expect(error!.hint).toContain("clawdbot config set gateway.auth.token");
        expect(error!.message + error!.hint).not.toContain(weak);
      }
      expect(startProblems(config({ bind, auth: { token: LONG } }), {}, {})).toBeUndefined();
      expect(startProblems(config({ bind }), {}, { gatewayToken: LONG })).toBeUndefined();
      expect(startProblems(config({ bind, auth: { mode: "none" } }), {}, {})?.code).toBe(
        "start_refused",
      );
    }
    expect(startProblems(config({}), { bind: "lan" }, {})?.code).toBe("start_refused");
  });

  test("a missing config or another mode, unless it is allowed", () => {
    const empty = ConfigSchema.parse({});
    expect(startProblems(empty, {}, {}, { configured: false })?.message).toBe("Missing config.");
    expect(startProblems(empty, {}, {})?.message).toContain("current: unset");
    expect(startProblems(config({ mode: "remote" }), {}, {})?.message).toContain("current: remote");
    expect(
      startProblems(empty, { allowUnconfigured: true }, {}, { configured: false }),
    ).toBeUndefined();
  });

  test("password mode without one", () => {
    expect(startProblems(config({ auth: { mode: "password" } }), {}, {})?.message).toContain(
      "no password",
    );
  });

  test("Tailscale: funnel wants a password, both want loopback and a good secret", () => {
    const good = { auth: { mode: "password", password: LONG } };
    expect(
      startProblems(config({ auth: { token: LONG } }), { tailscale: "funnel" }, {})?.message,
    ).toContain("mode=password");
    expect(
      startProblems(config({ ...good, bind: "lan" }), { tailscale: "serve" }, {})?.message,
    ).toContain("bind=loopback");
    expect(
      startProblems(config({ auth: { token: "short" } }), { tailscale: "serve" }, {})?.code,
    ).toBe("start_refused");
    expect(startProblems(config(good), { tailscale: "funnel" }, {})).toBeUndefined();
    // One of our own is long enough.
    expect(startProblems(config({}), { tailscale: "serve" }, {})).toBeUndefined();
    expect(
      startProblems(config({ auth: { mode: "none" } }), { tailscale: "serve" }, {})?.message,
    ).toBe("Refusing to publish the gateway through tailscale serve without auth.");
  });

  test("the config asks for Tailscale as the flag does, and the flag wins", () => {
    const asked = config({ tailscale: { mode: "funnel" }, auth: { token: LONG } });
    expect(startProblems(asked, {}, {})?.message).toContain("mode=password");
    expect(startProblems(asked, { tailscale: "off" }, {})).toBeUndefined();
    expect(startProblems(asked, { tailscale: "serve" }, {})).toBeUndefined();
  });
});

describe("the generated token", () => {
  test("is made once, is long, and only the owner can read it", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tok-"));
    const first = await loadGeneratedToken(dir);
    expect(first.created).toBe(true);
    expect(first.token.length).toBeGreaterThanOrEqual(43);
    expect(statSync(first.path).mode & 0o777).toBe(0o600);
    expect(await loadGeneratedToken(dir)).toEqual({ ...first, created: false });
    writeFileSync(first.path, "\0\0");
    const healed = await loadGeneratedToken(dir);
    expect(healed.created).toBe(true);
    expect(healed.token).not.toBe(first.token);
    rmSync(dir, { recursive: true });
  });
});
