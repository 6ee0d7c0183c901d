/** Who owns the state folder and what is in it, and whether it outlives the container. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { run } from "../lab.ts";
import { cli, home, isRoot, named, nameOf, operator, start, useRig, volume } from "./rig.ts";

setDefaultTimeout(60_000);
useRig();
const noRoot = !isRoot || process.platform !== "linux";
const LOCAL = '{ "gateway": { "mode": "local" } }\n';

describe("owners and rights", () => {
  const ROOTS = { KUBERNETES_SERVICE_HOST: "" };

  test.skipIf(noRoot)(
    "deploy-035 a volume of root: one sentence, and the command with the right numbers and path",
    () => {
      const dir = home({ node: true });
      const state = volume(dir);
      const run = (env: Record<string, string>) =>
        cli(dir, "gateway --port 0", { node: true, env: { CLAWDBOT_STATE_DIR: state, ...env } });
      const { code, stderr } = run(ROOTS);
      expect(code).toBe(74);
      expect(stderr).toContain(
        `The state directory ${state} belongs to uid 0, and this program runs as uid 1000, so it cannot be used.`,
      );
      expect(stderr).toContain(`chown -R 1000:1000 ${state}`);
      expect(run({ FLY_APP_NAME: "x" }).stderr).toContain(
        `fly ssh console -C "chown -R 1000:1000 ${state}"`,
      );
      expect(readdirSync(state)).toEqual([]);
      chownSync(state, 1000, 1000);
    },
  );

  test.skipIf(noRoot)(
    "deploy-035 files of root inside, after `docker exec -u 0`, are named in the same way",
    async () => {
      const dir = home({ node: true });
      const state = volume(dir);
      chownSync(state, 1000, 1000);
      const env = { CLAWDBOT_STATE_DIR: state };
      await (await start(dir, "gateway --port 0", { node: true, env })).stop();
      for (const name of [
        "clawdbot.sqlite",
        readdirSync(state).find((n) => n.endsWith(".lock"))!,
      ]) {
        chownSync(join(state, name), 0, 0);
        const { code, stderr } = cli(dir, "gateway --port 0", { node: true, env });
        expect({ name, code }).toEqual({ name, code: 74 });
        expect(stderr).toContain(`${name} in ${state} belongs to uid 0`);
        expect(stderr).toContain("chown -R 1000:1000");
        chownSync(join(state, name), 1000, 1000);
      }
      await start(dir, "gateway --port 0", { node: true, env });
    },
  );

  test.skipIf(noRoot)(
    "deploy-035 a read-only file system, and a HOME that is nowhere or not ours, are said as what they are",
    () => {
      const dir = home({ node: true });
      const state = volume(dir);
      expect(run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", state]).code).toBe(0);
      try {
        const { code, stderr } = cli(dir, "gateway --port 0", {
          env: { CLAWDBOT_STATE_DIR: state },
        });
        expect(code).toBe(74);
        expect(stderr).toContain(`The state directory ${state} is on a read-only file system.`);
        expect(stderr).toContain("CLAWDBOT_STATE_DIR");
      } finally {
        run(["umount", state]);
      }
      const nowhere = cli(dir, "gateway --port 0", { node: true, env: { HOME: "/" } });
      expect(nowhere.code).toBe(74);
      expect(nowhere.stderr).toContain("The state directory /.clawdbot cannot be made (EACCES).");
      expect(nowhere.stderr).toContain("HOME is /, where uid 1000 may not write.");
      expect(nowhere.stderr).toContain("CLAWDBOT_STATE_DIR");
    },
  );

  test.skipIf(noRoot)(
    "deploy-060 a config that root wrote over ssh is read, and changed in place by the user of the image",
    async () => {
      const dir = home({ node: true });
      const state = volume(dir);
      chownSync(state, 1000, 1000);
      const file = join(state, "openclaw.json");
      writeFileSync(file, named("From root"));
      chmodSync(file, 0o644);
      const env = { OPENCLAW_STATE_DIR: state };
      const gateway = await start(dir, "gateway --port 0", { node: true, env });
      expect(await nameOf(state)).toBe("From root");
      const client = await operator(state);
      client.close();
      const set = cli(dir, "config set ui.assistant.name Mine", { node: true, env });
      expect(set).toMatchObject({ code: 0, stderr: "" });
      expect(statSync(file)).toMatchObject({ uid: 1000 });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      await gateway.seen("config changed");
      expect(await nameOf(state)).toBe("Mine");
      expect(gateway.log()).not.toMatch(/EPERM|EACCES/);
    },
  );

  test.skipIf(noRoot)(
    "deploy-060 what root changes with the program stays readable for the gateway",
    async () => {
      const dir = home({ node: true });
      const state = volume(dir);
      chownSync(state, 1000, 1000);
      const env = { CLAWDBOT_STATE_DIR: state };
      const gateway = await start(dir, "gateway --allow-unconfigured --port 0", {
        node: true,
        env,
      });
      await gateway.seen("agent model:");
      expect(cli(dir, "config set ui.assistant.name Root", { env })).toMatchObject({ code: 0 });
      await gateway.seen("config changed");
      expect(await nameOf(state)).toBe("Root");
      expect(statSync(join(state, "clawdbot.json")).uid).toBe(1000);
      await gateway.stop();
      rmSync(join(state, "clawdbot.json"));
      expect(cli(dir, "config set ui.assistant.name Again", { env })).toMatchObject({ code: 0 });
      expect(statSync(join(state, "clawdbot.json")).uid).toBe(1000);
      const foreign = readdirSync(state).filter((name) => statSync(join(state, name)).uid !== 1000);
      expect(foreign).toEqual([]);
    },
  );

  test.skipIf(noRoot)(
    "deploy-060 a config that may not be read is an error with the command that mends it",
    () => {
      const dir = home({ node: true });
      const state = volume(dir);
      chownSync(state, 1000, 1000);
      const file = join(state, "clawdbot.json");
      writeFileSync(file, LOCAL);
      chmodSync(file, 0o600);
      const env = { CLAWDBOT_STATE_DIR: state };
      const { code, stderr } = cli(dir, "gateway --port 0", { node: true, env });
      expect(code).toBe(78);
      expect(stderr).toContain("may not be read");
      expect(stderr).toContain(`sudo chown 1000:1000 ${file}`);
    },
  );
});

test.skipIf(noRoot)(
  "deploy-074 a state folder that is lost with the container is a warning; one on a volume is none",
  async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state, KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    const words = "is lost with the container";
    const lost = await start(dir, "gateway --port 0", { env });
    expect(lost.log()).toContain(words);
    expect(lost.log()).toContain(`docker run -v clawdbot:${state}`);
    await lost.stop();
    const fly = await start(dir, "gateway --port 0", { env: { ...env, FLY_APP_NAME: "x" } });
    expect(fly.log()).toContain("[mounts] destination");
    await fly.stop();
    expect(run(["mount", "-t", "tmpfs", "tmpfs", state]).code).toBe(0);
    try {
      const kept = await start(dir, "gateway --port 0", { env });
      expect(kept.log()).not.toContain(words);
      await kept.stop();
    } finally {
      run(["umount", state]);
    }
  },
);
