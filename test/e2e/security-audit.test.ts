/** `security audit` of the compiled binary: the original's JSON and names, and what `--fix` closes. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";

setDefaultTimeout(60_000);

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Report = {
  ts: number;
  summary: { critical: number; warn: number; info: number };
  findings: {
    checkId: string;
    severity: string;
    title: string;
    detail: string;
    remediation?: string;
  }[];
  deep?: { gateway: { attempted: boolean; url: string; ok: boolean; error: string | null } };
};

function newHome(config: object = { gateway: { mode: "local" } }): Home {
  const home = emptyHome();
  open.push(home.remove);
  mkdirSync(home.state, { mode: 0o700 });
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config), { mode: 0o600 });
  return home;
}
async function audit(home: Home, line = "", code = 0) {
  const words = ["security", "audit", "--json", ...line.split(" ").filter(Boolean)];
  const done = await runCli(words, { home });
  expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: "" });
  const told = JSON.parse(done.stdout) as Report & { fix?: object; report?: Report };
  for (const report of [told, told.report]) if (report?.findings) withoutDisk(report);
  return told;
}
/** Where the tests run may itself be a container, whose disk goes with it. */
function withoutDisk(report: Report): void {
  const rest = report.findings.filter(({ checkId }) => checkId !== "state.on_ephemeral_fs");
  report.summary.warn -= report.findings.length - rest.length;
  report.findings = rest;
}
const ids = ({ findings }: Report, least = "warn") =>
  findings
    .filter(({ severity }) => severity === "critical" || severity === least)
    .map((f) => f.checkId);
const TOKEN = "123456:abcdefghijklmnopqrstuvwxyz0123456789";

test("a home as it should be has nothing to warn of", async () => {
  const report = await audit(newHome());
  expect(ids(report)).toEqual([]);
  expect(report.summary).toMatchObject({ critical: 0, warn: 0 });
  expect(report.ts).toBeGreaterThan(1_700_000_000_000);
});

test("what is open is told by the original's names, and counted", async () => {
  const home = newHome({
    gateway: { mode: "local", bind: "lan" },
    channels: {
      telegram: { botToken: TOKEN, dmPolicy: "open", allowFrom: ["*"], groupPolicy: "open" },
    },
  });
  chmodSync(home.state, 0o777);
  chmodSync(join(home.state, "clawdbot.json"), 0o644);
  const report = await audit(home);
  expect(ids(report).sort()).toEqual([
    "channels.telegram.dm.open",
    "channels.telegram.dm.scope_main_multiuser",
    "channels.telegram.groups.open",
    "fs.config.perms_world_readable",
    "fs.state_dir.perms_world_writable",
    "gateway.bind_no_auth",
  ]);
  expect(report.summary.critical).toBe(4);
  const critical = report.findings.filter(({ severity }) => severity === "critical");
  expect(report.findings.slice(0, 4)).toEqual(critical);
  for (const { title, detail, remediation } of critical) {
    expect(title.length).toBeGreaterThan(5);
    expect(detail).toEndWith(".");
    expect(remediation).toBeString();
  }
});

test("--fix closes all of it, keeps the former config, and the next look is clean", async () => {
  const home = newHome({
    gateway: { mode: "local", bind: "lan" },
    channels: {
      telegram: { botToken: TOKEN, dmPolicy: "open", allowFrom: ["*"], groupPolicy: "open" },
    },
  });
  const file = join(home.state, "clawdbot.json");
  const before = readFileSync(file, "utf8");
  chmodSync(home.state, 0o777);
  const { fix, report } = await audit(home, "--fix");
  expect(fix).toMatchObject({ ok: true, errors: [] });
  expect(report!.summary).toMatchObject({ critical: 0, warn: 0 });
  expect(statSync(home.state).mode & 0o777).toBe(0o700);
  const config = JSON.parse(readFileSync(file, "utf8"));
  expect(config).toMatchObject({
    channels: { telegram: { dmPolicy: "pairing", groupPolicy: "allowlist", botToken: TOKEN } },
  });
  expect(config.channels.telegram.allowFrom).toEqual([]);
  expect(config.gateway.auth.token).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(`${file}.bak`, "utf8")).toBe(before);
  const again = await audit(home, "--fix");
  expect(again.fix).toEqual({ ok: true, changes: [], errors: [] });
});

test("--fix leaves alone what the owner would notice", async () => {
  const config = {
    gateway: { mode: "local", auth: { token: "short" } },
    channels: { telegram: { botToken: TOKEN, allowFrom: [1, 2] } },
    agents: { defaults: { sandbox: { mode: "all" } } },
  };
  const home = newHome(config);
  const { fix, report } = await audit(home, "--fix");
  expect(fix).toEqual({ ok: true, changes: [], errors: [] });
  expect(ids(report!).sort()).toEqual([
    "channels.telegram.dm.scope_main_multiuser",
    "gateway.token_too_short",
    "sandbox.not_built",
  ]);
  expect(JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"))).toEqual(config);
});

test("--strict is for scripts, and everything else ends with 0", async () => {
  const home = newHome({ gateway: { mode: "local", bind: "lan" } });
  await audit(home, "--strict", 1);
  await audit(newHome(), "--strict", 0);
});

test("--deep says whether the gateway answers", async () => {
  const home = newHome();
  expect((await audit(home, "--deep")).deep).toMatchObject({
    gateway: { attempted: true, ok: false, error: expect.stringContaining("not running") },
  });
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  expect((await audit(home, "--deep")).deep).toMatchObject({ gateway: { ok: true, error: null } });
});

test("for people: the summary first, every finding with its remedy, and no secret", async () => {
  const home = newHome({ gateway: { mode: "local", auth: { token: "change-me-now" } } });
  const { code, stdout } = await runCli(["security", "audit"], { home });
  expect(code).toBe(0);
  expect(stdout).toContain("Summary: 1 critical · ");
  expect(stdout).toContain("(gateway.token_placeholder)");
  expect(stdout).toContain("Fix: clawdbot config set gateway.auth.token");
  expect(stdout).not.toContain("change-me-now");
  expect(stdout).not.toContain("\u001b[");
});

test("in Nix mode it looks but does not mend", async () => {
  const home = newHome();
  const env = { CLAWDBOT_NIX_MODE: "1" };
  expect((await runCli(["security", "audit"], { home, env })).code).toBe(0);
  expect((await runCli(["security", "audit", "--fix"], { home, env })).code).toBe(1);
});
