/** Runs the commands of the guides as they stand there, in an empty home with the compiled binary on the PATH. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BINARY, emptyHome, type Home, plainEnv, startGatewayProcess } from "../../e2e/binary.ts";
import { copyTree } from "../tree.ts";
import { type Block, scriptOf } from "./blocks.ts";

// One of them builds the program.
setDefaultTimeout(120_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  mkdirSync(join(home.dir, "bin"));
  symlinkSync(BINARY, join(home.dir, "bin/clawdbot"));
  return home;
}

/** Each block in a shell of its own that stops at the first command that fails; gives what all of them printed. */
async function type(blocks: Block[], home: Home, cwd = home.dir): Promise<string> {
  const env = plainEnv(home);
  env["PATH"] = `${join(home.dir, "bin")}:${env["PATH"]}`;
  let all = "";
  for (const { at, text } of blocks) {
    const child = Bun.spawn(["sh", "-euc", text], {
      cwd,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new Error(`${at} ended with ${code}:\n${out}${err}`);
    all += out + err;
  }
  return all;
}

test("local: the sources become one file that says its version", async () => {
  const home = newHome();
  const tree = copyTree(join(home.dir, "clawdbot"));
  const said = await type(scriptOf("local", "sources"), home, tree);
  expect(said).toMatch(/^\d{4}\.\d+\.\d+$/m);
});

test("local: set up without questions, then nothing serious is found", async () => {
  const home = newHome();
  const said = await type(scriptOf("local", "set-up"), home);
  expect(said).toContain("Updated ");
  expect(said).not.toContain("✗");
  expect(existsSync(join(home.state, "clawdbot.json"))).toBe(true);
});

test("local: taken away again, all but the workspace", async () => {
  const home = newHome();
  await type(scriptOf("local", "set-up"), home);
  const said = await type(scriptOf("local", "leave"), home);
  expect(said).toContain(`[dry-run] remove ${join(home.dir, "clawd")}`);
  expect(said).toContain("Workspace kept");
  expect(existsSync(home.state)).toBe(false);
  expect(existsSync(join(home.dir, "clawd/AGENTS.md"))).toBe(true);
});

test("local: the commands to look at a running gateway", async () => {
  const home = newHome();
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const said = await type(scriptOf("local", "gateway"), home);
  expect(said).toContain("OK");
  expect(said).toContain("Dashboard URL: http://127.0.0.1:");
  expect(said).toContain("demo");
});

test.each(["tailscale", "proxy", "lan"])(
  "remote-access: %s leaves a config that is valid",
  async (place) => {
    const home = newHome();
    const scripts = {
      tailscale: () => scriptOf("remote-access", "tailscale"),
      proxy: () => scriptOf("remote-access", "proxy"),
      lan: () => scriptOf("remote-access", "lan"),
    };
    const said = await type(scripts[place as keyof typeof scripts](), home);
    expect(said).toContain("Updated gateway.");
    expect(await type([{ ...check, text: "clawdbot config validate" }], home)).toContain(
      "Config valid",
    );
  },
);
const check: Block = { at: "check", guide: "", place: "", reason: undefined, text: "" };

test("exe-dev: after option B the gateway listens beyond loopback with its new token", async () => {
  const home = newHome();
  const said = await type(scriptOf("exe-dev", "lan"), home);
  const token = said.trim().split("\n").at(-1)!;
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  expect(gateway.log()).toContain("listening on ws://0.0.0.0:");
  const health = {
    ...check,
    text: `clawdbot health --url ws://127.0.0.1:${gateway.port} --token ${token}`,
  };
  expect(await type([health], home)).toContain("OK");
});

test("moving-over: a copy is made, and an older home is looked at without a change", async () => {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  mkdirSync(join(home.dir, "clawd"));
  const config =
    '{ "agent": { "model": "anthropic/claude-opus-4-5" }, "routing": {}, "nonsense": 1 }';
  writeFileSync(join(home.state, "clawdbot.json"), config, { mode: 0o600 });
  await type(scriptOf("moving-over", "backup"), home);
  expect(existsSync(join(home.dir, "clawdbot-before.tgz"))).toBe(true);
  const said = await type(scriptOf("moving-over", "look"), home);
  expect(said).toContain("nonsense");
  expect(await Bun.file(join(home.state, "clawdbot.json")).text()).toBe(config);
  mkdirSync(join(home.state, "agents/main/sessions"), { recursive: true });
  const line = '{"type":"message","message":{"role":"user","content":"from before"}}';
  writeFileSync(join(home.state, "agents/main/sessions/one.jsonl"), line);
  const taken = await type(scriptOf("moving-over", "take-over"), home);
  expect(taken).toContain("conversations");
  const back = join(home.dir, "clawdbot-export/agents/main/sessions/one.jsonl");
  expect(await Bun.file(back).text()).toContain("from before");
  expect(await Bun.file(join(home.state, "clawdbot.json")).text()).toBe(config);
});

test("updating: doctor, restart and health after an update, with a gateway in a terminal", async () => {
  const home = newHome();
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const said = await type(scriptOf("updating", "after"), home);
  expect(said).toContain("clawdbot doctor");
  expect(said).toContain("OK");
});

test("nix: in Nix mode the config is checked and never written", async () => {
  const home = newHome();
  const said = await type(scriptOf("nix", "nix-mode"), home);
  expect(said).toContain("refused, as it should be");
  expect(existsSync(join(home.state, "clawdbot.json"))).toBe(false);
});
