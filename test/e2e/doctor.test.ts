/** `doctor` of the compiled binary: what it finds, what it mends, and that it changes nothing unasked. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Report = {
  ok: boolean;
  checksRun: number;
  findings: { checkId: string; severity: string; message: string; fixHint: string | null }[];
  fixed: { checkId: string; done: string }[];
};

function newHome(config?: string): Home {
  const home = emptyHome();
  open.push(home.remove);
  if (config === undefined) return home;
  mkdirSync(home.state, { mode: 0o700 });
  writeFileSync(join(home.state, "clawdbot.json"), config, { mode: 0o600 });
  return home;
}
async function look(home: Home, args: string[] = [], env: Record<string, string> = {}) {
  const done = await runCli(["doctor", "--json", ...args], { home, env });
  expect(done.code).toBe(0);
  return JSON.parse(done.stdout) as Report;
}
const find = (report: Report, id: string) => report.findings.filter((f) => f.checkId === id);

test("deploy-115 doctor of a fresh home says what is not there yet, and makes nothing", async () => {
  const home = newHome();
  const done = await runCli(["doctor"], { home });
  expect(done.code).toBe(0);
  expect(done.stdout).toContain("The gateway does not run.");
  expect(done.stdout).toContain("clawdbot onboard");
  expect(readdirSync(home.dir)).toEqual([]);
});

test("with a healthy gateway and a model nothing is wrong", async () => {
  const home = newHome('{ "gateway": { "mode": "local" } }');
  const env = { ANTHROPIC_API_KEY: "sk-ant-api03-some-key" };
  const gateway = await startGatewayProcess(home, { env });
  open.push(() => gateway.kill());
  // Where the tests run may itself be a container, whose disk goes with it.
  const done = await runCli(["doctor", "--skip", "disk"], { home, env });
  expect(done.stdout).toContain("Everything is well.");
  expect((await look(home, ["--skip", "disk"], env)).ok).toBe(true);
});

test("a config that cannot be used is told with line, key and remedy", async () => {
  const home = newHome("{\n  gateway: { port: 'x' },\n}");
  const [finding] = find(await look(home), "config");
  expect(finding).toMatchObject({ severity: "error" });
  expect(finding!.message).toContain("line 2");
  expect(finding!.message).toContain("gateway.port");
  expect(finding!.fixHint).not.toBeNull();
});

test("a config that was cut off is told with the command that puts the copy back; status leads there", async () => {
  const home = newHome("{ gateway: { mode: 'local' ");
  const config = join(home.state, "clawdbot.json");
  const hint = async () => find(await look(home), "config")[0]!.fixHint;
  expect(await hint()).toContain(`mv ${config} ${config}.broken`);
  writeFileSync(`${config}.bak`, "{}");
  expect(await hint()).toContain(`cp ${config}.bak ${config}`);
  const lastGood = join(home.state, "config.last-good.json5");
  writeFileSync(lastGood, "{}");
  expect(await hint()).toContain(`cp ${lastGood} ${config}`);
  const { stdout } = await runCli(["status"], { home });
  expect(stdout).toContain("clawdbot.json line 1");
  expect(stdout).toEndWith("Next: clawdbot doctor\n");
});

test("in Nix mode no command is proposed that Nix mode refuses", async () => {
  const report = await look(newHome(), [], { CLAWDBOT_NIX_MODE: "1" });
  const hints = report.findings.map(({ fixHint }) => fixHint);
  expect(hints).toContainEqual(expect.stringContaining("programs.clawdbot.config"));
  expect(hints.filter((hint) => hint?.includes("onboard"))).toEqual([]);
});

test("files that others can read are found, and closed with --fix only", async () => {
  const home = newHome('{ "gateway": { "mode": "local" } }');
  const config = join(home.state, "clawdbot.json");
  chmodSync(home.state, 0o755);
  chmodSync(config, 0o644);
  expect(find(await look(home), "state")).toHaveLength(2);
  expect(statSync(config).mode & 0o777).toBe(0o644);
  const fixed = await look(home, ["--fix"]);
  expect(fixed.fixed).toHaveLength(2);
  expect(statSync(config).mode & 0o777).toBe(0o600);
  expect(statSync(home.state).mode & 0o777).toBe(0o700);
  expect(find(await look(home), "state")).toEqual([]);
});

test("a bind that the start would refuse is critical", async () => {
  const home = newHome('{ "gateway": { "mode": "local", "bind": "lan" } }');
  const [finding] = find(await look(home), "gateway-secret");
  expect(finding).toMatchObject({ severity: "critical" });
  expect(finding!.message).toContain("without auth");
  const [weak] = find(
    await look(home, [], { CLAWDBOT_GATEWAY_TOKEN: "change-me-now" }),
    "gateway-secret",
  );
  expect(weak!.message).toContain("placeholder");
});

test("two tokens that differ are told, and neither is shown", async () => {
  const one = "a".repeat(40);
  const two = "b".repeat(40);
  const home = newHome(JSON.stringify({ gateway: { mode: "local", auth: { token: one } } }));
  const done = await runCli(["doctor"], { home, env: { CLAWDBOT_GATEWAY_TOKEN: two } });
  expect(done.stdout).toContain("differ");
  expect(done.stdout).not.toContain(one);
  expect(done.stdout).not.toContain(two);
});

test("a taken port names the process", async () => {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const home = newHome(JSON.stringify({ gateway: { mode: "local", port: server.port } }));
  const [finding] = find(await look(home), "gateway");
  expect(finding!.message).toContain(`process ${process.pid}`);
});

test("the demo model is a warning with the way to a real one", async () => {
  const [finding] = find(await look(newHome()), "model");
  expect(finding).toMatchObject({ severity: "warning", fixHint: "clawdbot onboard" });
});

test("in Nix mode it looks but does not mend", async () => {
  const home = newHome("{}");
  const env = { CLAWDBOT_NIX_MODE: "1" };
  expect((await runCli(["doctor"], { home, env })).code).toBe(0);
  const refused = await runCli(["doctor", "--fix"], { home, env });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("Nix");
  expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe("{}");
});
