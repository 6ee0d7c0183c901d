/** What the flags of `gateway` and the signals do to the compiled binary. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import {
  BINARY,
  emptyHome,
  type Home,
  plainEnv,
  runCli,
  type Running,
  startGatewayProcess,
} from "./binary.ts";

const homes: Home[] = [];
const gateways: Running[] = [];
const LINUX = process.platform === "linux";

function newHome(config?: object): Home {
  const home = emptyHome();
  homes.push(home);
  if (config) configure(home, config);
  return home;
}
function configure(home: Home, config: object): void {
  mkdirSync(home.state, { recursive: true });
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config));
}
async function start(...args: Parameters<typeof startGatewayProcess>): Promise<Running> {
  const gateway = await startGatewayProcess(...args);
  gateways.push(gateway);
  return gateway;
}
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill("SIGKILL");
  for (const home of homes.splice(0)) home.remove();
});
const times = (text: string, what: RegExp) => text.match(what)?.length ?? 0;

describe("signals", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    test(`${signal} ends it in order, with 0`, async () => {
      const gateway = await start(newHome());
      expect(await gateway.kill(signal)).toBe(0);
      expect(gateway.log()).toMatch(
        new RegExp(`signal ${signal} received\\n.*received ${signal}; shutting down\\n`),
      );
      expect(existsSync(join(homes[0]!.state, "gateway.sock"))).toBe(false);
    });

  test("SIGUSR1 is ignored with a word of why, unless the config allows it", async () => {
    const gateway = await start(newHome({ gateway: { mode: "local" } }));
    process.kill(gateway.pid, "SIGUSR1");
    await gateway.seen(
      "SIGUSR1 restart ignored (not authorized; enable commands.restart or use gateway tool).",
    );
    expect(await gateway.kill()).toBe(0);
  });

  test("SIGUSR1 restarts it in the same process, as often as one likes, and leaves nothing behind", async () => {
    const home = newHome({ gateway: { mode: "local" }, commands: { restart: true } });
    const gateway = await start(home);
    const files = () => (LINUX ? readdirSync(`/proc/${gateway.pid}/fd`).length : 0);
    await gateway.seen("agent model");
    process.kill(gateway.pid, "SIGUSR1");
    await gateway.seen(/(?:agent model[^]*){2}/);
    const before = files();
    for (let n = 3; n <= 14; n++) {
      process.kill(gateway.pid, "SIGUSR1");
      await gateway.seen(new RegExp(`(?:agent model[^]*){${n}}`));
    }
    expect(files()).toBeLessThanOrEqual(before + 2);
    expect(gateway.log()).not.toContain("MaxListeners");
    expect(await runCli(["health"], { home })).toMatchObject({ code: 0 });
    process.kill(gateway.pid, "SIGUSR1");
    expect(await gateway.kill()).toBe(0);
  });

  test("a restart with a config that broke meanwhile goes on with the last good one", async () => {
    const good = {
      gateway: { mode: "local", reload: { mode: "off" } },
      commands: { restart: true },
    };
    const home = newHome(good);
    const gateway = await start(home);
    await gateway.seen("agent model");
    writeFileSync(join(home.state, "clawdbot.json"), "{ gateway: { port: ");
    process.kill(gateway.pid, "SIGUSR1");
    await gateway.seen(/the last good one is[^]*agent model/);
    expect(await runCli(["health"], { home })).toMatchObject({ code: 0 });
  });

  test("SIGHUP reads the config again, also when it is not watched", async () => {
    const gateway = { mode: "local", reload: { mode: "off" } };
    const home = newHome({ gateway });
    const running = await start(home);
    await running.seen("agent model");
    configure(home, { gateway, tools: { deny: ["exec"] } });
    process.kill(running.pid, "SIGHUP");
    await running.seen(/config changed.*tools\.deny/);
    configure(home, { gateway: { port: "nonsense" } });
    process.kill(running.pid, "SIGHUP");
    await running.seen("the changed config cannot be used");
    expect(await runCli(["health"], { home })).toMatchObject({ code: 0 });
  });

  test.skipIf(!LINUX)("closing the terminal in which it was started ends it in order", async () => {
    const home = newHome();
    // stdin and stdout are the terminal that `script` makes; it goes away with `script`.
    const log = join(home.dir, "log");
    const command = `exec '${BINARY}' gateway --allow-unconfigured --port 0 2> '${log}'`;
    const terminal = Bun.spawn(["script", "-qec", command, "/dev/null"], {
      env: { ...plainEnv(home), SHELL: "/bin/sh" },
      stdin: "ignore",
      stdout: "ignore",
    });
    const text = () => (existsSync(log) ? readFileSync(log, "utf8") : "");
    while (!text().includes("agent model")) await Bun.sleep(5);
    const socket = join(home.state, "gateway.sock");
    expect(existsSync(socket)).toBe(true);
    terminal.kill("SIGKILL");
    while (existsSync(socket)) await Bun.sleep(5);
    expect(text()).toContain("signal SIGHUP received");
    expect(text()).toContain("shutting down");
  });
});

/** A program `tailscale` that is found first; `reset` is what it does at the end. */
function fakeTailscale(home: Home, reset = "true"): { env: { PATH: string }; calls(): string[] } {
  const bin = join(home.dir, "bin");
  mkdirSync(bin);
  const calls = join(home.dir, "calls");
  const status = JSON.stringify({ Self: { DNSName: "box.tail1.ts.net." } });
  writeFileSync(
    join(bin, "tailscale"),
    `#!/bin/sh\necho "$*" >> '${calls}'\ncase "$*" in status*) echo '${status}';; *reset) ${reset};; esac\n`,
  );
  chmodSync(join(bin, "tailscale"), 0o755);
  return {
    env: { PATH: `${bin}:/usr/bin:/bin` },
    calls: () => readFileSync(calls, "utf8").trim().split("\n"),
  };
}

describe("Tailscale", () => {
  test("serve publishes the port, the name is accepted, and the end takes it back", async () => {
    const home = newHome();
    const { env, calls } = fakeTailscale(home);
    const args = ["--tailscale", "serve", "--tailscale-reset-on-exit"];
    const gateway = await start(home, { env, args });
    await gateway.seen("https://box.tail1.ts.net/");
    const ask = (host: string) => fetch(gateway.url, { headers: { host } });
    expect((await ask("box.tail1.ts.net")).status).toBe(200);
    expect((await ask("box.tail2.ts.net")).status).toBe(421);
    expect(await gateway.kill()).toBe(0);
    expect(calls()).toEqual(["status --json", `serve --bg --yes ${gateway.port}`, "serve reset"]);
  });

  test("the config asks for it as well, and the flag wins", async () => {
    const home = newHome({ gateway: { mode: "local", tailscale: { mode: "serve" } } });
    const { env, calls } = fakeTailscale(home);
    const gateway = await start(home, { env });
    await gateway.seen("https://box.tail1.ts.net/");
    await gateway.kill();
    expect(calls()).toHaveLength(2);
    const off = await start(home, { env, args: ["--tailscale", "off"] });
    await off.seen("agent model");
    await off.kill();
    expect(calls()).toHaveLength(2);
  });

  test("funnel without a password is refused before anything is published", async () => {
    const home = newHome();
    const { env } = fakeTailscale(home);
    const args = ["gateway", "--allow-unconfigured", "--port", "0", "--tailscale", "funnel"];
    expect(await runCli(args, { home, env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("mode=password"),
    });
    expect(existsSync(join(home.dir, "calls"))).toBe(false);
  });

  test("a second signal does not wait for the end that hangs", async () => {
    const home = newHome();
    const { env } = fakeTailscale(home, "exec sleep 30");
    const args = ["--tailscale", "serve", "--tailscale-reset-on-exit"];
    const gateway = await start(home, { env, args });
    await gateway.seen("https://box.tail1.ts.net/");
    const ended = gateway.kill("SIGTERM");
    await gateway.seen("shutting down");
    let over = false;
    void ended.then(() => (over = true));
    // Within 300 ms it counts as the same signal.
    while (!over) {
      process.kill(gateway.pid, "SIGTERM");
      await Bun.sleep(50);
    }
    expect(await ended).toBe(143);
  });
});

describe("logging", () => {
  const requests = async (home: Home, args: string[]): Promise<string> => {
    const gateway = await start(home, { args });
    await gateway.seen("agent model");
    expect(await runCli(["health"], { home })).toMatchObject({ code: 0 });
    expect(await runCli(["gateway", "call", "no.such.method"], { home })).toMatchObject({
      code: 1,
    });
    await gateway.kill();
    return gateway.log();
  };

  test("without flags only what failed is said; --verbose with --ws-log says every request", async () => {
    const home = newHome();
    const plain = await requests(home, []);
    expect(plain).not.toContain("debug:");
    expect(times(plain, /\[gateway\/ws\] request failed method=no\.such\.method/g)).toBe(1);
    expect(await requests(home, ["--ws-log", "compact"])).not.toContain("debug:");
    const compact = await requests(home, ["--verbose", "--compact"]);
    expect(compact).toMatch(
      /\[gateway\/ws\] debug: request method=health ok=true ms=\d+ conn=\w{8}/,
    );
    expect(compact).not.toContain("received=");
    expect(await requests(home, ["--verbose", "--ws-log", "full"])).toMatch(
      /method=health .*received=\d+ sent=\d+/,
    );
  });

  test("the levels of the config count, and --verbose wins over the console's", async () => {
    const home = newHome({ gateway: { mode: "local" }, logging: { consoleLevel: "debug" } });
    expect(await requests(home, ["--compact"])).toContain("debug: request");
    // The other way round nothing of the start would be seen, so the flag is what lets this one through.
    configure(home, { gateway: { mode: "local" }, logging: { consoleLevel: "error" } });
    expect(await requests(home, ["--verbose", "--compact"])).toContain("debug: request");
  });

  test("--raw-stream writes what the model streams, and --raw-stream-path says where", async () => {
    const home = newHome();
    const say = async (path: string, options: Parameters<typeof startGatewayProcess>[1]) => {
      const gateway = await start(home, options);
      const sent = await runCli(["agent", "--agent", "main", "-m", "hello"], { home });
      expect(sent.code).toBe(0);
      await gateway.kill();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const lines = readFileSync(path, "utf8").trim().split("\n");
      const events = lines.map((line) => (JSON.parse(line) as { event: { type: string } }).event);
      expect(events[0]).toMatchObject({ type: "model", choice: { ref: "demo/demo" } });
      expect(events.at(-1)).toMatchObject({ type: "end", stop: "end" });
    };
    const usual = join(home.state, "logs", "raw-stream.jsonl");
    await say(join(home.dir, "deep", "raw.jsonl"), {
      args: ["--raw-stream", "--raw-stream-path", "deep/raw.jsonl"],
    });
    expect(existsSync(usual)).toBe(false);
    await say(usual, { env: { MOLTBOT_RAW_STREAM: "1" } });
  });
});

describe("the development profile", () => {
  const dev = (home: Home, args: string[]) =>
    start(home, { env: { CLAWDBOT_PROFILE: "dev" }, args: ["--dev", ...args] });
  const trashIn = (state: string) => readdirSync(state).filter((name) => name.startsWith("trash-"));

  test("--dev makes config and workspace, --reset begins anew and keeps the old", async () => {
    const home = newHome();
    const state = `${home.dir}/.clawdbot-dev`;
    const workspace = join(home.dir, "clawd-dev");
    const first = await dev(home, []);
    await first.seen("agent model");
    expect(readdirSync(workspace)).toContain("AGENTS.md");
    expect(readdirSync(workspace)).not.toContain("BOOTSTRAP.md");
    const sessions = async () =>
      JSON.parse((await runCli(["--dev", "sessions", "--json"], { home })).stdout) as {
        sessions: { key: string }[];
      };
    const said = await runCli(["--dev", "agent", "--agent", "dev", "-m", "hello"], { home });
    expect(said).toMatchObject({ code: 0 });
    expect((await sessions()).sessions).toMatchObject([{ key: "agent:dev:main" }]);

    // The lock comes first: nothing is moved under a running gateway.
    const reset = ["--dev", "gateway", "--dev", "--reset", "--port", "0"];
    expect(await runCli(reset, { home })).toMatchObject({ code: 78 });
    expect(trashIn(state)).toEqual([]);
    await first.kill();

    writeFileSync(join(workspace, "MEMORY.md"), "remember");
    const again = await dev(home, []);
    await again.seen("agent model");
    expect((await sessions()).sessions).toHaveLength(1);
    await again.kill();
    const fresh = await dev(home, ["--reset"]);
    await fresh.seen("agent model");
    expect((await sessions()).sessions).toEqual([]);
    expect(existsSync(join(workspace, "MEMORY.md"))).toBe(false);
    const [trash] = trashIn(state);
    expect(readFileSync(join(state, trash!, "clawd-dev", "MEMORY.md"), "utf8")).toBe("remember");
  });

  test("--reset outside of it is refused with the right command, and makes nothing", async () => {
    const home = newHome();
    const refused = await runCli(["gateway", "--dev", "--reset", "--port", "0"], { home });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("clawdbot --dev gateway --dev --reset");
    expect(existsSync(home.state)).toBe(false);
    expect((await runCli(["gateway", "--reset"], { home })).stderr).toContain(
      "--reset needs --dev",
    );
  });

  test("a restart of a gateway that was started with --reset does not reset again", async () => {
    const home = newHome();
    const state = `${home.dir}/.clawdbot-dev`;
    const gateway = await dev(home, ["--reset"]);
    await gateway.seen("agent model");
    const set = ["--dev", "config", "set", "commands.restart", "true"];
    expect(await runCli(set, { home })).toMatchObject({ code: 0 });
    await gateway.seen(/config changed.*commands/);
    process.kill(gateway.pid, "SIGUSR1");
    await gateway.seen(/(?:agent model[^]*){2}/);
    expect(trashIn(state)).toEqual([]);
    expect(readFileSync(join(state, "clawdbot.json"), "utf8")).toContain("restart");
  });
});
