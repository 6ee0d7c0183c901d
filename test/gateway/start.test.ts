import { describe, expect, test } from "bun:test";

import { readEnv } from "../../src/base/env.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import type { GatewayAuth } from "../../src/gateway/ports.ts";
import { authFor, placeOf, restartProblem, sayStarted } from "../../src/gateway/start.ts";
import { keepLog, makeHome, NO_FLAGS } from "../config-home.ts";
import { openRig } from "./rig.ts";

test("the line that says where to go asks for a secret only when there is one", async () => {
  await using rig = await openRig();
  const said = (auth: GatewayAuth) => {
    const { log, lines } = keepLog();
    const logging = { tell: () => undefined } as never;
    const given = { current: () => auth, generated: false, created: false };
    sayStarted(rig.gateway, { env: readEnv({}), log, logging, auth: given, basePath: "" });
    return lines.at(-1)!.message;
  };
  expect(said({ mode: "none" })).toBe(`open ${rig.http}/ (no sign-in is needed)`);
  expect(said({ mode: "password", password: "x" })).toBe(
    `open ${rig.http}/ and sign in with your password`,
  );
});

describe("where the gateway listens", () => {
  const TOKEN = "k3Jx9-vQ2mWz7_pLr8TnYb4c";
  const place = (
    gateway: object,
    vars: Record<string, string> = {},
    { flags = {}, container = false }: { flags?: object; container?: boolean } = {},
  ) => {
    const env = readEnv(vars);
    const config = ConfigSchema.parse({ gateway: { mode: "local", ...gateway } });
    return placeOf({ config, env }, { ...NO_FLAGS, ...flags }, env, container);
  };

  test("auto is this machine alone, and in a container every interface as soon as there is a secret", () => {
    const auto = { bind: "auto" };
    const good = { ...auto, auth: { token: TOKEN } };
    expect(place(good)).toMatchObject({ bind: "loopback", hosts: ["127.0.0.1", "::1"] });
    expect(place(good, {}, { container: true })).toMatchObject({ bind: "lan", hosts: ["::"] });
    const vars = { CLAWDBOT_GATEWAY_BIND: "auto", CLAWDBOT_GATEWAY_TOKEN: TOKEN };
    expect(place({}, vars, { container: true })).toMatchObject({ bind: "lan", problem: undefined });
    for (const auth of [{}, { token: "change-me-now" }, { token: "short" }, { mode: "none" }]) {
      const closed = place({ ...auto, auth }, {}, { container: true });
      expect(closed).toMatchObject({ bind: "loopback", hosts: ["127.0.0.1", "::1"] });
      expect(closed.problem).toContain("clawdbot token generate");
    }
  });

  test("--bind and Tailscale win over auto", () => {
    const good = { bind: "auto", auth: { token: TOKEN } };
    const container = true;
    expect(place(good, {}, { container, flags: { bind: "loopback" } }).bind).toBe("loopback");
    expect(place(good, {}, { flags: { bind: "lan" } }).bind).toBe("lan");
    expect(place(good, {}, { container, flags: { tailscale: "serve" } })).toMatchObject({
      bind: "loopback",
      problem: undefined,
    });
  });

  test("a port: flag, then environment, then config, then PORT of a known platform, then the default", () => {
    const vars = { CLAWDBOT_GATEWAY_PORT: "2", PORT: "4", RENDER: "true" };
    const port = (gateway: object, env: Record<string, string>, flags = {}) =>
      place(gateway, env, { flags }).port;
    expect(port({ port: 3 }, vars, { port: 1 })).toBe(1);
    expect(port({ port: 3 }, vars)).toBe(2);
    expect(port({ port: 3 }, { PORT: "4", RENDER: "true" })).toBe(3);
    for (const mark of ["RENDER", "DYNO", "K_SERVICE", "FLY_APP_NAME", "RAILWAY_PROJECT_ID"])
      expect(port({}, { PORT: "4", [mark]: "x" })).toBe(4);
    expect(port({}, { PORT: "4" })).toBe(18_789);
    for (const wrong of ["0", "65536", "4x", "-1", ""])
      expect(port({}, { PORT: wrong, RENDER: "true" })).toBe(18_789);
  });

  test("a platform that cannot reach loopback is named, with its remedy", () => {
    expect(place({}, { FLY_APP_NAME: "a" }).problem).toBe(
      'Fly.io cannot reach this gateway ("App is not listening on expected address"): it listens on 127.0.0.1 only. Add --bind lan to the process command in fly.toml.',
    );
    expect(place({}, { RENDER: "true" }).problem).toContain("CLAWDBOT_GATEWAY_BIND=lan");
    const open = place({ bind: "lan", auth: { token: TOKEN } }, { FLY_APP_NAME: "a" });
    expect(open.problem).toBeUndefined();
  });
});

describe("the secret while the config changes", () => {
  const [OLD, NEW] = ["k3Jx9-vQ2mWz7_pLr8TnYb4c", "zW8-qLm3_xTr5vBn7KpJ2yHd"];
  /** The secret of a gateway that was started with the first config, after each of the others. */
  const secrets = async (files: object[], bind?: "lan") => {
    using home = makeHome();
    const configs = files.map((gateway) =>
      ConfigSchema.parse({ gateway: { mode: "local", ...gateway } }),
    );
    const handle = { current: () => configs[0]!, env: () => home.env };
    const { log } = keepLog();
    const flags = { ...NO_FLAGS, bind: bind ?? configs[0]!.gateway.bind };
    const auth = await authFor(handle, flags, home.paths, log);
    const seen = [auth.current()];
    while (configs.shift() && configs.length > 0) seen.push(auth.current());
    return seen;
  };
  const lan = { bind: "lan", auth: { token: OLD } };
  const old: GatewayAuth = { mode: "token", token: OLD };

  test("a new one counts at once where it may stand", async () => {
    expect(await secrets([lan, { ...lan, auth: { token: NEW } }])).toEqual([
      old,
      { mode: "token", token: NEW },
    ]);
    expect(await secrets([{ auth: { token: OLD } }, { auth: { mode: "none" } }])).toEqual([
      old,
      { mode: "none" },
    ]);
  });

  test("a gateway that still listens to the network does not open when the next start will be without", async () => {
    for (const auth of [{ mode: "none" }, { token: "short" }, { token: "change-me-now" }, {}]) {
      const next = { bind: "loopback", auth };
      expect([auth, await secrets([lan, next])]).toEqual([auth, [old, old]]);
      expect([auth, await secrets([{ ...next, auth: lan.auth }, next], "lan")]).toEqual([
        auth,
        [old, old],
      ]);
    }
    const back = await secrets([lan, { auth: { mode: "none" } }, { ...lan, auth: { token: NEW } }]);
    expect(back.at(-1)).toEqual({ mode: "token", token: NEW });
  });

  test("a start that would let everybody in is none", async () => {
    for (const auth of [{ mode: "none" }, { token: "short" }, {}])
      await expect(secrets([{ bind: "lan", auth }])).rejects.toThrow("Refusing to bind");
  });

  test("neither does one that Tailscale forwards to", async () => {
    const served = { tailscale: { mode: "serve" }, auth: { token: OLD } };
    expect(await secrets([served, { auth: { mode: "none" } }])).toEqual([old, old]);
  });

  test("a generated one stays while nothing else is configured", async () => {
    const [first, second, third] = await secrets([{}, { port: 5 }, { auth: { token: NEW } }]);
    expect(first).toMatchObject({ mode: "token", token: expect.stringMatching(/^[\w-]{43,}$/) });
    expect(second).toEqual(first!);
    expect(third).toEqual({ mode: "token", token: NEW });
  });
});

describe("whether a changed config can be started with", () => {
  const TOKEN = "k3Jx9-vQ2mWz7_pLr8TnYb4c";
  const loopback = ["127.0.0.1", "::1"];
  const check = async (gateway: object, now: { hosts: string[]; port: number }) => {
    using home = makeHome();
    const config = ConfigSchema.parse({ gateway: { mode: "local", ...gateway } });
    const { log } = keepLog();
    return restartProblem({ config, env: home.env }, now, { env: home.env, flags: NO_FLAGS, log });
  };

  test("the port and the addresses that it has now are its own", async () => {
    await using rig = await openRig();
    const { port } = rig.gateway;
    const now = { hosts: loopback, port };
    expect(await check({ port }, now)).toBeUndefined();
    expect(await check({ port, bind: "lan", auth: { token: TOKEN } }, now)).toBeUndefined();
  });

  test("another port must be free, and the remedy is a key of the file", async () => {
    await using rig = await openRig();
    const problem = await check({ port: rig.gateway.port }, { hosts: loopback, port: 1 });
    expect(problem?.code).toBe("port_taken");
    expect(problem?.hint).toBe("Set gateway.port to a free port.");
  });

  test("another address must be one of this machine, also on the same port", async () => {
    const custom = { bind: "custom", auth: { token: TOKEN }, port: 5 };
    const now = { hosts: loopback, port: 5 };
    const foreign = await check({ ...custom, customBindHost: "203.0.113.77" }, now);
    expect(foreign?.code).toBe("start_refused");
    expect(foreign?.hint).toContain("gateway.bind");
    expect((await check(custom, now))?.hint).toContain("gateway.customBindHost");
    expect(await check({ ...custom, customBindHost: "127.0.0.1" }, now)).toBeUndefined();
  });

  test("a config without a mode is a local one, as at the start", async () => {
    expect(await check({ mode: undefined, port: 5 }, { hosts: loopback, port: 5 })).toBeUndefined();
  });
});
