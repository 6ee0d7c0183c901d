/**
 * The gateway as people reach it from elsewhere: behind nginx and Caddy, at the edges of Fly and exe.dev, through a tunnel, by an
 * address of a private network. Each time a real browser pastes the token. Everything of one test lives in a network of its own, so
 * the guides' ports and names are the real ones and nothing can leave it.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

import { type Browser, chromium, type Page } from "playwright-core";

import { missing, run } from "../lab.ts";
import { cli, home, isRoot, signIn, start, type Started, TOKEN, useRig } from "./rig.ts";

setDefaultTimeout(90_000);
useRig();
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const TOOLS = { ip: "iproute2", nginx: "nginx", caddy: "caddy", openssl: "openssl" };
const why = !isRoot || !CHROMIUM ? "needs root and Chromium" : missing(TOOLS);
const it = test.skipIf(why !== undefined);
const ARGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

const open = { browsers: [] as Browser[], children: [] as Bun.Subprocess[] };
afterEach(async () => {
  for (const browser of open.browsers.splice(0)) await browser.close();
  for (const child of open.children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

/** A gateway in a network, and a machine (`host`), of its own. */
const apart = (dir: string, words: string, env: Record<string, string>, host = "machine") =>
  start(dir, words, {
    env,
    within: [
      ...["unshare", "-n", "-u", "sh", "-ec"],
      `hostname ${host}
       ip link set lo up
       ip addr add fdaa:0:1::3/112 dev lo nodad
       exec "$0" "$@"`,
    ],
  });
const inside = ({ pid }: Started): string[] => ["nsenter", "-t", String(pid), "-n", "-u"];

/** Runs a proxy beside the gateway and waits until it takes connections on this port. */
async function beside(
  gateway: Started,
  command: string[],
  port: number,
  dir: string,
): Promise<void> {
  const child = Bun.spawn([...inside(gateway), ...command], {
    env: { PATH: process.env["PATH"] ?? "", HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    stdout: "ignore",
    stderr: Bun.file(join(dir, "proxy.log")),
  });
  open.children.push(child);
  const probe = `exec 3<>/dev/tcp/127.0.0.1/${port}`;
  while (run([...inside(gateway), "bash", "-c", probe]).code !== 0) {
    if (child.exitCode !== null) throw new Error(await Bun.file(join(dir, "proxy.log")).text());
    await Bun.sleep(20);
  }
}

function certificate(dir: string, name: string): void {
  const made = run([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-nodes", "-days", "2", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
    ...["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")],
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
}

/** nginx as the documentation of reverse proxies shows it: TLS, the usual headers, the upgrade of WebSockets. */
function nginx(dir: string, name: string, target: string, location = "/"): string[] {
  certificate(dir, name);
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${dir}/${kind};`)
    .join(" ");
  writeFileSync(
    join(dir, "nginx.conf"),
    `daemon off; master_process off; pid ${dir}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
     events { worker_connections 256; }
     http {
       access_log off; ${temp}
       map $http_upgrade $connection_upgrade { default upgrade; "" close; }
       server {
         listen 443 ssl;
         server_name ${name};
         ssl_certificate ${dir}/cert.pem;
         ssl_certificate_key ${dir}/key.pem;
         location ${location} {
           proxy_pass ${target};
           proxy_http_version 1.1;
           proxy_set_header Host $host;
           proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
           proxy_set_header X-Forwarded-Proto $scheme;
           proxy_set_header X-Real-IP $remote_addr;
           proxy_set_header Upgrade $http_upgrade;
           proxy_set_header Connection $connection_upgrade;
           proxy_read_timeout 1h;
         }
       }
     }`,
  );
  return ["nginx", "-p", dir, "-c", join(dir, "nginx.conf")];
}

/** Caddy with its own authority. @param more directives inside `reverse_proxy`, for the headers of a platform's edge */
function caddy(dir: string, name: string, target: string, more = ""): string[] {
  writeFileSync(
    join(dir, "Caddyfile"),
    `{
       admin off
       auto_https disable_redirects
       skip_install_trust
     }
     https://${name} {
       tls internal
       reverse_proxy ${target} {
         ${more}
       }
     }`,
  );
  return ["caddy", "run", "--adapter", "caddyfile", "--config", join(dir, "Caddyfile")];
}

type Seen = { page: Page; sockets: string[]; requests: string[]; frames: string[] };

/** A browser in the gateway's network, for which every name leads to it. */
async function browse(gateway: Started, dir: string, url: string): Promise<Seen> {
  const program = join(dir, "chromium");
  writeFileSync(program, `#!/bin/sh\nexec ${inside(gateway).join(" ")} ${CHROMIUM} "$@"\n`);
  chmodSync(program, 0o755);
  const args = [
    ...ARGS.split(" "),
    "--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP *.fly.dev 127.0.0.1, MAP *.exe.xyz 127.0.0.1",
  ];
  const browser = await chromium.launch({ executablePath: program, args });
  open.browsers.push(browser);
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const seen: Seen = { page, sockets: [], requests: [], frames: [] };
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("websocket", (socket) => {
    seen.sockets.push(socket.url());
    socket.on("framesent", ({ payload }) => seen.frames.push(String(payload)));
  });
  await page.goto(url);
  return seen;
}

/** Pastes the token as the guides say; it must be enough. */
async function paste({ page }: Seen, token = TOKEN): Promise<void> {
  await page.getByLabel("Token or password").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  await page.getByRole("textbox", { name: "Message" }).fill("hello from afar");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Conversation" }).getByText("demo").first().waitFor();
}

/** The connect frame of the session that was let in, and no trace of the token anywhere else. */
function tokenOnlyIn({ sockets, requests, frames }: Seen, token = TOKEN): void {
  expect(requests.filter((url) => url.includes(token))).toEqual([]);
  expect(sockets.filter((url) => url.includes(token))).toEqual([]);
  const carrying = frames.filter((frame) => frame.includes(token));
  expect(carrying.length).toBeGreaterThan(0);
  for (const frame of carrying)
    expect(JSON.parse(frame)).toMatchObject({ method: "connect", params: { auth: { token } } });
}

const configured = (dir: string, gateway: object): void => {
  mkdirSync(join(dir, ".clawdbot"));
  writeFileSync(
    join(dir, ".clawdbot/clawdbot.json"),
    JSON.stringify({ gateway: { mode: "local", ...gateway } }),
  );
};
const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
const hello = /wss:\/\/claw\.example\.com\//;

it("deploy-065 behind nginx: the https page speaks wss, and the pasted token is enough", async () => {
  const dir = home();
  configured(dir, { allowedHosts: ["claw.example.com"], trustedProxies: ["127.0.0.1"] });
  const gateway = await apart(dir, "gateway", env);
  await beside(gateway, nginx(dir, "claw.example.com", "http://127.0.0.1:18789"), 443, dir);
  const seen = await browse(gateway, dir, "https://claw.example.com/");
  await paste(seen);
  expect(seen.sockets.every((url) => hello.test(url))).toBe(true);
  tokenOnlyIn(seen);
  expect(gateway.log()).not.toMatch(/pairing|not_paired/i);
});

it("deploy-065 behind nginx under a path of its own", async () => {
  const dir = home();
  const controlUi = { basePath: "/claw" };
  configured(dir, {
    controlUi,
    allowedHosts: ["claw.example.com"],
    trustedProxies: ["127.0.0.1"],
  });
  const gateway = await apart(dir, "gateway", env);
  await beside(
    gateway,
    nginx(dir, "claw.example.com", "http://127.0.0.1:18789", "/claw/"),
    443,
    dir,
  );
  const seen = await browse(gateway, dir, "https://claw.example.com/claw/");
  await paste(seen);
  const outside = seen.requests.filter((url) => !url.startsWith("https://claw.example.com/claw/"));
  expect(outside).toEqual([]);
  expect(seen.sockets.every((url) => url.startsWith("wss://claw.example.com/claw/"))).toBe(true);
});

it("deploy-065 a name that nobody told the gateway is refused with the setting that allows it", async () => {
  const dir = home();
  const gateway = await apart(dir, "gateway", env);
  await beside(gateway, nginx(dir, "claw.example.com", "http://127.0.0.1:18789"), 443, dir);
  const { page } = await browse(gateway, dir, "https://claw.example.com/");
  expect(await page.locator("body").innerText()).toContain("gateway.allowedHosts");
});

it("deploy-065 at Fly's edge: https://my-clawdbot.fly.dev/ with the guide's command and no config", async () => {
  const dir = home();
  const fly = { ...env, FLY_APP_NAME: "my-clawdbot", CLAWDBOT_STATE_DIR: join(dir, "data") };
  const words = "gateway --allow-unconfigured --port 3000 --bind lan";
  const gateway = await apart(dir, words, fly);
  const headers =
    'header_up Fly-Client-IP 203.0.113.9\n header_up Fly-Region iad\n header_up X-Forwarded-Port 443\n header_up Via "2 fly.io"';
  await beside(gateway, caddy(dir, "my-clawdbot.fly.dev", "127.0.0.1:3000", headers), 443, dir);
  const seen = await browse(gateway, dir, "https://my-clawdbot.fly.dev/");
  await paste(seen);
  expect(seen.sockets[0]).toStartWith("wss://my-clawdbot.fly.dev/");
  tokenOnlyIn(seen);
});

it("deploy-109 at exe.dev's edge: https://clawdbot.exe.xyz/, and the token goes into the connect frame only", async () => {
  const dir = home();
  const words = `gateway --bind lan --port 8080 --token ${TOKEN}`;
  const gateway = await apart(dir, words, env, "clawdbot");
  await beside(gateway, caddy(dir, "clawdbot.exe.xyz", "127.0.0.1:8080"), 443, dir);
  const seen = await browse(gateway, dir, "https://clawdbot.exe.xyz/");
  await paste(seen);
  tokenOnlyIn(seen);
  const origins = await seen.page.evaluate(() => location.origin);
  expect(origins).toBe("https://clawdbot.exe.xyz");
});

it("deploy-110 another port than the usual one is as good behind a proxy", async () => {
  const dir = home();
  configured(dir, { allowedHosts: ["claw.example.com"], port: 8080, bind: "lan" });
  const gateway = await apart(dir, "gateway", env);
  await beside(gateway, caddy(dir, "claw.example.com", "127.0.0.1:8080"), 443, dir);
  await paste(await browse(gateway, dir, "https://claw.example.com/"));
  expect(cli(dir, "health", { env }).code).toBe(0);
});

it("deploy-077 by the address of Fly's private network, on plain http", async () => {
  const dir = home();
  const words = "gateway --allow-unconfigured --port 3000 --bind lan";
  const gateway = await apart(dir, words, { ...env, FLY_APP_NAME: "my-clawdbot" });
  const seen = await browse(gateway, dir, "http://[fdaa:0:1::3]:3000");
  // No secure context: the page must do without what browsers only give to https.
  expect(await seen.page.evaluate(() => isSecureContext)).toBe(false);
  await paste(seen);
  expect(seen.sockets[0]).toStartWith("ws://[fdaa:0:1::3]:3000/");
});

it("deploy-077 through fly proxy: http://localhost:3000 with the gateway on its own port", async () => {
  const dir = home();
  const words = "gateway --allow-unconfigured --port 3000 --bind lan";
  const gateway = await apart(dir, words, { ...env, FLY_APP_NAME: "my-clawdbot" });
  await paste(await browse(gateway, dir, "http://localhost:3000"));
});

test("deploy-105 through a tunnel to loopback the token is enough, and no device has to be approved", async () => {
  const dir = home();
  const gateway = await start(dir, "gateway --port 0", { env });
  // `ssh -N -L`: bytes in, bytes out, from another port of the reader's own machine.
  const sockets = new Set<Socket>();
  const tunnel = createServer((near) => {
    const far = connect(gateway.port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
  }).listen(0, "127.0.0.1");
  await new Promise((done) => tunnel.once("listening", done));
  const { port } = tunnel.address() as { port: number };
  try {
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    for (const host of ["127.0.0.1", "localhost"])
      for (const origin of [undefined, `http://${host}:${port}`])
        expect(
          (await signIn(`ws://${host}:${port}`, { ...(origin && { headers: { origin } }) }))
            .protocol,
        ).toBe(4);
    const wrong = signIn(`ws://127.0.0.1:${port}`, { auth: () => ({ token: `${TOKEN}x` }) });
    expect(await wrong.catch(String)).toContain("token mismatch");
    expect(gateway.log()).not.toMatch(/pairing/i);
  } finally {
    for (const socket of sockets) socket.destroy();
    tunnel.close();
  }
});

it("deploy-105 and the Control UI opens through it as if it were here", async () => {
  const dir = home();
  const gateway = await apart(dir, "gateway", env);
  const relay = `require("net").createServer((a) => { const b = require("net").connect(18789, "127.0.0.1"); a.pipe(b).pipe(a); a.on("error", () => b.destroy()); b.on("error", () => a.destroy()); }).listen(9999, "127.0.0.1")`;
  await beside(gateway, [process.execPath, "-e", relay], 9999, dir);
  const seen = await browse(gateway, dir, "http://127.0.0.1:9999/");
  await paste(seen);
  expect(seen.sockets[0]).toStartWith("ws://127.0.0.1:9999/");
  tokenOnlyIn(seen);
});
