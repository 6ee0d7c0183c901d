/** The service under a real systemd: as a user's unit with lingering, with profiles, after crashes and reboots, and of the machine. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { BINARY } from "../../e2e/binary.ts";
import { bootMachine, type Machine, noMachine, type User } from "./machine.ts";

// Real processes, on a machine that may be busy.
setDefaultTimeout(60_000);

const why = noMachine();
if (why) process.stdout.write(`skipped: ${why}\n`);

/** Every character that a shell, systemd or a unit file takes for something else. */
const ODD_HOME = `/home/o d"d%h $HOME's`;
const bot: User = { name: "bot", home: "/home/bot" };
const odd: User = { name: "odd", home: ODD_HOME };
const own: User = { name: "own", home: "/home/own" };
const users = [
  "bot:x:1000:1000::/home/bot:/bin/sh",
  `odd:x:1001:1001::${ODD_HOME}:/bin/sh`,
  "own:x:1002:1002::/home/own:/bin/sh",
];
const UNIT = "/home/bot/.config/systemd/user/clawdbot-gateway.service";
const GOLDEN = `# Made by \`clawdbot gateway install\`, which replaces it. Settings of your own go to \`systemctl edit\`.
[Unit]
Description=Clawdbot gateway
Documentation=https://github.com/clawdbot/clawdbot
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=exec
ExecStart=/home/bot/.local/bin/clawdbot gateway --port 18789
SyslogIdentifier=clawdbot-gateway
WorkingDirectory=-/home/bot/.clawdbot
Environment=HOME=/home/bot
Environment=PATH=/home/bot/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=CLAWDBOT_SERVICE_MARKER=systemd
EnvironmentFile=-/home/bot/.clawdbot/gateway.env
Restart=always
RestartSec=5
RestartPreventExitStatus=78
SuccessExitStatus=143
KillMode=mixed
TimeoutStopSec=30
UMask=0077
OOMScoreAdjust=200
OOMPolicy=continue

[Install]
WantedBy=default.target
`;

describe.skipIf(why !== undefined)("under systemd", () => {
  let machine: Machine;
  const cli = (user: User, ...words: string[]) => machine.as(user, ["clawdbot", ...words]);
  const json = (user: User, ...words: string[]) => {
    const { stdout, stderr } = cli(user, ...words, "--json");
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`${words.join(" ")} gave no JSON: ${stdout}\n${stderr}`);
    }
  };
  const systemctl = (user: User, ...words: string[]) =>
    machine.inSession(user, ["systemctl", "--user", ...words]);
  const show = (user: User, property: string, unit = "clawdbot-gateway") =>
    systemctl(user, "show", unit, `--property=${property}`, "--value").stdout.trim();
  const ok = ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => {
    if (code !== 0) throw new Error(`exit ${code}\n${stdout}\n${stderr}`);
    return stdout + stderr;
  };

  beforeAll(async () => {
    machine = await bootMachine(users);
    const binary = await Bun.file(BINARY).bytes();
    for (const [uid, { home }] of [bot, odd, own].entries()) {
      await machine.write(`${home}/.local/bin/clawdbot`, binary, 1000 + uid);
      machine.run(["chmod", "755", `${home}/.local/bin/clawdbot`]);
    }
  }, 300_000);
  afterAll(() => machine?.stop(), 120_000);

  test("deploy-112 without lingering and without the right to turn it on, the exact command is said and nothing is made", () => {
    const { code, stderr } = cli(bot, "gateway", "install");
    expect(code).toBe(1);
    expect(stderr).toContain("systemctl --user is not usable here");
    expect(stderr).toContain('sudo loginctl enable-linger "$(id -un)"');
    expect(machine.run(["ls", "-A", "/home/bot"]).stdout.trim()).toBe(".local");
    expect(json(bot, "gateway", "status").service).toMatchObject({
      installed: false,
      running: false,
    });
  });

  test("deploy-112 with sudo for it, install turns lingering on, and the user's systemd comes up", async () => {
    await machine.write("/etc/sudoers.d/bot", "bot ALL=(root) NOPASSWD: /usr/bin/loginctl\n");
    const withKeys: User = { ...bot, env: { OPENAI_API_KEY: "sk-from-the-shell" } };
    const { code, stdout, stderr } = machine.as(withKeys, ["clawdbot", "gateway", "install"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("Lingering is on for bot now");
    expect(stderr).toContain("OPENAI_API_KEY");
    expect(stdout + stderr).not.toContain("sk-from-the-shell");
    expect(stdout).toContain("Control UI: http://127.0.0.1:18789/");
    expect(machine.run(["loginctl", "show-user", "bot", "-p", "Linger"]).stdout.trim()).toBe(
      "Linger=yes",
    );
  });

  test("deploy-103 onboard --install-daemon makes the workspace, the config and the running user service", () => {
    const words = ["onboard", "--install-daemon", "--non-interactive", "--accept-risk"];
    ok(cli(own, "gateway", "status"));
    /** Every path with its kind, mode, owner and link, and the sum of every file; the workspace left out. */
    const home = () =>
      ok(
        machine.run([
          "sh",
          "-c",
          `cd /home/own && find . -path ./clawd -prune -o -printf '%p %y %m %u %l\\n' | sort && find . -path ./clawd -prune -o -type f -exec sha256sum {} + | sort`,
        ]),
      );
    const before = home();
    machine.run(["loginctl", "enable-linger", "own"]);
    const port = ["--gateway-port", "18999"];
    const said = ok(cli(own, ...words, ...port, "--auth-choice", "skip"));
    expect(said).toContain("runs in the background now");
    expect(json(own, "gateway", "status").service).toMatchObject({
      installed: true,
      running: true,
    });
    expect(machine.read("/home/own/.clawdbot/clawdbot.json")).toContain('"mode": "local"');
    expect(machine.run(["ls", "/home/own/clawd"]).stdout).toContain("SOUL.md");
    expect(
      json(own, "doctor").findings.filter((f: { checkId: string }) => f.checkId === "service"),
    ).toEqual([]);
    ok(cli(own, "completion", "-s", "bash", "-i", "-y"));
    expect(ok(cli(own, "agent", "-m", "Hello")).length).toBeGreaterThan(3);
    expect(home()).not.toBe(before);
    const away = ["uninstall", "--service", "--state", "--yes", "--non-interactive"];
    const gone = ok(cli(own, ...away));
    expect(gone).toContain("Removed the service clawdbot-gateway.service");
    expect(gone).not.toContain("nothing to remove");
    expect(gone).toContain("Workspace kept: /home/own/clawd");
    expect(home()).toBe(before);
    expect(show(own, "LoadState")).toBe("not-found");
    expect(ok(cli(own, ...away))).toContain("There is nothing to remove.");
    machine.run(["rm", "-rf", "/home/own/clawd"]);
    machine.run(["loginctl", "disable-linger", "own"]);
  });

  test("deploy-005 the unit is exactly this, systemd finds no fault in it, and no secret is inside", () => {
    expect(machine.read(UNIT)).toBe(GOLDEN);
    const { code, stdout, stderr } = machine.inSession(bot, [
      ...["systemd-analyze", "--man=no", "verify", "--user", UNIT],
    ]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    const facts = machine.run([
      "stat",
      "-c",
      "%a %U",
      UNIT,
      "/home/bot/.clawdbot/gateway.env",
    ]).stdout;
    expect(facts).toBe("644 bot\n600 bot\n");
    expect(machine.read("/home/bot/.clawdbot/gateway.env")).toContain(
      'OPENAI_API_KEY="sk-from-the-shell"',
    );
    expect(show(bot, "Environment")).not.toContain("sk-from");
    const pid = show(bot, "MainPID");
    const environment =
      machine.run(["tr", "\\0", "\\n"]).code === 0 && machine.read(`/proc/${pid}/environ`);
    expect(environment).toContain("OPENAI_API_KEY=sk-from-the-shell");
  });

  test("deploy-046 systemctl --user status clawdbot-gateway shows it running", () => {
    const { code, stdout } = systemctl(bot, "status", "clawdbot-gateway");
    expect(code).toBe(0);
    expect(stdout).toContain("Active: active (running)");
    const { service, runtime, rpc } = json(bot, "gateway", "status");
    expect(service).toMatchObject({
      label: "systemd",
      loaded: true,
      installed: true,
      running: true,
      linger: true,
      configAudit: { ok: true, issues: [] },
    });
    expect(rpc.ok).toBe(true);
    expect(runtime.pid).toBe(Number(show(bot, "MainPID")));
    const shown = ok(cli(bot, "gateway", "status"));
    for (const text of ["systemd (enabled)", "active (running)", "Lingering:", "journalctl --user"])
      expect(shown).toContain(text);
  });

  test("a second install changes nothing, and the gateway goes on", () => {
    const pid = show(bot, "MainPID");
    expect(json(bot, "gateway", "install")).toMatchObject({
      ok: true,
      result: "already-installed",
    });
    expect(machine.read(UNIT)).toBe(GOLDEN);
    expect(show(bot, "MainPID")).toBe(pid);
  });

  test("a new token of the caller reaches the running service", () => {
    const token = "t0ken-of-at-least-24-characters";
    const told = json(bot, "gateway", "install", "--token", token);
    expect(told).toMatchObject({ ok: true, result: "already-installed" });
    expect(machine.read("/home/bot/.clawdbot/gateway.env")).toContain(
      `CLAWDBOT_GATEWAY_TOKEN="${token}"`,
    );
    ok(cli(bot, "health", "--token", token, "--port", "18789"));
    expect(cli(bot, "health", "--token", "wrong", "--port", "18789").code).toBe(1);
  });

  test("killed, it is started again", async () => {
    const pid = show(bot, "MainPID");
    ok(machine.run(["kill", "-9", pid]));
    await machine.until(
      () => show(bot, "NRestarts") === "1" && show(bot, "ActiveState") === "active",
    );
    expect(show(bot, "MainPID")).not.toBe(pid);
    await machine.until(() => cli(bot, "health").code === 0);
    expect(json(bot, "gateway", "status").service.runtime.restarts).toBe(1);
  }, 60_000);

  test("deploy-113 gateway restart ends with 0 when another process is healthy", () => {
    const pid = show(bot, "MainPID");
    const told = json(bot, "gateway", "restart");
    expect(told).toMatchObject({
      ok: true,
      action: "restart",
      result: "restarted",
      service: { running: true },
    });
    expect(told.gateway.pid).toBe(Number(show(bot, "MainPID")));
    expect(show(bot, "MainPID")).not.toBe(pid);
    ok(cli(bot, "health"));
  });

  test("stop and start, and a stop of what does not run", () => {
    expect(json(bot, "gateway", "stop")).toMatchObject({ ok: true, result: "stopped" });
    expect(show(bot, "ActiveState")).toBe("inactive");
    expect(json(bot, "gateway", "stop")).toMatchObject({ ok: true, result: "stopped" });
    expect(json(bot, "gateway", "start")).toMatchObject({ ok: true, result: "started" });
    expect(json(bot, "daemon", "status").service.running).toBe(true);
  });

  test("deploy-111 two profiles run side by side, each with its own unit, state and port", () => {
    const work = ["--profile", "work"];
    const taken = json(bot, ...work, "gateway", "install");
    expect(taken).toMatchObject({ ok: false, code: "port_taken" });
    expect(taken.hints[0]).toContain("--profile work gateway install --port 18790");
    expect(json(bot, ...work, "gateway", "install", "--port", "18790").ok).toBe(true);
    expect(ok(systemctl(bot, "status", "clawdbot-gateway-work.service"))).toContain(
      "active (running)",
    );
    expect(ok(systemctl(bot, "status", "clawdbot-gateway.service"))).toContain("active (running)");
    expect(machine.run(["ls", "/home/bot/.clawdbot-work/gateway.sock"]).code).toBe(0);
    expect(json(bot, ...work, "gateway", "status").runtime.port).toBe(18790);
    expect(json(bot, "gateway", "status").runtime.port).toBe(18789);
  });

  test("deploy-112 after a reboot both are up without anybody logging in", async () => {
    await machine.reboot();
    for (const port of ["18789", "18790"])
      await machine.until(
        () =>
          machine.run([
            "sh",
            "-c",
            `ss -ltn 2>/dev/null | grep -q :${port} || grep -qi ":${Number(port).toString(16)} .* 0A " /proc/net/tcp`,
          ]).code === 0,
      );
    await machine.until(() => cli(bot, "health").code === 0);
    expect(show(bot, "ActiveState")).toBe("active");
  }, 120_000);

  test("uninstall leaves nothing of the service behind, and everything else", () => {
    const told = json(bot, "--profile", "work", "gateway", "uninstall");
    expect(told).toMatchObject({ ok: true, result: "uninstalled", service: { installed: false } });
    const found = machine.run(["find", "/home/bot/.config", "-name", "*work*"]).stdout;
    expect(found).toBe("");
    expect(machine.run(["ls", "/home/bot/.clawdbot-work/gateway.env"]).code).not.toBe(0);
    expect(machine.run(["ls", "/home/bot/.clawdbot-work/clawdbot.sqlite"]).code).toBe(0);
    expect(show(bot, "LoadState", "clawdbot-gateway-work")).toBe("not-found");
    expect(show(bot, "ActiveState")).toBe("active");
    expect(cli(bot, "--profile", "work", "gateway", "uninstall").stdout).toContain(
      "no service to remove",
    );
  });

  test("a damaged config is tried once and not for ever, and the reason is shown", async () => {
    await machine.write("/home/bot/.clawdbot-bad/clawdbot.json", '{gateway:{port:"x"}}', 1000);
    const { code, stderr } = cli(bot, "--profile", "bad", "gateway", "install", "--port", "18791");
    expect(code).toBe(1);
    expect(stderr).toContain("gateway.port must be a number");
    expect(stderr).toContain("clawdbot --profile bad gateway restart");
    const unit = "clawdbot-gateway-bad";
    expect(show(bot, "ActiveState", unit)).toBe("failed");
    expect(show(bot, "ExecMainStatus", unit)).toBe("78");
    expect(show(bot, "NRestarts", unit)).toBe("0");
    await machine.write("/home/bot/.clawdbot-bad/clawdbot.json", "{}", 1000);
    expect(json(bot, "--profile", "bad", "gateway", "restart").ok).toBe(true);
    ok(cli(bot, "--profile", "bad", "gateway", "uninstall"));
  }, 60_000);

  test("deploy-005 units of older names are taken over with their token and port, and kept", async () => {
    machine.run(["loginctl", "enable-linger", "own"]);
    const folder = "/home/own/.config/systemd/user";
    const old = [
      "[Service]",
      "Environment=OPENCLAW_GATEWAY_TOKEN=the-old-token-of-the-old-unit PATH=/usr/bin",
      "ExecStart=/bin/sleep infinity gateway --port 18800",
      "[Install]",
      "WantedBy=default.target",
    ].join("\n");
    await machine.write(
      `${folder}/openclaw-gateway.service`,
      old.replace("infinity gateway --port 18800", "infinity"),
      1002,
    );
    await machine.write(
      `${folder}/moltbot-gateway.service`,
      old.replace("/bin/sleep infinity", "/bin/sh -c 'sleep 9999' x"),
      1002,
    );
    await machine.until(() => systemctl(own, "daemon-reload").code === 0);
    ok(systemctl(own, "enable", "--now", "moltbot-gateway", "openclaw-gateway"));
    expect(json(own, "gateway", "status").legacyServices).toEqual([
      "openclaw-gateway.service",
      "moltbot-gateway.service",
    ]);
    expect(json(own, "gateway", "install")).toMatchObject({
      ok: true,
      result: "installed",
      gateway: { port: 18800 },
    });
    for (const name of ["moltbot-gateway", "openclaw-gateway"]) {
      expect(show(own, "LoadState", name)).toBe("not-found");
      expect(machine.read(`/home/own/.clawdbot/backups/services/${name}.service`)).toContain(
        "ExecStart=",
      );
    }
    expect(
      machine.run(["find", folder, "-name", "*molt*", "-o", "-name", "*openclaw*"]).stdout,
    ).toBe("");
    expect(machine.read("/home/own/.clawdbot/gateway.env")).toContain(
      "the-old-token-of-the-old-unit",
    );
    expect(machine.run(["pgrep", "-f", "sleep 9999"]).code).toBe(1);
  }, 60_000);

  test("an older unit of our own name is found at fault, left alone, and repaired with --force", async () => {
    const unit = "/home/own/.config/systemd/user/clawdbot-gateway.service";
    const old = [
      "[Service]",
      "ExecStart=/usr/bin/node /opt/clawdbot/dist/entry.js gateway --port 18800",
      "Environment=CLAWDBOT_GATEWAY_TOKEN=inline-token-inline-token PATH=/home/own/.nvm/v/bin:/usr/bin",
      "KillMode=process",
      "[Install]",
      "WantedBy=default.target",
      "",
    ].join("\n");
    ok(cli(own, "gateway", "stop"));
    await machine.write(unit, old, 1002);
    ok(systemctl(own, "daemon-reload"));
    const { service } = json(own, "gateway", "status");
    expect(service.configAudit.issues.map(({ code }: { code: string }) => code)).toEqual([
      "gateway-entrypoint-mismatch",
      "gateway-path-missing-dirs",
      "gateway-path-nonminimal",
      "gateway-token-embedded",
      "systemd-restart",
      "systemd-restart-sec",
      "systemd-restart-loop",
      "systemd-kill-mode",
    ]);
    expect(JSON.stringify(service)).not.toContain("inline-token-inline-token");
    const repaired = json(own, "gateway", "install", "--force");
    expect(repaired).toMatchObject({ ok: true, result: "installed", gateway: { port: 18800 } });
    expect(json(own, "gateway", "status").service.configAudit).toEqual({ ok: true, issues: [] });
    expect(machine.read("/home/own/.clawdbot/gateway.env")).toContain("inline-token-inline-token");
    expect(machine.read("/home/own/.clawdbot/backups/services/clawdbot-gateway.service")).toBe(old);
  }, 60_000);

  test("doctor leaves a changed unit with --fix, writes it anew with --force, and starts what stands still", () => {
    const unit = "/home/own/.config/systemd/user/clawdbot-gateway.service";
    const good = machine.read(unit);
    const told = (...words: string[]) => {
      const report = json(own, "doctor", ...words);
      const about = ({ checkId }: { checkId: string }) => checkId === "service";
      return { found: report.findings.filter(about), fixed: report.fixed.filter(about), report };
    };
    expect(told().found).toEqual([]);
    machine.run(["sed", "-i", "s/^KillMode=.*/KillMode=control-group/", unit]);
    const changed = machine.read(unit);
    expect(told().found).toMatchObject([{ severity: "warning", fixable: "service" }]);
    expect(told("--fix")).toMatchObject({ fixed: [] });
    expect(machine.read(unit)).toBe(changed);
    expect(told("--fix", "--force")).toMatchObject({
      found: [],
      fixed: [{ checkId: "service" }],
      report: { failed: [] },
    });
    expect(machine.read(unit)).toBe(good);
    const kept = machine.run(["sh", "-c", "cat /home/own/.clawdbot/backups/services/*"]).stdout;
    expect(kept).toContain("KillMode=control-group");
    ok(systemctl(own, "stop", "clawdbot-gateway"));
    expect(told().found).toMatchObject([{ severity: "error", fixable: "safe" }]);
    expect(told("--fix")).toMatchObject({ found: [], fixed: [{ checkId: "service" }] });
    ok(cli(own, "health"));
  });

  test("a full disk or a folder of somebody else keeps the old unit and says what to do", () => {
    const folder = "/home/own/.config/systemd/user";
    const unit = machine.read(`${folder}/clawdbot-gateway.service`);
    const full = `mount -t tmpfs -o size=8k,uid=1002 tmpfs ${folder} && printf '%s' "$UNIT" > ${folder}/clawdbot-gateway.service && chown 1002 ${folder}/* && head -c 8192 /dev/zero > ${folder}/fill; true`;
    machine.run(["sh", "-c", full], { UNIT: unit });
    const noSpace = json(own, "gateway", "install", "--force", "--port", "18801");
    expect(noSpace).toMatchObject({ ok: false, code: "disk_full" });
    expect(machine.read(`${folder}/clawdbot-gateway.service`)).toBe(unit);
    ok(machine.run(["umount", folder]));
    machine.run(["chown", "0", folder]);
    machine.run(["chmod", "755", folder]);
    const foreign = json(own, "gateway", "install", "--force", "--port", "18801");
    expect(foreign).toMatchObject({ ok: false, code: "service_failed" });
    expect(foreign.hints[0]).toMatch(new RegExp(`sudo chown -R 1002:\\d+ ${folder}`));
    machine.run(["chown", "1002", folder]);
    expect(machine.read(`${folder}/clawdbot-gateway.service`)).toBe(unit);
    ok(cli(own, "health"));
    ok(cli(own, "gateway", "uninstall"));
  });

  test("deploy-005 a home folder with blanks, quotes, dollars and percents works", async () => {
    machine.run(["loginctl", "enable-linger", "odd"]);
    await machine.until(() => systemctl(odd, "show-environment").code === 0);
    const key: User = { ...odd, env: { OPENAI_API_KEY: `a"b$c'd\\e` } };
    const installed = machine.as(key, [
      "clawdbot",
      "gateway",
      "install",
      "--port",
      "18810",
      "--json",
    ]);
    expect(JSON.parse(installed.stdout)).toMatchObject({ ok: true, gateway: { port: 18810 } });
    const unit = `${ODD_HOME}/.config/systemd/user/clawdbot-gateway.service`;
    const verified = machine.inSession(odd, [
      "systemd-analyze",
      "--man=no",
      "verify",
      "--user",
      unit,
    ]);
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
    const { service } = json(odd, "gateway", "status");
    expect(service.command).toMatchObject({
      programArguments: [`${ODD_HOME}/.local/bin/clawdbot`, "gateway", "--port", "18810"],
      workingDirectory: `${ODD_HOME}/.clawdbot`,
    });
    expect(service.configAudit.ok).toBe(true);
    const environment = machine.read(`/proc/${show(odd, "MainPID")}/environ`).split("\0");
    expect(environment).toContain(`HOME=${ODD_HOME}`);
    expect(environment).toContain(`OPENAI_API_KEY=a"b$c'd\\e`);
    expect(json(odd, "gateway", "restart").ok).toBe(true);
    ok(cli(odd, "gateway", "uninstall"));
  }, 60_000);

  test("beside a gateway in a terminal nothing is installed; stopped, it makes room", async () => {
    const begin = "clawdbot gateway --port 18830 >/dev/null 2>&1 &";
    ok(machine.as(own, ["sh", "-c", begin]));
    await machine.until(() => cli(own, "health").code === 0);
    const refused = json(own, "gateway", "install", "--port", "18831");
    expect(refused).toMatchObject({
      ok: false,
      code: "gateway_running",
      service: { installed: false },
    });
    expect(refused.hints[0]).toContain("clawdbot gateway stop, then clawdbot gateway install");
    expect(json(own, "gateway", "restart").gateway.port).toBe(18830);
    expect(json(own, "gateway", "stop").result).toBe("stopped");
    expect(json(own, "gateway", "install", "--port", "18831").gateway.port).toBe(18831);
    ok(cli(own, "gateway", "uninstall"));
  }, 60_000);

  test("deploy-112 in a session without the right to linger it runs, with the command that keeps it running", async () => {
    ok(machine.run(["loginctl", "disable-linger", "own"]));
    // A user's systemd as a login brings it up; `own` may not use sudo.
    await machine.until(() => systemctl(own, "show-environment").code !== 0);
    ok(machine.run(["systemctl", "start", "user@1002.service"]));
    const { code, stderr } = cli(own, "gateway", "install", "--port", "18832");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("sudo loginctl enable-linger own");
    expect(json(own, "gateway", "status").service).toMatchObject({ running: true, linger: false });
    expect(cli(own, "gateway", "status").stdout).toContain("ends when you log out");
    ok(cli(own, "gateway", "uninstall"));
    ok(machine.run(["systemctl", "stop", "user@1002.service"]));
  }, 60_000);

  test("with sudo it does not become a service of root by mistake", () => {
    const env = { SUDO_USER: "bot" };
    const { code, stderr } = machine.run(
      ["/home/bot/.local/bin/clawdbot", "gateway", "install"],
      env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain("With sudo this would be a service of root, not of bot");
    expect(stderr).toContain("Without sudo: clawdbot gateway install");
  });

  test("--system makes a unit of the machine that runs as who called sudo, and goes again", () => {
    const program = "/home/own/.local/bin/clawdbot";
    // There is no network to wait for in here.
    machine.run(["systemctl", "mask", "systemd-networkd-wait-online.service"]);
    const root = (...words: string[]) =>
      machine.run([program, "gateway", ...words, "--json"], { SUDO_USER: "own", NO_COLOR: "1" });
    const told = root("install", "--system", "--port", "18820");
    expect({ ...JSON.parse(told.stdout), stderr: told.stderr }).toMatchObject({
      ok: true,
      result: "installed",
    });
    const unit = machine.read("/etc/systemd/system/clawdbot-gateway.service");
    for (const line of [
      "User=own",
      "NoNewPrivileges=yes",
      "WantedBy=multi-user.target",
      "After=network-online.target",
    ])
      expect(unit.split("\n")).toContain(line);
    const verified = machine.run([
      "systemd-analyze",
      "--man=no",
      "verify",
      "/etc/systemd/system/clawdbot-gateway.service",
    ]);
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
    const pid = machine
      .run(["systemctl", "show", "clawdbot-gateway", "-p", "MainPID", "--value"])
      .stdout.trim();
    expect(machine.run(["stat", "-c", "%U", `/proc/${pid}`]).stdout.trim()).toBe("own");
    expect(json(own, "gateway", "status").service).toMatchObject({
      system: true,
      installed: true,
      running: true,
    });
    // Not root, and no right to ask for it.
    const refused = json(own, "gateway", "restart");
    expect(refused.ok).toBe(false);
    expect(refused.hints[0]).toContain("sudo systemctl restart clawdbot-gateway.service");
    expect(JSON.parse(root("restart").stdout).ok).toBe(true);
    expect(JSON.parse(root("uninstall").stdout)).toMatchObject({
      ok: true,
      service: { installed: false },
    });
    expect(machine.run(["ls", "/etc/systemd/system/clawdbot-gateway.service"]).code).not.toBe(0);
    expect(machine.run(["stat", "-c", "%U", "/home/own/.clawdbot"]).stdout.trim()).toBe("own");
  }, 60_000);

  test("lingering off: the user's systemd is gone, and status says how to turn it on", async () => {
    ok(machine.run(["loginctl", "disable-linger", "bot"]));
    await machine.until(() => machine.run(["ls", "/run/user/1000/systemd/private"]).code !== 0);
    const { service } = json(bot, "gateway", "status");
    expect(service).toMatchObject({ installed: true, running: false });
    expect(service.problem.hint).toContain("loginctl enable-linger");
  }, 60_000);
});
