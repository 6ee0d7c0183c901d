/** The service commands where there is no service: in a terminal, in a container, without systemd; and a restart under launchd. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { readEnv } from "../../../src/base/env.ts";
import { readLock } from "../../../src/base/lock.ts";
import { findPaths } from "../../../src/base/paths.ts";
import { runRestart, runStart, runStop } from "../../../src/cli/commands/service.ts";
import { Out } from "../../../src/cli/out.ts";
import { openService, type Service } from "../../../src/cli/service/service.ts";
import { noSystemd, unreachableManager } from "../../../src/service/obstacles.ts";
import {
  BINARY,
  emptyHome,
  type Home,
  plainEnv,
  runCli,
  type Running,
  startGatewayProcess,
} from "../../e2e/binary.ts";
import { missing } from "../lab.ts";
import { makeStubs, type Stubs } from "./stubs.ts";

// Real processes, on a machine that may be busy.
setDefaultTimeout(60_000);

const linux = process.platform === "linux";

/** A PATH without systemctl, whatever this machine has. */
function bareTools(home: Home): string {
  const dir = join(home.dir, "tools");
  mkdirSync(dir);
  for (const name of ["id", "ps", "sh", "sleep"]) {
    const found = Bun.which(name);
    if (found) symlinkSync(found, join(dir, name));
  }
  return dir;
}

describe.skipIf(!linux)("without systemd", () => {
  let home: Home;
  let env: Record<string, string>;
  const cli = (...args: string[]) => runCli(args, { home, env });
  const json = async (...args: string[]) => {
    const { code, stdout } = await cli(...args, "--json");
    return { code, body: JSON.parse(stdout) };
  };
  beforeAll(() => {
    home = emptyHome();
    env = { PATH: bareTools(home), XDG_RUNTIME_DIR: join(home.dir, "none") };
  });
  afterAll(() => home.remove());

  test("install makes nothing and says what to do instead", async () => {
    const { code, stderr } = await cli("gateway", "install");
    expect(code).toBe(1);
    expect(stderr).toMatch(/so there is no service to install|systemd is not running/);
    expect(stderr).toMatch(/docker run|clawdbot gateway|wsl\.exe/);
    expect(readdirSync(home.dir)).toEqual(["tools"]);
    const { code: again, body } = await json("gateway", "install");
    expect(again).toBe(1);
    expect(body).toMatchObject({ ok: false, action: "install", service: { installed: false } });
    expect(body.error).toContain("systemd");
    expect(body.hints).toHaveLength(1);
  });

  test("start and stop of nothing are no failure, but a restart is", async () => {
    for (const verb of ["start", "stop"])
      expect(await json("gateway", verb)).toMatchObject({
        code: 0,
        body: { ok: true, action: verb, result: "not-loaded", service: { installed: false } },
      });
    expect(await json("gateway", "restart")).toMatchObject({
      code: 1,
      body: { ok: false, result: "not-loaded" },
    });
    // What cannot work here is not proposed.
    const { stdout } = await cli("gateway", "start");
    expect(stdout).not.toContain("clawdbot gateway install");
    expect(stdout).toMatch(/so there is no service to install|systemd is not running/);
    expect(await json("daemon", "uninstall")).toMatchObject({
      code: 0,
      body: { result: "uninstalled" },
    });
  });

  test("status works, and has the fields that install.sh reads", async () => {
    const { code, body } = await json("gateway", "status");
    expect(code).toBe(0);
    expect(body.service).toMatchObject({
      label: "systemd",
      installed: false,
      running: false,
      loaded: false,
    });
    expect(body.rpc.ok).toBe(false);
    const { stdout } = await cli("gateway", "status");
    expect(stdout).toContain("systemd (not running here)");
    expect(stdout).toContain("bind=loopback");
    expect(stdout).toContain("not running");
  });

  test("Nix mode and bad flags are refused before anything is looked at", async () => {
    const nix = await runCli(["gateway", "install"], {
      home,
      env: { ...env, CLAWDBOT_NIX_MODE: "1" },
    });
    expect(nix.code).toBe(1);
    expect(nix.stderr).toContain("made by Nix");
    const gone = await runCli(["gateway", "uninstall"], {
      home,
      env: { ...env, MOLTBOT_NIX_MODE: "1" },
    });
    expect(gone.stderr).toContain("made by Nix");
    for (const port of ["0", "70000", "x"])
      expect((await cli("gateway", "install", "--port", port)).stderr).toContain("Invalid --port");
    expect((await cli("gateway", "install", "--runtime", "deno")).stderr).toContain(
      "Invalid --runtime",
    );
  });
});

describe.skipIf(!linux)("a gateway in a terminal", () => {
  let home: Home;
  let gateway: Running;
  let env: Record<string, string>;
  const json = async (...args: string[]) => {
    const { code, stdout } = await runCli([...args, "--json"], { home, env });
    return { code, body: JSON.parse(stdout) };
  };
  const lock = () => {
    const name = readdirSync(home.state).find((file) => file.endsWith(".lock"))!;
    return readLock(join(home.state, name));
  };
  beforeAll(async () => {
    home = emptyHome();
    env = { PATH: bareTools(home) };
    gateway = await startGatewayProcess(home);
  });
  afterAll(async () => {
    await gateway.kill();
    home.remove();
  });

  test("deploy-113 restart starts it anew in its own process and waits until it is healthy", async () => {
    const before = lock().body!;
    const { code, body } = await json("gateway", "restart");
    expect({ code, body }).toMatchObject({
      code: 0,
      body: {
        ok: true,
        result: "restarted",
        gateway: { pid: gateway.pid, port: lock().body!.port },
      },
    });
    expect(lock()).toMatchObject({ held: true, body: { pid: gateway.pid } });
    expect(lock().body!.bootId).not.toBe(before.bootId);
    expect((await runCli(["health"], { home, env })).code).toBe(0);
    await gateway.seen("restarting: gateway restart");
  });

  test("status, start and install tell about it, and propose nothing that cannot work", async () => {
    const { body: status } = await json("gateway", "status");
    expect(status.gateway.bindMode).toBe("loopback");
    expect(await json("gateway", "start")).toMatchObject({
      code: 0,
      body: { result: "not-loaded", message: expect.stringContaining(`PID ${gateway.pid}`) },
    });
    const { code, body } = await json("gateway", "install");
    expect({ code, error: body.error }).toMatchObject({
      code: 1,
      error: expect.stringMatching(/no service to install|systemd is not running/),
    });
  });

  test("a restart with a config that cannot be used keeps the last good one, and says so", async () => {
    const config = join(home.state, "clawdbot.json");
    const before = existsSync(config) ? readFileSync(config, "utf8") : undefined;
    await Bun.write(config, "{ gateway: { mode: 'local' } }");
    expect((await json("gateway", "restart")).body.warnings).toEqual([]);
    await Bun.write(config, "{ gateway: { mode: 'local' }");
    expect((await json("gateway", "restart")).body).toMatchObject({
      ok: true,
      warnings: [expect.stringContaining("clawdbot doctor")],
    });
    if (before === undefined) rmSync(config);
    else await Bun.write(config, before);
  });

  test("stop ends it as Ctrl-C would, and a second stop is no failure", async () => {
    const { code, body } = await json("gateway", "stop");
    expect({ code, body }).toMatchObject({ code: 0, body: { ok: true, result: "stopped" } });
    expect(lock().held).toBe(false);
    await gateway.seen("signal SIGTERM received");
    expect(await json("gateway", "stop")).toMatchObject({
      code: 0,
      body: { result: "not-loaded" },
    });
  });

  test("a pid in the lock that belongs to somebody else is never ended", async () => {
    const other = await startGatewayProcess(home);
    const victim = Bun.spawn(["sleep", "60"]);
    const name = readdirSync(home.state).find((file) => file.endsWith(".lock"))!;
    const file = join(home.state, name);
    const body = JSON.parse(readFileSync(file, "utf8"));
    await Bun.write(Bun.file(file), `${JSON.stringify({ ...body, pid: victim.pid })}\n`);
    const { code, body: told } = await json("gateway", "stop");
    expect(code).toBe(1);
    expect(told.error).toContain(
      "cannot be seen from here".replace("cannot be seen", "can be seen"),
    );
    expect(victim.exitCode).toBeNull();
    victim.kill();
    await victim.exited;
    expect(await other.kill()).toBe(0);
  });
});

const noStub = missing({ python3: "python3" });
describe.skipIf(!linux || noStub !== undefined)("under launchd", () => {
  let home: Home;
  let stubs: Stubs;
  let service: Service;
  beforeAll(async () => {
    home = emptyHome();
    stubs = await makeStubs();
    const env = readEnv(plainEnv(home, { PATH: stubs.path }));
    service = openService(
      {
        name: "clawdbot",
        profileFlag: "",
        env,
        paths: findPaths(env),
        out: new Out({ json: true }),
      },
      { platform: "darwin" },
    );
  });
  afterAll(async () => {
    await service.manager?.uninstall();
    stubs[Symbol.dispose]();
    home.remove();
  });

  test("deploy-113 a real gateway as a launch agent is restarted by launchd, stopped and started", async () => {
    const { manager } = service;
    await manager!.install({
      command: [BINARY, "gateway", "--allow-unconfigured", "--port", "0"],
      workingDirectory: home.state,
      environment: plainEnv(home, { CLAWDBOT_SERVICE_MARKER: "launchd" }),
      environmentFile: join(home.state, "gateway.env"),
    });
    const first = await runStart(service);
    const second = await runRestart(service);
    expect(second).toMatchObject({ result: "restarted" });
    expect(second.gateway!.pid).not.toBe(first.gateway!.pid);
    expect(stubs.calls()).toContain(
      `launchctl kickstart -k gui/${process.getuid?.()}/com.clawdbot.gateway`,
    );
    expect(await runStop(service)).toMatchObject({ result: "stopped" });
    expect(readLock(service.cli.paths.lockPath).held).toBe(false);
    expect(await runStart(service)).toMatchObject({ result: "started" });
    expect(existsSync(join(home.state, "logs/gateway.err.log"))).toBe(true);
  }, 60_000);

  test("what never becomes healthy is said with its last lines and the way on", async () => {
    await service.manager!.install({
      command: ["/bin/sh", "-c", "echo 'the reason of it' >&2; exit 78", "gateway"],
      workingDirectory: home.state,
      environment: plainEnv(home),
      environmentFile: join(home.state, "gateway.env"),
    });
    const failed = runRestart(service);
    await expect(failed).rejects.toMatchObject({
      code: "service_failed",
      message: expect.stringContaining("the reason of it"),
      hint: expect.stringContaining("clawdbot gateway restart"),
    });
  }, 60_000);
});

describe("the advice for systems without systemd", () => {
  test("names the way of that system", async () => {
    const root = emptyHome();
    const at = (vars: Record<string, string> = {}) => noSystemd(vars, root.dir);
    expect(at().hint).toContain("clawdbot gateway");
    expect(at({ KUBERNETES_SERVICE_HOST: "x" }).message).toContain("container");
    expect(at({ WSL_DISTRO_NAME: "Ubuntu" })).toMatchObject({
      message: expect.stringContaining("WSL"),
      hint: expect.stringContaining("[boot]\\nsystemd=true"),
    });
    await Bun.write(join(root.dir, "proc/version"), "Linux 5.15 Microsoft-standard-WSL2");
    expect(at().hint).toContain("wsl.exe --shutdown");
    await Bun.write(join(root.dir, ".dockerenv"), "");
    await Bun.write(join(root.dir, "proc/version"), "Linux");
    expect(at().hint).toContain("docker compose up -d clawdbot-gateway");
    root.remove();
  });

  test("deploy-009 in WSL a systemd that does not answer leads to wsl.conf", () => {
    const { hint } = unreachableManager("Failed to connect to bus", { WSL_DISTRO_NAME: "Ubuntu" });
    expect(hint).toContain("/etc/wsl.conf");
    expect(unreachableManager("x", {}).hint).toContain("loginctl enable-linger");
  });
});
