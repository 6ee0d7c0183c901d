import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { makeHome } from "../../test/config-home.ts";
import { loadConfig } from "./load.ts";
import { describe } from "./problem.ts";

test("a missing file is a config of defaults", async () => {
  using home = makeHome();
  const loaded = await loadConfig(home.where);
  expect(loaded).toMatchObject({ exists: false, raw: null, hash: "", errors: [] });
  expect(loaded.config?.gateway.port).toBe(18789);
});

test("variables come from the process, then .env of the state dir, then the env section", async () => {
  using home = makeHome({ A: "process" });
  home.write("A=dotenv\nB=dotenv\nexport C='quoted # value'\n# comment\nBAD-NAME=1\n", ".env");
  home.write(`{
    env: { A: "section", B: "section", D: "section", vars: { E: "\${B}-more" } },
    ui: { assistant: { name: "\${A} \${B} \${C} \${D} \${E}" } },
  }`);
  const { config, env, errors } = await loadConfig(home.where);
  expect(errors).toEqual([]);
  expect(config?.ui.assistant.name).toBe("process dotenv quoted # value section dotenv-more");
  expect(env.raw("D")).toBe("section");
  expect(env.raw("BAD-NAME")).toBeUndefined();
});

test("the gateway's own variables may stand in .env", async () => {
  using home = makeHome();
  home.write("OPENCLAW_GATEWAY_TOKEN=from-the-file\n", ".env");
  expect((await loadConfig(home.where)).env.gatewayToken).toBe("from-the-file");
});

test("gateway.env, where `gateway install` keeps keys, comes before .env and after the process", async () => {
  using home = makeHome({ A: "process" });
  home.write("A=dotenv\nB=dotenv\nC=dotenv\n", ".env");
  home.write(
    '# a comment\nA="service"\nB="ser\\"vi\\$ce"\nCLAWDBOT_GATEWAY_TOKEN="kept"\n',
    "gateway.env",
  );
  const { env } = await loadConfig(home.where);
  expect([env.raw("A"), env.raw("B"), env.raw("C")]).toEqual(["process", 'ser"vi$ce', "dotenv"]);
  expect(env.gatewayToken).toBe("kept");
});

test("a variable that is not set stops what would use it, and only that", async () => {
  using home = makeHome();
  home.write(
    '{\n gateway: { auth: { token: "${NOPE}" } },\n channels: { discord: { token: "${DD}" } }, telegram: { botToken: "${TT}" } }',
  );
  const strict = await loadConfig(home.where);
  expect(strict.errors.map(describe)).toEqual([
    "clawdbot.json line 2, column 28: gateway.auth.token uses the variable NOPE, which is not set.",
  ]);
  expect(strict.errors[0]!.hint).toContain(".env");
  expect(strict.warnings.map((w) => w.path)).toEqual([
    "channels.discord.token",
    "telegram.botToken",
  ]);
  const looking = await loadConfig({ ...home.where, strictVariables: false });
  expect(looking.errors).toEqual([]);
  expect(looking.warnings.map((w) => w.path)).toEqual([
    "gateway.auth.token",
    "channels.discord.token",
    "telegram.botToken",
  ]);
});

test("`~` is the home folder where a key says that it is a path", async () => {
  using home = makeHome();
  home.write(`{ agents: { defaults: { workspace: "~/w" } }, logging: { file: "~/l" },
    tools: { exec: { pathPrepend: ["~/bin"] } }, ui: { assistant: { name: "~/n" } } }`);
  const { config } = await loadConfig(home.where);
  expect(config?.agents.defaults.workspace).toBe(join(home.home, "w"));
  expect(config?.logging.file).toBe(join(home.home, "l"));
  expect(config?.tools.exec.pathPrepend).toEqual([join(home.home, "bin")]);
  expect(config?.ui.assistant.name).toBe("~/n");
});

test("an error in a key of an older name points to where it was written", async () => {
  using home = makeHome();
  home.write("{\n  agent: {\n    timeoutSeconds: 'x' } }");
  const [error] = (await loadConfig(home.where)).errors;
  expect(error).toMatchObject({ path: "agents.defaults.timeoutSeconds", line: 3, column: 21 });
});

test("a key that is written twice is told, and the last one counts", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 1 },\n gateway: { port: 2 }, __proto__: { port: 3 } }");
  const { config, warnings } = await loadConfig(home.where);
  expect(config?.gateway.port).toBe(2);
  expect(warnings.map(describe)).toEqual([
    "clawdbot.json line 2, column 2: gateway is written twice; the last one counts.",
    "clawdbot.json line 2, column 24: __proto__ cannot be a key and is left out.",
  ]);
});

test("a byte order mark is no fault; UTF-16, zero bytes, other encodings and empty files are, each told apart", async () => {
  using home = makeHome();
  const first = async (content: string | Uint8Array) => {
    home.write(content);
    return (await loadConfig(home.where)).errors[0];
  };
  expect(await first("\ufeff{ gateway: {} }")).toBeUndefined();
  expect((await first(Buffer.from("\ufeff{}", "utf16le")))?.message).toBe(
    "The file is saved as UTF-16",
  );
  expect((await first(Buffer.from("{}", "utf16le")))?.message).toBe("The file is saved as UTF-16");
  expect(await first("{\n\n\0}")).toMatchObject({
    message: "The file contains zero bytes",
    line: 3,
  });
  expect(await first(Buffer.from("{\n a: '\xff' }", "latin1"))).toMatchObject({
    message: "The file is not UTF-8 text",
    line: 2,
  });
  expect(await first("{ a: '\ufffd' }")).toBeUndefined();
  expect((await first(""))?.message).toContain("The file ends");
});

test("what is no readable file is an error with a remedy, never a crash and never an empty config", async () => {
  using home = makeHome();
  const problem = async () => (await loadConfig(home.where)).errors[0];
  mkdirSync(home.paths.configPath, { recursive: true });
  expect((await problem())?.message).toContain("folder");
  using loop = makeHome();
  mkdirSync(loop.paths.stateDir);
  symlinkSync(loop.paths.configPath, loop.paths.configPath);
  expect((await loadConfig(loop.where)).errors[0]?.message).toContain("leads back to itself");
  using big = makeHome();
  big.write(`{ a: "${"x".repeat(2 * 1024 * 1024)}" }`);
  expect((await loadConfig(big.where)).errors[0]?.message).toContain("at most 2097152");
  using pipe = makeHome();
  mkdirSync(pipe.paths.stateDir);
  await Bun.$`mkfifo ${pipe.paths.configPath}`.quiet();
  expect((await loadConfig(pipe.where)).errors[0]?.message).toContain("not a regular file");
});

test.skipIf(process.getuid?.() === 0)("a file that may not be read says so", async () => {
  using home = makeHome();
  chmodSync(home.write("{}"), 0);
  expect((await loadConfig(home.where)).errors[0]?.message).toContain("may not be read");
});
