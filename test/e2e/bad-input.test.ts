/** What a person or an attacker does wrong, against the compiled binary: it says what happened and what to do, and loses nothing. */
import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

import {
  emptyHome,
  type Home,
  plainEnv,
  runCli,
  type Running,
  startGatewayProcess,
} from "./binary.ts";

type Refusal = { shape: { message: string; details?: { code?: string } } };

const homes: Home[] = [];
const gateways: Running[] = [];
const mounts: string[] = [];

function newHome(config?: string): Home {
  const home = emptyHome();
  homes.push(home);
  if (config !== undefined) {
    mkdirSync(home.state, { recursive: true });
    writeFileSync(join(home.state, "clawdbot.json"), config);
  }
  return home;
}

async function start(...args: Parameters<typeof startGatewayProcess>): Promise<Running> {
  const gateway = await startGatewayProcess(...args);
  gateways.push(gateway);
  return gateway;
}

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill("SIGKILL");
  for (const mount of mounts.splice(0)) Bun.spawnSync(["umount", mount]);
  for (const home of homes.splice(0)) home.remove();
});

/** Sends a message and waits for its end. */
async function ask(gateway: Running, message: string, sessionKey = "main"): Promise<string> {
  const client = gateway.client();
  await client.connect();
  try {
    const { runId = "" } = await client.call("chat.send", {
      sessionKey,
      message,
      idempotencyKey: crypto.randomUUID(),
    });
    const end = await client.call("agent.wait", { runId, timeoutMs: 20_000 });
    return String(end.status);
  } finally {
    client.close();
  }
}

async function said(gateway: Running, sessionKey = "main"): Promise<string> {
  const client = gateway.client();
  await client.connect();
  const { messages } = await client.call("chat.history", { sessionKey, limit: 1000 });
  client.close();
  return JSON.stringify(messages);
}

test("a malformed config ends with 78 and names file, line and remedy", async () => {
  const home = newHome(
    '{\n  gateway: { mode: "local" },\n  agents: { defaults: { maxConcurrent: "many" } },\n}\n',
  );
  const wrong = await runCli(["gateway"], { home });
  expect(wrong.code).toBe(78);
  expect(wrong.stderr).toContain("clawdbot.json line 3");
  expect(wrong.stderr).toContain("agents.defaults.maxConcurrent");
  expect(wrong.stderr).toMatch(/config (validate|set|unset)/);

  writeFileSync(join(home.state, "clawdbot.json"), "{\n  gateway: {\n    port: 18789,,\n  }\n}\n");
  const broken = await runCli(["gateway"], { home });
  expect(broken.code).toBe(78);
  expect(broken.stderr).toContain("clawdbot.json line 3");
});

test("a config damaged after a good start is copied aside, and the last good one is used and said so", async () => {
  const home = newHome('{ gateway: { mode: "local" }, ui: { assistant: { name: "Goody" } } }');
  const first = await start(home);
  await first.kill();
  const path = join(home.state, "clawdbot.json");
  writeFileSync(path, '{ gateway: { mode: "local" }, ui: { assistant: { name: "Goo');
  const second = await start(home);
  expect(second.log()).toMatch(/the last good one is.*clawdbot\.json/);
  expect(readFileSync(path, "utf8")).toEndWith("Goo");
  expect(readdirSync(home.state).some((name) => name.startsWith("clawdbot.json.rejected."))).toBe(
    true,
  );
  expect(await ask(second, "hello")).toBe("ok");
});

test("a taken port names the process that holds it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as { port: number };
  const home = newHome();
  const refused = await runCli(["gateway", "--port", String(port)], { home });
  server.close();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`Port ${port}`);
  expect(refused.stderr).toContain(`process ${process.pid}`);
});

test("a second gateway on the same state ends with 78 and names the first", async () => {
  const home = newHome();
  const first = await start(home);
  const second = await runCli(["gateway", "--port", "0"], { home });
  expect(second.code).toBe(78);
  expect(second.stderr).toContain(`PID ${first.pid}`);
  expect(second.stderr).toContain(String(first.port));
});

test("a damaged database is set aside, the backup is used, and the log says which file and what is lost", async () => {
  const home = newHome();
  const first = await start(home);
  expect(await ask(first, "remember the blue door")).toBe("ok");
  await first.kill();
  const database = join(home.state, "clawdbot.sqlite");
  const file = openSync(database, "r+");
  writeSync(file, Buffer.alloc(4096, 0x2a), 0, 4096, 0);
  closeSync(file);
  const second = await start(home);
  expect(second.log()).toMatch(/clawdbot\.sqlite/);
  expect(second.log()).toMatch(/damaged/);
  expect(readdirSync(home.state).some((name) => name.includes(".damaged-"))).toBe(true);
  expect(await ask(second, "and now?")).toBe("ok");
  expect(await said(second)).toContain("remember the blue door");
});

test("a gateway beyond this machine needs a real secret", async () => {
  const home = newHome();
  for (const args of [
    [],
    ["--token", "short"],
    ["--token", "change-me-now"],
    ["--token", "YOUR_TOKEN"],
  ]) {
    const refused = await runCli(["gateway", "--bind", "lan", "--port", "0", ...args], { home });
    expect({ args, code: refused.code }).toEqual({ args, code: 1 });
    expect(refused.stderr).toContain("Refusing to bind");
    expect(refused.stderr).toContain("clawdbot config set gateway.auth.token");
  }
});

test("a wrong token is refused, and after ten of them the address is locked out, but not the owner's socket", async () => {
  const home = newHome();
  const gateway = await start(home);
  const codes: string[] = [];
  for (let i = 0; i < 12; i++) {
    const client = gateway.client({
      url: gateway.url.replace("http", "ws"),
      auth: () => ({ token: `wrong-${i}` }),
      headers: { origin: gateway.url },
    });
    const error = await client.connect().then(
      () => "connected",
      (cause: { shape?: { message: string } }) => cause.shape?.message ?? String(cause),
    );
    codes.push(error);
  }
  expect(codes[0]).toContain("token mismatch");
  expect(codes.at(-1)).toMatch(/too many|rate|locked/i);
  expect(await ask(gateway, "still here?")).toBe("ok");
});

test("10,000 silent sockets never keep the owner out", async () => {
  const home = newHome();
  const gateway = await start(home);
  const token = readFileSync(join(home.state, "gateway-token"), "utf8").trim();
  const sockets: Socket[] = [];
  const upgrade = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${createHash("sha1").update("x").digest("base64").slice(0, 24)}\r\n\r\n`;
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(
      Array.from(
        { length: 500 },
        () =>
          new Promise<void>((done) => {
            const socket = connect(gateway.port, "127.0.0.1");
            sockets.push(socket);
            socket.once("data", () => done());
            socket.once("close", () => done());
            socket.once("error", () => done());
            socket.once("connect", () => void socket.write(upgrade));
          }),
      ),
    );
    const owner = gateway.client({
      url: gateway.url.replace("http", "ws"),
      auth: () => ({ token }),
    });
    await owner.connect();
    owner.close();
  }
  for (const socket of sockets) socket.destroy();
  expect(await ask(gateway, "and through the front door")).toBe("ok");
  const lines = gateway.log().split("\n").length;
  expect(lines).toBeLessThan(100);
}, 120_000);

test("a 100 MB frame, binary noise and half a request leave the gateway up, with a line in the log each", async () => {
  const home = newHome();
  const gateway = await start(home);
  const token = readFileSync(join(home.state, "gateway-token"), "utf8").trim();
  const owner = gateway.client({ url: gateway.url.replace("http", "ws"), auth: () => ({ token }) });
  await owner.connect();
  const big = new WebSocket(gateway.url.replace("http", "ws"));
  const closed = new Promise<number>((done) =>
    big.addEventListener("close", (event) => done(event.code)),
  );
  await new Promise((done) => big.addEventListener("open", done));
  big.send("x".repeat(100 * 1024 * 1024));
  expect([1006, 1008, 1009]).toContain(await closed);
  const noise = new WebSocket(gateway.url.replace("http", "ws"));
  const noiseClosed = new Promise((done) => noise.addEventListener("close", done));
  await new Promise((done) => noise.addEventListener("open", done));
  noise.send(new Uint8Array([0xff, 0xfe, 0, 1, 2, 3]));
  await noiseClosed;
  const half = connect(gateway.port, "127.0.0.1");
  await new Promise((done) => half.once("connect", done));
  half.write(
    `POST /api/sign-in HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"ticket":"`,
  );
  half.destroy();
  expect(await owner.call("health", {})).toMatchObject({ ok: true });
  owner.close();
  expect(await ask(gateway, "alive?")).toBe("ok");
});

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "a full disk refuses new messages clearly, loses none that it accepted, and goes on when there is room",
  async () => {
    const home = newHome();
    mkdirSync(home.state, { recursive: true });
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", home.state]);
    if (mounted.exitCode !== 0)
      return process.stdout.write("      skipped: no tmpfs can be mounted here\n");
    mounts.push(home.state);
    const gateway = await start(home);
    let client = gateway.client();
    await client.connect();
    const accepted: string[] = [];
    const send = (n: number) =>
      client.call("chat.send", {
        sessionKey: "disk",
        message: `message ${n} ${"x".repeat(20_000)}`,
        idempotencyKey: `disk-${n}`,
      });
    const filler = join(home.state, "filler");
    writeFileSync(filler, Buffer.alloc(50 * 1024 * 1024));
    let refusal: Refusal | undefined;
    for (let n = 0; n < 5000 && !refusal; n++)
      try {
        accepted.push((await send(n)).runId ?? "");
      } catch (cause) {
        const error = cause as Refusal;
        if (error.shape.details?.code) {
          refusal = error;
          continue;
        }
        // Not the gateway's answer but a lost connection: a client connects again, and a gateway that died fails here.
        process.stdout.write(`      ${error.shape.message}\n${gateway.log()}`);
        client = gateway.client();
        await client.connect();
      }
    expect(refusal?.shape).toMatchObject({ details: { code: "disk_full" } });
    expect(refusal?.shape.message).toMatch(/disk|space/i);
    const endOf = (runId: string) =>
      client.call("agent.wait", { runId, timeoutMs: 30_000 }, { timeoutMs: 40_000 });
    Bun.spawnSync(["rm", filler]);
    for (const runId of accepted)
      expect({ runId, status: (await endOf(runId)).status }).toEqual({ runId, status: "ok" });
    // The room is looked at again within a second; until then the refusal says that it may be tried again, as a client does.
    const again = async (tries: number): Promise<string> => {
      try {
        return (await send(10_000)).runId ?? "";
      } catch (cause) {
        expect((cause as Refusal).shape.details?.code).toBe("disk_full");
        if (tries === 0) throw cause;
        await Bun.sleep(100);
        return again(tries - 1);
      }
    };
    expect((await endOf(await again(50))).status).toBe("ok");
    client.close();
    process.stdout.write(
      `      ${accepted.length} messages accepted before the disk was full, all answered\n`,
    );
    expect(accepted.length).toBeGreaterThan(0);
  },
  120_000,
);

test("nothing of the current directory is executed or read", async () => {
  const home = newHome();
  const evil = join(home.dir, "evil");
  mkdirSync(evil);
  writeFileSync(
    join(evil, ".env"),
    "CLAWDBOT_GATEWAY_PORT=1\nCLAWDBOT_STATE_DIR=/nonexistent/evil\n",
  );
  writeFileSync(join(evil, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(evil, "evil.ts"), 'require("node:fs").writeFileSync("pwned", "1");\n');
  writeFileSync(join(evil, "package.json"), '{"name":"evil","module":"./evil.ts"}');
  const gateway = await start(home, { cwd: evil });
  expect(await ask(gateway, "hello")).toBe("ok");
  expect(readdirSync(evil).sort()).toEqual([".env", "bunfig.toml", "evil.ts", "package.json"]);
  expect(plainEnv(home)["HOME"]).toBe(home.dir);
});

test("a secret of the environment, of .env and of the config never gets into the log, wherever it comes up", async () => {
  const config = (key: string) =>
    JSON.stringify({
      models: { providers: { x: { baseUrl: "http://127.0.0.1:9", apiKey: key } } },
    });
  const home = newHome(config("first-of-the-config"));
  writeFileSync(join(home.state, ".env"), "GROQ_API_KEY=one-of-the-dotenv\n");
  const gateway = await start(home, { env: { SLACK_APP_TOKEN: "one-of-the-environment" } });
  /** A client says what it is, and that is logged. */
  const logged = async (version: string) => {
    const client = gateway.client({
      client: { id: "webchat", mode: "webchat", platform: "test", version: `<${version}>` },
    });
    const conn = (await client.connect()).server.connId;
    await gateway.seen(new RegExp(`webchat connected conn=${conn} .*\n`));
    client.close();
  };
  await logged("no-secret-at-all");
  for (const secret of ["one-of-the-environment", "one-of-the-dotenv", "first-of-the-config"])
    await logged(secret);
  writeFileSync(join(home.state, "clawdbot.json"), config("second-of-the-config"));
  await gateway.seen("config changed");
  await logged("second-of-the-config");
  expect(gateway.log()).toContain("<no-secret-at-all>");
  expect(gateway.log()).not.toMatch(/<(?:one|first|second)-of-the/);
});
