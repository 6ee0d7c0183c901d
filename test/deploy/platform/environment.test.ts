/** What the guides put into the environment and into the config, and what becomes of the secrets among it. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../../fakes/anthropic.ts";
import { startDiscord } from "../../fakes/discord.ts";
import { missing, run } from "../lab.ts";
import {
  ask,
  cli,
  home,
  isRoot,
  link,
  operator,
  signIn,
  start,
  TOKEN,
  urlOf,
  useRig,
} from "./rig.ts";

setDefaultTimeout(60_000);
useRig();
const noProc = process.platform !== "linux";
const fake = await startAnthropic({});
const discord = await startDiscord({});
afterAll(async () => {
  await fake.stop();
  await discord.stop();
});
/** A config with the fake as its only provider. */
const WITH_MODEL = JSON.stringify({
  gateway: { mode: "local" },
  models: { providers: { anthropic: { baseUrl: fake.url, apiKey: "sk-ant-test" } } },
});
const GUIDES = join(import.meta.dir, "../../fixtures/guides");
const guide = (name: string) => readFileSync(join(GUIDES, name), "utf8");

function configured(dir: string, text: string, name = "clawdbot.json"): string {
  const state = join(dir, ".clawdbot");
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, name), text);
  return state;
}

/** Every file below a folder, as bytes read as latin1. */
function* contents(dir: string): Generator<[path: string, text: string]> {
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) yield [path, readFileSync(path, "latin1")];
  }
}

describe("keys from the environment alone", () => {
  const KEYS: [variables: Record<string, string>, provider: string][] = [
    [{ ANTHROPIC_API_KEY: "sk-ant-not-real" }, "anthropic"],
    [{ OPENAI_API_KEY: "sk-not-real" }, "openai"],
    [{ GEMINI_API_KEY: "not-real" }, "google"],
    [{ GOOGLE_API_KEY: "not-real" }, "google"],
    [{ ANTHROPIC_API_KEY: "sk-ant-not-real", OPENAI_API_KEY: "sk-not-real" }, "anthropic"],
  ];
  for (const [keys, provider] of KEYS)
    test(`deploy-055 ${Object.keys(keys).join(" and ")} choose ${provider}, without any config`, async () => {
      // Nothing may leave this machine.
      const env = {
        CLAWDBOT_GATEWAY_TOKEN: TOKEN,
        ...keys,
        ANTHROPIC_BASE_URL: fake.url,
        OPENAI_BASE_URL: fake.url,
        // Google has no such variable; whatever is tried ends here.
        HTTPS_PROXY: "http://127.0.0.1:9",
      };
      const { seen } = await start(home(), "gateway --allow-unconfigured --port 0", { env });
      await seen(`agent model: ${provider}/`);
    });

  test("deploy-057 what came from the environment is in no file of the state, however much is changed and said", async () => {
    const dir = home();
    const secrets = {
      ANTHROPIC_API_KEY: "sk-ant-env-only-5f2c",
      CLAWDBOT_GATEWAY_TOKEN: "env-only-gateway-token-77aa",
      DISCORD_BOT_TOKEN: discord.token,
      GOG_KEYRING_PASSWORD: "env-only-keyring-password",
    };
    const state = configured(
      dir,
      `{ gateway: { mode: "local", bind: "lan" }, models: { providers: { anthropic: { baseUrl: "${fake.url}", apiKey: "\${ANTHROPIC_API_KEY}" } } }, channels: { discord: { apiRoot: "${discord.apiRoot}" } } }`,
    );
    const gateway = await start(dir, "gateway --port 0", { env: secrets });
    await gateway.seen("agent model: anthropic/");
    await gateway.seen("logged in to discord as");
    expect(await ask(state, "hello")).toBe("ok");
    expect(fake.requests.at(-1)!.headers["x-api-key"]).toBe(secrets.ANTHROPIC_API_KEY);
    expect(cli(dir, "config set ui.assistant.name Nova", { env: secrets })).toMatchObject({
      code: 0,
    });
    await gateway.seen("config changed");
    const client = await operator(state);
    const shown = JSON.stringify(await client.call("config.get", {}));
    client.close();
    await gateway.stop();
    const values = Object.values(secrets);
    expect(values.filter((value) => shown.includes(value))).toEqual([]);
    expect(values.filter((value) => gateway.log().includes(value))).toEqual([]);
    const leaks = [...contents(dir)].flatMap(([path, text]) =>
      values.filter((value) => text.includes(value)).map((value) => `${path}: ${value}`),
    );
    expect(leaks).toEqual([]);
    expect(readFileSync(join(state, "clawdbot.json"), "utf8")).toContain("${ANTHROPIC_API_KEY}");
  });
});

describe("the guides' configs", () => {
  test("deploy-061 Fly's config starts as it is, --bind lan wins over its auto, and the key of the environment answers", async () => {
    const dir = home();
    const state = configured(dir, guide("fly-openclaw.json"), "openclaw.json");
    const env = {
      OPENCLAW_GATEWAY_TOKEN: TOKEN,
      ANTHROPIC_API_KEY: "sk-ant-from-fly-secrets",
      ANTHROPIC_BASE_URL: fake.url,
    };
    expect(cli(dir, "config validate", { env }).code).toBe(0);
    const gateway = await start(dir, "gateway --port 0 --bind lan", { env });
    expect(gateway.log()).toContain("listening on ws://0.0.0.0:");
    await gateway.seen("agent model: anthropic/claude-opus-4-5");
    expect(await ask(state, "hello")).toBe("ok");
    expect(fake.requests.at(-1)!.headers["x-api-key"]).toBe("sk-ant-from-fly-secrets");
  });

  test("deploy-078 the voice-call block is valid, and the part that is not there is one notice", async () => {
    const dir = home();
    configured(dir, guide("fly-voice-call.json"));
    const checked = cli(dir, "config validate");
    expect(checked.code).toBe(0);
    const { log } = await start(dir, "gateway --port 0");
    expect(log()).toMatch(/not active yet, kept in the config.*plugins/);
    expect(cli(dir, "health").code).toBe(0);
  });

  const noNetwork = !isRoot || missing({ ip: "iproute2" }) !== undefined;
  test.skipIf(noNetwork)(
    "deploy-107 exe.dev's config as JSON5, on its port 8080, with a token of its own",
    async () => {
      const dir = home();
      const json5 = guide("exe-dev.json5")
        .replace('"gateway": {', "// exe.dev\n  gateway: {")
        .replace('"token": "YOUR_TOKEN" }', `token: '${TOKEN}', },`);
      configured(dir, json5);
      const within = ["unshare", "-n", "sh", "-ec", 'ip link set lo up; exec "$0" "$@"'];
      const gateway = await start(dir, "gateway", { within });
      expect(gateway.log()).toContain("listening on ws://0.0.0.0:8080 ");
      const inside = ["nsenter", "-t", String(gateway.pid), "-n"];
      const health = `health --url http://127.0.0.1:8080 --token ${TOKEN}`;
      expect(cli(dir, health, { within: inside }).code).toBe(0);
      await gateway.stop();
      configured(dir, guide("exe-dev.json5"));
      const placeholder = cli(dir, "gateway");
      expect(placeholder.code).toBe(1);
      expect(placeholder.stderr).toContain("the token is a placeholder that everybody knows");
    },
  );
});

test.skipIf(noProc)(
  "deploy-106 a token on the command line is in nobody's ps, and still the one that counts",
  async () => {
    const dir = home();
    const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
    const gateway = await start(dir, `gateway --bind lan --port 0 --token ${TOKEN}`, { env });
    const proc = `/proc/${gateway.pid}`;
    for (const file of ["cmdline", "comm", "task/" + gateway.pid + "/comm"])
      expect(readFileSync(join(proc, file), "latin1")).not.toContain(TOKEN);
    expect(run(["ps", "-ww", "-o", "args=", "-p", String(gateway.pid)]).stdout).not.toContain(
      TOKEN,
    );
    // Its own user may read the environment; nobody else.
    expect(statSync(join(proc, "environ")).mode & 0o077).toBe(0);
    expect((await signIn(urlOf(gateway))).protocol).toBe(4);
    const other = "another-token-that-is-long-enough";
    const second = home();
    const flagWins = await start(second, `gateway --port 0 --token ${other}`, { env });
    expect((await signIn(urlOf(flagWins), { auth: () => ({ token: other }) })).protocol).toBe(4);
    expect(await signIn(urlOf(flagWins)).catch(String)).toContain("token mismatch");
  },
);

test("deploy-049 NODE_OPTIONS, BUN_* and the loader's variables reach neither the program nor its children", async () => {
  const dir = home();
  const state = configured(dir, WITH_MODEL);
  writeFileSync(join(dir, "evil.js"), `require("fs").writeFileSync("${dir}/ran", "x")`);
  const env = {
    NODE_OPTIONS: `--max-old-space-size=1536 --require ${dir}/evil.js`,
    BUN_CONFIG_VERBOSE_FETCH: "false",
    LD_LIBRARY_PATH: join(dir, "nothing"),
  };
  const gateway = await start(dir, "gateway --port 0", { env });
  await gateway.seen("agent model: anthropic/");
  fake.reply({ toolCalls: [{ name: "exec", args: { command: "env" } }] });
  fake.reply({ text: "done" });
  expect(await ask(state, "look around")).toBe("ok");
  const result = JSON.stringify(fake.requests.at(-1)!.body);
  expect(result).toContain(`HOME=${dir}`);
  for (const name of Object.keys(env)) expect(result).not.toContain(name);
  expect(readdirSync(dir)).not.toContain("ran");
});

test("deploy-049 a skill that calls node gets a script run where the owner allowed it, and a word of why where not", async () => {
  for (const allowed of [true, false]) {
    const dir = home();
    const state = configured(dir, WITH_MODEL);
    const bin = join(dir, "bin");
    mkdirSync(bin);
    link(bin, "node");
    const env: Record<string, string> = {
      PATH: `${bin}:/usr/bin:/bin`,
      ...(allowed && { CLAWDBOT_NODE_COMPAT: "1" }),
    };
    const gateway = await start(dir, "gateway --port 0", { env });
    await gateway.seen("agent model: anthropic/");
    fake.reply({ toolCalls: [{ name: "exec", args: { command: "node -p 6*7" } }] });
    fake.reply({ text: "done" });
    expect(await ask(state, "how much is it?")).toBe("ok");
    const result = JSON.stringify(fake.requests.at(-1)!.body);
    if (allowed) expect(result).toMatch(/"(?:content|text)":"42\b/);
    else expect(result).toContain("there is no node here");
    await gateway.stop();
  }
});

describe("watching it", () => {
  const routes: [paths: string[], body: object][] = [
    [["/health", "/healthz"], { ok: true, status: "live" }],
    [["/startup", "/startupz"], { started: true }],
    [["/ready", "/readyz"], { ready: true, failing: [] }],
  ];
  test("deploy-115 the health routes answer without a secret, under any host name, and say no version", async () => {
    const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
    const gateway = await start(home(), "gateway --port 0 --bind lan", { env });
    await gateway.seen("agent model:");
    for (const [paths, body] of routes)
      for (const path of paths) {
        const answer = await fetch(`http://127.0.0.1:${gateway.port}${path}`);
        expect({ path, status: answer.status, body: await answer.json() }).toEqual({
          path,
          status: 200,
          body,
        });
        // A platform's checker comes from elsewhere, by address or by a name that nobody told us.
        const headers = { host: "10.1.2.3:80", "x-forwarded-for": "10.9.9.9" };
        const foreign = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers });
        expect(foreign.status).toBe(200);
        expect(JSON.stringify([...foreign.headers])).not.toMatch(/clawdbot|bun\//i);
      }
  });

  test("deploy-115 the log is rotated by itself and has a bound", async () => {
    const dir = home();
    const file = join(dir, "logs", "gateway.log");
    const state = configured(
      dir,
      JSON.stringify({
        gateway: { mode: "local" },
        logging: { file, level: "debug", maxFileBytes: 20_000 },
      }),
    );
    const gateway = await start(dir, "gateway --port 0 --verbose --ws-log full");
    await gateway.seen("agent model:");
    const client = await operator(state);
    // Each of them is a line of its own in the log.
    for (let i = 0; readdirSync(join(dir, "logs")).length < 3; i++)
      await client.call(`no.such.method.${i}` as "health", {}).catch(String);
    client.close();
    await gateway.stop();
    const files = readdirSync(join(dir, "logs"));
    expect(files.length).toBeGreaterThanOrEqual(3);
    expect(files.length).toBeLessThan(20);
    for (const name of files)
      // What one tenth of a second collects may come on top.
      expect(statSync(join(dir, "logs", name)).size).toBeLessThan(100_000);
  });
});
