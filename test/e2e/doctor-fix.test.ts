/** Everything that `doctor --fix` and the questions of `doctor` mend: broken, mended, and clean at the second look. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { readEnv } from "../../src/base/env.ts";
import { readLock } from "../../src/base/lock.ts";
import { findPaths } from "../../src/base/paths.ts";
import { BINARY, emptyHome, type Home, plainEnv, runCli, startGatewayProcess } from "./binary.ts";
import { openNetworks } from "./networks.ts";
import { inTerminal } from "./terminal.ts";

setDefaultTimeout(60_000);

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Told = {
  checkId: string;
  severity: string;
  message: string;
  fixHint: string | null;
  fixable: string | null;
};
type Report = { ok: boolean; findings: Told[]; fixed: { done: string }[]; failed: object[] };

const LOCAL = '{ "gateway": { "mode": "local" } }';

function newHome(config: string | object = LOCAL): Home {
  const home = emptyHome();
  open.push(home.remove);
  mkdirSync(home.state, { mode: 0o700 });
  const text = typeof config === "string" ? config : JSON.stringify(config, null, 2);
  writeFileSync(join(home.state, "clawdbot.json"), text, { mode: 0o600 });
  return home;
}
async function doctor(home: Home, line = "", env: Record<string, string> = {}) {
  const words = ["doctor", "--json", ...line.split(" ").filter(Boolean)];
  const done = await runCli(words, { home, env });
  return { ...done, report: JSON.parse(done.stdout) as Report };
}
const of = (report: Report, id: string) => report.findings.filter((f) => f.checkId === id);
const configOf = (home: Home) =>
  JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"));

/** Broken, mended, clean; and what was there before lies beside it. */
async function mends(home: Home, id: string, line = "--fix") {
  const before = await doctor(home);
  expect(of(before.report, id).filter((f) => f.fixable)).not.toEqual([]);
  const during = await doctor(home, line);
  expect(during).toMatchObject({ code: 0, report: { failed: [] } });
  expect(during.report.fixed.length).toBeGreaterThan(0);
  const after = await doctor(home, line);
  expect(of(after.report, id).filter((f) => f.fixable)).toEqual([]);
  expect(after.report.fixed).toEqual([]);
  return during.report;
}

test("older keys are written under today's names, comments and variables stay", async () => {
  const home = newHome(
    '{\n  // mine\n  "gateway": { "mode": "local", "auth": { "password": "${SECRET_OF_MINE}" } },\n  "agent": { "model": "demo/demo" },\n}\n',
  );
  const before = readFileSync(join(home.state, "clawdbot.json"), "utf8");
  await mends(home, "retired-keys");
  const text = readFileSync(join(home.state, "clawdbot.json"), "utf8");
  expect(text).toContain("// mine");
  expect(text).toContain("${SECRET_OF_MINE}");
  expect(text).not.toContain('"agent"');
  expect(text).toContain('"defaults"');
  expect(readFileSync(join(home.state, "clawdbot.json.bak"), "utf8")).toBe(before);
});

test("a config without a mode gets one", async () => {
  const home = newHome("{}");
  await mends(home, "gateway-mode");
  expect(configOf(home).gateway.mode).toBe("local");
});

test("a gateway that would not start gets a token that lets it", async () => {
  const home = newHome({
    gateway: { mode: "local", bind: "lan", auth: { token: "change-me-now" } },
  });
  const told = await mends(home, "gateway-secret");
  expect(of(told, "gateway-secret").map((f) => f.severity)).toEqual(["info"]);
  expect(configOf(home).gateway.auth.token).toMatch(/^[0-9a-f]{64}$/);
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
});

test("a token from the environment is not replaced by one that would not count", async () => {
  const home = newHome({ gateway: { mode: "local", bind: "lan" } });
  const env = { CLAWDBOT_GATEWAY_TOKEN: "change-me-now" };
  const { report } = await doctor(home, "--fix", env);
  expect(of(report, "gateway-secret")).toMatchObject([{ severity: "critical", fixable: null }]);
  expect(configOf(home).gateway.auth).toBeUndefined();
});

test("--generate-gateway-token makes one whatever there was, and the former file is kept", async () => {
  const old = "a".repeat(48);
  const home = newHome({ gateway: { mode: "local", auth: { token: old } } });
  const { report, code } = await doctor(home, "--non-interactive --generate-gateway-token");
  expect(code).toBe(0);
  expect(report.fixed).toHaveLength(1);
  expect(configOf(home).gateway.auth.token).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(join(home.state, "clawdbot.json.bak"), "utf8")).toContain(old);
  expect(JSON.stringify(report)).not.toContain(configOf(home).gateway.auth.token);
});

test("a running gateway has taken the new token over when it is told that all is well", async () => {
  const home = newHome();
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const { report } = await doctor(home, "--generate-gateway-token");
  expect(report.fixed).toHaveLength(1);
  for (const id of ["token-mismatch", "gateway"]) expect(of(report, id)).toEqual([]);
  const { token } = configOf(home).gateway.auth;
  const { lockPath } = findPaths(readEnv({ HOME: home.dir }), home.dir);
  const { port } = readLock(lockPath).body!;
  const url = `ws://127.0.0.1:${port}`;
  expect((await runCli(["health", "--url", url, "--token", token], { home })).code).toBe(0);
});

describe("files that others can reach", () => {
  test("every one of them is closed, and a second run is clean", async () => {
    const home = newHome();
    const paths = ["clawdbot.json.bak", ".env", "gateway.env", "gateway-token"];
    for (const name of paths) writeFileSync(join(home.state, name), "", { mode: 0o666 });
    mkdirSync(join(home.state, "credentials"));
    mkdirSync(join(home.state, "agents/main/agent"), { recursive: true });
    writeFileSync(join(home.state, "agents/main/agent/auth-profiles.json"), "{}");
    for (const name of [...paths, "agents/main/agent/auth-profiles.json"])
      chmodSync(join(home.state, name), 0o644);
    for (const name of [".", "credentials"]) chmodSync(join(home.state, name), 0o755);
    await mends(home, "state");
    for (const name of [...paths, "agents/main/agent/auth-profiles.json"])
      expect([name, statSync(join(home.state, name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(statSync(join(home.state, "credentials")).mode & 0o777).toBe(0o700);
  });

  test("nothing is closed through a link", async () => {
    const home = newHome();
    const outside = join(home.dir, "outside");
    writeFileSync(outside, "KEY=1\n", { mode: 0o644 });
    symlinkSync(outside, join(home.state, ".env"));
    expect(of((await doctor(home, "--fix")).report, "state")).toEqual([]);
    expect(statSync(outside).mode & 0o777).toBe(0o644);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "files of another user are named, and left alone",
    async () => {
      const home = newHome();
      const file = join(home.state, "theirs");
      writeFileSync(file, "");
      Bun.spawnSync(["chown", "12345:12345", file]);
      const { report } = await doctor(home, "--fix");
      expect(of(report, "state")).toMatchObject([
        { severity: "error", message: expect.stringContaining("uid 12345"), fixable: null },
      ]);
      expect(statSync(file).uid).toBe(12_345);
    },
  );
});

test("a fix that cannot be done is told with a remedy, the others are done, and the exit code is 1", async () => {
  const home = newHome('{ "$include": "./more.json" }');
  const more = join(home.state, "more.json");
  const gateway = { mode: "local", bind: "lan", auth: { token: "change-me-now" } };
  writeFileSync(more, JSON.stringify({ gateway }));
  chmodSync(more, 0o644);
  const before = readFileSync(more, "utf8");
  const { code, report } = await doctor(home, "--fix");
  expect(code).toBe(1);
  expect(report.failed).toEqual([
    {
      checkId: "gateway-secret",
      message: expect.stringContaining("more.json"),
      hint: "Change it in that file.",
    },
  ]);
  expect(readFileSync(more, "utf8")).toBe(before);
  expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe(
    '{ "$include": "./more.json" }',
  );
  expect(statSync(more).mode & 0o777).toBe(0o600);
  const people = await runCli(["doctor", "--fix"], { home });
  expect(people).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("Change it in that file."),
  });
});

test.skipIf(process.platform === "win32")(
  "a fix that ends at its first written byte, as by a kill or a full disk, leaves the config whole",
  async () => {
    const home = newHome('{ "agent": { "model": "demo/demo" } } // mine\n');
    const file = join(home.state, "clawdbot.json");
    const before = readFileSync(file, "utf8");
    // The system refuses every write to a file, and ends who tries.
    const child = Bun.spawn(["sh", "-c", 'ulimit -f 0; exec "$0" doctor --fix', BINARY], {
      env: plainEnv(home),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    expect(await child.exited).not.toBe(0);
    expect(readFileSync(file, "utf8")).toBe(before);
    await mends(home, "retired-keys");
    expect(readFileSync(`${file}.bak`, "utf8")).toBe(before);
  },
);

test("only the bare look changes nothing at all", async () => {
  const home = newHome('{ "agent": { "model": "demo/demo" } }');
  chmodSync(home.state, 0o755);
  const seen = () =>
    readdirSync(home.state).map((name) => {
      const { mode, mtimeMs } = statSync(join(home.state, name));
      return [name, mode, mtimeMs];
    });
  const before = seen();
  for (const line of [
    "",
    "--non-interactive",
    "--deep",
    "--lint --all",
    "--no-workspace-suggestions",
  ])
    await runCli(["doctor", ...line.split(" ").filter(Boolean)], { home });
  expect(seen()).toEqual(before);
});

describe("what it finds", () => {
  test("a damaged database, a cut one, and one of a newer version", async () => {
    const home = newHome();
    const gateway = await startGatewayProcess(home);
    await gateway.seen("listening");
    await gateway.kill();
    const file = join(home.state, "clawdbot.sqlite");
    const whole = readFileSync(file);
    expect(of((await doctor(home)).report, "database")).toEqual([]);
    const db = new Database(file);
    db.run("PRAGMA user_version = 999");
    db.close();
    expect(of((await doctor(home)).report, "database")).toMatchObject([
      { severity: "critical", message: expect.stringContaining("newer version") },
    ]);
    writeFileSync(file, whole.subarray(0, whole.length - 8192));
    expect(of((await doctor(home)).report, "database")).toMatchObject([
      { severity: "critical", message: expect.stringContaining("damaged") },
    ]);
    writeFileSync(
      file,
      Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 7)]),
    );
    const { report } = await doctor(home);
    expect(of(report, "database")).toMatchObject([{ severity: "critical" }]);
    // Told once, not by everybody who reads it.
    expect(report.findings.filter((f) => /could not be checked/.test(f.message))).toEqual([]);
  });

  test("a database whose copies are old, and one that has a fresh one", async () => {
    const home = newHome();
    const gateway = await startGatewayProcess(home);
    await gateway.kill();
    const copies = join(home.state, "backups");
    const names = readdirSync(copies).filter((name) => name.endsWith(".sqlite"));
    expect(names).toHaveLength(1);
    expect(of((await doctor(home)).report, "copies")).toEqual([]);
    const old = names[0]!.replace(/\d{8}T/, "20260101T");
    renameSync(join(copies, names[0]!), join(copies, old));
    expect(of((await doctor(home)).report, "copies")).toMatchObject([
      { severity: "warning", message: expect.stringContaining("old; after a damage") },
    ]);
  });

  test("a clock that was set back, by what is stored", async () => {
    const home = newHome();
    const gateway = await startGatewayProcess(home);
    open.push(() => gateway.kill());
    await runCli(["agent", "-m", "hello"], { home });
    expect(of((await doctor(home)).report, "clock")).toEqual([]);
    await gateway.kill();
    const db = new Database(join(home.state, "clawdbot.sqlite"));
    db.run("UPDATE sessions SET updated_at = updated_at + 86400000");
    db.close();
    expect(of((await doctor(home)).report, "clock")).toMatchObject([
      { severity: "error", message: expect.stringContaining("set back") },
    ]);
  });

  test("a token that the running gateway does not take", async () => {
    const home = newHome();
    const gateway = await startGatewayProcess(home, {
      args: ["--token", "a-token-of-its-own-that-nobody-wrote-down"],
    });
    open.push(() => gateway.kill());
    const { report } = await doctor(home, "", {
      CLAWDBOT_GATEWAY_TOKEN: "another-token-that-the-files-name",
    });
    expect(of(report, "token-mismatch")).toMatchObject([
      { severity: "error", message: expect.stringContaining("running gateway refuses") },
    ]);
    const same = await doctor(home, "", {
      CLAWDBOT_GATEWAY_TOKEN: "a-token-of-its-own-that-nobody-wrote-down",
    });
    expect(of(same.report, "token-mismatch")).toEqual([]);
  });

  test("tokens that differ between .env, gateway.env, config and the prefixes, never their values", async () => {
    const values = ["a", "b", "c", "d"].map((letter) => letter.repeat(40));
    const home = newHome({ gateway: { mode: "local", auth: { token: values[0] } } });
    writeFileSync(join(home.state, ".env"), `OPENCLAW_GATEWAY_TOKEN=${values[1]}\n`, {
      mode: 0o600,
    });
    writeFileSync(join(home.state, "gateway.env"), `MOLTBOT_GATEWAY_TOKEN="${values[2]}"\n`, {
      mode: 0o600,
    });
    const env = { CLAWDBOT_GATEWAY_TOKEN: values[3]! };
    const { report, stdout } = await doctor(home, "", env);
    const [told] = of(report, "token-mismatch");
    for (const place of [
      "CLAWDBOT_GATEWAY_TOKEN in the environment",
      "MOLTBOT_GATEWAY_TOKEN in ",
      "OPENCLAW_GATEWAY_TOKEN in ",
      "gateway.auth.token in the config",
    ])
      expect(told!.message).toContain(place);
    for (const value of values) expect(stdout).not.toContain(value);
    writeFileSync(join(home.state, ".env"), "");
    writeFileSync(join(home.state, "gateway.env"), "");
    const same = await doctor(home, "", { CLAWDBOT_GATEWAY_TOKEN: values[0]! });
    expect(of(same.report, "token-mismatch")).toEqual([]);
  });

  test("state of an older name, and conversations that were not taken over", async () => {
    const home = newHome();
    const gateway = await startGatewayProcess(home);
    await gateway.kill();
    const older = join(home.dir, ".openclaw");
    mkdirSync(join(older, "agents/main/sessions"), { recursive: true });
    writeFileSync(join(older, "openclaw.json"), "{}");
    const list = '{ "agent:main:main": { "sessionId": "x" } }';
    writeFileSync(join(older, "agents/main/sessions/sessions.json"), list);
    const [told] = of((await doctor(home)).report, "older-state");
    expect(told).toMatchObject({
      severity: "warning",
      fixHint: `clawdbot migrate --from ${older}`,
    });
    expect(told!.message).toContain("a config, conversations");
    mkdirSync(join(home.state, "agents/main/sessions"), { recursive: true });
    const own = join(home.state, "agents/main/sessions/sessions.json");
    writeFileSync(own, "{}\n");
    expect(of((await doctor(home)).report, "older-state")).toHaveLength(1);
    writeFileSync(own, list);
    expect(of((await doctor(home)).report, "older-state")).toHaveLength(2);
    // What was taken over is no news any more.
    const db = new Database(join(home.state, "clawdbot.sqlite"));
    const done = db.prepare("INSERT OR REPLACE INTO kv (scope, key, value) VALUES (?1, ?2, ?3)");
    const left = async (from: string) => {
      done.run("takeover", "done", JSON.stringify({ at: 1, from }));
      const { report } = await doctor(home);
      return of(report, "older-state").map(({ message }) => message.split(" ")[0]!);
    };
    expect(await left(older)).toEqual([home.state]);
    expect(await left(home.state)).toEqual([older]);
    db.close();
  });

  test("and the command that it names takes them over, so that the next look is clean", async () => {
    const fixture = join(import.meta.dir, "../fixtures/state-2026.1.24");
    const beside = newHome();
    cpSync(fixture, join(beside.dir, ".openclaw"), { recursive: true });
    const same = emptyHome();
    open.push(same.remove);
    cpSync(fixture, same.state, { recursive: true });
    for (const home of [beside, same]) {
      const [told, ...others] = of((await doctor(home)).report, "older-state");
      expect(others).toEqual([]);
      const [, ...words] = told!.fixHint!.split(" ");
      expect(words[0]).toBe("migrate");
      expect((await runCli([...words, "--yes"], { home })).code).toBe(0);
      expect(of((await doctor(home)).report, "older-state")).toEqual([]);
    }
  });

  test("a network that is gone, with --deep at once, and in the health table of status", async () => {
    const networks = await openNetworks({ only: ["telegram"] });
    open.push(() => networks.close());
    const { home, env, telegram } = networks;
    const gateway = await networks.start();
    await gateway.seen("agent model: ");
    const health = async () => {
      const { stdout } = await runCli(["status", "--deep"], { home, env });
      return /Telegram default +(\w+)/.exec(stdout)?.[1];
    };
    expect(await health()).toBe("ok");
    const deep = async () => of((await doctor(home, "--deep", env)).report, "channels");
    expect(await deep()).toEqual([]);
    await telegram.close();
    expect(await deep()).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("the probe failed") }),
    );
    expect(await health()).toBe("failed");
    const verbose = await runCli(["health", "--verbose"], { home, env });
    expect(verbose.stdout).toMatch(/- Telegram default: .*probe failed/);
  });

  test("a link to the folder in use is no second one", async () => {
    const home = newHome();
    symlinkSync(home.state, join(home.dir, ".openclaw"));
    expect(of((await doctor(home)).report, "older-state")).toEqual([]);
  });

  test("a sandbox that the config asks for and nobody gives", async () => {
    const home = newHome({
      gateway: { mode: "local" },
      agents: { defaults: { sandbox: { mode: "non-main" } } },
    });
    expect(of((await doctor(home)).report, "sandbox")).toContainEqual(
      expect.objectContaining({ severity: "warning", fixable: "choice" }),
    );
    // It is not for a script to switch commands off.
    await doctor(home, "--fix");
    expect(configOf(home).tools).toBeUndefined();
  });

  test("a workspace that is in no backup, and not with --no-workspace-suggestions", async () => {
    const home = newHome();
    mkdirSync(join(home.dir, "clawd"));
    writeFileSync(join(home.dir, "clawd/AGENTS.md"), "");
    expect(of((await doctor(home)).report, "workspace")).toHaveLength(1);
    expect(of((await doctor(home, "--no-workspace-suggestions")).report, "workspace")).toEqual([]);
    mkdirSync(join(home.dir, "clawd/.git"));
    expect(of((await doctor(home)).report, "workspace")).toEqual([]);
  });

  test("a second program of the same name on the PATH", async () => {
    const home = newHome();
    const bin = join(home.dir, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "clawdbot"), "#!/bin/sh\n", { mode: 0o755 });
    const { report } = await doctor(home, "", { PATH: `${bin}:/usr/bin:/bin` });
    expect(of(report, "installations")).toMatchObject([
      { severity: "warning", message: expect.stringContaining(bin) },
    ]);
  });

  test("several people in one conversation, once they are several", async () => {
    const config = (allowFrom: number[]) => ({
      gateway: { mode: "local" },
      channels: {
        telegram: { botToken: "123456:abcdefghijklmnopqrstuvwxyz0123456789", allowFrom },
      },
    });
    const one = newHome(config([1]));
    expect(of((await doctor(one)).report, "people")).toEqual([]);
    const two = newHome(config([1, 2]));
    expect(of((await doctor(two)).report, "people")).toMatchObject([
      { severity: "warning", message: expect.stringContaining("2 people"), fixable: "choice" },
    ]);
  });
});

test.skipIf(process.platform === "win32")(
  "pipes, folders, loops and noise in place of its files are told, and waited for by nobody",
  async () => {
    const names = ["clawdbot.sqlite", "gateway.env", ".env", "gateway-token", "clawdbot.json"];
    const ways: ((path: string) => void)[] = [
      (path) => void Bun.spawnSync(["mkfifo", "-m", "600", path]),
      (path) => mkdirSync(path, { mode: 0o700 }),
      (path) => symlinkSync(path, path),
      (path) => writeFileSync(path, crypto.getRandomValues(new Uint8Array(5_000)), { mode: 0o600 }),
    ];
    for (const name of names)
      for (const put of ways) {
        const home = newHome();
        rmSync(join(home.state, name), { force: true });
        put(join(home.state, name));
        for (const words of [
          ["doctor", "--json"],
          ["security", "audit", "--json"],
          ["status", "--json"],
        ]) {
          const done = await runCli(words, { home });
          expect([name, put.toString(), words, done.code]).toEqual([
            name,
            put.toString(),
            words,
            0,
          ]);
          expect(JSON.parse(done.stdout)).toBeObject();
          expect(done.stdout).not.toContain("could not be checked");
        }
      }
  },
);

describe("--lint", () => {
  const lint = async (home: Home, line: string) => {
    const done = await runCli(["doctor", "--lint", ...line.split(" ").filter(Boolean)], { home });
    return { code: done.code, lines: done.stdout.split("\n").filter(Boolean), stderr: done.stderr };
  };
  test("the exit code says what it found: 0, 1, and 2 for what cannot be looked at", async () => {
    const home = newHome('{ "gateway": { "mode": "local", "bind": "lan" } }');
    expect(await lint(home, "--only gateway-secret")).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/^critical gateway-secret: /)],
    });
    expect(await lint(home, "--only retired-keys")).toMatchObject({ code: 0, lines: [] });
    expect(await lint(home, "--only gateway-secrets")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Did you mean gateway-secret?"),
    });
    expect((await lint(home, "--fix")).code).toBe(2);
    expect(existsSync(join(home.state, "clawdbot.json.bak"))).toBe(false);
  });
  test("--severity-min and --skip leave out", async () => {
    const home = newHome("{}");
    expect((await lint(home, "--only gateway-mode")).code).toBe(0);
    expect((await lint(home, "--only gateway-mode --severity-min info")).code).toBe(1);
    const { lines } = await lint(home, "--severity-min info --skip gateway-mode --skip gateway");
    expect(lines.some((each) => each.includes(" gateway-mode:"))).toBe(false);
    expect(lines.some((each) => each.includes(" gateway:"))).toBe(false);
    expect(lines.some((each) => each.includes(" model:"))).toBe(true);
  });
  test("with --json it counts what it ran and what it left out", async () => {
    const done = await runCli(["doctor", "--lint", "--json", "--only", "model,disk"], {
      home: newHome(),
    });
    expect(JSON.parse(done.stdout)).toMatchObject({ ok: false, checksRun: 2 });
    expect(JSON.parse(done.stdout).checksSkipped).toBeGreaterThan(10);
  });
});

describe("at a terminal", () => {
  const talk = (home: Home, line = "doctor", size?: { cols: number; rows: number }) => {
    const session = inTerminal(line.split(" "), home, {}, size);
    open.push(session.close);
    return session;
  };
  test("it asks about each fix, and does those that were wanted", async () => {
    const home = newHome("{}");
    chmodSync(home.state, 0o755);
    const session = talk(home, "doctor", { cols: 40, rows: 24 });
    await session.sees("Close ");
    await session.sees("[Y/n]");
    session.type("n\r");
    await session.sees("gateway.mode");
    await session.sees("[Y/n]");
    session.type("\r");
    expect(await session.exited).toBe(0);
    expect(statSync(home.state).mode & 0o777).toBe(0o755);
    expect(configOf(home).gateway.mode).toBe("local");
  });
  test("a choice is only made by somebody who says yes: Enter alone is no", async () => {
    const config = { gateway: { mode: "local", auth: { token: "a".repeat(40) } } };
    for (const [typed, kept] of [
      ["\r", true],
      ["y\r", false],
    ] as const) {
      const home = newHome(config);
      const session = inTerminal(["doctor", "--only", "token-mismatch"], home, {
        CLAWDBOT_GATEWAY_TOKEN: "b".repeat(40),
      });
      open.push(session.close);
      await session.sees("Remove gateway.auth.token");
      await session.sees("[y/N]");
      session.type(typed);
      expect(await session.exited).toBe(0);
      expect(configOf(home).gateway.auth?.token !== undefined).toBe(kept);
    }
  });
  test("Ctrl-C at any question leaves everything as it is", async () => {
    for (const answered of [0, 1]) {
      const home = newHome("{}");
      chmodSync(home.state, 0o755);
      const session = talk(home);
      for (let i = 0; i < answered; i++) {
        await session.sees("[Y/n]");
        session.type("y\r");
      }
      await session.sees("[Y/n]");
      session.type("\u0003");
      await session.exited;
      expect(session.text()).toContain("nothing was changed");
      expect(statSync(home.state).mode & 0o777).toBe(0o755);
      expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe("{}");
    }
  });
  test("with --non-interactive, --lint and --json nobody is asked", async () => {
    const home = newHome("{}");
    for (const flag of ["--non-interactive", "--lint", "--json"]) {
      const session = talk(home, `doctor ${flag}`);
      await session.exited;
      expect(session.text()).not.toContain("[Y/n]");
    }
  });
});
