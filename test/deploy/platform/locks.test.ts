/** Lock files on a volume, which outlive their gateways. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { run } from "../lab.ts";
import { cli, home, start, useRig, volume } from "./rig.ts";

setDefaultTimeout(60_000);
useRig();

describe("locks", () => {
  const locks = (state: string) => readdirSync(state).filter((n) => /^gateway\..*\.lock$/.test(n));

  test("deploy-070 a killed gateway never keeps the next one from starting, twenty times", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state };
    for (let i = 0; i < 20; i++) {
      const gateway = await start(dir, "gateway --port 0", { env });
      expect(locks(state)).toHaveLength(1);
      expect(locks(state)[0]).toMatch(/^gateway\.[0-9a-f]{8}\.lock$/);
      await gateway.stop("SIGKILL");
    }
  });

  test("deploy-070 a lock file of another container, whose pid is alive here, stops nothing", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state };
    await (await start(dir, "gateway --port 0", { env })).stop("SIGKILL");
    const [name] = locks(state);
    const body = { pid: process.pid, port: 18789, bootId: "x", version: "1", startedAt: 1 };
    writeFileSync(join(state, name!), JSON.stringify(body));
    writeFileSync(join(state, "gateway.deadbeef.lock"), String(process.pid));
    await start(dir, "gateway --port 0", { env });
  });

  test("deploy-070 removing the lock file of a running gateway is harmless", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state };
    const gateway = await start(dir, "gateway --port 0", { env });
    expect(run(["sh", "-c", `rm -f ${state}/gateway.*.lock`]).code).toBe(0);
    expect(locks(state)).toEqual([]);
    const second = cli(dir, "gateway --port 0", { env });
    expect(second.code).toBe(78);
    expect(second.stderr).toContain("Another gateway answers");
    expect(cli(dir, "health", { env }).code).toBe(0);
    expect(await gateway.stop()).toBe(0);
    await start(dir, "gateway --port 0", { env });
  });

  test("deploy-071 the published remedy without a shell removes nothing, and nothing is needed", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state };
    await (await start(dir, "gateway --port 0", { env })).stop("SIGKILL");
    expect(run(["rm", "-f", `${state}/gateway.*.lock`]).code).toBe(0);
    expect(locks(state)).toHaveLength(1);
    await start(dir, "gateway --port 0", { env });
  });

  test("deploy-071 gateway unlock removes what was left, and refuses while a gateway runs", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state };
    expect(cli(dir, "gateway unlock", { env })).toMatchObject({
      code: 0,
      stdout: "There is no lock file.\n",
    });
    const gateway = await start(dir, "gateway --port 0", { env });
    writeFileSync(join(state, "gateway.deadbeef.lock"), "7");
    const refused = cli(dir, "gateway unlock", { env });
    expect(refused).toMatchObject({ code: 78, stdout: "" });
    expect(refused.stderr).toContain(`PID ${gateway.pid} on port ${gateway.port}`);
    expect(locks(state)).toHaveLength(2);
    await gateway.stop("SIGKILL");
    const removed = JSON.parse(cli(dir, "gateway unlock --json", { env }).stdout) as {
      removed: string[];
    };
    expect(removed.removed).toHaveLength(2);
    expect(locks(state)).toEqual([]);
    await start(dir, "gateway --port 0", { env });
  });
});
