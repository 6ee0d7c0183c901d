import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildPage } from "../../src/gateway/http/ui.ts";
import { dial, signedIn } from "./dial.ts";
import { openRig, type Rig, TOKEN } from "./rig.ts";

const HTML = `<!doctype html><html><head><base href="/" /><link rel="stylesheet" href="./s.css" /><script type="module" src="./m.ts"></script></head><body></body></html>`;
const folder = mkdtempSync(join(tmpdir(), "ui-"));
writeFileSync(join(folder, "index.html"), HTML);
writeFileSync(join(folder, "s.css"), "body{color:red}");
writeFileSync(
  join(folder, "m.ts"),
  `export const big: string = "${"x".repeat(2_000)}"; document.title = big;`,
);
const ui = () => buildPage(join(folder, "index.html"));

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ ui });
});
afterAll(async () => {
  await rig.close();
  rmSync(folder, { recursive: true });
});
const get = (path: string, init?: RequestInit) =>
  fetch(rig.http + path, { redirect: "manual", ...init });

/** Sends bytes as they are and gives the first line of the answer. */
function raw(text: string, port = rig.gateway.port): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1");
  socket.once("data", (bytes) => {
    resolve(String(bytes).split("\r\n")[0]!);
    socket.destroy();
  });
  socket.once("close", () => resolve("closed"));
  socket.once("error", () => resolve("closed"));
  socket.write(text);
  return promise;
}

describe("health", () => {
  test("liveness is a constant, for GET and HEAD, under any host name, without a secret", async () => {
    for (const path of ["/health", "/healthz"]) {
      const answer = await get(path, { headers: { host: "whatever.example" } });
      expect([answer.status, await answer.text()]).toEqual([200, '{"ok":true,"status":"live"}']);
      const head = await get(path, { method: "HEAD" });
      expect([head.status, await head.text()]).toEqual([200, ""]);
    }
  });

  test("readiness says what fails only to this machine, never a version", async () => {
    Object.assign(rig.readiness, { ready: false, failing: ["store"] });
    const local = await get("/readyz");
    expect([local.status, await local.json()]).toEqual([503, { ready: false, failing: ["store"] }]);
    const remote = await get("/ready", { headers: { "x-forwarded-for": "203.0.113.4" } });
    expect([remote.status, await remote.json()]).toEqual([503, { ready: false }]);
    expect((await get("/startupz")).status).toBe(503);
    Object.assign(rig.readiness, { ready: true, failing: [] });
    expect((await get("/ready")).status).toBe(200);
    expect((await get("/startup")).status).toBe(200);
  });

  test("a full disk is not ready, but it has started", async () => {
    await using own = await openRig();
    const state: { problem?: string } = { problem: "The disk is almost full." };
    own.store.problem = () => state.problem;
    const ready = await fetch(`${own.http}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, failing: ["disk"] }]);
    expect((await fetch(`${own.http}/startupz`)).status).toBe(200);
    const client = await signedIn(own.url);
    expect(await client.call("health", {})).toMatchObject({
      ok: false,
      ready: false,
      failing: ["disk"],
      problems: ["The disk is almost full."],
    });
    delete state.problem;
    expect((await fetch(`${own.http}/readyz`)).status).toBe(200);
    expect(await client.call("health", {})).toMatchObject({ ok: true, ready: true, failing: [] });
    client.socket.close();
  });

  test("other verbs on a health path are refused", async () => {
    expect((await get("/healthz", { method: "POST" })).status).toBe(405);
  });
});

/** What a page may do. Whatever is added here opens a way for data to leave, or for another site to get in. */
const ROWS = new Map([
  ["default-src", "'self'"],
  ["script-src", "'self'"],
  ["style-src", "'self'"],
  ["img-src", "'self' data: blob:"],
  ["connect-src", "'self'"],
  ["object-src", "'none'"],
  ["base-uri", "'self'"],
  ["form-action", "'none'"],
  ["frame-ancestors", "'none'"],
]);

describe("every answer", () => {
  test("has the security headers and no CORS", async () => {
    for (const path of ["/", "/healthz", "/nope.js", "/assets/none.js", "/api/x"]) {
      const { headers } = await get(path, { headers: { origin: "https://evil.example" } });
      const policy = headers.get("content-security-policy")!.split("; ");
      expect(policy.map((row) => row.split(" ")[0])).toEqual([...new Set(ROWS.keys())]);
      for (const row of policy) {
        const [name, ...sources] = row.split(" ");
        expect([name, sources.join(" ")]).toEqual([name, ROWS.get(name!)]);
      }
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(headers.get("server")).toBeNull();
    }
  });

  test("a preflight is refused on every path", async () => {
    for (const path of ["/", "/api/sign-in", "/healthz", "/v1/chat/completions"])
      expect((await get(path, { method: "OPTIONS" })).status).toBe(403);
  });

  test("a foreign host name gets 421 and learns the setting", async () => {
    const answer = await get("/", { headers: { host: "evil.example" } });
    expect(answer.status).toBe(421);
    expect(await answer.text()).toContain("gateway.allowedHosts");
    expect(await raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")).toContain("421");
  });

  test("a write from a page of another site gets 403", async () => {
    for (const path of ["/", "/api/sign-in", "/hooks/wake"])
      expect(
        (
          await get(path, {
            method: "POST",
            body: "{}",
            headers: { origin: "https://evil.example", "content-type": "text/plain" },
          })
        ).status,
      ).toBe(403);
  });

  test("unknown paths and switched-off endpoints look the same, and nothing tells the version", async () => {
    for (const path of ["/v1/chat/completions", "/v1/responses", "/tools/invoke", "/anything"])
      expect((await get(path, { method: "POST", body: "{}" })).status).toBe(405);
    for (const path of [
      "/version",
      "/nope.php",
      "/.env",
      "/assets/../../etc/passwd",
      "/%2e%2e/secret.txt",
    ])
      expect(await (await get(path)).text()).not.toContain("1.2.3");
    expect((await get("/api/nope")).status).toBe(404);
  });
});

describe("the page", () => {
  test("refers to its files below the base path, with no inline script", async () => {
    const answer = await get("/");
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    const html = await answer.text();
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1]!);
    expect(links).toContain("/");
    const files = links.filter((link) => link !== "/");
    expect(files).toHaveLength(2);
    for (const file of files) {
      expect(file).toMatch(/^\/assets\/.+-[a-z0-9]{8}\.(js|css)$/);
      const asset = await get(file);
      expect(asset.status).toBe(200);
      expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    }
    expect(html).not.toMatch(/<script(?![^>]*src=)/);
  });

  test("is the answer to every deep link, but not to a missing file", async () => {
    const home = await (await get("/")).text();
    for (const path of ["/chat", "/sessions/agent:main:main", "/a/b/c", "/index.html"])
      expect(await (await get(path)).text()).toBe(home);
    expect((await get("/missing.js")).status).toBe(404);
    expect((await get("/assets/missing")).status).toBe(404);
    expect((await get("/ui/x")).status).toBe(404);
  });

  test("assets are found at any depth, so that deep links resolve", async () => {
    const script = /src="\/assets\/([^"]+)"/.exec(await (await get("/")).text())![1]!;
    expect((await get(`/a/b/assets/${script}`)).status).toBe(200);
  });

  test("is compressed once and revalidated by its tag", async () => {
    const script = /src="([^"]+)"/.exec(await (await get("/")).text())![1]!;
    const zipped = await get(script, {
      headers: { "accept-encoding": "gzip" },
      decompress: false,
    } as RequestInit);
    expect(zipped.headers.get("content-encoding")).toBe("gzip");
    const bytes = await zipped.bytes();
    expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toContain("xxxx");
    const plain = await get(script, { headers: { "accept-encoding": "identity" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    const etag = plain.headers.get("etag")!;
    const again = await get(script, { headers: { "if-none-match": `W/"x", ${etag}` } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const head = await get(script, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test("globals and config come from files of their own", async () => {
    const script = await (await get("/assets/globals.js")).text();
    expect(script).toContain('globalThis.__CLAWDBOT_CONTROL_UI_BASE_PATH__="";');
    expect(script).toContain('globalThis.__OPENCLAW_ASSISTANT_NAME__="Assistant";');
    expect(await (await get("/control-ui-config.json")).json()).toMatchObject({
      basePath: "",
      assistantName: "Assistant",
      authMode: "token",
    });
  });

  test("under a base path: redirect at its root, 404 outside, everything inside", async () => {
    await using based = await openRig({
      ui,
      file: { gateway: { controlUi: { basePath: "/bot/" } } },
    });
    const at = (path: string) => fetch(based.http + path, { redirect: "manual" });
    const root = await at("/bot?x=1");
    expect([root.status, root.headers.get("location")]).toEqual([302, "/bot/?x=1"]);
    expect((await at("/")).status).toBe(404);
    expect((await at("/botany")).status).toBe(404);
    const html = await (await at("/bot/chat")).text();
    expect(html).toContain('<base href="/bot/"');
    const script = /src="([^"]+)"/.exec(html)![1]!;
    expect(script).toStartWith("/bot/assets/");
    expect((await at(script)).status).toBe(200);
    expect((await at("/healthz")).status).toBe(200);
  });

  test("scripts that name each other from the root, as in a binary, find each other under any base path", async () => {
    const file = (path: string, type: string, text: string, entry = false) => ({
      path,
      type,
      bytes: new TextEncoder().encode(text),
      entry,
    });
    await using based = await openRig({
      file: { gateway: { controlUi: { basePath: "/bot" } } },
      ui: async () => [
        file("index.html", "text/html", '<script src="/a-12345678.js"></script>', true),
        file("a-12345678.js", "text/javascript", 'import("/b-12345678.js");fetch("/api")'),
        file("b-12345678.js", "text/javascript", "1"),
        file("c-12345678.css", "text/css", "a{background:url(/d.svg)}"),
        file("d.svg", "image/svg+xml", "<svg/>"),
      ],
    });
    const text = async (path: string) => (await fetch(based.http + path)).text();
    expect(await text("/bot/")).toContain('src="/bot/assets/a-12345678.js"');
    expect(await text("/bot/assets/a-12345678.js")).toBe('import("./b-12345678.js");fetch("/api")');
    expect(await text("/bot/assets/c-12345678.css")).toBe("a{background:url(./d.svg)}");
    expect((await fetch(`${based.http}/bot/assets/d.svg`)).headers.get("cache-control")).toBe(
      "no-cache",
    );
  });

  test("switched off it is not there", async () => {
    await using off = await openRig({ ui, file: { gateway: { controlUi: { enabled: false } } } });
    expect((await fetch(`${off.http}/`)).status).toBe(404);
    expect((await fetch(`${off.http}/healthz`)).status).toBe(200);
  });

  test("a page that cannot be built is an error without a path, and is tried again", async () => {
    let calls = 0;
    await using broken = await openRig({
      ui: () => (calls++ === 0 ? Promise.reject(new Error("no /home/me/web")) : ui()),
    });
    const first = await fetch(`${broken.http}/`);
    expect(first.status).toBe(500);
    expect(await first.text()).not.toContain("/home/me");
    expect((await fetch(`${broken.http}/`)).status).toBe(200);
  });

  test("the avatar route answers its question about where the picture is", async () => {
    expect(await (await get("/avatar/main?meta=1")).json()).toEqual({ avatarUrl: null });
    expect((await get("/avatar/main")).status).toBe(404);
  });
});

describe("sign-in links", () => {
  const redeem = (ticket: unknown, headers: Record<string, string> = {}) =>
    get("/api/sign-in", {
      method: "POST",
      body: JSON.stringify({ ticket }),
      headers: { "content-type": "application/json", origin: rig.http, ...headers },
    });

  test("a ticket is exchanged for the token exactly once", async () => {
    const ticket = new URLSearchParams(rig.gateway.createTicket().slice(1)).get("ticket");
    const first = await redeem(ticket);
    expect(first.headers.get("cache-control")).toBe("no-store");
    expect(await first.json()).toEqual({ token: TOKEN });
    const second = await redeem(ticket);
    expect(second.status).toBe(401);
    expect(await second.text()).not.toContain(TOKEN);
  });

  test("of ten that race with one ticket, one wins", async () => {
    await using own = await openRig();
    const ticket = own.gateway.createTicket().split("=")[1];
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        fetch(`${own.http}/api/sign-in`, {
          method: "POST",
          body: JSON.stringify({ ticket }),
          headers: { "content-type": "application/json" },
        }),
      ),
    );
    expect(answers.filter((a) => a.status === 200)).toHaveLength(1);
  });

  test("guesses are counted with all other failures", async () => {
    await using own = await openRig();
    const headers = { "content-type": "application/json", origin: own.http };
    const body = JSON.stringify({ ticket: "x".repeat(43) });
    const guess = () => fetch(`${own.http}/api/sign-in`, { method: "POST", body, headers });
    for (let i = 0; i < 10; i++) expect((await guess()).status).toBe(401);
    const locked = await guess();
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(290);
    const page = await dial(own.url, { origin: own.http });
    expect((await page.connect()).error?.details).toMatchObject({ code: "AUTH_RATE_LIMITED" });
  });

  test("a link works during a lock-out, and ends it for who holds it", async () => {
    await using own = await openRig();
    const headers = { "content-type": "application/json", origin: own.http };
    const post = (ticket: string | undefined) =>
      fetch(`${own.http}/api/sign-in`, {
        method: "POST",
        body: JSON.stringify({ ticket }),
        headers,
      });
    for (let i = 0; i < 11; i++) await post("x".repeat(43));
    expect((await post("x".repeat(43))).status).toBe(429);
    const answer = await post(own.gateway.createTicket().split("=")[1]);
    expect([answer.status, await answer.json()]).toEqual([200, { token: TOKEN }]);
    const page = await dial(own.url, { origin: own.http });
    expect((await page.connect()).ok).toBe(true);
    page.socket.close();
  });

  test("what is no ticket is refused without a word about it", async () => {
    expect((await redeem(5)).status).toBe(400);
    expect((await redeem("x".repeat(5_000))).status).toBe(400);
    expect((await redeem("x".repeat(43), { "content-type": "text/plain" })).status).toBe(415);
    expect((await get("/api/sign-in")).status).toBe(405);
    const headers = { "content-type": "application/json" };
    for (const body of ["", "{", "[".repeat(2_000), '{"__proto__":{"ticket":"x"}}'])
      expect((await get("/api/sign-in", { method: "POST", body, headers })).status).toBe(400);
  });
});

describe("broken requests", () => {
  test("a sign-in is small: more is refused before it has come, and when it comes without a length", async () => {
    const head =
      "POST /api/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    expect(await raw(`${head}Content-Length: 4097\r\n\r\n`)).toContain("400");
    const ticket = rig.gateway.createTicket().split("=")[1]!;
    const padded = JSON.stringify({ ticket }).padEnd(4_097);
    const chunked = `${padded.length.toString(16)}\r\n${padded}\r\n0\r\n\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunked}`)).toContain("400");
    const body = padded.slice(0, 4_096);
    const sent = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    expect(await raw(sent)).toContain("200");
  });

  test("a body that is cut in the middle harms nobody", async () => {
    const socket = connect(rig.gateway.port, "127.0.0.1");
    socket.write(
      `POST /api/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"tic`,
      () => socket.destroy(),
    );
    await new Promise((resolve) => socket.once("close", resolve));
    expect((await get("/healthz")).status).toBe(200);
    while (!rig.logs.some((l) => l.message === "a request body was cut off"))
      await new Promise((resolve) => setImmediate(resolve));
    expect(rig.logs.filter((l) => l.level === "error")).toEqual([]);
  });

  test("a body beyond the limit gets 413, whatever length it claims", async () => {
    const head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    for (const length of [1_048_577, 999_999_999])
      expect(await raw(`${head}Content-Length: ${length}\r\n\r\nx`)).toContain("413");
    const chunk = `100000\r\n${"a".repeat(0x100000)}\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`)).toMatch(
      /405|413/,
    );
  });

  test("half a request is not waited for: the network gets ten seconds without a byte", async () => {
    using served = spyOn(Bun, "serve");
    await using own = await openRig();
    expect(own.gateway.port).toBeGreaterThan(0);
    const given = served.mock.calls.map(([options]) => options as { idleTimeout?: number });
    expect(given.map(({ idleTimeout }) => idleTimeout)).toEqual([10]);
  });

  test("what is no HTTP is answered or closed", async () => {
    for (const text of [
      "\0\0\0\0\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "\x16\x03\x01\x02\x00\r\n\r\n",
    ])
      expect(await raw(text)).toMatch(/^HTTP\/1\.1 4\d\d|closed/);
    expect((await get("/healthz")).status).toBe(200);
  });
});
