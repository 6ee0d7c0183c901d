import { Database } from "bun:sqlite";
/** `onboard`, `setup` and `configure` of the compiled binary by flags alone; onboard-person.test.ts has the person at the terminal. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../fakes/anthropic.ts";
import { startOpenAI } from "../fakes/openai.ts";
import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";

// Several commands each, on a busy machine.
setDefaultTimeout(30_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const KEY = "sk-ant-api03-good-key";
const expecting = ["onboard", "--non-interactive", "--accept-risk"];
const quiet = [...expecting, "--skip-health"];

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  return home;
}

/** A home whose config leads to a fake of Anthropic that takes only the good key. */
async function withAnthropic(config: object = {}, key = KEY) {
  const home = newHome();
  const fake = await startAnthropic({ key });
  open.push(() => fake.stop());
  mkdirSync(home.state, { mode: 0o700 });
  const models = { providers: { anthropic: { baseUrl: `${fake.url}/v1`, models: [] } } };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify({ ...config, models }, null, 2));
  return { home, fake };
}
const configOf = (home: Home) =>
  JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"));
const dotEnv = (home: Home) => readFileSync(join(home.state, ".env"), "utf8");

test("deploy-004 onboard sets up a new home, and the gateway it names starts", async () => {
  const home = newHome();
  const done = await runCli([...quiet, "--auth-choice", "skip", "--json"], { home });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(done.stdout)).toMatchObject({
    mode: "local",
    workspace: join(home.dir, "clawd"),
    gateway: { port: 18789, bind: "loopback", authMode: "token" },
    installDaemon: false,
  });
  expect(configOf(home)).toMatchObject({ gateway: { mode: "local" } });
  // Without --allow-unconfigured: the config is complete.
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
});

test("deploy-103 onboard makes workspace and config, readable by the owner alone, and keeps what is there", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  const before =
    "{\n  // mine\n  agents: { defaults: { workspace: '~/own' } },\n  unknownKey: 1,\n}\n";
  writeFileSync(join(home.state, "clawdbot.json"), before);
  mkdirSync(join(home.dir, "own"));
  writeFileSync(join(home.dir, "own/SOUL.md"), "my soul");
  for (let i = 0; i < 2; i++)
    expect((await runCli([...quiet, "--auth-choice", "skip"], { home })).code).toBe(0);
  const text = readFileSync(join(home.state, "clawdbot.json"), "utf8");
  expect(text).toContain("// mine");
  expect(text).toContain("unknownKey: 1");
  expect(readFileSync(join(home.dir, "own/SOUL.md"), "utf8")).toBe("my soul");
  expect(existsSync(join(home.dir, "own/AGENTS.md"))).toBe(true);
  expect(existsSync(join(home.dir, "clawd"))).toBe(false);
  expect(statSync(home.state).mode & 0o777).toBe(0o700);
  expect(statSync(join(home.state, "clawdbot.json")).mode & 0o777).toBe(0o600);
});

test("a key is tried with one call and kept in .env, never in the config", async () => {
  const { home, fake } = await withAnthropic();
  const done = await runCli([...quiet, "--anthropic-api-key", KEY], { home });
  expect(done.code).toBe(0);
  expect(done.stderr).toContain("answered.");
  expect(fake.requests).toHaveLength(1);
  expect(dotEnv(home)).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);
  expect(statSync(join(home.state, ".env")).mode & 0o777).toBe(0o600);
  expect(JSON.stringify(configOf(home))).not.toContain(KEY);
  expect(done.stdout + done.stderr).not.toContain(KEY);
});

test("a key that the provider refuses changes nothing", async () => {
  const { home } = await withAnthropic();
  const before = configOf(home);
  const done = await runCli([...quiet, "--anthropic-api-key", "sk-ant-wrong-key-000"], { home });
  expect(done.code).toBe(1);
  expect(done.stderr).toContain("refused");
  expect(existsSync(join(home.state, ".env"))).toBe(false);
  expect(configOf(home)).toEqual(before);
});

test("channels that are set up already are not named among the next steps", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  const channels = { discord: { enabled: false } };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify({ channels }));
  const done = await runCli([...quiet, "--auth-choice", "skip"], { home });
  expect(done.code).toBe(0);
  expect(done.stdout).toContain("clawdbot gateway");
  expect(done.stdout).not.toContain("channels add");
  expect(configOf(home)).toMatchObject({ channels });
});

test("other lines of .env stay, and a second key replaces the first", async () => {
  const { home } = await withAnthropic();
  const lines = "# mine\nOTHER='a b'\nANTHROPIC_API_KEY=old";
  writeFileSync(join(home.state, ".env"), lines);
  expect((await runCli([...quiet, "--anthropic-api-key", KEY], { home })).code).toBe(0);
  expect(dotEnv(home)).toBe(`# mine\nOTHER='a b'\nANTHROPIC_API_KEY=${KEY}\n`);
});

test("a gateway that others can reach gets a token; one of the environment is not written down", async () => {
  const home = newHome();
  const lan = [...quiet, "--auth-choice", "skip", "--gateway-bind", "lan"];
  expect((await runCli(lan, { home })).code).toBe(0);
  expect(dotEnv(home)).toMatch(/^CLAWDBOT_GATEWAY_TOKEN=[0-9a-f]{64}\n$/);
  const first = dotEnv(home);
  expect((await runCli(lan, { home })).code).toBe(0);
  expect(dotEnv(home)).toBe(first);

  const other = newHome();
  const token = "0123456789abcdef".repeat(3);
  const env = { OPENCLAW_GATEWAY_TOKEN: token };
  const given = [...lan, "--gateway-token", token];
  expect((await runCli(given, { home: other, env })).code).toBe(0);
  expect(existsSync(join(other.state, ".env"))).toBe(false);
  expect(JSON.stringify(configOf(other))).not.toContain(token);
});

test.each([
  [["onboard"], "no terminal"],
  [["onboard", "--non-interactive"], "--accept-risk"],
  [
    [...quiet, "--auth-choice", "apiKey"],
    "Missing --anthropic-api-key (or ANTHROPIC_API_KEY in env)",
  ],
  [[...quiet, "--auth-choice", "nonsense"], 'Invalid --auth-choice "nonsense" (use apiKey, '],
  [[...quiet, "--auth-choice", "openai-codex"], "OAuth requires interactive mode."],
  [[...quiet, "--auth-choice", "claude-cli"], "is deprecated"],
  [
    [...quiet, "--auth-choice", "venice-api-key"],
    "Missing --venice-api-key (or VENICE_API_KEY in env)",
  ],
  [[...quiet, "--auth-choice", "token", "--token", "sk-ant-oat01-x"], "Missing --token-provider"],
  [
    [...quiet, "--auth-choice", "setup-token", "--token-provider", "openai", "--token", "x"],
    "Only --token-provider anthropic",
  ],
  [[...quiet, "--auth-choice", "custom-api-key"], "Missing --custom-base-url"],
  [[...quiet, "--custom-base-url", "nonsense"], "That is no address"],
  [[...quiet, "--mode", "remote"], "Missing --remote-url"],
  [[...quiet, "--mode", "remote", "--remote-url", "ws://example.com"], "unprotected"],
  [[...quiet, "--tailscale", "serve", "--gateway-bind", "lan"], "needs --gateway-bind loopback"],
  [[...quiet, "--tailscale", "funnel", "--gateway-auth", "token"], "needs --gateway-auth password"],
  [["configure"], "no terminal"],
  [["configure", "--section", "skills"], "Invalid --section: skills"],
  [["config", "--section", "model"], "no terminal"],
  [["setup", "--non-interactive"], "--accept-risk"],
  [[...quiet, "--gateway-port", "70000"], "Invalid --gateway-port"],
  [[...quiet, "--gateway-auth", "password"], "Missing --gateway-password"],
  [[...quiet, "--gateway-bind", "lan", "--gateway-token", "change-me-now"], "too easy"],
  [[...quiet, "--anthropic-api-key", "two words"], "characters that no key has"],
])("%p is refused in words, and nothing is made", async (words, text) => {
  const home = newHome();
  const done = await runCli(words, { home });
  expect(done.code).not.toBe(0);
  expect(done.stderr).toContain(text);
  expect(existsSync(join(home.state, "clawdbot.json"))).toBe(false);
});

test("a config that cannot be used is not touched", async () => {
  const home = newHome();
  mkdirSync(home.state);
  writeFileSync(join(home.state, "clawdbot.json"), "{ gateway: { port: 'x' } }");
  const done = await runCli(quiet, { home });
  expect(done.code).toBe(78);
  expect(done.stderr).toContain("gateway.port");
  expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe(
    "{ gateway: { port: 'x' } }",
  );
});

test("where there can be no background service, the rest is set up and the reason is said", async () => {
  const home = newHome();
  // No supervisor can be found from here, on any machine.
  const env = { PATH: "/nowhere" };
  const done = await runCli([...quiet, "--auth-choice", "skip", "--install-daemon"], { home, env });
  expect(done.code).toBe(0);
  expect(done.stderr).toContain("Not in the background: ");
  expect(configOf(home)).toMatchObject({ gateway: { mode: "local" } });
});

test("in Nix mode it refuses and says where the config is made", async () => {
  const home = newHome();
  const done = await runCli(quiet, { home, env: { CLAWDBOT_NIX_MODE: "1" } });
  expect(done.code).toBe(1);
  expect(done.stderr).toContain("Nix");
  expect(existsSync(home.state)).toBe(false);
});

test("a gateway is expected at the end, unless --skip-health says otherwise", async () => {
  const home = newHome();
  const alone = await runCli([...expecting, "--auth-choice", "skip", "--json"], { home });
  expect(alone.code).toBe(1);
  expect(JSON.parse(alone.stdout)).toMatchObject({
    ok: false,
    error: { code: "gateway_unreachable", message: "Everything is set up, but no gateway runs." },
  });
  expect(configOf(home)).toMatchObject({ gateway: { mode: "local" } });
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const done = await runCli([...expecting, "--auth-choice", "skip", "--json"], { home });
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ mode: "local", skipHealth: false });
});

test("a subscription's token is kept under its own name, and sent as a bearer", async () => {
  const token = `sk-ant-oat01-${"x".repeat(80)}`;
  const { home, fake } = await withAnthropic({}, token);
  const words = ["--auth-choice", "token", "--token-provider", "anthropic", "--token", token];
  const done = await runCli([...quiet, ...words, "--json"], { home });
  expect(done.stderr).toBe("");
  expect(JSON.parse(done.stdout)).toMatchObject({ authChoice: "token", skipHealth: true });
  expect(dotEnv(home)).toBe(`ANTHROPIC_OAUTH_TOKEN=${token}\n`);
  expect(fake.requests[0]!.headers["authorization"]).toBe(`Bearer ${token}`);
});

test("a provider that was chosen answers, also when another one would", async () => {
  const home = newHome();
  const fake = await startOpenAI({ key: KEY });
  open.push(() => fake.stop());
  mkdirSync(home.state, { mode: 0o700 });
  const providers = {
    venice: { baseUrl: `${fake.url}/v1`, models: [] },
    mistral: { baseUrl: `${fake.url}/v1`, models: [] },
  };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify({ models: { providers } }));
  const env = { XAI_API_KEY: "xai-another-key" };
  const first = await runCli([...quiet, "--mistral-api-key", KEY], { home, env });
  expect(first).toMatchObject({ code: 0 });
  expect(configOf(home).agents.defaults.model).toEqual({ primary: "mistral/mistral-large-latest" });
  expect(dotEnv(home)).toContain(`MISTRAL_API_KEY=${KEY}`);
  // Of this one no usual model is known, so it is asked what it has.
  const second = await runCli([...quiet, "--venice-api-key", KEY], { home, env });
  expect(second).toMatchObject({ code: 0 });
  expect(configOf(home).agents.defaults.model.primary).toStartWith("venice/");
});

test("an endpoint of one's own is tried, described in the config, and its key is kept in .env", async () => {
  const home = newHome();
  const fake = await startOpenAI({ key: KEY });
  open.push(() => fake.stop());
  const url = ["--custom-base-url", `${fake.url}/v1`];
  const words = [...url, "--custom-model-id", "fake-model", "--custom-provider-id", "my-box"];
  const refused = await runCli([...quiet, ...words, "--custom-api-key", "wrong-key-1"], { home });
  expect(refused.code).toBe(1);
  expect(existsSync(home.state)).toBe(false);
  const done = await runCli([...quiet, ...words, "--custom-api-key", KEY, "--json"], { home });
  expect(JSON.parse(done.stdout)).toMatchObject({ authChoice: "custom-api-key" });
  expect(configOf(home)).toMatchObject({
    models: {
      providers: {
        "my-box": {
          baseUrl: `${fake.url}/v1`,
          api: "openai-completions",
          apiKey: "MY_BOX_API_KEY",
          models: [{ id: "fake-model" }],
        },
      },
    },
    agents: { defaults: { model: { primary: "my-box/fake-model" } } },
  });
  expect(dotEnv(home)).toBe(`MY_BOX_API_KEY=${KEY}\n`);
  // Used as it is written.
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  fake.reply({ text: "From my box." });
  const said = await runCli(["agent", "--agent", "main", "-m", "Hello"], { home });
  expect(said.stdout).toContain("From my box.");
});

test("for another machine only its address is written", async () => {
  const home = newHome();
  const token = "0123456789abcdef".repeat(3);
  const words = ["--mode", "remote", "--remote-url", "wss://box.example.net/"];
  const done = await runCli([...quiet, ...words, "--remote-token", token, "--json"], { home });
  expect(JSON.parse(done.stdout)).toEqual({
    mode: "remote",
    remoteUrl: "wss://box.example.net",
    auth: "token",
  });
  expect(configOf(home)).toMatchObject({
    gateway: { mode: "remote", remote: { url: "wss://box.example.net", token } },
    wizard: { lastRunMode: "remote" },
  });
  expect(existsSync(join(home.dir, "clawd"))).toBe(false);
});

test("--reset puts aside what is there and deletes nothing", async () => {
  const home = newHome();
  mkdirSync(join(home.dir, "clawd"));
  writeFileSync(join(home.dir, "clawd", "SOUL.md"), "my soul");
  mkdirSync(home.state, { mode: 0o700 });
  writeFileSync(join(home.state, "clawdbot.json"), "{ gateway: { port: 'not usable' } }");
  writeFileSync(join(home.state, ".env"), "OPENAI_API_KEY=old-key\n");
  const done = await runCli([...quiet, "--auth-choice", "skip", "--reset"], { home });
  expect(done.code).toBe(0);
  const [kept] = readdirSync(join(home.state, "backups"));
  const aside = join(home.state, "backups", kept!);
  expect(readdirSync(aside).sort()).toEqual([".env", "clawdbot.json"]);
  expect(readFileSync(join(aside, "clawdbot.json"), "utf8")).toContain("not usable");
  expect(existsSync(join(home.state, ".env"))).toBe(false);
  const old = readdirSync(home.dir).find((name) => name.startsWith("clawd.before-"))!;
  expect(readFileSync(join(home.dir, old, "SOUL.md"), "utf8")).toBe("my soul");
  expect(readFileSync(join(home.dir, "clawd", "SOUL.md"), "utf8")).not.toBe("my soul");
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const refused = await runCli([...quiet, "--auth-choice", "skip", "--reset"], { home });
  expect(refused.code).toBe(78);
  expect(refused.stderr).toContain("gateway stop");
});

test("a state of a newer version is not touched", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  const db = new Database(join(home.state, "clawdbot.sqlite"));
  db.run("PRAGMA user_version = 999");
  db.close();
  const done = await runCli([...quiet, "--auth-choice", "skip"], { home });
  expect(done.code).toBe(78);
  expect(done.stderr).toContain("newer version");
  expect(readdirSync(home.state)).toEqual(["clawdbot.sqlite"]);
});

test("setup makes config and workspace without a question, and says what was so already", async () => {
  const home = newHome();
  const first = await runCli(["setup", "--workspace", join(home.dir, "own")], { home });
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toContain(`Wrote ${join(home.state, "clawdbot.json")}`);
  expect(first.stdout).toContain(`Workspace OK: ${join(home.dir, "own")}`);
  expect(configOf(home)).toMatchObject({
    gateway: { mode: "local" },
    agents: { defaults: { workspace: join(home.dir, "own") } },
    wizard: { lastRunCommand: "setup" },
  });
  const again = await runCli(["setup", "--json"], { home });
  expect(JSON.parse(again.stdout)).toMatchObject({
    ok: true,
    config: { result: "ok" },
    workspace: { path: join(home.dir, "own"), made: [] },
  });
  const led = await runCli(["setup", "--non-interactive", "--accept-risk"], { home });
  expect(led.code).toBe(1);
  expect(led.stderr).toContain("Everything is set up, but no gateway runs.");
});

test("config alone prints its help where nobody can be asked", async () => {
  const home = newHome();
  const done = await runCli(["config"], { home });
  expect(done.code).toBe(0);
  expect(done.stdout).toContain("config get");
  expect(existsSync(home.state)).toBe(false);
});
