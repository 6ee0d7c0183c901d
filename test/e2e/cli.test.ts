/** The command line as a user has it: the compiled binary, an empty home. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import pkg from "../../package.json";
import { COMMANDS } from "../../src/cli/commands.ts";
import { REDACTED } from "../../src/config/edit.ts";
import {
  BINARY,
  emptyHome,
  plainEnv,
  runCli,
  type Running,
  startGatewayProcess,
} from "./binary.ts";

const home = emptyHome();
const cli = (line: string, options: Partial<Parameters<typeof runCli>[1]> = {}) =>
  runCli(line === "" ? [] : line.split(" "), { home, ...options });
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

beforeAll(() => {
  if (existsSync(BINARY)) return;
  const built = Bun.spawnSync([process.execPath, "build.ts"], { stderr: "inherit" });
  expect(built.exitCode).toBe(0);
}, 120_000);
afterAll(() => home.remove());

describe("without a gateway", () => {
  test("--version in all spellings prints the version and nothing else", async () => {
    for (const flag of ["--version", "-V", "-v"])
      expect(await cli(flag)).toEqual({ code: 0, stdout: `${pkg.version}\n`, stderr: "" });
  });

  test("help lists every command, and every command has help with examples", async () => {
    const { code, stdout } = await cli("--help");
    expect(code).toBe(0);
    for (const path of Object.keys(COMMANDS)) {
      if (!path.includes(" ")) expect(stdout).toContain(`\n  ${path} `);
      const help = await cli(`${path} --help`);
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toContain(`Usage: clawdbot ${path}`);
      expect(help.stdout).toContain("Examples:\n  clawdbot ");
    }
    expect((await cli("")).stdout).toBe(stdout);
    expect((await cli("help config get")).stdout).toBe((await cli("config get --help")).stdout);
  });

  test("it answers to its older names, and to a wrapper that leaves dist/index.js in place", async () => {
    const link = join(home.dir, "moltbot");
    symlinkSync(BINARY, link);
    const child = Bun.spawnSync([link, "dist/index.js", "gateway", "--help"], {
      env: plainEnv(home),
    });
    expect(child.stdout.toString()).toContain("Usage: moltbot gateway");
  });

  test("a mistyped command or flag is an error with the nearest right one", async () => {
    expect(await cli("gatewy")).toEqual({
      code: 1,
      stdout: "",
      stderr: "error: unknown command 'gatewy'\nDid you mean gateway?\n",
    });
    expect(await cli("config gett x")).toMatchObject({
      code: 1,
      stderr: "error: unknown command 'gett'\nDid you mean get?\n",
    });
    expect(await cli("logs --folow")).toMatchObject({
      code: 1,
      stderr: "error: unknown option '--folow'\nDid you mean --follow?\n",
    });
    expect(await cli("gateway --bind wlan")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Invalid --bind (use "loopback", "lan", '),
    });
    expect(await cli("gateway --port 99999")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Invalid --port"),
    });
    expect(await cli("gateway --reset")).toMatchObject({ code: 1 });
  });

  test("a bad profile ends with exit code 2 before anything is made", async () => {
    const { code, stdout, stderr } = await cli("--profile b@d status");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Invalid --profile");
    expect(await cli("--dev --profile x status")).toMatchObject({ code: 2 });
  });

  test("profiles and --dev have their own state, and --dev its own port", async () => {
    const file = async (line: string) => (await cli(`${line} config file`)).stdout.trim();
    expect(await file("--profile work")).toBe(join(home.dir, ".clawdbot-work/clawdbot.json"));
    expect(await file("--dev")).toBe(join(home.dir, ".clawdbot-dev/clawdbot.json"));
    const status = json((await cli("--dev status --json")).stdout);
    expect(status.gateway).toMatchObject({ url: "ws://127.0.0.1:19001" });
  });

  test("with --json stdout is one JSON value, also for every error", async () => {
    for (const line of ["status --json", "sessions --json", "config validate --json"]) {
      const { code, stdout, stderr } = await cli(line);
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" });
      expect(json(stdout)).toBeObject();
    }
    for (const [line, code] of [
      ["health --json", "gateway_unreachable"],
      ["config get no.such.key --json", "not_found"],
      ["logs --bogus --json", "usage"],
      ["nonsense --json", "usage"],
    ] as const) {
      const { code: exit, stdout, stderr } = await cli(line);
      expect({ line, exit, stderr }).toEqual({ line, exit: 1, stderr: "" });
      expect(json(stdout)).toMatchObject({ ok: false, error: { type: "cli_error", code } });
    }
  });

  test("status says so and exits with 0, health says what to start and exits with 1", async () => {
    const status = json((await cli("status --json")).stdout);
    expect(status.gateway).toMatchObject({ reachable: false, self: null });
    expect(await cli("health")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "The gateway is not running: nothing answers at ws://127.0.0.1:18789.\nStart it with `clawdbot gateway`.\n",
    });
    const { stderr } = await cli("health --verbose");
    for (const line of [
      "Gateway target: ws://127.0.0.1:18789",
      "Source: ",
      "Config: ",
      "Bind: loopback",
    ])
      expect(stderr).toContain(line);
  });

  test("what answers and is no gateway is described, with where it was looked for", async () => {
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hi") });
    const { code, stderr } = await cli(`health --port ${server.port}`);
    expect(code).toBe(1);
    expect(stderr).toContain("gateway closed (1006 ");
    expect(stderr).toContain(`Gateway target: ws://127.0.0.1:${server.port}`);
    // There is nothing to start where another program listens.
    expect(stderr).toEndWith("To find out: clawdbot doctor\n");
  });

  test("an empty message and a database that is not there are errors in words", async () => {
    expect(await runCli(["agent", "-m", ""], { home })).toMatchObject({
      code: 1,
      stderr: "error: The message is empty.\n",
    });
    expect(await cli("sessions --store /nowhere/x.sqlite")).toMatchObject({
      code: 1,
      stderr: "There is no database /nowhere/x.sqlite.\n",
    });
  });

  test("nothing of this has made a file", () => {
    expect(existsSync(home.state)).toBe(false);
  });

  test("config set, get, unset and validate edit the file in place", async () => {
    mkdirSync(home.state, { recursive: true });
    const file = join(home.state, "clawdbot.json");
    writeFileSync(file, "{\n  // mine\n  gateway: { mode: 'local' },\n}\n");
    expect(await cli("config set gateway.port 19123")).toMatchObject({ code: 0 });
    expect(await cli("config get gateway.port")).toMatchObject({ stdout: "19123\n" });
    expect(readFileSync(file, "utf8")).toContain("// mine");
    expect(await cli("config unset gateway.port")).toMatchObject({ code: 0 });
    expect(await cli("config get gateway.port")).toMatchObject({ stdout: "18789\n" });
    expect(await cli("config unset gateway.port")).toMatchObject({ code: 1 });
    const before = readFileSync(file, "utf8");
    const wrong = await cli("config set gateway.port nonsense");
    expect(wrong.code).toBe(78);
    expect(readFileSync(file, "utf8")).toBe(before);
    writeFileSync(file, "{ gateway: { port: 'x' } }");
    expect(await cli("config validate")).toMatchObject({
      code: 78,
      stdout: expect.stringContaining("gateway.port"),
    });
    expect((await cli("status")).code).toBe(0);
    writeFileSync(file, before);
  });

  test("a secret in a group is hidden for people and marked for programs", async () => {
    expect(await cli("config set gateway.auth.token a-token-that-is-long-enough")).toMatchObject({
      code: 0,
    });
    const people = (await cli("config get gateway.auth")).stdout;
    expect(people).toContain('"token": "(hidden)"');
    const programs = json((await cli("config get gateway.auth --json")).stdout);
    expect(programs).toHaveProperty("token", REDACTED);
    expect(await cli("config unset gateway.auth.token")).toMatchObject({ code: 0 });
  });

  test("files in the current folder are neither run nor read", async () => {
    const cwd = join(home.dir, "evil");
    mkdirSync(cwd);
    const marker = join(home.dir, "was-run");
    writeFileSync(
      join(cwd, "evil.ts"),
      `require("fs").writeFileSync(${JSON.stringify(marker)}, "x")`,
    );
    writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./evil.ts"]\n[run]\nbun = true\n');
    writeFileSync(join(cwd, ".env"), "CLAWDBOT_GATEWAY_PORT=4444\nCLAWDBOT_STATE_DIR=./here\n");
    writeFileSync(join(cwd, "tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
    writeFileSync(
      join(cwd, "package.json"),
      '{"name":"evil","main":"./evil.ts","imports":{"#*":"./evil.ts"},"scripts":{"preinstall":"touch was-run"}}',
    );
    expect((await cli("--version", { cwd })).stdout).toBe(`${pkg.version}\n`);
    const { gateway } = json((await cli("status --json", { cwd })).stdout);
    expect(gateway).toMatchObject({ url: "ws://127.0.0.1:18789" });
    expect((await cli("config file", { cwd })).stdout).toBe(`${home.state}/clawdbot.json\n`);
    const running = await startGatewayProcess(home, { cwd });
    await running.kill();
    expect(existsSync(marker)).toBe(false);
    expect(existsSync(join(cwd, "here"))).toBe(false);
  });

  test("a reader that goes away ends a command quietly", async () => {
    const child = Bun.spawn(["sh", "-c", `"$0" config schema | head -c 10`, BINARY], {
      env: plainEnv(home),
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(child.stdout).text()).toHaveLength(10);
    expect(await new Response(child.stderr).text()).toBe("");
  });

  test("a large answer into a slow pipe is complete", async () => {
    const child = Bun.spawn(["sh", "-c", `"$0" config schema | (sleep 0.2; cat)`, BINARY], {
      env: plainEnv(home),
      stdout: "pipe",
    });
    expect(json(await new Response(child.stdout).text())).toHaveProperty("properties");
  });
});

test.skipIf(process.platform !== "linux")(
  "a token on the gateway's command line is in nobody's ps",
  async () => {
    const other = emptyHome();
    const token = "a-token-that-is-long-enough-to-count";
    const gateway = await startGatewayProcess(other, { args: ["--token", token] });
    expect(readFileSync(`/proc/${gateway.pid}/cmdline`, "utf8")).not.toContain(token);
    const url = `ws://127.0.0.1:${gateway.port}`;
    expect(await runCli(["health", "--url", url, "--token", token], { home: other })).toMatchObject(
      { code: 0 },
    );
    expect(
      await runCli(["health", "--url", url, "--token", `${token}x`], { home: other }),
    ).toMatchObject({ code: 1 });
    expect(gateway.log()).not.toContain(token);
    await gateway.kill();
    other.remove();
  },
);

describe("with a running gateway", () => {
  let gateway: Running;
  beforeAll(async () => {
    gateway = await startGatewayProcess(home);
    await gateway.seen("agent model: ");
  });
  afterAll(async () => {
    expect(await gateway.kill()).toBe(0);
  });

  test("health, status, sessions and call answer over the local socket without a token", async () => {
    expect(await cli("health")).toMatchObject({ code: 0, stdout: expect.stringContaining("OK (") });
    expect(json((await cli("health --json")).stdout)).toMatchObject({ ok: true });
    expect(json((await cli("status --json")).stdout).gateway).toMatchObject({
      reachable: true,
      urlSource: "local socket",
    });
    expect((await cli("gateway call health")).stdout).toStartWith("Gateway call: health\n{");
    expect(
      json((await cli("gateway call sessions.list --json --params {}")).stdout),
    ).toHaveProperty("sessions");
    expect(await cli("gateway call no.such.method")).toMatchObject({ code: 1, stdout: "" });
    expect(await cli("gateway call health --params [1]")).toMatchObject({ code: 1 });
  });

  test("a token on the command line is really used", async () => {
    const token = readFileSync(join(home.state, "gateway-token"), "utf8").trim();
    expect(await cli(`health --token ${token}`)).toMatchObject({ code: 0 });
    expect(await cli("health --token wrong-wrong-wrong-wrong-wrong")).toMatchObject({ code: 1 });
    const url = `ws://127.0.0.1:${gateway.port}`;
    expect(await cli(`health --url ${url} --token ${token}`)).toMatchObject({ code: 0 });
    // An address that was typed gets no secret from the state folder.
    expect(await cli(`health --url ${url}`)).toMatchObject({ code: 1 });
  });

  test("dashboard says how long its link is good for", async () => {
    expect((await cli("dashboard")).stdout).toMatch(
      /^Dashboard URL: http:\S+#ticket=\S+\n\(works once, for 10 minutes\)\n$/,
    );
  });

  test("agent prints the answer, and with --json the whole run", async () => {
    const plain = await runCli(["agent", "--agent", "main", "-m", "hello"], { home });
    expect(plain).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("Demo model"),
    });
    const piped = await runCli(["agent", "--agent", "main", "-m", "-", "--json"], {
      home,
      input: "hello from a file",
    });
    expect(json(piped.stdout)).toMatchObject({
      status: "ok",
      result: { payloads: [{ text: expect.stringContaining("hello from a file") }], meta: {} },
    });
    expect(await cli("agent -m hello")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Demo model"),
    });
    expect(await cli("agent --agent main")).toMatchObject({ code: 1 });
    expect(await cli("agent --agent nobody -m hello")).toMatchObject({
      code: 1,
      stderr: 'There is no agent "nobody". Agents: main.\n',
    });
    expect(await cli("agent --session-id nosuch -m hello")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no session "nosuch".'),
    });
    const { sessions } = json((await cli("sessions --json")).stdout);
    const [{ sessionId, key }] = sessions as [{ sessionId: string; key: string }];
    for (const known of [sessionId, key])
      expect(await cli(`agent --session-id ${known} -m hello`)).toMatchObject({ code: 0 });
  });

  test("a message that the gateway would hang up on is refused before it is sent", async () => {
    const input = "x".repeat(27_000_000);
    expect(await runCli(["agent", "-m", "-"], { home, input })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^The message is too large \(27 MB; the gateway takes \d+ MB\)\.\n$/,
      ),
    });
  });

  test("without the socket the generated token is used, for our own gateway only", async () => {
    const socket = join(home.state, "gateway.sock");
    renameSync(socket, `${socket}.away`);
    try {
      expect(await cli("health")).toMatchObject({ code: 0 });
      expect(await cli(`health --port ${gateway.port}`)).toMatchObject({ code: 0 });
      const token = readFileSync(join(home.state, "gateway-token"), "utf8").trim();
      const heard: string[] = [];
      using stranger = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: (request, server) =>
          server.upgrade(request) ? undefined : new Response("", { status: 400 }),
        websocket: {
          open(ws) {
            const payload = { nonce: "n", ts: Date.now() };
            ws.send(JSON.stringify({ type: "event", event: "connect.challenge", payload }));
          },
          message(ws, text) {
            heard.push(String(text));
            ws.close(1008, "no");
          },
        },
      });
      expect(await cli(`health --port ${stranger.port}`)).toMatchObject({ code: 1 });
      expect(heard).toHaveLength(1);
      expect(heard[0]).not.toContain(token);
    } finally {
      renameSync(`${socket}.away`, socket);
    }
  });

  test("agent waits for its answer over a restart of the gateway", async () => {
    const child = Bun.spawn([BINARY, "agent", "-m", "run `sleep 1; echo slept`"], {
      env: plainEnv(home),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const client = gateway.client({
      onEvent: (event) => {
        if (event.event === "agent") begun.resolve();
      },
    });
    const begun = Promise.withResolvers<void>();
    await client.connect();
    await begun.promise;
    client.close();
    await gateway.kill("SIGKILL");
    const errors = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    expect((await errors.read()).value).toContain("The gateway went away");
    gateway = await startGatewayProcess(home);
    const stdout = await new Response(child.stdout).text();
    expect({ code: await child.exited, stdout }).toEqual({ code: 0, stdout: expect.any(String) });
    expect(stdout).not.toContain("No reply");
  });

  test("on a terminal the answer is streamed and printed once", async () => {
    const child = Bun.spawn(
      ["script", "-qec", `'${BINARY}' agent --agent main -m hello`, "/dev/null"],
      { env: { ...plainEnv(home), SHELL: "/bin/sh" }, stdin: "ignore", stdout: "pipe" },
    );
    const shown = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(shown.match(/Demo model/g)).toHaveLength(1);
    expect(shown.match(/You said: hello/g)).toHaveLength(1);
    expect(shown).toEndWith("\r\n");
  });

  test("sessions lists what was said, the same with and without a gateway", async () => {
    const online = json((await cli("sessions --json")).stdout);
    expect(online).toMatchObject({
      count: 1,
      sessions: [{ key: "agent:main:main", kind: "direct" }],
    });
    await gateway.kill();
    const offline = json((await cli("sessions --json")).stdout);
    gateway = await startGatewayProcess(home);
    const steady = ({ sessions, ...rest }: Record<string, unknown>) => ({
      ...rest,
      sessions: (sessions as Record<string, unknown>[]).map(
        ({ key, kind, sessionId, updatedAt }) => ({
          key,
          kind,
          sessionId,
          updatedAt,
        }),
      ),
    });
    expect(steady(offline)).toEqual(steady(online));
  });

  test("logs prints the file in lines of JSON or text, and follows it", async () => {
    const { stdout } = await cli("logs --limit 50 --json");
    const lines = stdout.trim().split("\n").map(json);
    expect(lines[0]).toMatchObject({ type: "meta", file: expect.stringContaining("clawdbot-") });
    expect(lines.at(-1)).toMatchObject({ type: "log", level: expect.any(String) });
    expect((await cli("logs --limit 3")).stdout).toStartWith("Log file: ");
    const child = Bun.spawn([BINARY, "logs", "--follow", "--interval", "50", "--limit", "1"], {
      env: plainEnv(home),
      stdout: "pipe",
    });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value ?? "";
    expect(text).toStartWith("Log file: ");
    await runCli(["health", "--token", "wrong-for-the-log-wrong-for-the-log"], { home });
    while (!text.includes("unauthorized")) text += (await reader.read()).value ?? "unauthorized?";
    child.kill();
    await child.exited;
    expect(text).not.toContain("unauthorized?");
  });

  test("a second gateway on the same state is refused and names the first", async () => {
    const second = await cli("gateway --port 0");
    expect(second.code).toBe(78);
    expect(second.stderr).toContain(String(gateway.pid));
  });
});
