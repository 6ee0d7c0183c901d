/** What the guides say of chat networks: tokens from the config, a file or the environment, the log's line, the QR code. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { inTerminal } from "../../e2e/terminal.ts";
import { startDiscord } from "../../fakes/discord.ts";
import { startTelegram } from "../../fakes/telegram.ts";
import { startWhatsApp, type WhatsApp } from "../../fakes/whatsapp/index.ts";
import { missing, runAsync } from "../lab.ts";
import { cli, home, isRoot, line, operator, start, TOKEN, useRig, variables } from "./rig.ts";

setDefaultTimeout(60_000);
useRig();
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Json = Record<string, unknown>;
/** The guide's own config for Fly, with Discord on this machine. */
function guide(discord: Json): Json {
  const path = join(import.meta.dir, "../../fixtures/guides/fly-openclaw.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as { channels: { discord: Json } };
  Object.assign(config.channels.discord, discord);
  return config;
}
function configured(dir: string, config: Json): string {
  const state = join(dir, ".clawdbot");
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, "clawdbot.json"), JSON.stringify(config), { mode: 0o600 });
  return state;
}
/** As `cli`, while this process goes on: the networks of the tests answer in it. */
const type = async (dir: string, words: string, env: Record<string, string> = {}) =>
  runAsync(line(words.split(" "), {}), { cwd: dir, env: variables(dir, env) });

async function discordHere() {
  const discord = await startDiscord({});
  open.push(() => discord.stop());
  return discord;
}
async function telegramHere() {
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  return telegram;
}
/** Every file below the folder that has the text. */
const filesWith = (dir: string, text: string): string[] =>
  readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, "latin1").includes(text));

test.each(["environment", "config"])(
  "deploy-063 a Discord token of the %s connects the guide's own config, and is shown nowhere",
  async (place) => {
    const discord = await discordHere();
    const { apiRoot, token } = discord;
    const dir = home();
    const config = guide({ apiRoot, ...(place === "config" && { token }) });
    const state = configured(dir, config);
    const env: Record<string, string> = place === "environment" ? { DISCORD_BOT_TOKEN: token } : {};
    const gateway = await start(dir, "gateway --port 0 --bind loopback", { env });
    await gateway.seen("logged in to discord as clawd");
    const client = await operator(state);
    const shown = JSON.stringify(await client.call("config.get", {}));
    client.close();
    expect(shown).toContain("YOUR_GUILD_ID");
    expect(shown).not.toContain(token);
    expect(gateway.log()).not.toContain(token);
    await gateway.stop();
    // The second one is the copy of the config that worked, for a start after a mistake in it.
    const names = ["clawdbot.json", "config.last-good.json5"];
    const allowed = place === "config" ? names.map((name) => join(state, name)) : [];
    expect(filesWith(dir, token).filter((path) => !allowed.includes(path))).toEqual([]);
    expect(discord.problems).toEqual([]);
  },
);

test("deploy-059 the two lines that fly logs is searched for, without colours", async () => {
  const { apiRoot, token } = await discordHere();
  const dir = home();
  configured(dir, guide({ apiRoot }));
  const env = {
    FLY_APP_NAME: "my-clawdbot",
    CLAWDBOT_GATEWAY_TOKEN: TOKEN,
    DISCORD_BOT_TOKEN: token,
  };
  const { log, seen, port, pid } = await start(dir, "gateway --port 0 --bind lan", { env });
  await seen("logged in to discord as");
  expect(log().split("\n")).toContain(`[gateway] listening on ws://0.0.0.0:${port} (PID ${pid})`);
  expect(log()).toMatch(/^\[discord\] logged in to discord as clawd\b/m);
  expect(log()).not.toContain("\u001b");
});

const noNetwork = !isRoot || missing({ ip: "iproute2", unshare: "util-linux" }) !== undefined;
test.skipIf(noNetwork)(
  "deploy-063 a token alone starts its channel; networks that cannot be reached stop nothing else",
  async () => {
    const dir = home();
    const env = {
      DISCORD_BOT_TOKEN: "MTQ4ODg.Gx-not-real.abcdefghijklmnop",
      TELEGRAM_BOT_TOKEN: "1:not-real",
    };
    const within = ["unshare", "-n", "sh", "-ec", 'ip link set lo up; exec "$0" "$@"'];
    const words = "gateway --allow-unconfigured --port 0";
    const gateway = await start(dir, words, { env, within });
    await gateway.seen(/^\[discord\] warn: /m);
    await gateway.seen(/^\[telegram\] warn: /m);
    const inside = ["nsenter", "-t", String(gateway.pid), "-n"];
    expect(cli(dir, "health", { within: inside }).code).toBe(0);
    const status = cli(dir, "channels status", { within: inside });
    expect(status.stdout).toMatch(/Discord default: .*\bdisconnected\b.*token:env/);
    expect(status.stdout).toMatch(/Telegram default: .*\bdisconnected\b.*cannot be reached/);
    for (const token of Object.values(env)) {
      expect(gateway.log() + status.stdout).not.toContain(token);
      expect(filesWith(dir, token)).toEqual([]);
    }
    expect(await gateway.stop("SIGINT")).toBe(0);
  },
);

describe("adding a bot", () => {
  test("deploy-030 the guide's own words put a Telegram bot into the config, and it is there at once", async () => {
    const telegram = await telegramHere();
    const { apiRoot, token } = telegram;
    const dir = home();
    const ann = 42;
    const state = configured(dir, {
      gateway: { mode: "local" },
      channels: { telegram: { apiRoot, allowFrom: [ann] } },
    });
    const gateway = await start(dir, "gateway --port 0");
    const added = await type(dir, `channels add --channel telegram --token ${token}`);
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining("@clawd_bot") });
    expect(added.stdout + added.stderr).not.toContain(token);
    const config = JSON.parse(readFileSync(join(state, "clawdbot.json"), "utf8"));
    expect(config).toMatchObject({ channels: { telegram: { botToken: token, apiRoot } } });
    telegram.person(ann).text("hello");
    await telegram.until(() => telegram.texts.length > 0);
    expect(telegram.texts[0]).toContain("Demo model");
    expect(gateway.log()).not.toContain(token);
  });

  test("deploy-031 the guide's own words put a Discord bot into the config, and it is there at once", async () => {
    const discord = await discordHere();
    const { apiRoot, token } = discord;
    const dir = home();
    const ann = discord.person("ann");
    const state = configured(dir, {
      gateway: { mode: "local" },
      channels: { discord: { apiRoot, allowFrom: [ann.id] } },
    });
    const gateway = await start(dir, "gateway --port 0");
    const added = await type(dir, `channels add --channel discord --token ${token}`);
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining("clawd") });
    expect(added.stdout + added.stderr).not.toContain(token);
    const config = JSON.parse(readFileSync(join(state, "clawdbot.json"), "utf8"));
    expect(config).toMatchObject({ channels: { discord: { token, apiRoot } } });
    await gateway.seen("logged in to discord as clawd");
    ann.dm("hello");
    await discord.until(() => discord.texts().length > 0);
    expect(discord.texts()[0]).toContain("Demo model");
    expect(gateway.log()).not.toContain(token);
  });
});

describe("channels login", () => {
  function whatsappHere(): WhatsApp {
    const whatsapp = startWhatsApp({ prekeys: 0 });
    open.push(() => whatsapp.close());
    return whatsapp;
  }

  test("deploy-029 shows the QR code in a terminal of a container, no wider than that, and Ctrl+C ends it", async () => {
    const { env } = whatsappHere();
    const dir = home();
    const state = join(dir, ".clawdbot");
    const place = { dir, state, remove: () => undefined };
    const screen = inTerminal(["channels", "login"], place, env);
    open.push(() => screen.close());
    await screen.sees("Scan this with the phone");
    const picture = screen
      .text()
      .split(/\r?\n/)
      .filter((row) => /[█▀▄]/.test(row));
    // Half blocks: two rows of a code of at least 21 squares in one.
    expect(picture.length).toBeGreaterThan(15);
    expect(Math.max(...picture.map((row) => row.length))).toBeLessThanOrEqual(80);
    screen.type("\u0003");
    expect(await screen.exited).not.toBe(0);
  });

  test("deploy-029 without a terminal the code comes as text, and the linked account answers after it", async () => {
    const whatsapp = whatsappHere();
    const { env } = whatsapp;
    const dir = home();
    const ada = whatsapp.person("Ada");
    configured(dir, {
      gateway: { mode: "local" },
      channels: { whatsapp: { allowFrom: [ada.id] } },
    });
    const child = Bun.spawn(line(["channels", "login", "--json"], {}), {
      cwd: dir,
      env: variables(dir, env),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    open.push(() => child.kill());
    const kinds: string[] = [];
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const step of lines.map((each) => JSON.parse(each) as { type: string; qr?: string })) {
        kinds.push(step.type);
        if (step.qr) whatsapp.world.asking!.scan(step.qr);
      }
    }
    expect({ code: await child.exited, kinds }).toEqual({ code: 0, kinds: ["qr", "wait", "done"] });
    const gateway = await start(dir, "gateway --port 0", { env });
    await gateway.seen("Listening for personal WhatsApp inbound messages.");
    await whatsapp.says(ada, "hello");
    await whatsapp.world.until(() => whatsapp.texts().length > 0);
    expect(whatsapp.texts()[0]).toContain("Demo model");
  });
});
