/** The program under the names and with the words that the guides' files use, and the small commands that they ask for. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import pkg from "../../../package.json";
import { BINARY } from "../../e2e/binary.ts";
import { cli, home, link, start, TOKEN, useRig } from "./rig.ts";

setDefaultTimeout(30_000);
useRig();
const VERSION = `${pkg.version}\n`;

describe("called as node", () => {
  test("deploy-007 node -v says a version that the guides accept", () => {
    const dir = home();
    const node = link(dir, "node");
    for (const flag of ["-v", "--version"]) {
      const { code, stdout, stderr } = cli(dir, flag, { as: node });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const [, minor] = /^v22\.(\d+)\.\d+\n$/.exec(stdout)!;
      expect(Number(minor)).toBeGreaterThanOrEqual(12);
    }
  });

  test("deploy-049 the entry files of every generation are the program itself", () => {
    const dir = home();
    const node = link(dir, "node");
    for (const entry of [
      "dist/index.js",
      "/app/dist/index.js",
      "dist/entry.js",
      "openclaw.mjs",
      "./moltbot.mjs",
      "/app/clawdbot.mjs",
      "--max-old-space-size=1536 dist/index.js",
      "--require ./nothing.js dist/index.js",
      "--enable-source-maps --import x openclaw.mjs",
    ]) {
      const { code, stdout } = cli(dir, `${entry} --version`, { as: node });
      expect({ entry, code, stdout }).toEqual({ entry, code: 0, stdout: VERSION });
    }
    // An ENTRYPOINT may put the program before the guides' whole command.
    for (const words of ["node dist/index.js", "/usr/local/bin/node openclaw.mjs", "dist/index.js"])
      expect(cli(dir, `${words} --version`)).toMatchObject({ code: 0, stdout: VERSION });
    expect(cli(dir, "config path", { as: node })).toMatchObject({ code: 0 });
  });

  test("deploy-049 what only Node can do ends with 127 and a word of why; nothing is run", () => {
    const dir = home();
    writeFileSync(join(dir, "s.js"), "require('fs').writeFileSync('ran', 'x')");
    const node = link(dir, "node");
    for (const words of ["s.js", "-e 1", "-p 1", "./dist/other.js", "", "--test"]) {
      const { code, stdout, stderr } = cli(dir, words, { as: node });
      expect({ words, code, stdout }).toEqual({ words, code: 127, stdout: "" });
      expect(stderr).toContain("there is no node here");
      expect(stderr).toContain("CLAWDBOT_NODE_COMPAT=1");
    }
    for (const name of ["npm", "npx", "corepack"])
      expect(cli(dir, "install -g x", { as: link(dir, name) })).toMatchObject({
        code: 127,
        stderr: expect.stringContaining(`there is no ${name} here`),
      });
    expect(existsSync(join(dir, "ran"))).toBe(false);
  });

  test("deploy-049 CLAWDBOT_NODE_COMPAT=1 runs scripts, and what they call is the program again", () => {
    const dir = home();
    const node = link(dir, "node");
    const env = { CLAWDBOT_NODE_COMPAT: "1" };
    writeFileSync(
      join(dir, "s.cjs"),
      `const run = require("child_process").execFileSync;
       console.log(process.argv.slice(2).join(), process.env.BUN_BE_BUN, String(run(${JSON.stringify(BINARY)}, ["--version"])).trim());
       process.exit(7);`,
    );
    expect(cli(dir, "s.cjs a b", { as: node, env })).toEqual({
      code: 7,
      stdout: `a,b undefined ${VERSION}`,
      stderr: "",
    });
    expect(cli(dir, "-p 6*7", { as: node, env }).stdout).toBe("42\n");
    expect(cli(dir, "-v", { as: node, env }).stdout).toStartWith("v22.");
    // What lies in the folder is not asked, as Node would not: a cloned repository may hold anything.
    writeFileSync(join(dir, "bunfig.toml"), 'preload = ["./evil.cjs"]');
    writeFileSync(join(dir, "evil.cjs"), 'console.log("evil");');
    writeFileSync(join(dir, ".env"), "PLANTED=evil");
    for (const words of ["-p process.env.PLANTED", "-p String(process.env.PLANTED)"])
      expect(cli(dir, words, { as: node, env, cwd: dir }).stdout).toBe("undefined\n");
    // Never under its own names.
    for (const as of [BINARY, link(dir, "openclaw")]) {
      expect(cli(dir, "s.cjs", { as, env })).toMatchObject({ code: 1, stdout: "" });
      expect(cli(dir, "-e 1", { as, env })).toMatchObject({ code: 1, stdout: "" });
    }
  });
});

test("deploy-007 no Node anywhere: the gateway starts, answers and is well", async () => {
  const dir = home();
  const empty = join(dir, "bin");
  mkdirSync(empty);
  const env = { PATH: empty };
  const gateway = await start(dir, "gateway --port 0", { env });
  expect(cli(dir, "health", { env })).toMatchObject({ code: 0, stderr: "" });
  expect(gateway.log()).not.toMatch(/\bnode\b/i);
});

test("deploy-012 --version is the bare version, whatever lies in the state folder, and makes nothing", () => {
  const dir = home();
  mkdirSync(join(dir, ".clawdbot"));
  writeFileSync(join(dir, ".clawdbot/clawdbot.json"), "{ this is no config");
  for (const words of ["--version", "-V", "-v"])
    expect(cli(dir, words)).toEqual({ code: 0, stdout: VERSION, stderr: "" });
  expect(cli(dir, "--version", { env: { HOME: "/proc/nowhere" } }).stdout).toBe(VERSION);
  expect(readdirSync(join(dir, ".clawdbot"))).toEqual(["clawdbot.json"]);
});

test("deploy-012 health says that the gateway is listening and ends with 0, and with 1 and the next command when nothing runs", async () => {
  const dir = home();
  expect(cli(dir, "health")).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("Start it with `clawdbot gateway`."),
  });
  const { port } = await start(dir, "gateway --port 0");
  const well = cli(dir, "health");
  expect(well).toMatchObject({ code: 0, stderr: "" });
  const [first, second] = well.stdout.split("\n");
  expect(first).toMatch(/^OK \(\d+ms\)$/);
  expect(second).toBe(`Gateway is listening on ws://127.0.0.1:${port}`);
  expect(cli(dir, "health --quiet")).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("deploy-032 health finds the port by itself and takes --token, --password and --url", async () => {
  const dir = home();
  const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
  // The config says nothing of the port, and no variable does.
  const { port } = await start(dir, "gateway --port 0", { env });
  for (const words of [
    "health",
    `health --token ${TOKEN}`,
    `health --url ws://127.0.0.1:${port} --token ${TOKEN}`,
    `health --url http://127.0.0.1:${port}/ --token ${TOKEN}`,
    `gateway health --token ${TOKEN}`,
  ])
    expect({ words, ...cli(dir, words) }).toMatchObject({ words, code: 0 });
  const wrong = cli(dir, `health --token ${TOKEN}x`);
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(wrong.stderr).toContain("token mismatch");
});

test("deploy-072 config path and config file print where the config is", () => {
  const dir = home();
  for (const words of ["config path", "config file"]) {
    expect(cli(dir, words).stdout).toBe(`${dir}/.clawdbot/clawdbot.json\n`);
    const env = { OPENCLAW_STATE_DIR: join(dir, "data") };
    expect(cli(dir, words, { env }).stdout).toBe(`${dir}/data/openclaw.json\n`);
    expect(JSON.parse(cli(dir, `${words} --json`).stdout)).toHaveProperty("path");
  }
});

test("deploy-085 token generate prints 64 hexadecimal digits, another one each time, that are good enough", async () => {
  const dir = home();
  const made = Array.from({ length: 5 }, () => cli(dir, "token generate"));
  for (const { code, stdout, stderr } of made) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
  }
  expect(new Set(made.map(({ stdout }) => stdout)).size).toBe(5);
  const { token } = JSON.parse(cli(dir, "token generate --json").stdout) as { token: string };
  expect(existsSync(join(dir, ".clawdbot"))).toBe(false);
  const env = { CLAWDBOT_GATEWAY_TOKEN: token };
  expect((await start(dir, "gateway --bind lan --port 0", { env })).port).toBeGreaterThan(0);
});
