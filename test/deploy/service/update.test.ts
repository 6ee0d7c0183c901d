/** `clawdbot update` where the gateway is a real service of systemd: the service's process stays the same, for good and for bad versions. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { NEWER_SCHEMA, openRig, type Rig } from "../../e2e/update-rig.ts";
import { NEW, OLD } from "../../e2e/update-stage.ts";
import { bootMachine, type Machine, noMachine, type User } from "./machine.ts";

const why = noMachine();
if (why) process.stdout.write(`skipped: ${why}\n`);

const HOME = "/home/bot";
const bot: User = {
  name: "bot",
  home: HOME,
  env: { CLAWDBOT_INSTALL_BASE_URL: "file:///srv/releases" },
};
const BAD = "2099.1.9";
const UNIT = "clawdbot-gateway";

describe.skipIf(why !== undefined)("an update of a service under systemd", () => {
  let rig: Rig;
  let machine: Machine;
  const inMachine = (...command: string[]) => machine.inSession(bot, command);
  const shown = (name: string) =>
    inMachine("systemctl", "--user", "show", UNIT, `--property=${name}`, "--value").stdout.trim();
  const update = (...words: string[]) => {
    const { code, stdout, stderr } = inMachine("clawdbot", "update", ...words, "--json");
    if (!stdout) throw new Error(stderr);
    return { code, ...(JSON.parse(stdout) as Record<string, unknown>) };
  };
  const status = () => JSON.parse(inMachine("clawdbot", "update", "status", "--json").stdout);

  /** The rig's releases, as a folder of the machine. */
  async function copyReleases(): Promise<void> {
    for (const name of readdirSync(rig.www, { recursive: true, encoding: "utf8" })) {
      const file = Bun.file(join(rig.www, name));
      if (await file.exists()) await machine.write(`/srv/releases/${name}`, await file.bytes());
    }
  }

  beforeAll(async () => {
    rig = await openRig();
    const old = await rig.build(OLD);
    const next = await rig.build(NEW, NEWER_SCHEMA);
    machine = await bootMachine([`bot:x:1000:1000::${HOME}:/bin/bash`]);
    await machine.write(`${HOME}/.local/bin/clawdbot`, await Bun.file(old).bytes(), 1000);
    await machine.write("/opt/next", await Bun.file(next).bytes());
    machine.run(["chmod", "755", `${HOME}/.local/bin/clawdbot`, "/opt/next"]);
    machine.run(["chown", "-R", "1000:1000", HOME]);
    rig.publish(NEW, { path: next });
    await copyReleases();
    machine.run(["loginctl", "enable-linger", "bot"]);
    await machine.until(
      () => inMachine("systemctl", "--user", "is-active", "default.target").code === 0,
    );
    expect(inMachine("clawdbot", "gateway", "install")).toMatchObject({ code: 0 });
  }, 400_000);
  afterAll(async () => {
    await machine?.stop();
    await rig?.stop();
  }, 120_000);

  test("the service's own process becomes the new version", () => {
    const pid = shown("MainPID");
    expect(update()).toMatchObject({ code: 0, status: "ok", gateway: "restarted" });
    expect(shown("MainPID")).toBe(pid);
    expect(shown("ActiveState")).toBe("active");
    expect(shown("NRestarts")).toBe("0");
    expect(status()).toMatchObject({ version: NEW, gateway: { pid: Number(pid), version: NEW } });
  }, 60_000);

  test("and goes back with rollback", () => {
    const pid = shown("MainPID");
    expect(update("rollback", "--yes")).toMatchObject({ code: 0, status: "ok" });
    expect(shown("MainPID")).toBe(pid);
    expect(status()).toMatchObject({ version: OLD, gateway: { pid: Number(pid), version: OLD } });
  }, 60_000);

  test("one that hangs in its place is taken back, and the service goes on", async () => {
    const real = `[ -n "$CLAWDBOT_UPDATE_TRIAL" ] && exec /opt/next "$@"`;
    const script = `#!/bin/sh\n[ "$1" = --version ] && echo ${BAD} && exit\n${real}\ntrap '' TERM\nexec sleep 600\n`;
    rig.publish(BAD, { script });
    await copyReleases();
    const pid = shown("MainPID");
    expect(update()).toMatchObject({ code: 1, status: "error", reason: "not-ready" });
    expect(shown("MainPID")).toBe(pid);
    expect(shown("NRestarts")).toBe("0");
    expect(status()).toMatchObject({ version: OLD, gateway: { pid: Number(pid), version: OLD } });
    expect(inMachine("clawdbot", "health")).toMatchObject({ code: 0 });
  }, 60_000);
});
