import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { ConfigSchema } from "../../src/config/schema.ts";
import type { GatewayAuth } from "../../src/gateway/ports.ts";
import { makeStateDir, restartProblem, sayStarted, takeLock } from "../../src/gateway/start.ts";
import { keepLog, makeHome, NO_FLAGS } from "../config-home.ts";
import { openRig } from "./rig.ts";

test("a second gateway for one state directory says who has it and how to run another", async () => {
  using home = makeHome();
  await makeStateDir(home.paths);
  const lock = takeLock(home.paths, "boot", 1);
  lock.update({ pid: 42, port: 7, bootId: "boot", version: "1", startedAt: 1 });
  try {
    takeLock(home.paths, "other", 2);
    expect.unreachable();
  } catch (cause) {
    expect(cause).toMatchObject({
      code: "gateway_running",
      message: "A gateway is already running for this state directory (PID 42 on port 7).",
      hint: "`clawdbot dashboard` opens it. To run another one beside it: clawdbot --profile <name> gateway --port <other port>.",
    });
  } finally {
    lock.release();
  }
});

test.skipIf(process.platform !== "linux")(
  "a state directory that cannot be made names the variable that moves it",
  async () => {
    using home = makeHome();
    const made = makeStateDir({ ...home.paths, stateDir: "/proc/nope/.clawdbot" });
    await expect(made).rejects.toMatchObject({
      code: "store_failed",
      message: "The state directory /proc/nope/.clawdbot cannot be made (ENOENT).",
      hint: expect.stringContaining("CLAWDBOT_STATE_DIR"),
    });
  },
);

test("the line that says where to go asks for a secret only when there is one", async () => {
  await using rig = await openRig();
  const said = (auth: GatewayAuth) => {
    const { log, lines } = keepLog();
    const logging = { tell: () => undefined } as never;
    const given = { current: () => auth, generated: false, created: false };
    sayStarted(rig.gateway, { log, logging, auth: given, basePath: "" });
    return lines.at(-1)!.message;
  };
  expect(said({ mode: "none" })).toBe(`open ${rig.http}/ (no sign-in is needed)`);
  expect(said({ mode: "password", password: "x" })).toBe(
    `open ${rig.http}/ and sign in with your password`,
  );
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

test("the folder of a state directory is made for its owner only", async () => {
  using home = makeHome();
  const stateDir = join(home.home, "a", "b");
  await makeStateDir({ ...home.paths, stateDir });
  expect((await Bun.file(stateDir).stat()).mode & 0o777).toBe(0o700);
});
