/** Where the gateway listens, on which port, and when it refuses to. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { freePort } from "../../e2e/child.ts";
import { missing, run } from "../lab.ts";
import { cli, home, isRoot, signIn, start, type Started, TOKEN, urlOf, useRig } from "./rig.ts";

setDefaultTimeout(30_000);
useRig();
const noProc = process.platform !== "linux";
const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
const lan = (dir: string, more: Record<string, string> = {}) =>
  start(dir, "gateway --bind lan --port 0", { env: { ...env, ...more } });
/** A network of its own with nothing but loopback, after these commands. */
const network = (...commands: string[]): string[] => [
  "unshare",
  "-n",
  "sh",
  "-ec",
  ["ip link set lo up", ...commands, 'exec "$0" "$@"'].join("\n"),
];
const inside = ({ pid }: Started, ...words: string[]) =>
  run(["nsenter", "-t", String(pid), "-n", ...words]);
const noNetwork = !isRoot || missing({ ip: "iproute2", curl: "curl" }) !== undefined;

function configured(dir: string, config: object, name = "clawdbot.json"): void {
  mkdirSync(join(dir, ".clawdbot"), { recursive: true });
  writeFileSync(join(dir, ".clawdbot", name), JSON.stringify(config));
}

describe("lan", () => {
  test("deploy-051 lan is every interface of both families, and the log says 0.0.0.0", async () => {
    const { port, pid, log } = await lan(home());
    expect(log()).toContain(`[gateway] listening on ws://0.0.0.0:${port} (PID ${pid})`);
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      expect((await fetch(`http://${host}:${port}/healthz`)).status).toBe(200);
      const origin = `http://${host}:${port}`;
      expect((await signIn(`ws://${host}:${port}`, { headers: { origin } })).protocol).toBe(4);
    }
  });

  test.skipIf(noNetwork)("deploy-051 lan works where IPv6 is there but switched off", async () => {
    const gateway = await start(home(), "gateway --bind lan --port 3000", {
      env,
      within: network("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"),
    });
    expect(inside(gateway, "ip", "-6", "addr").stdout).toBe("");
    const { code, stdout } = inside(gateway, "curl", "-s", "http://127.0.0.1:3000/healthz");
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"ok":true,"status":"live"}' });
  });

  test.skipIf(noNetwork)(
    "deploy-077 the private IPv6 address of Fly reaches the gateway, with its brackets in Host and Origin",
    async () => {
      const dir = home();
      const gateway = await start(dir, "gateway --bind lan --port 3000", {
        env,
        within: network("ip addr add fdaa:0:1::3/112 dev lo nodad"),
      });
      const url = "http://[fdaa:0:1::3]:3000";
      const { stdout } = inside(gateway, "curl", "-sg", `${url}/`);
      expect(stdout).toContain("<!doctype html>");
      const within = ["nsenter", "-t", String(gateway.pid), "-n"];
      const options = { env, within };
      expect(cli(dir, `health --url ${url} --token ${TOKEN}`, options).code).toBe(0);
    },
  );
});

describe("auto, which the guides' config asks for, in a container", () => {
  const container = { KUBERNETES_SERVICE_HOST: "10.0.0.1" };
  const auto = { gateway: { mode: "local", bind: "auto" } };

  test("deploy-061 is every interface with a token, because loopback reaches nobody there", async () => {
    const dir = home();
    configured(dir, auto);
    const gateway = await start(dir, "gateway --port 0", { env: { ...env, ...container } });
    expect(gateway.log()).toContain(`listening on ws://0.0.0.0:${gateway.port} `);
  });

  test("deploy-061 stays closed without one, runs, and says which command opens it", async () => {
    const dir = home();
    configured(dir, auto);
    const gateway = await start(dir, "gateway --port 0", { env: container });
    expect(gateway.log()).not.toContain("0.0.0.0");
    expect(gateway.log()).toContain("only this container itself can connect");
    expect(gateway.log()).toContain("clawdbot token generate");
    expect(cli(dir, "health", { env: container }).code).toBe(0);
  });
});

test("deploy-013 without any flag the Control UI is on 127.0.0.1 only, on port 18789 unless something else is said", async () => {
  const dir = home();
  const gateway = await start(dir, "gateway --port 0");
  const page = await fetch(`http://127.0.0.1:${gateway.port}/`);
  expect(page.headers.get("content-type")).toStartWith("text/html");
  expect(await page.text()).toContain("<script");
  const urls = [...gateway.log().matchAll(/listening on ws:\/\/(\S+):\d+ /g)].map((m) => m[1]!);
  expect(urls).toEqual(["127.0.0.1", "[::1]"]);
  const { gateway: found } = JSON.parse(cli(home(), "status --json").stdout) as {
    gateway: { url: string };
  };
  expect(found.url).toBe("ws://127.0.0.1:18789");
});

describe("deploy-053 the port:", () => {
  const cases: [name: string, words: string, env: (n: number) => Record<string, string>][] = [
    ["--port wins over everything", "--port N", () => ({ CLAWDBOT_GATEWAY_PORT: "1" })],
    ["then the variable", "", (n) => ({ CLAWDBOT_GATEWAY_PORT: String(n) })],
    ["under each name", "", (n) => ({ OPENCLAW_GATEWAY_PORT: String(n) })],
    [
      "a variable that is no port is ignored with a warning, and the config counts",
      "CONFIG",
      () => ({ CLAWDBOT_GATEWAY_PORT: "tcp://10.0.0.1:80" }),
    ],
    [
      "then the config, also where a platform sets PORT",
      "CONFIG",
      () => ({ PORT: "1", DYNO: "x" }),
    ],
    ["then PORT of a known platform", "", (n) => ({ PORT: String(n), RENDER: "true" })],
  ];
  for (const [name, words, vars] of cases)
    test(`deploy-053 ${name}`, async () => {
      const dir = home();
      const port = freePort();
      const given = vars(port);
      const gateway = { mode: "local", ...(words === "CONFIG" && { port }) };
      configured(dir, { gateway });
      const flags = words.startsWith("--") ? words.replace("N", String(port)) : "";
      const running = await start(dir, `gateway ${flags}`.trim(), { env: given });
      expect(running.port).toBe(port);
      if (given["CLAWDBOT_GATEWAY_PORT"]?.startsWith("tcp"))
        expect(running.log()).toContain("CLAWDBOT_GATEWAY_PORT is not a port (1 to 65535)");
      // The command line finds it wherever that was said.
      expect(cli(dir, "health").code).toBe(0);
    });

  test("deploy-053 PORT means nothing on a machine that is no platform", () => {
    const status = (vars: Record<string, string>) =>
      JSON.parse(cli(home(), "status --json", { env: vars }).stdout) as { gateway: object };
    expect(status({ PORT: "8080" }).gateway).toMatchObject({ url: "ws://127.0.0.1:18789" });
    expect(status({ PORT: "8080", K_SERVICE: "x" }).gateway).toMatchObject({
      url: "ws://127.0.0.1:8080",
    });
  });
});

describe("a start that would let everybody in", () => {
  test("deploy-056 lan without a secret is refused in the original's words, with the command that makes one", () => {
    const { code, stderr } = cli(home(), "gateway --allow-unconfigured --port 0 --bind lan");
    expect(code).toBe(1);
    expect(stderr).toContain("Refusing to bind gateway to lan without auth.");
    expect(stderr).toContain('clawdbot config set gateway.auth.token "$(clawdbot token generate)"');
  });

  test("deploy-114 secrets that anybody guesses are refused for other machines, in every place they can stand", () => {
    for (const secret of ["change-me-now", "YOUR_TOKEN", "short", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
      for (const place of ["flag", "variable", "config"] as const) {
        const dir = home();
        const auth = place === "config" ? { token: secret } : {};
        configured(dir, { gateway: { mode: "local", auth } });
        const words = place === "flag" ? ` --token ${secret}` : "";
        const vars: Record<string, string> =
          place === "variable" ? { CLAWDBOT_GATEWAY_TOKEN: secret } : {};
        const { code, stderr } = cli(dir, `gateway --port 0 --bind lan${words}`, { env: vars });
        expect({ secret, place, code }).toEqual({ secret, place, code: 1 });
        expect(stderr).toContain("Refusing to bind gateway to lan: the token");
      }
    const none = cli(home(), "gateway --port 0 --bind lan --auth none");
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("without auth") });
    const password = cli(home(), "gateway --port 0 --bind lan --password hunter2");
    expect(password).toMatchObject({ code: 1, stderr: expect.stringContaining("the password") });
  });

  test("deploy-108 the token for other gateways protects nothing, and the refusal says so", () => {
    const dir = home();
    configured(dir, { gateway: { mode: "local", bind: "lan", remote: { token: TOKEN } } });
    const { code, stderr } = cli(dir, "gateway --port 0");
    expect(code).toBe(1);
    expect(stderr).toContain("Refusing to bind gateway to lan without auth.");
    expect(stderr).toContain("gateway.remote.token is only for calling another gateway");
    expect(stderr).toContain("gateway.auth.token");
    expect(stderr).not.toContain(TOKEN);
  });

  test("deploy-108 gateway.auth.token, the variable and --token are each enough", async () => {
    for (const place of ["config", "variable", "flag"]) {
      const dir = home();
      const auth = place === "config" ? { token: TOKEN } : {};
      configured(dir, { gateway: { mode: "local", bind: "lan", auth } });
      const words = place === "flag" ? ` --token ${TOKEN}` : "";
      const vars: Record<string, string> = place === "variable" ? env : {};
      const gateway = await start(dir, `gateway --port 0${words}`, { env: vars });
      expect((await signIn(urlOf(gateway))).protocol).toBe(4);
    }
  });
});

describe("on Fly", () => {
  const fly = { FLY_APP_NAME: "my-clawdbot", FLY_MACHINE_ID: "e28659", ...env };

  test("deploy-066 a gateway that Fly cannot reach says so in Fly's words, with the flag to add", async () => {
    const { log } = await start(home(), "gateway --port 0", { env: fly });
    expect(log()).toContain('"App is not listening on expected address"');
    expect(log()).toContain("Add --bind lan to the process command in fly.toml.");
    const good = await start(home(), "gateway --port 0 --bind lan", { env: fly });
    expect(good.log()).not.toContain("not listening on expected address");
  });

  test("deploy-067 the start says which internal_port fly.toml must have", async () => {
    const { port, seen, log } = await start(home(), "gateway --port 0 --bind lan", { env: fly });
    await seen(`internal_port in fly.toml must be ${port}`);
    expect((await lan(home())).log()).not.toContain("internal_port");
    expect(log()).toContain("ws://0.0.0.0:");
  });
});

test.skipIf(noProc)(
  "deploy-035 a taken port is said with the process that has it, without lsof",
  async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const { port } = server.address() as { port: number };
    const dir = home();
    const { code, stderr } = cli(dir, `gateway --port ${port}`, {
      env: { PATH: join(dir, "none") },
    });
    server.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 is taken by process ${process.pid} (`);
    expect(stderr).toContain("--port");
  },
);
