/** The command blocks of our own guides that need Docker, typed as they stand there, at a terminal on the engine's machine. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { type Block, scriptOf } from "../guides/blocks.ts";
import { type Ran, runAsync } from "../lab.ts";
import { containerOf, runImage } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { buildContext, sharedImage } from "./image.ts";

setDefaultTimeout(300_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);

describe.skipIf(why !== undefined)("the guides for Docker", () => {
  const now = {} as { engine: Engine; repo: string };
  const inRepo = (script: string, { terminal = true } = {}): Promise<Ran> => {
    const text = `cd "/root/${basename(now.repo)}" && set -eu\n${script}`;
    const shell = terminal ? ["script", "-qec", text, "/dev/null"] : ["sh", "-c", text];
    const env = { ...now.engine.env, HOME: "/root", TERM: "dumb" };
    return runAsync(now.engine.asHost(shell), { env });
  };
  /** At a terminal, because people sit at one: Docker then asks for one in the container too. */
  const type = async (blocks: Block[], how?: { terminal: boolean }): Promise<string> => {
    let all = "";
    for (const { at, text } of blocks) {
      const { code, stdout, stderr } = await now.engine.online(() => inRepo(text, how));
      if (code !== 0) throw new Error(`${at} ended with ${code}:\n${stdout}${stderr}`);
      all += Bun.stripANSI(stdout + stderr);
    }
    return all;
  };
  const healthy = async (): Promise<void> => {
    const id = await inRepo("docker compose ps -q clawdbot-gateway");
    await containerOf(now.engine, out(id).trim()).healthy();
  };
  const fresh = async (): Promise<void> => {
    if (now.repo) await inRepo("docker compose down --volumes --timeout 1");
    await runAsync(now.engine.asHost(["rm", "-rf", "/root/.clawdbot", "/root/clawd"]));
    now.repo = buildContext(now.engine);
  };

  beforeAll(async () => {
    now.engine = (await sharedImage()).engine;
    await fresh();
  });
  afterAll(async () => {
    if (now.repo) await inRepo("docker compose down --volumes --timeout 1");
  });

  test("docker: ./docker-setup.sh ends with a gateway that is well", async () => {
    // Without a terminal nobody is asked; the questions have a test of their own.
    const said = await type(scriptOf("docker", "setup"), { terminal: false });
    expect(said).toContain("The gateway is well");
    expect(statSync(join(now.repo, ".env")).mode & 0o777).toBe(0o600);
  });

  test("docker: by hand, the same in four commands", async () => {
    out(await inRepo("docker compose down --timeout 1"));
    const said = await type(scriptOf("docker", "by-hand"));
    expect(said).toMatch(/clawdbot-gateway.*\bUp\b/);
    await healthy();
    expect(out(await inRepo("docker compose logs clawdbot-gateway"))).toContain(
      "[gateway] listening on ws://0.0.0.0:18789",
    );
  });

  test("docker: commands in the second service and in the running container", async () => {
    const said = await type(scriptOf("docker", "commands"));
    expect(said).toContain("clawdbot doctor");
    expect(said).toContain("OK");
    expect(said).toMatch(/Dashboard URL: http:\/\/127\.0\.0\.1:18789\//);
  });

  test("hetzner: folders, settings and start, in a fresh checkout", async () => {
    await fresh();
    await type(scriptOf("hetzner", "folders"));
    await type(scriptOf("hetzner", "settings"));
    expect(readFileSync(join(now.repo, ".env"), "utf8")).toMatch(
      /^CLAWDBOT_GATEWAY_TOKEN=[0-9a-f]{64}$/m,
    );
    await type(scriptOf("hetzner", "start"));
    await healthy();
    expect(existsSync(join(now.engine.dir, ".clawdbot/clawdbot.sqlite"))).toBe(true);
  });

  test("fly: a config that is written over the console is in use at once", async () => {
    const machine = await runImage(
      now.engine,
      ["-e", "CLAWDBOT_STATE_DIR=/data", "-v", "/data"],
      "node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan".split(" "),
    );
    try {
      await machine.logged("[gateway] listening on");
      for (const { text } of scriptOf("fly", "settings"))
        out(await machine.exec(["sh", "-euc", text], { user: "0" }));
      await machine.logged("config changed");
      const model = await machine.exec([
        ...["clawdbot", "config", "get", "agents.defaults.model.primary"],
      ]);
      expect(out(model)).toBe("anthropic/claude-opus-4-5");
    } finally {
      await machine.remove();
    }
  });
});
