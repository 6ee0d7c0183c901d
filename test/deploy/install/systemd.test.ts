/** install.sh where the gateway is a real service of systemd: an update restarts it, a bad one is taken back, removal leaves nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { BINARY } from "../../e2e/binary.ts";
import { scriptOf } from "../guides/blocks.ts";
import { bootMachine, type Machine, noMachine, type User } from "../service/machine.ts";

const why = noMachine();
if (why) process.stdout.write(`skipped: ${why}\n`);

const HOME = "/home/bot";
const bot: User = {
  name: "bot",
  home: HOME,
  env: { CLAWDBOT_INSTALL_BASE_URL: "file:///srv/releases" },
};
const TARGET = `linux-${process.arch}`;
const REAL = "/opt/real";

/** A later version: the real program, with another number, and another way to run the gateway. */
const later = (version: string, gateway: string) => `#!/bin/sh
case "$*" in
--version) echo ${version} ;;
"gateway --port "*) ${gateway} ;;
*) exec ${REAL} "$@" ;;
esac
`;

describe.skipIf(why !== undefined)("with a service under systemd", () => {
  let machine: Machine;
  let version = "";
  const inMachine = (...command: string[]) => machine.inSession(bot, command);
  const install = (...options: string[]) => inMachine("sh", "/srv/install.sh", ...options);
  const status = () => JSON.parse(inMachine("clawdbot", "gateway", "status", "--json").stdout);
  const mainPid = () =>
    inMachine(
      ...["systemctl", "--user", "show", "clawdbot-gateway", "--property=MainPID", "--value"],
    ).stdout.trim();

  async function publish(of: string, program: string | Uint8Array): Promise<void> {
    const name = `clawdbot-${TARGET}`;
    const folder = `/srv/releases/download/v${of}`;
    const sum = new Bun.CryptoHasher("sha256").update(program).digest("hex");
    await machine.write(`${folder}/${name}`, program);
    await machine.write(`${folder}/SHA256SUMS`, `${sum}  ${name}\n`);
  }

  beforeAll(async () => {
    machine = await bootMachine([`bot:x:1000:1000::${HOME}:/bin/bash`]);
    const binary = await Bun.file(BINARY).bytes();
    await machine.write(REAL, binary);
    machine.run(["chmod", "755", REAL]);
    version = machine.run([REAL, "--version"]).stdout.trim();
    await machine.write("/srv/install.sh", await Bun.file("install.sh").text());
    await machine.write("/srv/releases/latest/download/latest.txt", `${version}\n`);
    await publish(version, binary);
    await publish("2099.1.1", later("2099.1.1", `exec ${REAL} "$@"`));
    await publish("2099.1.2", later("2099.1.2", 'echo "this one is broken" >&2; exit 78'));
    machine.run(["loginctl", "enable-linger", "bot"]);
    await machine.until(
      () => inMachine("systemctl", "--user", "is-active", "default.target").code === 0,
    );
  }, 300_000);
  afterAll(() => machine?.stop(), 120_000);

  test("the newest version is installed without root, and found in the next session", () => {
    // As after signing in over SSH, with a PATH that lacks the folder.
    const line = "CLAWDBOT_INSTALL_BASE_URL=file:///srv/releases sh /srv/install.sh";
    const { code, stdout, stderr } = machine.run(["runuser", "-l", "bot", "-c", line]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining("carries no release key"),
    });
    expect(stdout).toContain(`clawdbot ${version} is installed: ${HOME}/.local/bin/clawdbot`);
    const session = machine.run(["runuser", "-l", "bot", "-c", "command -v clawdbot"]);
    expect(session.stdout.trim()).toBe(`${HOME}/.local/bin/clawdbot`);
    expect(inMachine("clawdbot", "gateway", "install").code).toBe(0);
    expect(status()).toMatchObject({
      service: { installed: true, running: true },
      rpc: { ok: true },
    });
  }, 60_000);

  test("an update restarts the service, and it is healthy", () => {
    const before = mainPid();
    const { code, stdout, stderr } = install("--version", "2099.1.1");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("Restarting the service");
    expect(mainPid()).not.toBe(before);
    expect(inMachine("clawdbot", "--version").stdout.trim()).toBe("2099.1.1");
    expect(status()).toMatchObject({ service: { running: true }, rpc: { ok: true } });
  }, 60_000);

  test("an update whose gateway does not come up is taken back, and the one before runs again", () => {
    const { code, stderr } = install("--version", "2099.1.2");
    expect(code).toBe(1);
    expect(stderr).toContain("clawdbot 2099.1.2 was not healthy after the restart");
    expect(stderr).toContain("the old version was put back and runs again");
    expect(stderr).toMatch(/The reason: \S/);
    expect(stderr).toContain("journalctl --user -u clawdbot-gateway");
    expect(inMachine("clawdbot", "--version").stdout.trim()).toBe("2099.1.1");
    expect(status()).toMatchObject({ service: { running: true }, rpc: { ok: true } });
    expect(JSON.parse(machine.read(`${HOME}/.local/bin/.clawdbot-install.json`)).version).toBe(
      "2099.1.1",
    );
  }, 120_000);

  test("the way back by hand, as docs/guides/updating.md has it", () => {
    expect(install("--version", version).code).toBe(0);
    expect(inMachine("clawdbot", "--version").stdout.trim()).toBe(version);
    for (const { text } of scriptOf("updating", "going-back"))
      expect(inMachine("sh", "-euc", text)).toMatchObject({ code: 0 });
    expect(inMachine("clawdbot", "--version").stdout.trim()).toBe("2099.1.1");
    expect(status()).toMatchObject({ service: { running: true }, rpc: { ok: true } });
  }, 60_000);

  test("a stopped service stays stopped through an update", () => {
    expect(inMachine("clawdbot", "gateway", "stop").code).toBe(0);
    const { code, stdout } = install("--version", version);
    expect(code).toBe(0);
    expect(stdout).toContain("was not running, and stays so");
    expect(status()).toMatchObject({ service: { installed: true, running: false } });
  }, 60_000);

  test("--uninstall ends the service and leaves the home as it was, but for the data", () => {
    inMachine("clawdbot", "gateway", "start");
    const { code, stdout, stderr } = install("--uninstall");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Removing the service");
    expect(inMachine("systemctl", "--user", "is-active", "clawdbot-gateway").code).not.toBe(0);
    const left = inMachine("find", HOME, "-name", "*clawd*", "-not", "-path", "*/.clawdbot/*");
    expect(left.stdout.trim().split("\n").sort()).toEqual([`${HOME}/.clawdbot`]);
    expect(inMachine("grep", "-rl", "clawdbot", `${HOME}/.bashrc`, `${HOME}/.profile`).stdout).toBe(
      "",
    );
  }, 60_000);
});
