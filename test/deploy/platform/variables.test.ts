/** The variables of the guides and of the original, in the three spellings. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { PREFIXED } from "../../../src/base/env.ts";
import { cli, home, signIn, start, TOKEN, urlOf, useRig } from "./rig.ts";

setDefaultTimeout(60_000);
useRig();

describe("variables of the guides and of the original", () => {
  /** Everything that a reader of the guides may have set; all of it together must be harmless. */
  const ALL = {
    CLAWDBOT_IMAGE: "clawdbot:latest",
    CLAWDBOT_GATEWAY_TOKEN: TOKEN,
    CLAWDBOT_GATEWAY_BIND: "lan",
    CLAWDBOT_CONFIG_DIR: "/root/.clawdbot",
    CLAWDBOT_WORKSPACE_DIR: "/root/clawd",
    CLAWDBOT_PREFER_PNPM: "1",
    OPENCLAW_PREFER_PNPM: "1",
    GOG_KEYRING_PASSWORD: "change-me-now",
    NODE_ENV: "production",
    NODE_OPTIONS: "--max-old-space-size=1536",
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
  };
  const OTHERS = {
    CLAWDBOT_OAUTH_DIR: "/nowhere",
    CLAWDBOT_ALLOW_MULTI_GATEWAY: "1",
    CLAWDBOT_SKIP_CHANNELS: "1",
    CLAWDBOT_SKIP_CANVAS_HOST: "1",
    CLAWDBOT_BRIDGE_PORT: "18790",
    CLAWDBOT_LAUNCHD_LABEL: "x",
    CLAWDBOT_SYSTEMD_UNIT: "x",
    CLAWDBOT_SERVICE_KIND: "gateway",
    CLAWDBOT_SERVICE_VERSION: "1",
    CLAWDBOT_LOG_PREFIX: "x",
    CLAWDBOT_DISABLE_BONJOUR: "1",
    CLAUDE_AI_SESSION_KEY: "sk-ant-sid01-session-key",
    CLAUDE_WEB_COOKIE: "sessionKey=cookie-of-claude",
    SETUP_PASSWORD: "setup-password-of-render",
  };

  test("deploy-118 the whole list of the guides is taken, with no word about what has no meaning here", async () => {
    const dir = home();
    const { log } = await start(dir, "gateway --allow-unconfigured --port 0", { env: ALL });
    expect(log()).toContain("listening on ws://0.0.0.0:");
    const warned = log()
      .split("\n")
      .filter((line) => line.includes("warn") && !line.includes("is lost with the container"));
    expect(warned).toEqual([]);
  });

  for (const suffix of Object.keys(PREFIXED))
    test(`deploy-118 ${suffix}: OPENCLAW_ before MOLTBOT_ before CLAWDBOT_, and a difference is one warning`, () => {
      const dir = home();
      const kind = PREFIXED[suffix as keyof typeof PREFIXED].kind.want;
      const [a, b, c] = kind.startsWith("a port")
        ? ["1111", "2222", "3333"]
        : kind.includes("seconds")
          ? ["11", "22", "33"]
          : kind.startsWith("one of")
            ? ["loopback", "lan", "auto"]
            : kind.startsWith("a switch")
              ? ["0", "1", "1"]
              : [`${dir}/a`, `${dir}/b`, `${dir}/c`].map((p) =>
                  suffix === "PROFILE" ? p.at(-1)! : p,
                );
      const env = {
        [`CLAWDBOT_${suffix}`]: c!,
        [`MOLTBOT_${suffix}`]: b!,
        [`OPENCLAW_${suffix}`]: a!,
      };
      const { code, stderr } = cli(dir, "config path", { env });
      expect(code).toBe(0);
      expect(stderr.match(/differ; /g)).toHaveLength(1);
      expect(stderr).toContain(
        `OPENCLAW_${suffix} and MOLTBOT_${suffix} differ; OPENCLAW_${suffix} is used.`,
      );
      const same = { [`CLAWDBOT_${suffix}`]: a!, [`OPENCLAW_${suffix}`]: a! };
      expect(cli(dir, "config path", { env: same }).stderr).toBe("");
    });

  test("deploy-118 the newest name wins where it matters: the token and the state folder", async () => {
    const dir = home();
    const env = {
      CLAWDBOT_GATEWAY_TOKEN: "the-older-token-of-the-guides",
      OPENCLAW_GATEWAY_TOKEN: TOKEN,
      MOLTBOT_STATE_DIR: join(dir, "moltbot"),
      CLAWDBOT_STATE_DIR: join(dir, "clawdbot"),
    };
    const gateway = await start(dir, "gateway --port 0", { env });
    expect((await signIn(urlOf(gateway))).protocol).toBe(4);
    expect(readdirSync(dir)).toContain("moltbot");
    expect(readdirSync(dir)).not.toContain("clawdbot");
  });

  test("deploy-119 what only the original reads is ignored without a word, and its secrets are masked", async () => {
    const dir = home();
    const gateway = await start(dir, "gateway --verbose --port 0", { env: OTHERS });
    await gateway.seen("agent model:");
    expect(cli(dir, "health", { env: OTHERS })).toMatchObject({ code: 0, stderr: "" });
    for (const name of ["CLAUDE_AI_SESSION_KEY", "CLAUDE_WEB_COOKIE", "SETUP_PASSWORD"] as const)
      expect(gateway.log()).not.toContain(OTHERS[name]);
    for (const name of Object.keys(OTHERS)) expect(gateway.log()).not.toContain(name);
  });

  test("deploy-119 GATEWAY_PASSWORD and PROFILE mean what they meant", async () => {
    const dir = home();
    const env = {
      MOLTBOT_GATEWAY_PASSWORD: "a-password-that-is-long-enough",
      MOLTBOT_PROFILE: "work",
    };
    const gateway = await start(dir, "gateway --port 0 --bind lan", { env });
    const password = { password: env.MOLTBOT_GATEWAY_PASSWORD };
    expect((await signIn(urlOf(gateway), { auth: () => password })).protocol).toBe(4);
    expect(readdirSync(dir)).toContain(".clawdbot-work");
  });

  test("deploy-119 BROWSER=echo prints the address and starts nothing", async () => {
    const dir = home();
    const bin = join(dir, "bin");
    mkdirSync(bin);
    for (const name of ["xdg-open", "open", "firefox", "echo"])
      writeFileSync(join(bin, name), `#!/bin/sh\n/usr/bin/touch ${dir}/opened-by-${name}\n`, {
        mode: 0o755,
      });
    await start(dir, "gateway --port 0");
    const env = { PATH: bin, BROWSER: "echo" };
    const { code, stdout } = cli(dir, "dashboard --open", { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Dashboard URL: http:\/\/127\.0\.0\.1:\d+\/#ticket=\S+$/m);
    expect(readdirSync(dir).filter((name) => name.startsWith("opened"))).toEqual([]);
    const none = cli(dir, "dashboard --open", { env: { PATH: join(dir, "none") } });
    expect(none).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("open the link yourself"),
    });
  });
});
