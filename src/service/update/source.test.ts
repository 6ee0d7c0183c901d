import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { download, fetchSmall, openSource } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-source-"));
/** Without a length, more and more for as long as somebody takes it. */
const endless = () =>
  new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/moved") return Response.redirect("/here");
    if (pathname === "/loop") return Response.redirect("/loop");
    if (pathname === "/plain") return Response.redirect("http://release.example/x");
    if (pathname === "/here") return new Response("it is here");
    if (pathname === "/long") return new Response("x".repeat(5000));
    if (pathname === "/endless") return new Response(endless());
    if (pathname === "/stall") return new Response(new ReadableStream({ start() {} }));
    return new Response("no", { status: pathname === "/broken" ? 500 : 404 });
  },
});
afterAll(async () => {
  await server.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

const source = openSource(`http://127.0.0.1:${server.port}/`, 100);
const signal = new AbortController().signal;
const text = async (path: string, max = 1000, from = source) =>
  new TextDecoder().decode(await fetchSmall(from, path, max, signal));

test("an address is https, a folder, or this machine's http, as for install.sh", () => {
  for (const good of [
    "https://mirror.example/releases",
    "http://127.0.0.1:8080",
    "http://[::1]:8080/x",
    "file:///srv/releases",
  ])
    expect(openSource(`${good}//`).base).toBe(good);
  for (const bad of [
    "http://mirror.example",
    "ftp://mirror.example",
    "http://127.0.0.1.example",
    "mirror.example",
    "file://",
    "https://mirror.example/$(id)`",
    "https://mirror.example/a b",
    "",
  ])
    expect(() => openSource(bad)).toThrow("CLAWDBOT_INSTALL_BASE_URL");
});

test("redirects are followed, but not for ever and never to a place without encryption", async () => {
  expect(await text("moved")).toBe("it is here");
  expect(text("loop")).rejects.toThrow("leads on and on");
  expect(text("plain")).rejects.toThrow("without encryption");
});

test("what is not there, too long, broken or silent is a failure that names the address", async () => {
  expect(text("nothing")).rejects.toThrow(`${source.base}/nothing cannot be downloaded`);
  expect(text("nothing")).rejects.toThrow("answered 404");
  expect(text("broken")).rejects.toThrow("answered 500");
  expect(text("long")).rejects.toThrow("bigger than it can be");
  expect(text("endless", 100_000)).rejects.toThrow("bigger than it can be");
  expect(text("stall")).rejects.toThrow("nothing more came");
});

test("a folder is a source too", async () => {
  writeFileSync(join(folder, "latest.txt"), "2026.1.1\n");
  const files = openSource(`file://${folder}`);
  expect(await text("latest.txt", 100, files)).toBe("2026.1.1\n");
  expect(text("other.txt", 100, files)).rejects.toThrow("no such file");
});

test("a download is private, and has what was sent", async () => {
  const file = join(folder, "long");
  const seen: number[] = [];
  await download(source, "long", file, { max: 5000, signal, progress: (n) => seen.push(n) });
  expect(readFileSync(file, "utf8")).toBe("x".repeat(5000));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(seen.at(-1)).toBe(5000);
  expect(download(source, "long", file, { max: 9999, size: 6000, signal })).rejects.toThrow(
    "cut off",
  );
});

test("Ctrl-C ends a download that stands still", async () => {
  const stop = new AbortController();
  const patient = openSource(source.base, 60_000);
  const waiting = fetchSmall(patient, "stall", 100, stop.signal);
  stop.abort(new Error("stopped"));
  expect(waiting).rejects.toThrow("stopped");
});
