/** The five configs that the published guides print, byte for byte. They must load as they are. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";

import { openConfig } from "../../src/config/handle.ts";
import { loadConfig } from "../../src/config/load.ts";
import { secretProblem } from "../../src/gateway/config.ts";
import { keepLog, makeHome } from "../config-home.ts";

const GUIDES = "test/fixtures/guides";
const load = async (name: string) => {
  using home = makeHome();
  home.write(await Bun.file(`${GUIDES}/${name}`).bytes());
  return await loadConfig(home.where);
};

/** Their compose file and the like are for the tests of deployment. */
const CONFIGS = readdirSync(GUIDES)
  .filter((name) => /\.json5?$/.test(name))
  .sort();

test("there are five of them", () => {
  expect(CONFIGS).toEqual([
    "exe-dev.json5",
    "fly-clawdbot.json",
    "fly-openclaw.json",
    "fly-tee.json",
    "fly-voice-call.json",
  ]);
});

for (const name of CONFIGS)
  test(`${name} loads without an error`, async () => {
    const { errors, config, moved } = await load(name);
    expect(errors).toEqual([]);
    expect(moved).toEqual([]);
    expect(config).toBeDefined();
  });

for (const name of ["fly-clawdbot.json", "fly-openclaw.json"])
  test(`${name} means what the guide says, with one notice for what is not built yet`, async () => {
    const { config, warnings, inactive } = await load(name);
    expect(config?.agents).toMatchObject({
      defaults: {
        model: {
          primary: "anthropic/claude-opus-4-5",
          fallbacks: ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"],
        },
        maxConcurrent: 4,
      },
      list: [{ id: "main", default: true }],
    });
    expect(config?.auth.profiles["anthropic:default"]).toEqual({
      mode: "token",
      provider: "anthropic",
    });
    expect(config?.gateway).toMatchObject({ mode: "local", bind: "auto" });
    expect(config).toMatchObject({
      channels: { discord: { guilds: { YOUR_GUILD_ID: { requireMention: false } } } },
    });
    expect(warnings).toEqual([]);
    expect(inactive).toEqual(["auth.profiles"]);
  });

test("exe.dev: port, bind and token; the placeholder is known as one", async () => {
  const { config, warnings, inactive } = await load("exe-dev.json5");
  expect(config?.gateway).toMatchObject({
    mode: "local",
    port: 8080,
    bind: "lan",
    auth: { mode: "token", token: "YOUR_TOKEN" },
  });
  expect(secretProblem(config!.gateway.auth.token!)).toBe("placeholder");
  expect([warnings, inactive]).toEqual([[], []]);
});

test("voice call: a plugin is kept and reported, not refused", async () => {
  const { config, warnings, inactive } = await load("fly-voice-call.json");
  expect(config).toMatchObject({
    plugins: { entries: { "voice-call": { enabled: true, config: { provider: "twilio" } } } },
  });
  expect([warnings, inactive]).toEqual([[], ["plugins"]]);
});

test('the guide\'s `{"your":"config"}` starts with one warning about the unknown key', async () => {
  const { warnings } = await load("fly-tee.json");
  expect(warnings.map((w) => w.path)).toEqual(["your"]);
});

test("the guides' state dir on a volume: /data with either name of the config file", async () => {
  for (const [prefix, file] of [
    ["CLAWDBOT", "clawdbot.json"],
    ["OPENCLAW", "openclaw.json"],
  ] as const) {
    using home = makeHome();
    const data = `${home.home}/data`;
    await Bun.write(`${data}/${file}`, Bun.file(`${GUIDES}/fly-${file}`));
    using where = makeHome({ [`${prefix}_STATE_DIR`]: data });
    const { log, lines } = keepLog();
    const handle = await openConfig({ ...where.where, log });
    expect(handle.path).toBe(`${data}/${file}`);
    expect(handle.current().gateway.bind).toBe("auto");
    expect(lines.map((line) => line.message)).toEqual(["not active yet, kept in the config"]);
  }
});
