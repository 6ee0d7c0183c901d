/** Our own docker-compose.yml: the gateway service, the command line beside it, and what they may and may not do. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { type Ran, runAsync } from "../lab.ts";
import { ROOT } from "../tree.ts";
import { type Container, containerOf, TOKEN } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { sharedImage } from "./image.ts";

setDefaultTimeout(120_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
/** A user's shell in which nothing is set: none of the variables that the compose file names. */
const plain = { HOME: "/root", PATH: process.env["PATH"] ?? "/usr/bin:/bin" };

type Service = {
  environment: Record<string, string | null>;
  ports?: { host_ip: string; target: number; published: string }[];
  volumes: { source: string; target: string }[];
  [key: string]: unknown;
};

describe.skipIf(why !== undefined)("our compose file", () => {
  const now = {} as { engine: Engine; dir: string; gateway: Container };
  const compose = (words: string[], env: Record<string, string> = {}): Promise<Ran> => {
    const { DOCKER_HOST, DOCKER_CONFIG } = now.engine.env;
    const vars = { ...plain, DOCKER_HOST: DOCKER_HOST!, DOCKER_CONFIG: DOCKER_CONFIG!, ...env };
    return runAsync(["docker", "compose", ...words], { cwd: now.dir, env: vars });
  };
  const services = async (env: Record<string, string> = {}): Promise<Record<string, Service>> =>
    JSON.parse(out(await compose(["--profile", "cli", "config", "--format", "json"], env)))
      .services;
  const token = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
  const cli = (...words: string[]): Promise<Ran> =>
    compose(["run", "--rm", "-T", "clawdbot-cli", ...words], token);

  beforeAll(async () => {
    const { engine } = await sharedImage();
    Object.assign(now, { engine, dir: join(engine.dir, "own-compose") });
    mkdirSync(now.dir);
    cpSync(join(ROOT, "docker-compose.yml"), join(now.dir, "docker-compose.yml"));
    for (const folder of ["/root/.clawdbot", "/root/clawd"]) {
      out(await runAsync(engine.asHost(["mkdir", "-p", folder])));
      out(await runAsync(engine.asHost(["chown", "-R", "1000:1000", folder])));
    }
  });
  afterAll(async () => {
    if (now.dir) await compose(["--profile", "cli", "down", "--timeout", "1"], token);
  });

  test("without any setting it is valid, and warns of nothing", async () => {
    const ran = await compose(["config", "-q"]);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([0, "", ""]);
    const { "clawdbot-gateway": gateway } = await services();
    expect(gateway!.volumes.map(({ source, target }) => `${source}:${target}`)).toEqual([
      "/root/.clawdbot:/home/node/.clawdbot",
      "/root/clawd:/home/node/clawd",
    ]);
  });

  test("deploy-023 the services are called as in the guides, and `up` starts the gateway alone", async () => {
    expect(out(await compose(["config", "--services"]))).toBe("clawdbot-gateway");
    expect(Object.keys(await services()).sort()).toEqual(["clawdbot-cli", "clawdbot-gateway"]);
    out(await compose(["up", "-d", "clawdbot-gateway"], token));
    now.gateway = containerOf(now.engine, out(await compose(["ps", "-q", "clawdbot-gateway"])));
    await now.gateway.healthy();
    expect(await now.gateway.fetch("http://127.0.0.1:18789/healthz")).toMatch(/ 200$/);
  });

  test("every service has a read-only root, no rights, and a limit to memory and processes", async () => {
    for (const service of Object.values(await services()))
      expect(service).toMatchObject({
        init: true,
        read_only: true,
        tmpfs: ["/tmp"],
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        mem_limit: "1073741824",
        pids_limit: 512,
      });
    const { "clawdbot-gateway": gateway } = await services();
    expect(gateway).toMatchObject({
      restart: "unless-stopped",
      stop_grace_period: "30s",
      logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
    });
    expect((await now.gateway.exec(["touch", "/app/x"])).stderr).toContain("Read-only file system");
  });

  test("deploy-022 `docker compose run --rm clawdbot-cli <command>` reaches the gateway", async () => {
    expect(out(await cli("--version"))).toMatch(/^\d{4}\.\d+\.\d+/);
    expect(out(await cli("health"))).toMatch(/^OK/);
    expect(out(await cli("agent", "--message", "hello"))).toContain("Demo model");
    // Where a Unix socket cannot be shared between containers, as in Docker Desktop, it goes by the network.
    const { stdout } = await now.gateway.exec([
      "sh",
      "-c",
      "mv /home/node/.clawdbot/gateway.sock /home/node/.clawdbot/away",
    ]);
    expect(stdout).toBe("");
    expect(out(await cli("health"))).toMatch(/^OK/);
    out(
      await now.gateway.exec([
        "mv",
        "/home/node/.clawdbot/away",
        "/home/node/.clawdbot/gateway.sock",
      ]),
    );
  });

  test("deploy-030 the guides' lines for bots write the config and the running gateway takes them, also while no network is there", async () => {
    const bots = [
      ["telegram", "123456:no-real-one-at-all"],
      ["discord", "OTAwMDAwMDAwMDAwMDAwMDAx.none.no-real-one-at-all"],
    ] as const;
    for (const [id, token] of bots) {
      const added = await cli("channels", "add", "--channel", id, "--token", token);
      expect([added.code, added.stderr]).toEqual([
        0,
        expect.stringContaining("could not be tried"),
      ]);
      expect(added.stdout + added.stderr).not.toContain(token);
      await now.gateway.logged(new RegExp(`^\\[${id}\\] warn: .*cannot be reached`, "m"));
      out(await cli("channels", "remove", "--channel", id, "--delete"));
    }
    expect(out(await cli("channels", "list"))).not.toContain("default:");
  });

  test("the command line says how to start the gateway when there is none", async () => {
    out(await compose(["stop", "clawdbot-gateway"], token));
    const ran = await cli("health");
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("ws://clawdbot-gateway:18789");
    out(await compose(["start", "clawdbot-gateway"], token));
    await now.gateway.logged("[gateway] listening on", 2);
  });

  test("deploy-090 one port is published, on this machine only; a bridge port that somebody has set changes nothing", async () => {
    const { "clawdbot-gateway": gateway } = await services({ CLAWDBOT_BRIDGE_PORT: "18790" });
    expect(gateway!.ports).toMatchObject([
      { host_ip: "127.0.0.1", target: 18789, published: "18789" },
    ]);
  });

  test("another CLAWDBOT_GATEWAY_PORT is the port of the host; inside it stays the same, so that they fit", async () => {
    const env = { ...token, CLAWDBOT_GATEWAY_PORT: "28789" };
    out(await compose(["up", "-d", "clawdbot-gateway"], env));
    now.gateway = containerOf(now.engine, out(await compose(["ps", "-q", "clawdbot-gateway"])));
    await now.gateway.logged("[gateway] listening on ws://0.0.0.0:18789");
    expect(await now.gateway.fetch("http://127.0.0.1:28789/healthz")).toMatch(/ 200$/);
  });

  test("hostile values stay values: no second key, no second service comes out of them", async () => {
    const hostile = 'x"\n    privileged: true\n    y: "';
    const { "clawdbot-gateway": gateway } = await services({ CLAWDBOT_GATEWAY_TOKEN: hostile });
    expect(gateway!.environment["CLAWDBOT_GATEWAY_TOKEN"]).toBe(hostile);
    expect(gateway!["privileged"]).toBeUndefined();
  });
});
