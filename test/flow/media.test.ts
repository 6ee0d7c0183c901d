import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { AppError } from "../../src/base/errors.ts";
import { isPublic, publicAddress } from "../../src/media/address.ts";
import { fetchMedia } from "../../src/media/fetch.ts";
import { Pictures } from "../../src/media/image.ts";
import { Outgoing } from "../../src/media/outgoing.ts";
import { isVoice, sniff } from "../../src/media/sniff.ts";
import { MediaStore } from "../../src/media/store.ts";
import { folder, ogg, png } from "./media-rig.ts";

const never = new AbortController().signal;

describe("the media store", () => {
  test("keeps a file by what it is, under a harmless name, for nobody else to read", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const ref = await store.save("inbound", png(2, 2), {
      mime: "application/x-evil; charset=x",
      name: "../../\u202egnp.exe/..\0 photo.PNG",
      maxBytes: 1_000,
    });
    expect(ref).toMatchObject({ kind: "image", mime: "image/png", size: png(2, 2).length });
    expect(ref.file).toMatch(/^inbound\/[\p{L}\p{N}._-]+---[0-9a-f-]{36}\.PNG$/u);
    expect(ref.file).not.toContain("..");
    const path = await store.path(ref);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir.path, "inbound")).mode & 0o777).toBe(0o700);
    expect(png(2, 2).equals(await (await store.open(ref)).bytes())).toBe(true);
  });

  test("takes a stream in pieces as it comes", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const stream = new ReadableStream<Uint8Array>({
      start(out) {
        for (const word of ["one ", "two ", "three"]) out.enqueue(Buffer.from(word));
        out.close();
      },
    });
    const ref = await store.save("inbound", stream, {
      mime: "text/plain",
      name: "a.txt",
      maxBytes: 100,
    });
    expect(await (await store.open(ref)).text()).toBe("one two three");
    expect(ref).toMatchObject({ kind: "file", mime: "text/plain", size: 13 });
  });

  test("stops at the limit, without reading what comes behind it, and leaves nothing", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 1_000;
        yield new Uint8Array(1_000);
      }
    }
    const refused = store.save("inbound", endless(), { maxBytes: 10_000 });
    await expect(refused).rejects.toMatchObject({
      code: "media_too_large",
      details: { maxBytes: 10_000 },
    });
    expect(given).toBe(11_000);
    expect(readdirSync(join(dir.path, "inbound"))).toEqual([]);
  });

  test("leaves nothing of a stream that breaks off, and says that a disk is full", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    async function* broken(code: string) {
      yield new Uint8Array(10);
      throw Object.assign(new TypeError("broken"), { code });
    }
    await expect(store.save("inbound", broken("ECONNRESET"), { maxBytes: 100 })).rejects.toThrow(
      "broken",
    );
    await expect(store.save("inbound", broken("ENOSPC"), { maxBytes: 100 })).rejects.toMatchObject({
      code: "disk_full",
    });
    expect(readdirSync(join(dir.path, "inbound"))).toEqual([]);
  });

  test.each([
    "inbound/../../etc/passwd",
    "/etc/passwd",
    "inbound/a/b",
    "other/x",
    "",
    "inbound/..",
    "inbound/none",
  ])("gives nothing for the name %j", async (file) => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    mkdirSync(join(dir.path, "inbound"), { recursive: true });
    await expect(store.path({ kind: "file", mime: "", file })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("forgets what is a week old, what was never finished, and the oldest beyond its room", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const names: string[] = [];
    for (let i = 0; i < 4; i++)
      names.push((await store.save("inbound", new Uint8Array(1_000), { maxBytes: 9_999 })).file!);
    const now = Date.now();
    for (const [i, name] of names.entries())
      utimesSync(
        join(dir.path, name),
        new Date(now - (10 - i) * 60_000),
        new Date(now - (10 - i) * 60_000),
      );
    const out = (await store.save("outbound", new Uint8Array(9_000), { maxBytes: 9_999 })).file!;
    writeFileSync(join(dir.path, "inbound/x.part"), "");
    utimesSync(
      join(dir.path, "inbound/x.part"),
      new Date(now - 7_200_000),
      new Date(now - 7_200_000),
    );
    writeFileSync(join(dir.path, "inbound/y.part"), "");
    await new MediaStore(dir.path, 2_500).clean(now);
    expect(names.map((name) => existsSync(join(dir.path, name)))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(existsSync(join(dir.path, "inbound/x.part"))).toBe(false);
    expect(existsSync(join(dir.path, "inbound/y.part"))).toBe(true);
    expect(existsSync(join(dir.path, out))).toBe(true);
    await store.clean(now + 8 * 86_400_000);
    expect(readdirSync(join(dir.path, "inbound"))).toEqual([]);
    expect(readdirSync(join(dir.path, "outbound"))).toEqual([]);
  });

  test("what an older system left in the same folder is never removed, and takes no room from ours", async () => {
    using dir = folder();
    const takenOver = Date.now() - 60_000;
    const store = new MediaStore(dir.path, 2_500, takenOver);
    const ours = (await store.save("inbound", new Uint8Array(2_000), { maxBytes: 9_999 })).file!;
    const theirs = join(dir.path, "inbound/photo---0.jpg");
    writeFileSync(theirs, new Uint8Array(9_000));
    utimesSync(theirs, new Date(takenOver - 1), new Date(takenOver - 1));
    await store.clean();
    expect(existsSync(join(dir.path, ours))).toBe(true);
    await store.clean(Date.now() + 30 * 86_400_000);
    expect(existsSync(theirs)).toBe(true);
    expect(existsSync(join(dir.path, ours))).toBe(false);
  });

  test("keeps within its room by itself when much arrives", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path, 10_000);
    for (let i = 0; i < 40; i++)
      await store.save("inbound", new Uint8Array(1_000), { maxBytes: 9_999 });
    expect(readdirSync(join(dir.path, "inbound")).length).toBeLessThanOrEqual(12);
  });
});

describe("addresses", () => {
  test.each([
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "198.18.0.1",
    "192.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:7f00:1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "::127.0.0.1",
    "fe80::1",
    "fe80::1%lo",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "2002:7f00:1::",
    "2001:db8::1",
    "not an address",
    "",
  ])("%s is not public", (address) => expect(isPublic(address)).toBe(false));
  test.each([
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "192.167.1.1",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
  ])("%s is", (address) => expect(isPublic(address)).toBe(true));
  test("a host one of whose addresses is not public is not asked at all", async () => {
    const both = async () => [
      { address: "8.8.8.8", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ];
    await expect(publicAddress("both.example", both)).rejects.toMatchObject({ code: "forbidden" });
    await expect(publicAddress("none.example", async () => [])).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(
      await publicAddress("a.example", async () => [{ address: "8.8.8.8", family: 4 }]),
    ).toEqual({ address: "8.8.8.8", family: 4 });
  });
  test.each([
    "http://127.1/x",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::1]/",
    "http://localhost/",
    "http://169.254.169.254/latest/meta-data/",
  ])("%s is refused before anything is asked", async (url) => {
    await expect(fetchMedia(url, { signal: never })).rejects.toMatchObject({ code: "forbidden" });
  });
  test.each([
    "file:///etc/passwd",
    "gopher://x/",
    "http://a:b@x.example/",
    "data:text/plain,x",
    "no address",
  ])("%s is no address to fetch from", async (url) => {
    await expect(fetchMedia(url, { signal: never })).rejects.toMatchObject({ code: "forbidden" });
  });
});

describe("a file from the web", () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    const url = request.url ?? "";
    if (url === "/a.png") response.writeHead(200, { "content-type": "image/png" }).end(png(2, 2));
    else if (url === "/page")
      response.writeHead(200, { "content-type": "text/html" }).end("<html>");
    else if (url === "/hop") response.writeHead(302, { location: "/a.png" }).end();
    else if (url === "/inside")
      response.writeHead(302, { location: `http://127.0.0.2:${port}/secret` }).end();
    else if (url === "/away") response.writeHead(302, { location: "file:///etc/passwd" }).end();
    else if (url === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else if (url === "/endless") {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(65_536)));
        response.once("drain", more);
      };
      more();
    } else if (url === "/short") {
      response.writeHead(200, { "content-length": "1000" });
      response.write("x");
      setImmediate(() => response.destroy());
    } else if (url === "/silent") response.writeHead(200).write("x");
    else if (url === "/broken") response.writeHead(503).end();
    else response.writeHead(404).end();
  });
  const ready = new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  let port = 0;
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** 127.0.0.1 plays the world; everything else is closed as ever. Names lead there until `rebind`. */
  const web = {
    allowed: (address: string) => address === "127.0.0.1",
    resolve: async () => [{ address: "127.0.0.1", family: 4 }],
  };
  const outgoing = async (dir: string) => {
    await ready;
    port = (server.address() as AddressInfo).port;
    return new Outgoing({ store: new MediaStore(dir), denied: () => [], web });
  };
  const at = (path: string) => `http://world.example:${port}${path}`;

  test("is fetched from the address that was checked, and known by its bytes", async () => {
    using dir = folder();
    const out = await outgoing(dir.path);
    const ref = await out.ready(out.web(at("/a.png")), 1_000_000, never);
    expect(ref).toMatchObject({ kind: "image", mime: "image/png", name: "a.png" });
    expect(ref.file).toMatch(/^outbound\//);
    expect(asked.at(-1)).toBe(`world.example:${port} /a.png`);
    expect(await out.ready(out.web(at("/hop")), 1_000_000, never)).toMatchObject({
      mime: "image/png",
    });
  });

  test("is not asked for a second time: a name that changes its address in between gains nothing", async () => {
    using dir = folder();
    await outgoing(dir.path);
    let times = 0;
    const resolve = async () => [{ address: times++ ? "127.0.0.2" : "127.0.0.1", family: 4 }];
    const { data } = await fetchMedia(at("/a.png"), { ...web, resolve, signal: never });
    expect(png(2, 2).equals(Buffer.concat(await Array.fromAsync(data)))).toBe(true);
    expect(times).toBe(1);
  });

  test.each([
    ["/inside", "forbidden"],
    ["/away", "forbidden"],
    ["/loop", "not_found"],
    ["/gone", "not_found"],
    ["/page", "not_found"],
    ["/broken", "channel_unreachable"],
    ["/short", "channel_unreachable"],
  ])("at %s is refused: %s", async (path, code) => {
    using dir = folder();
    const out = await outgoing(dir.path);
    asked.length = 0;
    await expect(out.ready(out.web(at(path)), 1_000_000, never)).rejects.toMatchObject({ code });
    expect(asked.join()).not.toContain("secret");
  });

  test("without end is cut at the limit, and one that stops coming at the time limit", async () => {
    using dir = folder();
    const out = await outgoing(dir.path);
    const store = new MediaStore(dir.path);
    const { data } = await fetchMedia(at("/endless"), { ...web, signal: never });
    await expect(store.save("outbound", data, { maxBytes: 200_000 })).rejects.toMatchObject({
      code: "media_too_large",
    });
    const slow = await fetchMedia(at("/silent"), { ...web, timeoutMs: 100, signal: never });
    await expect(Array.fromAsync(slow.data)).rejects.toMatchObject({ code: "channel_unreachable" });
    expect(out).toBeDefined();
  });
});

describe("a file of the workspace", () => {
  const set = (dir: string) => {
    const workspace = join(dir, "work");
    mkdirSync(join(workspace, "out"), { recursive: true });
    mkdirSync(join(workspace, "closed"));
    writeFileSync(join(dir, "secret"), "secret");
    writeFileSync(join(workspace, "closed/key"), "secret");
    writeFileSync(join(workspace, "out/a.txt"), "hello");
    const store = new MediaStore(join(dir, "media"));
    // The program may know a closed folder by another name.
    symlinkSync(join(workspace, "closed"), join(dir, "by-link"));
    const out = new Outgoing({ store, denied: () => [join(dir, "by-link"), dir] });
    return { workspace, store, out };
  };

  test("is copied at once, so it is what it was when it is sent", async () => {
    using dir = folder();
    const { workspace, store, out } = set(dir.path);
    const ref = out.take("./out/a.txt", workspace);
    writeFileSync(join(workspace, "out/a.txt"), "changed");
    expect(ref).toMatchObject({ kind: "file", mime: "text/plain", name: "a.txt", size: 5 });
    expect(await (await store.open(ref)).text()).toBe("hello");
    expect(statSync(await store.path(ref)).mode & 0o777).toBe(0o600);
  });

  test("may be a link that stays inside, and none that leads out", async () => {
    using dir = folder();
    const { workspace, store, out } = set(dir.path);
    symlinkSync("a.txt", join(workspace, "out/link"));
    expect(await (await store.open(out.take("./out/link", workspace))).text()).toBe("hello");
    symlinkSync(join(dir.path, "secret"), join(workspace, "out/bad"));
    symlinkSync(dir.path, join(workspace, "up"));
    for (const path of ["./out/bad", "./up/secret"])
      expect(() => out.take(path, workspace)).toThrow("is not a file of the workspace");
  });

  test.each([
    "../secret",
    "./../secret",
    "/etc/passwd",
    "~/x",
    "./closed/key",
    "./out",
    ".",
    "./none",
    "./a\0b",
  ])("is not %j", (path) => {
    using dir = folder();
    const { workspace, out } = set(dir.path);
    expect(() => out.take(path, workspace)).toThrow(AppError);
    expect(
      existsSync(join(dir.path, "media/outbound"))
        ? readdirSync(join(dir.path, "media/outbound"))
        : [],
    ).toEqual([]);
  });

  test("is never a pipe that nobody writes into", async () => {
    using dir = folder();
    const { workspace, out } = set(dir.path);
    await Bun.$`mkfifo ${join(workspace, "pipe")}`;
    expect(() => out.take("./pipe", workspace)).toThrow("is not a file");
    linkSync(join(workspace, "out/a.txt"), join(workspace, "second"));
    expect(out.take("./second", workspace).size).toBe(5);
  });
});

describe("before it is sent", () => {
  test("a voice note is one only if it is Opus in Ogg", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const out = new Outgoing({ store, denied: () => [] });
    const real = await store.save("outbound", ogg, { as: "voice", maxBytes: 1_000 });
    const fake = await store.save("outbound", Buffer.from("ID3 not a voice"), {
      as: "voice",
      maxBytes: 1_000,
    });
    expect((await out.ready(real, 1_000, never)).as).toBe("voice");
    expect(await out.ready(fake, 1_000, never)).toMatchObject({
      kind: "audio",
      mime: "audio/mpeg",
    });
    expect((await out.ready(fake, 1_000, never)).as).toBeUndefined();
    expect([isVoice(ogg), isVoice(Buffer.from("OggS vorbis")), sniff(ogg)]).toEqual([
      true,
      false,
      "audio/ogg",
    ]);
  });

  test("a file that is too large is named with both sizes", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const out = new Outgoing({ store, denied: () => [] });
    const ref = await store.save("outbound", new Uint8Array(3_000_000), { maxBytes: 9_000_000 });
    await expect(out.ready(ref, 2_000_000, never)).rejects.toMatchObject({
      code: "media_too_large",
      message: "The file has 3 MB, and at most 2 MB can be sent here.",
    });
  });

  test("a picture that is too large is made smaller, one that fits stays as it is", async () => {
    using dir = folder();
    const store = new MediaStore(dir.path);
    const out = new Outgoing({ store, denied: () => [] });
    const bytes = png(900, 600, { noise: true });
    const ref = await store.save("outbound", bytes, { name: "big.png", maxBytes: 9_000_000 });
    const fit = await out.ready(ref, 200_000, never);
    expect(fit).toMatchObject({ kind: "image", mime: "image/jpeg" });
    expect(fit.size!).toBeLessThanOrEqual(200_000);
    expect(await out.ready(ref, 9_000_000, never)).toBe(ref);
  });
});

describe("pictures", () => {
  const pictures = new Pictures();
  const size = (data: Uint8Array) => new Bun.Image(data).metadata();

  test("for a model have at most 2,000 pixels a side, and are never made larger", async () => {
    const big = await pictures.forModel(png(2_600, 130));
    expect("data" in big && (await size(big.data))).toMatchObject({ width: 2_000, height: 100 });
    const small = png(20, 10);
    expect(await pictures.forModel(small)).toEqual({ mime: "image/png", data: small });
  });

  test("that claim to be enormous are not opened", async () => {
    const bomb = png(10_000, 10_000, { empty: true });
    expect(bomb.length).toBeLessThan(1_000);
    expect(await pictures.forModel(bomb)).toEqual({
      note: expect.stringContaining("10000 × 10000 pixels"),
    });
    expect(await pictures.forModel(png(60_000, 60_000, { empty: true }))).toHaveProperty("note");
    await expect(pictures.fit({ mime: "image/png", data: bomb }, 10)).rejects.toMatchObject({
      code: "media_too_large",
    });
  });

  test("that are none are said to be none", async () => {
    const text = Buffer.from("hello");
    expect(await pictures.forModel(text)).toEqual({
      note: "a picture could not be looked at: it is damaged, or no picture",
    });
    await expect(pictures.fit({ mime: "image/png", data: text }, 2)).rejects.toMatchObject({
      code: "bad_request",
    });
  });

  test("that can be seen through stay so where that is possible", async () => {
    const clear = png(1_000, 400, { alpha: true });
    expect((await pictures.fit({ mime: "image/png", data: clear }, clear.length - 1)).mime).toBe(
      "image/png",
    );
  });

  test("that move are left alone, or refused", async () => {
    const gif = { mime: "image/gif", data: Buffer.from("GIF89a and more") };
    expect(await pictures.fit(gif, 100)).toBe(gif);
    await expect(pictures.fit(gif, 5)).rejects.toMatchObject({ code: "media_too_large" });
  });

  test("in Apple's format say what is missing where this machine cannot read it", async () => {
    const heic = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from("ftypheic"),
      Buffer.alloc(400),
    ]);
    expect(await pictures.forModel(heic)).toEqual({
      note: expect.stringMatching(/format \(HEIC|damaged/),
    });
  });
});
