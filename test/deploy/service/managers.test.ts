/** What every manager must do, run against each of them with its supervisor as a real child process. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { installService, uninstallService } from "../../../src/service/actions.ts";
import { cutLaunchdLog } from "../../../src/service/launchd-log.ts";
import { launchd } from "../../../src/service/launchd.ts";
import type { ServiceManager, Surroundings, Wanted } from "../../../src/service/service.ts";
import { systemd } from "../../../src/service/systemd.ts";
import { windowsTask } from "../../../src/service/windows-task.ts";
import { emptyHome, type Home } from "../../e2e/binary.ts";
import { missing, run } from "../lab.ts";
import { makeStubs, type Stubs } from "./stubs.ts";

// Real processes, on a machine that may be busy.
setDefaultTimeout(60_000);

const why = missing({ plistutil: "libplist-utils", python3: "python3" });

type Subject = {
  make(around: Surroundings): ServiceManager;
  name: string;
  profileName: string;
  /** Where the file of an older service is, and one of its names. */
  older: { name: string; path?(home: string): string; text: string };
};
const OLD_PLIST = `<?xml version="1.0"?><plist version="1.0"><dict><key>Label</key><string>bot.molt.gateway</string>
<key>ProgramArguments</key><array><string>/bin/sleep</string><string>60</string></array>
<key>WorkingDirectory</key><string>/</string><key>StandardErrorPath</key><string>/dev/null</string>
<key>EnvironmentVariables</key><dict><key>MOLTBOT_GATEWAY_TOKEN</key><string>old-token &amp; more</string></dict></dict></plist>`;

const SUBJECTS: Record<string, Subject> = {
  systemd: {
    make: (around) => systemd(around, { root: join(around.home, "root") }),
    name: "clawdbot-gateway.service",
    profileName: "clawdbot-gateway-work.service",
    older: {
      name: "moltbot-gateway.service",
      path: (home) => join(home, ".config/systemd/user/moltbot-gateway.service"),
      text: '[Service]\nEnvironment="MOLTBOT_GATEWAY_TOKEN=old-token & more"\n',
    },
  },
  launchd: {
    make: launchd,
    name: "com.clawdbot.gateway",
    profileName: "com.clawdbot.gateway.work",
    older: {
      name: "bot.molt.gateway",
      path: (home) => join(home, "Library/LaunchAgents/bot.molt.gateway.plist"),
      text: OLD_PLIST,
    },
  },
  "windows task": {
    make: windowsTask,
    name: "Clawdbot Gateway",
    profileName: "Clawdbot Gateway (work)",
    older: { name: "Moltbot Gateway", text: "<Task/>" },
  },
};

describe.skipIf(why !== undefined).each(Object.entries(SUBJECTS))("%s", (id, subject) => {
  let stubs: Stubs;
  let home: Home;
  let manager: ServiceManager;
  const around = (profile?: string): Surroundings => ({
    vars: { PATH: stubs.path, HOME: home.dir },
    home: home.dir,
    stateDir: home.state,
    profile,
    uid: 501,
    running: () => (existsSync(stubs.file("running")) ? 4242 : undefined),
  });
  const wanted = (over: Partial<Wanted> = {}): Wanted => ({
    // Stands for a gateway: it stays until it is ended.
    command: ["/bin/sh", "-c", "exec sleep 300", "gateway", "--port", "18789"],
    workingDirectory: home.state,
    environment: { HOME: home.dir, PATH: "/usr/local/bin:/usr/bin:/bin" },
    environmentFile: join(home.state, "gateway.env"),
    ...over,
  });
  const request = (over: { force?: boolean; wanted?: Wanted } = {}) => ({
    wanted: over.wanted ?? wanted(),
    stateDir: home.state,
    variables: { CLAWDBOT_GATEWAY_TOKEN: "secret-of-the-caller" },
    force: over.force ?? false,
    facts: { program: ["/bin/sh"], platform: process.platform },
    beforeStart: () => undefined,
  });
  const read = () => readFileSync(manager.source, "utf8");

  beforeEach(async () => {
    stubs = await makeStubs();
    home = emptyHome();
    mkdirSync(home.state);
    mkdirSync(join(home.dir, "root/run/systemd/system"), { recursive: true });
    manager = subject.make(around());
  });
  afterEach(async () => {
    await manager.uninstall();
    stubs[Symbol.dispose]();
    home.remove();
  });

  test("deploy-005 it has today's name, and a profile has its own", () => {
    expect(manager.name).toBe(subject.name);
    expect(subject.make(around("work")).name).toBe(subject.profileName);
    expect(subject.make(around("work")).name).not.toBe(manager.name);
  });

  test("nothing is installed at first, and asking changes nothing", async () => {
    expect(await manager.obstacle()).toBeUndefined();
    expect(await manager.read()).toBeUndefined();
    expect(await manager.state()).toMatchObject({
      installed: false,
      enabled: false,
      running: false,
    });
    expect(await manager.older()).toEqual([]);
    expect(await manager.uninstall()).toBe(false);
    expect(readdirSync(home.state)).toEqual([]);
  });

  test("install, stop, start, restart, uninstall", async () => {
    expect(await installService(manager, request())).toMatchObject({
      result: "installed",
      started: true,
    });
    expect(await manager.state()).toMatchObject({ installed: true, enabled: true, running: true });
    await manager.stop();
    expect((await manager.state()).running).toBe(false);
    await manager.stop();
    await manager.start();
    expect((await manager.state()).running).toBe(true);
    await manager.restart();
    expect((await manager.state()).running).toBe(true);
    expect(await uninstallService(manager, home.state)).toBe(true);
    expect(await manager.state()).toMatchObject({
      installed: false,
      enabled: false,
      running: false,
    });
    expect(existsSync(manager.source)).toBe(false);
    expect(existsSync(join(home.state, "gateway.env"))).toBe(false);
    expect(await uninstallService(manager, home.state)).toBe(false);
  });

  test("what was installed is read back, and no secret is in it", async () => {
    await installService(manager, request());
    expect(await manager.read()).toMatchObject({
      command: wanted().command,
      environment: wanted().environment,
      workingDirectory: home.state,
      source: manager.source,
    });
    expect(read()).not.toContain("secret-of-the-caller");
    const env = join(home.state, "gateway.env");
    expect(readFileSync(env, "utf8")).toContain("secret-of-the-caller");
    expect(statSync(env).mode & 0o777).toBe(0o600);
    expect(manager.audit((await manager.read())!)).toEqual([]);
  });

  test("a second install changes nothing; another one is written with force, and the former file is kept", async () => {
    await installService(manager, request());
    const before = read();
    expect(await manager.upToDate(wanted())).toBe(true);
    expect(await installService(manager, request())).toMatchObject({
      result: "already-installed",
      started: false,
    });
    const other = wanted({ command: [...wanted().command.slice(0, -1), "19001"] });
    expect((await installService(manager, request({ wanted: other }))).result).toBe(
      "already-installed",
    );
    expect(read()).toBe(before);
    expect(await manager.upToDate(other)).toBe(false);
    expect((await installService(manager, request({ wanted: other, force: true }))).result).toBe(
      "installed",
    );
    expect(read()).toContain("19001");
    const kept = join(home.state, "backups/services");
    expect(readdirSync(kept).map((name) => readFileSync(join(kept, name), "utf8"))).toEqual([
      before,
    ]);
  });

  test("when the supervisor refuses the new service, the former one is as it was", async () => {
    await installService(manager, request());
    const before = read();
    await stubs.refuse(true);
    const other = wanted({ command: [...wanted().command.slice(0, -1), "19001"] });
    const failure = installService(manager, request({ wanted: other, force: true }));
    await expect(failure).rejects.toMatchObject({ code: "service_failed" });
    await stubs.refuse(false);
    expect(read()).toBe(before);
    await manager.start();
    expect((await manager.state()).running).toBe(true);
  });

  test("paths with blanks, quotes, percents, dollars and ampersands stay what they are, line ends are refused", async () => {
    const odd = id === "windows task" ? "/o d%h$x&'y" : `/o d%h$x&<'y">\\z`;
    const hostile = wanted({
      command: ["/bin/sh", "-c", "exec sleep 300", "gateway", odd],
      environment: { ...wanted().environment, CLAWDBOT_STATE_DIR: odd },
    });
    await installService(manager, request({ wanted: hostile }));
    expect(await manager.read()).toMatchObject({
      command: hostile.command,
      environment: hostile.environment,
    });
    for (const bad of [{ workingDirectory: "/a\nb" }, { environment: { A: "x\ny" } }]) {
      const refused = manager.upToDate(wanted(bad));
      await expect(refused).rejects.toMatchObject({ code: "usage" });
    }
  });

  test("deploy-005 a service of an older name is stopped, its file kept and its token taken over", async () => {
    const { older } = subject;
    if (older.path) {
      mkdirSync(join(older.path(home.dir), ".."), { recursive: true });
      await Bun.write(older.path(home.dir), older.text);
      if (id === "launchd")
        run(["launchctl", "bootstrap", "gui/501", older.path(home.dir)], {
          env: { PATH: stubs.path },
        });
    } else await Bun.write(stubs.file(`task-${older.name}`), older.text);
    expect((await manager.older()).map(({ name }) => name)).toEqual([older.name]);
    const { notes } = await installService(manager, request());
    expect(notes.join("\n")).toContain(`Stopped ${older.name}, the service of an older version.`);
    expect(await manager.older()).toEqual([]);
    const kept = join(home.state, "backups/services");
    expect(readdirSync(kept).map((name) => readFileSync(join(kept, name), "utf8").trim())).toEqual([
      older.text.trim(),
    ]);
    if (id === "launchd") expect(existsSync(stubs.file("loaded-bot.molt.gateway"))).toBe(false);
    // The caller's own token comes before the older one's.
    expect(readFileSync(join(home.state, "gateway.env"), "utf8")).toContain("secret-of-the-caller");
  });

  test("a damaged file is found, and repaired with force", async () => {
    await installService(manager, request());
    await Bun.write(manager.source, "\u0000 nonsense <");
    expect((await manager.read())?.command).toEqual([]);
    const left = await installService(manager, request());
    expect(left.findings.map(({ code }) => code)).toContain("gateway-command-missing");
    await installService(manager, request({ force: true }));
    expect((await manager.read())?.command).toEqual(wanted().command);
  });
});

describe.skipIf(why !== undefined)("launchd alone", () => {
  test("the plist is valid for another reader, keeps the agent alive and writes to one small file", async () => {
    using stubs = await makeStubs();
    const home = emptyHome();
    const manager = launchd({
      vars: { PATH: stubs.path, HOME: home.dir },
      home: home.dir,
      stateDir: home.state,
      profile: undefined,
      uid: 501,
      running: () => undefined,
    });
    try {
      const wanted: Wanted = {
        command: ["/bin/sleep", "300"],
        workingDirectory: home.state,
        environment: { HOME: home.dir },
        environmentFile: join(home.state, "gateway.env"),
      };
      await manager.install(wanted);
      // Through the binary form and back, so that it is really read.
      const binary = join(home.dir, "binary.plist");
      expect(run(["plistutil", "-i", manager.source, "-f", "bin", "-o", binary]).code).toBe(0);
      const { stdout } = run([
        ...[
          "python3",
          "-c",
          "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))",
        ],
        binary,
      ]);
      expect(JSON.parse(stdout)).toMatchObject({
        Label: "com.clawdbot.gateway",
        ProgramArguments: wanted.command,
        RunAtLoad: true,
        KeepAlive: true,
        ProcessType: "Background",
        Umask: 63,
        StandardOutPath: "/dev/null",
        StandardErrorPath: join(home.state, "logs/gateway.err.log"),
      });
      expect(stubs.calls()).toContain("launchctl enable gui/501/com.clawdbot.gateway");
      mkdirSync(join(home.dir, ".Trash"));
      await manager.uninstall();
      expect(readdirSync(join(home.dir, ".Trash"))).toEqual(["com.clawdbot.gateway.plist"]);
    } finally {
      await manager.uninstall();
      home.remove();
    }
  });

  test("the file that launchd writes is emptied when it is large, and only then", async () => {
    const home = emptyHome();
    const log = join(home.state, "logs/gateway.err.log");
    await cutLaunchdLog(home.state);
    await Bun.write(log, "the reason\n");
    await cutLaunchdLog(home.state);
    expect(readFileSync(log, "utf8")).toBe("the reason\n");
    await Bun.write(log, "x".repeat(1_000_001));
    await cutLaunchdLog(home.state);
    expect(statSync(log).size).toBe(0);
    home.remove();
  });

  test("without a session on the screen it says where to log in", async () => {
    using stubs = await makeStubs();
    await Bun.write(stubs.file("no-session"), "");
    const vars = { PATH: stubs.path };
    const manager = launchd({
      vars,
      home: "/x",
      stateDir: "/x/s",
      profile: undefined,
      uid: 501,
      running: () => undefined,
    });
    await expect(manager.prepare()).rejects.toMatchObject({ code: "service_failed" });
    expect((await manager.state()).obstacle?.hint).toContain("Log in on the Mac's screen");
  });
});
