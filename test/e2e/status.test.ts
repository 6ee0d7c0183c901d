/** `status`, `health`, `gateway probe` of the compiled binary: gateway down, over the socket, and with `--url --token`. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { emptyHome, type Home, runCli, type Running, startGatewayProcess } from "./binary.ts";
import { freePort } from "./child.ts";
import { inTerminal } from "./terminal.ts";

setDefaultTimeout(60_000);

const SECRET = "a-token-that-nobody-else-should-ever-see";
const BOT = "123456:abcdefghijklmnopqrstuvwxyz0123456789";
let home: Home;
let stranger: Home;
const cli = (line: string, at = home, env: Record<string, string> = {}) =>
  runCli(line.split(" "), { home: at, env });
const json = async (line: string, at = home) => {
  const { code, stdout, stderr } = await cli(`${line} --json`, at);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
};

const configOf = ({ state }: Home) =>
  JSON.parse(readFileSync(join(state, "clawdbot.json"), "utf8"));

beforeAll(() => {
  home = emptyHome();
  stranger = emptyHome();
  mkdirSync(home.state, { mode: 0o700 });
  const config = {
    gateway: { mode: "local", port: freePort(), auth: { token: SECRET } },
    channels: { telegram: { enabled: false, botToken: BOT } },
    logging: { file: join(home.dir, "gateway.log") },
  };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config), { mode: 0o600 });
});
afterAll(() => {
  home.remove();
  stranger.remove();
});

/** Keys of spec 5.2 that are true of this program. */
const KEYS = [
  ...["heartbeat", "channelSummary", "queuedSystemEvents", "sessions", "os", "gateway"],
  ...["gatewayService", "agents", "securityAudit"],
];

describe("with the gateway down", () => {
  test("status has every key, exits with 0, and says what to start", async () => {
    const status = await json("status");
    for (const key of KEYS) expect(status).toHaveProperty(key);
    expect(status.gateway).toMatchObject({ reachable: false, self: null });
    expect(status.channelSummary).toEqual(["Telegram: disabled"]);
    expect(status.agents).toMatchObject({ defaultId: "main", agents: [{ id: "main" }] });
    expect(status.securityAudit.summary).toMatchObject({ critical: 0 });
    const { code, stdout } = await cli("status");
    expect(code).toBe(0);
    expect(stdout).toContain("Security: 0 critical");
    expect(stdout).toEndWith("Next: clawdbot gateway\n");
  });

  test("what keeps it from starting comes first", async () => {
    const other = emptyHome();
    mkdirSync(other.state, { mode: 0o700 });
    const file = join(other.state, "clawdbot.json");
    writeFileSync(file, '{ "gateway": { "mode": "local", "bind": "lan" } }', { mode: 0o600 });
    const { stdout } = await cli("status", other);
    expect(stdout).toContain("critical The gateway is open to the network (gateway.bind_no_auth)");
    expect(stdout).toEndWith("Next: clawdbot doctor\n");
    other.remove();
  });

  test("words that are not known are passed over with a note, only where the original did so", async () => {
    for (const line of [
      "status --bogus",
      "status --bogus=1 x",
      "sessions --tokne abc",
      "agents list --x",
    ]) {
      const { code, stderr } = await cli(line);
      expect({ line, code }).toEqual({ line, code: 0 });
      expect(stderr).toContain("does not know --");
    }
    expect(await json("status --bogus")).toHaveProperty("gateway");
    expect((await cli("health --bogus")).stderr).toContain("not running");
    expect((await cli("logs --bogus")).code).toBe(1);
    // A known flag is still read strictly.
    expect((await cli("status --timeout soon")).code).toBe(1);
  });

  test("gateway probe tries all that the config names, and exits with 1 when none answers", async () => {
    const done = await cli("gateway probe --json");
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({
      ok: false,
      primaryTargetId: null,
      timeoutMs: 3000,
      targets: [
        { id: "localLoopback", kind: "localLoopback", connect: { ok: false, latencyMs: null } },
      ],
    });
    const named = await runCli(
      ["gateway", "probe", "--url", `ws://127.0.0.1:${freePort()}`, "--token", "x", "--json"],
      { home },
    );
    expect(JSON.parse(named.stdout).targets.map((each: { id: string }) => each.id)).toEqual([
      "explicit",
      "localLoopback",
    ]);
  });

  test("dashboard gives the address alone, and how to get a link", async () => {
    const { code, stdout } = await cli("dashboard", home, {
      SSH_CONNECTION: "198.51.100.7 50000 192.0.2.9 22",
    });
    expect(code).toBe(0);
    const { port } = configOf(home).gateway;
    expect(stdout).toContain(`Dashboard URL: http://127.0.0.1:${port}/\n`);
    expect(stdout).toContain("Start it with `clawdbot gateway`");
    expect(stdout).toMatch(
      new RegExp(`ssh -N -L ${port}:127\\.0\\.0\\.1:${port} \\S+@192\\.0\\.2\\.9`),
    );
    expect(await json("dashboard")).toEqual({ url: `http://127.0.0.1:${port}/`, running: false });
    expect((await cli("dashboard")).stdout).not.toContain("ssh");
  });

  test("gateway status says where it would be, and who has the port", async () => {
    const { port } = configOf(home).gateway;
    const here = `--port ${port}`;
    expect(await json(`gateway status ${here}`)).toMatchObject({
      config: { cli: { exists: true }, daemon: null, mismatch: false },
      gateway: { bindMode: "loopback", bindHost: "127.0.0.1", port },
      port: { port, status: "free", listeners: [], hints: [] },
      runtime: null,
      rpc: { ok: false },
    });
    using other = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response() });
    const taken = await json("gateway status");
    expect(taken.port).toMatchObject({ port: other.port, status: "busy" });
    expect(taken.port.hints).toEqual([expect.stringContaining(`PID ${process.pid}`)]);
    expect((await cli("gateway status")).stdout).toContain(
      `The port is taken by PID ${process.pid}`,
    );
  });

  test("status --all is a report without secrets and without the home folder", async () => {
    // What a careless part of the program may have written there.
    const said = `{"time":"2026-01-01T00:00:00Z","msg":"x ${SECRET} y ${BOT} z sk-ant-api03-hidden ${home.dir}/f"}`;
    writeFileSync(join(home.dir, "gateway.log"), `${said}\n`);
    const { code, stdout } = await cli("status --all", home, {
      ANTHROPIC_API_KEY: "sk-ant-api03-hidden",
    });
    expect(code).toBe(0);
    expect(stdout).toContain("2026-01-01T00:00:00Z");
    expect(stdout).toContain("~/f");
    expect(stdout).toContain("State: ~/.clawdbot");
    expect(stdout).toContain("Findings:");
    for (const hidden of [SECRET, BOT, home.dir, "sk-ant-api03-hidden"])
      expect(stdout).not.toContain(hidden);
  });
});

test("usage of a home without a database is nothing, and no error", async () => {
  const empty = emptyHome();
  expect(await json("usage", empty)).toMatchObject({ daily: [], totals: { totalTokens: 0 } });
  expect((await cli("usage --days 1", empty)).stdout).toBe("Usage of today: 0 tokens, $0\n");
  expect((await cli("usage --days 0", empty)).code).toBe(1);
  empty.remove();
});

describe("with a running gateway", () => {
  let gateway: Running;
  beforeAll(async () => {
    const { port } = configOf(home).gateway;
    gateway = await startGatewayProcess(home, { port });
    await cli("agent --agent main -m hello");
  });
  afterAll(() => gateway.kill());
  const away = () => `--url ws://127.0.0.1:${gateway.port} --token ${SECRET}`;

  test("over the socket: it answers, with its sessions", async () => {
    const status = await json("status");
    for (const key of KEYS) expect(status).toHaveProperty(key);
    expect(status.gateway).toMatchObject({ reachable: true, urlSource: "local socket" });
    expect(status.sessions.count).toBe(1);
    const { stdout } = await cli("status");
    expect(stdout).toContain("Control UI:");
    expect(stdout).toContain("agent:main:main");
    expect(stdout).toContain("Telegram  default  disabled");
  });

  test("from another machine: the gateway's facts, and none of this machine's", async () => {
    const status = await json(`status ${away()}`, stranger);
    expect(status.gateway).toMatchObject({ reachable: true, urlSource: "--url" });
    expect(status.sessions.count).toBe(1);
    expect(status).toMatchObject({ gatewayService: null, agents: null, securityAudit: null });
    const { stdout } = await cli(`status ${away()}`, stranger);
    expect(stdout).not.toContain("Security:");
    expect(stdout).not.toContain("Config:");
  });

  test("usage is the same over the socket, from another machine, and from the database", async () => {
    const report = await json("usage");
    expect(report).toMatchObject({ days: 30, models: [{ ref: expect.stringContaining("demo/") }] });
    expect(report.totals.totalTokens).toBeGreaterThan(0);
    expect(report.daily).toHaveLength(1);
    const { updatedAt: _, ...same } = report;
    expect(await json(`gateway usage-cost ${away()}`, stranger)).toMatchObject(same);
    expect(await json("status --usage")).toMatchObject({ usage: { days: 7, totals: same.totals } });
    expect((await cli("status --usage")).stdout).toContain("Usage of the last 7 days: ");
    const copy = emptyHome();
    mkdirSync(copy.state, { mode: 0o700 });
    for (const end of ["", "-wal"])
      copyFileSync(
        join(home.state, `clawdbot.sqlite${end}`),
        join(copy.state, `clawdbot.sqlite${end}`),
      );
    expect(await json("usage", copy)).toMatchObject(same);
    copy.remove();
  });

  test("--deep adds the health of everything", async () => {
    const status = await json("status --deep");
    expect(status).toMatchObject({ health: { ok: true }, lastHeartbeat: null });
    expect((await cli("status --deep")).stdout).toMatch(/Health +Status +Detail/);
  });

  test("health names every channel, and --verbose every account", async () => {
    const plain = (await cli("health")).stdout;
    expect(plain).toContain("Telegram: ");
    expect(plain).not.toContain("- Telegram default:");
    expect((await cli("health --verbose")).stdout).toContain("- Telegram default: disabled");
    expect((await cli(`health ${away()}`, stranger)).code).toBe(0);
    expect((await cli("health --token ignored-by-nobody")).code).toBe(1);
  });

  test("gateway status and dashboard know it", async () => {
    const { port } = configOf(home).gateway;
    expect(await json("gateway status")).toMatchObject({
      runtime: { pid: gateway.pid, port },
      port: { status: "busy", hints: [] },
      rpc: { ok: true },
    });
    expect((await cli("gateway status")).stdout).toMatch(
      new RegExp(`Dashboard: +http://127.0.0.1:${port}/`),
    );
    expect(await json("dashboard")).toMatchObject({
      url: expect.stringContaining("#ticket="),
      running: true,
    });
  });

  test("gateway probe says who answers, from here and from elsewhere", async () => {
    const here = await json("gateway probe");
    expect(here).toMatchObject({
      ok: true,
      primaryTargetId: "localLoopback",
      targets: [
        { connect: { ok: true }, self: { version: expect.any(String) }, health: { ok: true } },
      ],
    });
    const there = await json(`gateway probe ${away()}`, stranger);
    expect(there).toMatchObject({ ok: true, primaryTargetId: "explicit" });
    expect((await cli("gateway probe")).stdout).toContain("✓ This machine");
  });

  test("colours are for terminals, and not with NO_COLOR, on a dumb one, or into a pipe", async () => {
    expect((await cli("status")).stdout).not.toContain("\u001b[");
    const seen = async (env: Record<string, string>) => {
      const session = inTerminal(["status"], home, env, { cols: 40, rows: 24 });
      expect(await session.exited).toBe(0);
      session.close();
      return session.raw();
    };
    expect(await seen({ NO_COLOR: "" })).toContain("\u001b[1m");
    expect(await seen({ NO_COLOR: "1" })).not.toContain("\u001b[1m");
    expect(await seen({ NO_COLOR: "", TERM: "dumb" })).not.toContain("\u001b[1m");
  });

  test("status --all shows the end of the log, and still no secret", async () => {
    const { stdout } = await cli("status --all");
    expect(stdout).toContain("End of the log:");
    for (const hidden of [SECRET, BOT, home.dir]) expect(stdout).not.toContain(hidden);
  });
});
