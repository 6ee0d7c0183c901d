/** `onboard` of the compiled binary: by flags, and by a person at a terminal. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../fakes/anthropic.ts";
import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";
import { inTerminal } from "./terminal.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const KEY = "sk-ant-api03-good-key";
const quiet = ["onboard", "--non-interactive", "--accept-risk"];

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  return home;
}

/** A home whose config leads to a fake of Anthropic that takes only the good key. */
async function withAnthropic(config: object = {}) {
  const home = newHome();
  const fake = await startAnthropic({ key: KEY });
  open.push(() => fake.stop());
  mkdirSync(home.state, { mode: 0o700 });
  const models = { providers: { anthropic: { baseUrl: fake.url, models: [] } } };
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
  [[...quiet, "--auth-choice", "nonsense"], "Invalid --auth-choice"],
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

test("at a terminal two questions are enough for a model, and the key is not shown", async () => {
  const { home, fake } = await withAnthropic();
  const person = inTerminal(["onboard", "--no-install-daemon"], home);
  open.push(() => person.close());
  await person.sees("Go on? [Y/n]");
  person.type("\r");
  await person.sees("Choose 1 to");
  person.type("1\r");
  await person.sees("it is not shown");
  person.type("sk-ant-wrong-key-000\r");
  await person.sees("Try another key? [Y/n]");
  person.type("\r");
  await person.sees("it is not shown");
  person.type(`${KEY}\r`);
  await person.sees("answered.");
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("clawdbot gateway");
  expect(person.text()).toContain("Chats (Telegram, WhatsApp, Discord): clawdbot channels add");
  expect(person.text()).not.toContain(KEY);
  expect(person.text()).not.toContain("sk-ant-wrong");
  expect(dotEnv(home)).toContain(KEY);
  expect(fake.requests).toHaveLength(2);
});

test("Ctrl-C at any question changes nothing", async () => {
  for (const before of [[], ["\r"], ["\r", "1\r"]]) {
    const home = newHome();
    const person = inTerminal(["onboard"], home);
    open.push(() => person.close());
    for (const [i, keys] of before.entries()) {
      await person.sees(["Go on?", "Choose 1 to"][i]!);
      person.type(keys);
    }
    await person.sees(["Go on?", "Choose 1 to", "it is not shown"][before.length]!);
    person.type("\u0003");
    expect(await person.exited).toBe(130);
    expect(existsSync(home.state)).toBe(false);
  }
});

test("a person who says no is let go", async () => {
  const home = newHome();
  const person = inTerminal(["onboard"], home);
  open.push(() => person.close());
  await person.sees("Go on?");
  person.type("n\r");
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("Nothing was changed.");
  expect(existsSync(home.state)).toBe(false);
});
