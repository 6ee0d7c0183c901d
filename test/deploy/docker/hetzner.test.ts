/**
 * The guide "Docker on a VPS", step by step, with its own files byte for byte: folders of root's, `.env`, the compose file, the logs,
 * the SSH tunnel, a token pasted in a real browser, and everything still there after the container has been thrown away.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { type Browser, chromium, type Page } from "playwright-core";

import { BINARY } from "../../e2e/binary.ts";
import { freePort } from "../../e2e/child.ts";
import { missing, type Ran, runAsync } from "../lab.ts";
import { ROOT } from "../tree.ts";
import { type Container, containerOf, TOKEN } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { buildContext, sharedImage } from "./image.ts";

setDefaultTimeout(180_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
const GUIDES = join(ROOT, "test/fixtures/guides");
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const PATIENCE = 20_000;

describe.skipIf(why !== undefined)("the guide for a VPS with Docker", () => {
  const now = {} as { engine: Engine; repo: string; gateway: Container };
  const host = async (...words: string[]): Promise<string> =>
    out(await runAsync(now.engine.asHost(words)));
  const compose = (...words: string[]): Promise<Ran> =>
    now.engine.compose(now.repo, words, { env: guideShell() });
  /** A shell in which nothing of this machine's settings reaches the compose file. */
  const guideShell = (): Record<string, string> => ({ CLAWDBOT_GATEWAY_TOKEN: TOKEN });

  beforeAll(async () => {
    const { engine } = await sharedImage();
    Object.assign(now, { engine, repo: buildContext(engine) });
    cpSync(join(GUIDES, "hetzner-compose.yml"), join(now.repo, "docker-compose.yml"));
    cpSync(join(GUIDES, "hetzner.env"), join(now.repo, ".env"));
    now.gateway = containerOf(engine, "");
  });
  afterAll(async () => {
    if (now.repo) await compose("down", "--volumes", "--timeout", "1");
  });
  /** Compose names the container after the folder. */
  const gateway = async (): Promise<Container> =>
    containerOf(now.engine, out(await compose("ps", "-q", "clawdbot-gateway")));

  test("deploy-083 the guide's folders of the host are made and given to user 1000", async () => {
    await host("mkdir", "-p", "/root/.clawdbot", "/root/clawd");
    await host("chown", "-R", "1000:1000", "/root/.clawdbot");
    await host("chown", "-R", "1000:1000", "/root/clawd");
    expect(statSync(join(now.engine.dir, ".clawdbot")).uid).toBe(1000);
  });

  test("deploy-093 the image is built by `docker compose build`, programs included", async () => {
    const extra = join(now.repo, "scripts/docker/extra-bin");
    mkdirSync(extra, { recursive: true });
    for (const name of ["gog", "goplaces", "wacli"])
      writeFileSync(join(extra, name), `#!/bin/sh\necho ${name}\n`);
    out(await now.engine.online(() => compose("build")));
  });

  test("deploy-084 the guide's `change-me-now` is refused as the token, with the command that makes one", async () => {
    const ran = await now.engine.compose(now.repo, ["run", "--rm", "-T", "clawdbot-gateway"]);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain(
      "Refusing to bind gateway to lan: the token is a placeholder that everybody knows.",
    );
    expect(ran.stderr).toMatch(/Make a new one: \S+/);
  });

  test("deploy-085 what `openssl rand -hex 32` prints is a good token", async () => {
    const token = out(await runAsync(["openssl", "rand", "-hex", "32"]));
    const env = readFileSync(join(now.repo, ".env"), "utf8");
    const better = env.replace(
      "CLAWDBOT_GATEWAY_TOKEN=change-me-now",
      `CLAWDBOT_GATEWAY_TOKEN=${TOKEN}`,
    );
    expect(better).not.toBe(env);
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(TOKEN).toMatch(/^[0-9a-f]{64}$/);
    writeFileSync(join(now.repo, ".env"), better);
  });

  test("deploy-087 the guide's compose file, as it is, brings up a healthy gateway behind the mapped port", async () => {
    out(await compose("up", "-d", "clawdbot-gateway"));
    now.gateway = await gateway();
    await now.gateway.healthy();
    expect(await now.gateway.fetch("http://127.0.0.1:18789/healthz")).toBe(
      '{"ok":true,"status":"live"} 200',
    );
    expect(await now.gateway.fetch("http://127.0.0.1:18789/")).toMatch(
      /<!doctype html>[\s\S]* 200$/i,
    );
  });

  test("deploy-084 the folders of the host that `.env` names are not taken for folders of the container", async () => {
    const seen = out(
      await now.gateway.exec([
        "sh",
        "-c",
        "echo $CLAWDBOT_CONFIG_DIR $CLAWDBOT_WORKSPACE_DIR; ls -A /root 2>&1; ls -A /home/node/.clawdbot",
      ]),
    );
    expect(seen).toContain("/root/.clawdbot /root/clawd");
    expect(seen).toContain("clawdbot.sqlite");
    expect(existsSync(join(now.engine.dir, ".clawdbot/clawdbot.sqlite"))).toBe(true);
  });

  test("deploy-034 `docker compose ps` says Up, and the log has the line without colours", async () => {
    expect(out(await compose("ps"))).toMatch(/clawdbot-gateway.*\bUp\b.*healthy/);
    expect(out(await compose("logs", "clawdbot-gateway"))).toContain(
      "[gateway] listening on ws://",
    );
    // Compose itself clears lines; what we wrote is what Docker kept.
    expect((await now.gateway.logs()).stderr).not.toContain("\u001b");
  });

  test("deploy-094 `docker compose logs -f` shows `[gateway] listening on ws://0.0.0.0:18789`", async () => {
    await now.gateway.logged("[gateway] listening on ws://0.0.0.0:18789");
  });

  test("deploy-032 the guide's health command answers 0, and with a wrong token it fails", async () => {
    const health = ["exec", "-T", "clawdbot-gateway", "node", "dist/index.js", "health"];
    expect(out(await compose(...health, "--token", TOKEN))).toMatch(/^OK/);
    const wrong = await compose(...health, "--token", "f".repeat(64));
    expect(wrong.code).toBe(1);
    expect(wrong.stderr + wrong.stdout).not.toContain("f".repeat(64));
  });

  test.each(["gog", "goplaces", "wacli"])(
    "deploy-093 `which %s` answers with its place in the image",
    async (name) => {
      expect(out(await compose("exec", "-T", "clawdbot-gateway", "which", name))).toBe(
        `/usr/local/bin/${name}`,
      );
    },
  );

  test("deploy-088 the guide's PATH with linuxbrew first does no harm", async () => {
    const path = out(await now.gateway.exec(["sh", "-c", "echo $PATH; which clawdbot node"]));
    expect(path.split("\n")).toEqual([
      expect.stringMatching(/^\/home\/linuxbrew/),
      "/usr/local/bin/clawdbot",
      "/usr/local/bin/node",
    ]);
    // Nobody but root can put a program there.
    const made = await now.gateway.exec(["mkdir", "-p", "/home/linuxbrew/.linuxbrew/bin"]);
    expect(made.code).not.toBe(0);
  });

  const tools = {
    chromium: "chromium",
    dropbear: "dropbear-bin",
    ssh: "openssh-client",
    socat: "socat",
  };
  const noTunnel = why ?? missing(tools);
  describe.skipIf(noTunnel !== undefined)("from the laptop", () => {
    const open = {} as {
      browser: Browser;
      socket: string;
      page: Page;
      url: string;
      ssh: string[];
      server: Bun.Subprocess<"ignore", "ignore", "pipe">;
    };

    beforeAll(async () => {
      const { dir } = now.engine;
      const key = join(dir, "id");
      out(await runAsync(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]));
      out(await runAsync(["dropbearkey", "-t", "ed25519", "-f", join(dir, "host-key")]));
      mkdirSync(join(dir, ".ssh"), { mode: 0o700 });
      cpSync(`${key}.pub`, join(dir, ".ssh/authorized_keys"));
      const server = [
        "dropbear",
        "-F",
        "-E",
        "-p",
        "127.0.0.1:22",
        "-r",
        "/root/host-key",
        "-P",
        "/root/ssh.pid",
      ];
      open.server = Bun.spawn(now.engine.asHost(server), { stdio: ["ignore", "ignore", "pipe"] });
      // It says when it is there: "Not backgrounding".
      await open.server.stderr.getReader().read();
      const reach = now.engine.inNamespace(["socat", "-", "TCP:127.0.0.1:22"]).join(" ");
      const options = [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        `IdentityFile=${key}`,
        "IdentitiesOnly=yes",
        `ProxyCommand=${reach}`,
      ];
      open.ssh = ["ssh", "-F", "/dev/null", ...options.flatMap((option) => ["-o", option])];
      open.socket = join(dir, "tunnel");
    });
    afterAll(async () => {
      open.server?.kill();
      await open.browser?.close();
      if (open.socket)
        await runAsync([...open.ssh, "-S", open.socket, "-O", "exit", "root@YOUR_VPS_IP"]);
    });

    test('deploy-096 `ssh root@IP "docker compose logs"` shows the log', async () => {
      const { DOCKER_HOST, DOCKER_CONFIG } = now.engine.env;
      const shell = `export DOCKER_HOST=${DOCKER_HOST} DOCKER_CONFIG=${DOCKER_CONFIG}; cd ${now.repo}`;
      const ran = await runAsync([
        ...open.ssh,
        "root@YOUR_VPS_IP",
        `${shell}; docker compose logs clawdbot-gateway`,
      ]);
      expect(out(ran)).toContain("[gateway] listening on ws://0.0.0.0:18789");
    });

    test("deploy-095 through `ssh -N -L` a token pasted in a browser is enough, and the assistant answers", async () => {
      const port = freePort();
      const tunnel = [
        "-N",
        "-L",
        `127.0.0.1:${port}:127.0.0.1:18789`,
        "-o",
        "ExitOnForwardFailure=yes",
      ];
      // -f: comes back when the tunnel is open. Its streams are closed, or they would stay open with it.
      const background = [
        "sh",
        "-c",
        '"$@" >/dev/null 2>&1',
        "tunnel",
        ...open.ssh,
        "-M",
        "-S",
        open.socket,
        "-f",
        ...tunnel,
      ];
      out(await runAsync([...background, "root@YOUR_VPS_IP"]));
      open.url = `http://127.0.0.1:${port}/`;
      open.browser = await chromium.launch({
        executablePath: CHROMIUM ?? Bun.which("chromium")!,
        args: [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
        ],
      });
      const context = await open.browser.newContext();
      context.setDefaultTimeout(PATIENCE);
      open.page = await context.newPage();
      await open.page.goto(open.url);
      await open.page.getByLabel("Token or password").fill(TOKEN);
      await open.page.getByRole("button", { name: "Sign in" }).click();
      const message = open.page.getByRole("textbox", { name: "Message" });
      await message.fill("hello from the laptop");
      await open.page.keyboard.press("Enter");
      const talk = open.page.getByRole("region", { name: "Conversation" });
      await talk.getByText("Demo model").first().waitFor();
    });

    test("deploy-097 the conversation is still there in a new container after `docker rm`", async () => {
      const before = now.gateway.name;
      await now.gateway.remove();
      out(await compose("up", "-d", "clawdbot-gateway"));
      now.gateway = await gateway();
      expect(now.gateway.name).not.toBe(before);
      await now.gateway.logged("[gateway] listening on");
      await open.page.goto(open.url);
      const talk = open.page.getByRole("region", { name: "Conversation" });
      await talk.getByText("hello from the laptop").first().waitFor();
      await talk.getByText("Demo model").first().waitFor();
    });
  });

  test("deploy-097 outside of the two folders only /tmp is written", async () => {
    out(await now.gateway.exec(["clawdbot", "agent", "--message", "run date"]));
    const diff = out(await now.engine.docker(["diff", now.gateway.name]));
    expect(diff.split("\n").filter((line) => !/^[AC] \/tmp(?:\/|$)/.test(line))).toEqual([]);
    expect(diff).toContain("/tmp");
  });

  test("deploy-098 killed in the middle, it is started again by Docker and has lost nothing", async () => {
    out(await now.gateway.exec(["clawdbot", "agent", "--message", "remember the kill"]));
    await now.gateway.exec(["sh", "-c", "kill -9 $(pidof node | tr ' ' '\\n' | head -n 1)"]);
    await now.gateway.started(2);
    await now.gateway.logged("[gateway] listening on", 2);
    expect(Number(await now.gateway.inspect("{{.RestartCount}}"))).toBeGreaterThanOrEqual(1);
    expect(await now.gateway.fetch("http://127.0.0.1:18789/readyz")).toMatch(/ 200$/);
    const said = out(await now.gateway.exec(["clawdbot", "sessions", "--json"]));
    expect(said).toContain("main");
  });

  test("deploy-086 `.env` cannot be committed, and is not in the image", async () => {
    const ignored = await runAsync(["git", "check-ignore", "-q", "--no-index", ".env"], {
      cwd: ROOT,
    });
    expect(ignored.code).toBe(0);
    appendFileSync(join(now.repo, ".env"), "MARK=never-in-an-image\n");
    const words = [
      "build",
      "--progress=plain",
      "--no-cache-filter",
      "build",
      "--target",
      "build",
      "-t",
      "clawdbot:env",
      ".",
    ];
    out(await now.engine.docker(words, { cwd: now.repo }));
    const list = await now.engine.docker([
      "run",
      "--rm",
      "clawdbot:env",
      "sh",
      "-c",
      "ls -A /src; grep -r never-in-an-image /src | head",
    ]);
    expect(out(list).split("\n")).not.toContain(".env");
    expect(out(list)).not.toContain("never-in-an-image");
  });
});
