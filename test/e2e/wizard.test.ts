/** The set-up over the gateway's methods: a compiled gateway without any config, as somebody has it who rents a machine without a shell. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { muteSignal } from "../../src/channels/whatsapp/logger.ts";
import type { Methods } from "../../src/gateway/methods/index.ts";
import { RpcClient } from "../../src/protocol/client.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import { startTelegram } from "../fakes/telegram.ts";
import { startWhatsApp } from "../fakes/whatsapp/index.ts";
import { clientInfo, emptyHome, type Home, type Running, startGatewayProcess } from "./binary.ts";

setDefaultTimeout(30_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const KEY = "sk-ant-api03-a-key-that-nobody-may-see";
const WRONG = "sk-ant-api03-wrong-key-that-nobody-may-see";

type Client = RpcClient<Methods>;
type Answer = Awaited<ReturnType<typeof start>>;
const start = (client: Client) => client.call("wizard.start", {});

async function client(gateway: Running, options = {}): Promise<Client> {
  const made = gateway.client(options);
  open.push(() => made.close());
  await made.connect();
  return made;
}

async function house(config?: object, args: string[] = [], more: Record<string, string> = {}) {
  const home = emptyHome();
  open.push(home.remove);
  const fake = await startAnthropic({ key: KEY });
  open.push(() => fake.stop());
  if (config) {
    mkdirSync(home.state, { mode: 0o700 });
    writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config));
  }
  const env = { ANTHROPIC_BASE_URL: fake.url, ...more };
  const gateway = await startGatewayProcess(home, { env, args });
  open.push(() => gateway.kill());
  return { home, fake, gateway, env };
}

/** Goes on through what the gateway does by itself. */
async function step(client: Client, sessionId: string, told: Omit<Answer, "sessionId">) {
  let now = told;
  while (now.step?.type === "progress")
    now = await client.call("wizard.next", { sessionId, answer: { stepId: now.step.id } });
  return now;
}

/** Answers the step that is told, and gives the next one that a person has to answer. */
async function say(client: Client, { sessionId, told, value }: Said) {
  const answer = { stepId: told.step!.id, value };
  return step(client, sessionId, await client.call("wizard.next", { sessionId, answer }));
}
type Said = { sessionId: string; told: Omit<Answer, "sessionId">; value: unknown };

/** Everything that is kept of a home, as one text; without the place where secrets belong. */
function written(home: Home): string {
  const all: string[] = [];
  const look = (dir: string) => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      const found = statSync(path);
      if (found.isDirectory()) look(path);
      else if (found.isFile() && name !== ".env") all.push(readFileSync(path, "latin1"));
    }
  };
  look(home.dir);
  return all.join("\n");
}

test("an unconfigured gateway is set up step by step, and answers with the model at once", async () => {
  const { home, fake, gateway } = await house(undefined, ["--verbose", "--ws-log", "full"]);
  const events: unknown[] = [];
  const one = await client(gateway, { onEvent: (event: unknown) => events.push(event) });
  expect((await one.call("models.list", {})).defaultRef).toBe("demo/demo");
  const { sessionId, ...first } = await start(one);
  expect(first.step).toMatchObject({ type: "confirm", title: "Go on?", initialValue: true });
  let told = await say(one, { sessionId, told: first, value: true });
  expect(told.step).toMatchObject({ type: "text", sensitive: true });
  expect(told.step!.initialValue).toBeUndefined();
  expect(JSON.stringify(told)).not.toContain("--no-install-daemon");

  // A wrong key is refused by the provider, and what it says of the key is not passed on.
  told = await say(one, { sessionId, told, value: WRONG });
  expect(told.step).toMatchObject({ type: "confirm", title: "Try another key?" });
  expect(told.step!.message).toContain("It did not work");
  expect(told.step!.message).not.toContain(WRONG);
  told = await say(one, { sessionId, told, value: true });
  await expect(say(one, { sessionId, told, value: "two words" })).rejects.toThrow("no key has");
  told = await say(one, { sessionId, told, value: KEY });
  expect(told.step).toMatchObject({ type: "select", initialValue: "skip" });
  expect(existsSync(join(home.state, ".env"))).toBe(false);
  told = await say(one, { sessionId, told, value: "skip" });
  expect(told.step).toMatchObject({ type: "note", title: "Ready" });
  expect(told.step!.message).toMatch(/^anthropic\/\S+ answers now\./);
  expect(await say(one, { sessionId, told, value: undefined })).toEqual({
    done: true,
    status: "done",
  });

  expect(readFileSync(join(home.state, ".env"), "utf8")).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);
  expect(statSync(join(home.state, ".env")).mode & 0o777).toBe(0o600);
  expect((await one.call("models.list", {})).defaultRef).toStartWith("anthropic/");
  fake.reply({ text: "Hello from the new model." });
  const { runId } = (await one.call("agent", {
    message: "Hello",
    sessionKey: "main",
    idempotencyKey: crypto.randomUUID(),
  })) as { runId: string };
  expect(await one.call("agent.wait", { runId })).toMatchObject({ status: "ok" });
  for (const secret of [KEY, WRONG])
    expect([
      written(home).includes(secret),
      gateway.log().includes(secret),
      JSON.stringify(events).includes(secret),
      JSON.stringify(await one.call("chat.history", { sessionKey: "main" })).includes(secret),
      JSON.stringify(await one.call("config.get", {})).includes(secret),
    ]).toEqual([false, false, false, false, false]);
});

test("a bot's token is tried and listened to at once", async () => {
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  const { gateway, home } = await house({
    gateway: { mode: "local" },
    channels: { telegram: { apiRoot: telegram.apiRoot } },
  });
  const one = await client(gateway);
  const { sessionId, ...first } = await start(one);
  let told = await say(one, { sessionId, told: first, value: true });
  told = await say(one, { sessionId, told, value: "" });
  told = await say(one, { sessionId, told, value: "telegram" });
  expect(told.step).toMatchObject({ type: "text", sensitive: true });
  expect(told.step!.message).toContain("@BotFather");
  told = await say(one, { sessionId, told, value: telegram.token });
  expect(told.step!.message).toContain("Telegram: It works: ");
  expect(told.step!.message).toContain("demo/demo answers now.");
  expect(JSON.stringify(told)).not.toContain(telegram.token);
  const config = JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"));
  expect(config.channels.telegram).toMatchObject({ enabled: true, botToken: telegram.token });
  expect(gateway.log()).not.toContain(telegram.token);
  const { channelAccounts } = await one.call("channels.status", {});
  expect(channelAccounts["telegram"]).toHaveLength(1);
});

test("a phone is linked by the picture that comes with a step", async () => {
  muteSignal();
  const whatsapp = startWhatsApp({ prekeys: 0 });
  open.push(() => whatsapp.close());
  const { gateway, home } = await house({ gateway: { mode: "local" } }, [], whatsapp.env);
  const one = await client(gateway);
  const { sessionId, ...first } = await start(one);
  let told = await say(one, { sessionId, told: first, value: true });
  told = await say(one, { sessionId, told, value: "" });
  const answer = { stepId: told.step!.id, value: "whatsapp" };
  let now = await one.call("wizard.next", { sessionId, answer });
  let scanned = 0;
  while (now.step?.type === "progress") {
    if (now.step.qr && scanned++ === 0) {
      expect(now.step.qrDataUrl).toStartWith("data:image/png;base64,");
      whatsapp.world.asking!.scan(now.step.qr);
    }
    now = await one.call("wizard.next", { sessionId, answer: { stepId: now.step.id } });
  }
  expect(scanned).toBeGreaterThan(0);
  expect(now.step!.message).toContain(`WhatsApp: Linked as ${whatsapp.owner.id}.`);
  const config = JSON.parse(readFileSync(join(home.state, "clawdbot.json"), "utf8"));
  expect(config.channels.whatsapp).toEqual({ enabled: true });
});

test("one set-up at a time; a page that comes back goes on with it, and it can be left", async () => {
  const { gateway, home } = await house();
  const one = await client(gateway);
  const { sessionId, step: shown } = await start(one);
  const two = await client(gateway);
  const refused = (await start(two).then(
    () => undefined,
    (cause: unknown) => cause,
  )) as { message: string; shape: { code: string; details: { sessionId: string } } };
  expect(refused.message).toBe("wizard already running");
  expect(refused.shape).toMatchObject({ code: "UNAVAILABLE", details: { sessionId } });
  expect((await two.call("wizard.next", { sessionId })).step).toEqual(shown!);
  expect(await two.call("wizard.status", { sessionId })).toEqual({ status: "running" });
  await expect(
    two.call("wizard.next", { sessionId, answer: { stepId: "other", value: 1 } }),
  ).rejects.toThrow("unknown step");
  await expect(two.call("wizard.next", { sessionId: "other" })).rejects.toThrow("wizard not found");
  await expect(two.call("wizard.start", { mode: "remote" })).rejects.toThrow("mode is local");
  expect(await two.call("wizard.cancel", { sessionId })).toMatchObject({ status: "cancelled" });
  expect(await one.call("wizard.next", { sessionId })).toMatchObject({
    done: true,
    status: "cancelled",
  });
  expect(existsSync(join(home.state, ".env"))).toBe(false);
  // And a new one may begin; who says no to the risk has left it.
  const again = await start(one);
  const left = await say(one, { sessionId: again.sessionId, told: again, value: false });
  expect(left).toEqual({ done: true, status: "cancelled" });
});

test("killed in the middle, nothing is half written, and a new one begins from the start", async () => {
  const { gateway, home, env } = await house();
  const before = readFileSync(join(home.state, "clawdbot.json"), "utf8");
  const one = await client(gateway);
  const { sessionId, ...first } = await start(one);
  const told = await say(one, { sessionId, told: first, value: true });
  await say(one, { sessionId, told, value: KEY });
  await gateway.kill("SIGKILL");
  expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe(before);
  expect(existsSync(join(home.state, ".env"))).toBe(false);
  const second = await startGatewayProcess(home, { env });
  open.push(() => second.kill());
  const two = await client(second);
  await expect(two.call("wizard.next", { sessionId })).rejects.toThrow("wizard not found");
  expect((await start(two)).step).toMatchObject({ type: "confirm" });
});

test("only an administrator may begin one, and none in Nix mode", async () => {
  const token = "0123456789abcdef".repeat(3);
  const { gateway } = await house(undefined, ["--token", token]);
  const reader = new RpcClient<Methods>({
    url: `ws://127.0.0.1:${gateway.port}`,
    client: clientInfo,
    scopes: ["operator.read", "operator.write"],
    auth: () => ({ token }),
    reconnect: false,
  });
  open.push(() => reader.close());
  await reader.connect();
  const missing = "missing scope: operator.admin";
  await expect(reader.call("wizard.start", {})).rejects.toThrow(missing);
  const params = { sessionId: "x" };
  for (const method of ["wizard.next", "wizard.cancel", "wizard.status"] as const)
    await expect(reader.call(method, params)).rejects.toThrow(missing);

  const home = emptyHome();
  open.push(home.remove);
  const nix = await startGatewayProcess(home, { env: { CLAWDBOT_NIX_MODE: "1" } });
  open.push(() => nix.kill());
  await expect(start(await client(nix))).rejects.toThrow("made by Nix");
});
