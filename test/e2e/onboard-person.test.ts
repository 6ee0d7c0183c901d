import { Database } from "bun:sqlite";
/** The set-up at a terminal: the compiled binary in a pseudo-terminal, and a person who types; onboard-leaving.test.ts has those who leave. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { muteSignal } from "../../src/channels/whatsapp/logger.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import { startDiscord } from "../fakes/discord.ts";
import { startTelegram } from "../fakes/telegram.ts";
import { startWhatsApp } from "../fakes/whatsapp/index.ts";
import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";
import { inTerminal, type Session } from "./terminal.ts";

setDefaultTimeout(20_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const KEY = "sk-ant-api03-good-key";
const CTRL_C = "\u0003";
const RISK = "Go on? [Y/n]";
const ASKS_KEY = "Key of a model provider, or nothing for now";
const ASKS_CHAT = "Which chat app shall reach the assistant?";

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  return home;
}

function at(
  home: Home,
  words: string[],
  env: Record<string, string> = {},
  size?: { cols: number; rows: number },
): Session {
  const person = inTerminal(words, home, env, size);
  open.push(() => person.close());
  return person;
}

async function withModel() {
  const home = newHome();
  const fake = await startAnthropic({ key: KEY });
  open.push(() => fake.stop());
  return { home, fake, env: { ANTHROPIC_BASE_URL: fake.url } };
}

/** Waits for each text and types what belongs to it. */
async function answers(person: Session, steps: [sees: string, types: string][]): Promise<void> {
  for (const [sees, types] of steps) {
    await person.sees(sees);
    person.type(types);
  }
}
const dotEnv = (home: Home) => readFileSync(join(home.state, ".env"), "utf8");
const configOf = (home: Home) =>
  JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"));

test("from an empty home to an answered message, with three questions", async () => {
  const { home, fake, env } = await withModel();
  const person = at(home, ["onboard", "--no-install-daemon"], env);
  await answers(person, [
    [RISK, "\r"],
    [ASKS_KEY, "sk-ant-wrong-key-000\r"],
    ["Try another key? [Y/n]", "\r"],
    ["Anthropic (Claude): key, or nothing for now", `${KEY}\r`],
    [ASKS_CHAT, ""],
    ["Choose 1 to 4 [1]", "\r"],
  ]);
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("answered.");
  expect(person.text()).toContain("Start it: clawdbot gateway");
  expect(person.text()).toContain("Chats (Telegram, WhatsApp, Discord): clawdbot channels add");
  expect(person.text()).not.toContain(KEY);
  expect(person.text()).not.toContain("sk-ant-wrong");
  expect(dotEnv(home)).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);
  expect(configOf(home)).toMatchObject({ gateway: { mode: "local" } });
  expect(fake.requests).toHaveLength(2);

  const gateway = await startGatewayProcess(home, { env });
  open.push(() => gateway.kill());
  fake.reply({ text: "Hello, I am here." });
  const said = await runCli(["agent", "--agent", "main", "-m", "Hello"], { home, env });
  expect(said).toMatchObject({ code: 0 });
  expect(said.stdout).toContain("Hello, I am here.");
});

test("a bot's token is tried, refused, typed again, and the gateway listens to it", async () => {
  const { home, env } = await withModel();
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  mkdirSync(home.state, { mode: 0o700 });
  const channels = { telegram: { apiRoot: telegram.apiRoot } };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify({ channels }));
  const person = at(home, ["onboard", "--no-install-daemon"], env);
  const asks = "Token of the Telegram bot, or nothing to leave it out";
  await answers(person, [
    [RISK, "\r"],
    [ASKS_KEY, "\r"],
    [ASKS_CHAT, ""],
    ["2) Telegram", "2\r"],
    ["@BotFather", ""],
    [asks, "short\r"],
    ["does not look like a token", ""],
    [asks, "987654321:AAwrongwrongwrongwrongwrongwrongwro\r"],
    ["Try another token? [Y/n]", "\r"],
    [asks, `${telegram.token}\r`],
  ]);
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("Telegram: It works: ");
  expect(person.text().replaceAll("\r\n", " ")).toContain(
    "clawdbot pairing approve telegram <code>",
  );
  expect(person.text()).not.toContain(telegram.token);
  expect(configOf(home).channels.telegram).toMatchObject({
    enabled: true,
    botToken: telegram.token,
  });
});

test("Discord's token is checked the same way; nothing typed leaves it out", async () => {
  const home = newHome();
  const discord = await startDiscord({});
  open.push(() => discord.stop());
  mkdirSync(home.state, { mode: 0o700 });
  const channels = { discord: { apiRoot: `${new URL(discord.apiRoot).origin}/api` } };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify({ channels }));
  const asks = "Token of the Discord bot, or nothing to leave it out";
  for (const token of ["", discord.token]) {
    const person = at(home, ["onboard", "--no-install-daemon"]);
    await answers(person, [
      [RISK, "\r"],
      [ASKS_KEY, "\r"],
      [ASKS_CHAT, ""],
      ["Choose", "discord\r"],
      [asks, `${token}\r`],
    ]);
    expect(await person.exited).toBe(0);
    expect(person.text().includes("Discord: It works: ")).toBe(token !== "");
    expect(configOf(home).channels.discord.token).toBe(token || undefined);
  }
});

test("a phone is linked after everything is written, and Ctrl-C there says what is left to do", async () => {
  muteSignal();
  const whatsapp = startWhatsApp({ prekeys: 0 });
  open.push(() => whatsapp.close());
  const home = newHome();
  const person = at(home, ["onboard", "--no-install-daemon"], whatsapp.env);
  await answers(person, [
    [RISK, "\r"],
    [ASKS_KEY, "\r"],
    [ASKS_CHAT, ""],
    ["Choose", "whatsapp\r"],
    ["Scan this with the phone", CTRL_C],
  ]);
  expect(await person.exited).toBe(130);
  expect(person.text()).toContain("\u2584");
  expect(person.text().trimEnd().split("\r\n").slice(-2)).toEqual([
    "Everything is set up; only WhatsApp is not linked yet.",
    "To link it: clawdbot channels login --channel whatsapp",
  ]);
  expect(configOf(home)).toMatchObject({
    gateway: { mode: "local" },
    channels: { whatsapp: { enabled: true } },
  });
});

test("--skip-channels asks about no chat app, and what is there already is not asked again", async () => {
  const { home, env } = await withModel();
  const first = at(home, ["onboard", "--no-install-daemon", "--skip-channels"], env);
  await answers(first, [
    [RISK, "\r"],
    [ASKS_KEY, `${KEY}\r`],
  ]);
  expect(await first.exited).toBe(0);
  expect(first.text()).not.toContain(ASKS_CHAT);
  const second = at(home, ["onboard", "--no-install-daemon", "--skip-channels"], env);
  await second.sees(RISK);
  second.type("\r");
  expect(await second.exited).toBe(0);
  expect(second.text()).toContain("Model: anthropic/");
  expect(second.text()).toContain("answered.");
});

test("a key that is there already and does not work any more is found, and another one takes its place", async () => {
  const { home, env } = await withModel();
  mkdirSync(home.state, { mode: 0o700 });
  writeFileSync(join(home.state, ".env"), "ANTHROPIC_API_KEY=sk-ant-api03-revoked-key\n");
  const person = at(home, ["onboard", "--no-install-daemon", "--skip-channels"], env);
  await answers(person, [
    [RISK, "\r"],
    ["Try another key? [Y/n]", "\r"],
    ["Anthropic (Claude): key, or nothing for now", `${KEY}\r`],
  ]);
  expect(await person.exited).toBe(0);
  expect(dotEnv(home)).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);

  // One of the environment wins over the file, so that is said.
  const other = newHome();
  const stuck = at(other, ["onboard", "--no-install-daemon", "--skip-channels"], {
    ...env,
    ANTHROPIC_API_KEY: "sk-ant-api03-revoked-key",
  });
  await answers(stuck, [
    [RISK, "\r"],
    ["Try another key? [Y/n]", "\r"],
    ["Anthropic (Claude): key, or nothing for now", `${KEY}\r`],
  ]);
  expect(await stuck.exited).toBe(0);
  expect(stuck.text()).toContain("warning: ANTHROPIC_API_KEY is set in the environment");
});

test("a model that the config describes with its key is kept without a question", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  const own = { baseUrl: "http://127.0.0.1:9/v1", apiKey: "own-key", models: [{ id: "one" }] };
  writeFileSync(
    join(home.state, "clawdbot.json"),
    JSON.stringify({ models: { providers: { own } } }),
  );
  const person = at(home, ["onboard", "--no-install-daemon", "--skip-channels"]);
  await answers(person, [[RISK, "\r"]]);
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("Model: own/one");
});

test("the long way also asks about workspace and gateway", async () => {
  const home = newHome();
  const person = at(home, ["onboard", "--flow", "advanced", "--no-install-daemon"]);
  await answers(person, [
    [RISK, "\r"],
    ["Folder in which the agent works", `${join(home.dir, "own")}\r`],
    [ASKS_KEY, "\r"],
    ["Port of the gateway [18789]:", "99999\r"],
    ["A port is a number", "19123\r"],
    ["Publish it through Tailscale?", ""],
    ["Choose", "\r"],
    ["Who can reach the gateway?", ""],
    ["Choose", "2\r"],
    ["How do people sign in?", ""],
    ["Choose", "\r"],
    [ASKS_CHAT, ""],
    ["Choose", "\r"],
  ]);
  expect(await person.exited).toBe(0);
  expect(configOf(home)).toMatchObject({
    gateway: { mode: "local", port: 19123, bind: "lan" },
    agents: { defaults: { workspace: join(home.dir, "own") } },
  });
  expect(dotEnv(home)).toMatch(/^CLAWDBOT_GATEWAY_TOKEN=[0-9a-f]{64}\n$/);
});

test("a terminal of 40 columns is enough for everything", async () => {
  const { home, env } = await withModel();
  const size = { cols: 40, rows: 12 };
  const person = at(home, ["onboard", "--no-install-daemon"], env, size);
  await answers(person, [
    [RISK, "\r"],
    ["(it is not shown):", `${KEY}\r`],
    ["Choose 1 to 4 [1]", "\r"],
  ]);
  expect(await person.exited).toBe(0);
  const questions = person.text().slice(0, person.text().indexOf("Choose 1 to 4"));
  for (const line of questions.split("\r\n")) expect(line.length).toBeLessThanOrEqual(40);
  expect(dotEnv(home)).toContain(KEY);
});

test("without a network the key is kept untried", async () => {
  const home = newHome();
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const env = { ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.port}` };
  await server.stop(true);
  const person = at(home, ["onboard", "--no-install-daemon", "--skip-channels"], env);
  await answers(person, [
    [RISK, "\r"],
    [ASKS_KEY, `${KEY}\r`],
  ]);
  expect(await person.exited).toBe(0);
  expect(person.text().replaceAll("\r\n", " ")).toContain("The key is kept untried.");
  expect(dotEnv(home)).toContain(KEY);
});

test("a half-written config and a state of a newer version are left alone, before any question", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  const file = join(home.state, "clawdbot.json");
  writeFileSync(file, '{ "gateway": { "port": 19');
  const person = at(home, ["onboard"]);
  expect(await person.exited).toBe(78);
  expect(person.text()).not.toContain(RISK);
  expect(person.text()).toContain("clawdbot doctor");
  expect(readFileSync(file, "utf8")).toBe('{ "gateway": { "port": 19');

  const newer = newHome();
  mkdirSync(newer.state, { mode: 0o700 });
  const db = new Database(join(newer.state, "clawdbot.sqlite"));
  db.run("PRAGMA user_version = 999");
  db.close();
  for (const words of [["onboard"], ["configure"]]) {
    const second = at(newer, words);
    expect(await second.exited).toBe(78);
    expect(second.text()).toContain("Use that version again");
  }
  expect(readdirSync(newer.state)).toEqual(["clawdbot.sqlite"]);
});

test("configure goes from part to part, and config alone is the same", async () => {
  const { home, env } = await withModel();
  const person = at(home, ["config"], env);
  await answers(person, [
    ["What shall be set up?", ""],
    ["Choose", "1\r"],
    ["Folder in which the agent works", `${join(home.dir, "own")}\r`],
    ["What shall be set up?", ""],
    ["Choose", "model\r"],
    [ASKS_KEY, `${KEY}\r`],
    ["Which model answers when nobody chose one?", ""],
    ["Choose", "anthropic/claude-sonnet-4-5\r"],
    ["What shall be set up?", ""],
    ["Choose", "health\r"],
    ["The gateway is not running", ""],
    ["Choose", "\r"],
  ]);
  expect(await person.exited).toBe(0);
  expect(existsSync(join(home.dir, "own", "AGENTS.md"))).toBe(true);
  expect(configOf(home)).toMatchObject({
    agents: {
      defaults: {
        workspace: join(home.dir, "own"),
        model: { primary: "anthropic/claude-sonnet-4-5" },
      },
    },
    wizard: { lastRunCommand: "configure" },
  });
  expect(dotEnv(home)).toContain(KEY);
  // No supervisor can be found from here, on any machine.
  const daemon = at(home, ["configure", "--section", "daemon"], { PATH: "/nowhere" });
  expect(await daemon.exited).toBe(0);
  expect(daemon.text()).toContain("There can be no service here: ");
  const again = at(home, ["configure", "--section", "gateway"], env);
  await again.sees("Port of the gateway [18789]:");
  again.type(CTRL_C);
  expect(await again.exited).toBe(130);
  expect(again.text()).toContain("To go on: clawdbot configure");
});
