/** `bun run release`, whole, for this machine's system: two checkouts in two places, one key, and everything that may go wrong. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import pkg from "../../../package.json";
import { imagesImpossible } from "../../../scripts/release/image.ts";
import { Manifest, NixRelease, sha256 } from "../../../scripts/release/manifest.ts";
import { missing, run } from "../lab.ts";
import { copyTree } from "../tree.ts";
import { HERE } from "./registry.ts";
import { type Child, startChild } from "./tools.ts";

const scratch = mkdtempSync(join(tmpdir(), "clawdbot-release-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }), 60_000);

const VERSION = pkg.version;
const EPOCH = 1_763_596_800;
const first = join(scratch, "first");
const second = join(scratch, "another/place/second");
const key = join(scratch, "key.pem");
const root = process.platform === "linux" && process.getuid?.() === 0;
const noImages = imagesImpossible();
const env = {
  ...(process.env as Record<string, string>),
  SOURCE_DATE_EPOCH: String(EPOCH),
  CLAWDBOT_SIGNING_KEY: "",
  TZ: "Asia/Tokyo",
};

const command = (...words: string[]) => [process.execPath, "scripts/release/run.ts", ...words];
const release = (tree: string, ...words: string[]) => run(command(...words), { cwd: tree, env });
const make = (tree: string, out: string, ...words: string[]) =>
  release(tree, "--targets", HERE.id, "--out", out, ...words);
const versionDir = (out: string) => join(out, "download", `v${VERSION}`);

beforeAll(() => {
  copyTree(first);
  cpSync(first, second, { recursive: true });
  for (const tree of [first, second]) {
    const done = run([process.execPath, "install", "--frozen-lockfile", "--silent"], { cwd: tree });
    if (done.code !== 0) throw new Error(done.stderr);
  }
}, 120_000);

describe("a release", () => {
  const out = join(scratch, "out");
  const folder = versionDir(out);
  let publicKey = "";

  beforeAll(() => {
    publicKey = release(first, "keygen", key).stdout.trim();
    const done = make(first, out, "--key", key, "--write-nix");
    if (done.code !== 0) throw new Error(done.stderr);
  }, 120_000);

  test("has the layout that install.sh and every mirror expect", () => {
    const name = `clawdbot-${HERE.id}${HERE.exe}`;
    const image = HERE.docker && !noImages ? [`clawdbot-image-${HERE.id}.tar`] : [];
    expect(readdirSync(folder).sort()).toEqual(
      [
        ...image,
        "SHA256SUMS",
        "SHA256SUMS.sig",
        `clawdbot-${VERSION}.tgz`,
        name,
        `${name}.gz`,
        `clawdbot-${HERE.id}-${VERSION}.tgz`,
        "install.sh",
        "latest.txt",
        "manifest.json",
        "nix-release.json",
      ].sort(),
    );
    for (const path of ["latest/download", "download/beta"])
      expect(readFileSync(join(out, path, "latest.txt"), "utf8")).toBe(`${VERSION}\n`);
    expect(readdirSync(out).sort()).toEqual(["download", "latest"]);
    expect(run([join(folder, name), "--version"]).stdout).toBe(`${VERSION}\n`);
    const packed = gunzipSync(readFileSync(join(folder, `${name}.gz`)));
    expect(sha256(packed)).toBe(sha256(readFileSync(join(folder, name))));
  });

  test("carries the public key in install.sh, and nowhere the private one", () => {
    const script = readFileSync(join(folder, "install.sh"), "utf8");
    expect(script.split("\n").filter((line) => line.startsWith("RELEASE_KEY="))).toEqual([
      `RELEASE_KEY="${publicKey}"`,
    ]);
    // The program checks with it what it updates itself to.
    const name = `clawdbot-${HERE.id}${HERE.exe}`;
    expect(readFileSync(join(folder, name)).includes(publicKey)).toBe(true);
    const secret = readFileSync(key, "utf8").split("\n")[1]!;
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name)).includes(secret)).toBe(false);
    const latest = readFileSync(join(out, "latest/download/install.sh"), "utf8");
    expect(latest).toBe(script);
  });

  test("has sums in the form of sha256sum, and a signature that openssl verifies", () => {
    if (Bun.which("sha256sum"))
      expect(run(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: folder }).code).toBe(0);
    const openssl = missing({ openssl: "openssl" });
    if (openssl) return;
    const pem = join(scratch, "public.pem");
    writeFileSync(pem, `-----BEGIN PUBLIC KEY-----\n${publicKey}\n-----END PUBLIC KEY-----\n`);
    const signature = join(scratch, "signature");
    const base64 = readFileSync(join(folder, "SHA256SUMS.sig"), "utf8");
    writeFileSync(signature, Buffer.from(base64, "base64"));
    const words = ["pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in"];
    const sums = join(folder, "SHA256SUMS");
    expect(run(["openssl", ...words, sums, "-sigfile", signature]).code).toBe(0);
  });

  test("has a manifest without a clock, and Nix's table", () => {
    const manifest = Manifest.parse(
      JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")),
    );
    expect(manifest).toMatchObject({
      version: VERSION,
      channel: "stable",
      commit: null,
      dirty: false,
      built: new Date(EPOCH * 1000).toISOString(),
      bun: Bun.version,
    });
    for (const file of manifest.files) {
      const bytes = readFileSync(join(folder, file.name));
      expect({ size: file.size, sha256: file.sha256 }).toEqual({
        size: bytes.length,
        sha256: sha256(bytes),
      });
      if (file.kind === "executable" && HERE.os === "linux") expect(file.glibc).toMatch(/^2\.\d+/);
    }
    const text = readFileSync(join(folder, "nix-release.json"), "utf8");
    const table = NixRelease.parse(JSON.parse(text));
    expect(table.version).toBe(VERSION);
    if (HERE.nix)
      expect(table.systems[HERE.nix]!.sha256).toBe(
        sha256(readFileSync(join(folder, table.systems[HERE.nix]!.file))),
      );
    expect(readFileSync(join(first, "nix/release.json"), "utf8")).toBe(text);
  });

  test("is the same, byte for byte, when it is made again in another place", () => {
    const again = join(scratch, "again");
    const done = make(second, again, "--key", key);
    expect({ code: done.code, said: done.code ? done.stderr : "" }).toEqual({ code: 0, said: "" });
    for (const name of ["SHA256SUMS", "SHA256SUMS.sig"])
      expect(readFileSync(join(versionDir(again), name), "utf8")).toBe(
        readFileSync(join(folder, name), "utf8"),
      );
    rmSync(again, { recursive: true });
  }, 120_000);

  test.skipIf(!!noImages || !HERE.docker)(
    "has an image that runs, with the Dockerfile's settings",
    () => {
      if (noImages) process.stdout.write(`skipped: ${noImages}\n`);
      const tar = join(folder, `clawdbot-image-${HERE.id}.tar`);
      const place = join(scratch, "image");
      const rootfs = join(place, "rootfs");
      mkdirSync(rootfs, { recursive: true });
      expect(run(["tar", "-xf", tar, "-C", place]).code).toBe(0);
      const [index] = JSON.parse(readFileSync(join(place, "manifest.json"), "utf8")) as [
        { Config: string; RepoTags: string[]; Layers: [string] },
      ];
      expect(index.RepoTags).toEqual([`clawdbot:${VERSION}`]);
      const { config } = JSON.parse(readFileSync(join(place, index.Config), "utf8")) as {
        config: Record<string, unknown>;
      };
      expect(config).toMatchObject({
        User: "1000:1000",
        WorkingDir: "/app",
        Entrypoint: ["/sbin/tini", "-s", "--"],
        Cmd: ["node", "dist/index.js", "gateway", "--allow-unconfigured", "--bind", "lan"],
        StopSignal: "SIGTERM",
        ExposedPorts: { "18789/tcp": {} },
        Healthcheck: { Test: ["CMD", "clawdbot", "health", "--quiet"], Interval: 10e9, Retries: 3 },
      });
      expect(run(["tar", "-xpf", join(place, index.Layers[0]), "-C", rootfs]).code).toBe(0);
      // As an engine does it: /proc, and the image's user.
      mkdirSync(join(rootfs, "proc"), { recursive: true });
      const script = `mount -t proc proc "$1/proc"; root=$1; shift; exec chroot --userspec=1000:1000 "$root" "$@"`;
      const inside = (words: string[]) =>
        run(["unshare", "-m", "sh", "-ec", script, "sh", rootfs, ...words], {
          env: { HOME: "/home/node", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        });
      const node = inside(["/usr/local/bin/node", "/app/dist/index.js", "--version"]);
      expect(node).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
      expect(inside(["/bin/sh", "-c", "echo ok >/home/node/clawd/x && id -u"]).stdout).toBe(
        "1000\n",
      );
      if (missing({ skopeo: "skopeo" })) return;
      expect(run(["skopeo", "inspect", `docker-archive:${tar}`]).code).toBe(0);
      rmSync(place, { recursive: true });
    },
    60_000,
  );

  test("is good for verify: by our key, and by the key inside install.sh with a word of warning", () => {
    const own = release(first, "verify", folder, "--key", key);
    expect(own).toMatchObject({ code: 0, stdout: expect.stringContaining("signature good.") });
    const [verdict] = JSON.parse(release(first, "verify", out, "--json").stdout) as object[];
    expect(verdict).toMatchObject({ folder, signature: "good", trusted: false });
  });

  test("is refused by verify after any change", () => {
    const other = join(scratch, "other.pem");
    release(first, "keygen", other);
    const wrongKey = release(first, "verify", folder, "--key", other);
    expect(wrongKey.code).toBe(1);
    expect(wrongKey.stderr).toContain("the signature is not by this key");

    // The copy has the release's own files under second names, so a change is a new file.
    const put = (path: string, bytes: string | Uint8Array) => {
      rmSync(path, { force: true });
      writeFileSync(path, bytes);
    };
    const text = (dir: string) => readFileSync(join(dir, "SHA256SUMS"), "utf8");
    const binary = `clawdbot-${HERE.id}${HERE.exe}`;
    const changes: [what: string, change: (dir: string) => void][] = [
      [
        `${binary} is not what was released`,
        (dir) => {
          const bytes = readFileSync(join(dir, binary));
          bytes[bytes.length >> 1]! ^= 1;
          put(join(dir, binary), bytes);
        },
      ],
      ["latest.txt is missing", (dir) => rmSync(join(dir, "latest.txt"))],
      ["extra.sh is not in SHA256SUMS", (dir) => put(join(dir, "extra.sh"), "x")],
      [
        "SHA256SUMS was changed",
        (dir) => put(join(dir, "SHA256SUMS"), `${text(dir)}${"0".repeat(64)}  x\n`),
      ],
      [
        "a line that is not a sum",
        (dir) => put(join(dir, "SHA256SUMS"), `${text(dir)}../../etc/passwd\n`),
      ],
      ["there is no SHA256SUMS.sig", (dir) => rmSync(join(dir, "SHA256SUMS.sig"))],
      ["the signature is not by this key", (dir) => put(join(dir, "SHA256SUMS.sig"), "hello\n")],
      ["install.sh is missing", (dir) => rmSync(join(dir, "install.sh"))],
    ];
    for (const [what, change] of changes) {
      const copy = join(scratch, "changed");
      mkdirSync(copy);
      for (const name of readdirSync(folder)) linkSync(join(folder, name), join(copy, name));
      change(copy);
      const { code, stderr } = release(first, "verify", copy, "--key", key);
      rmSync(copy, { recursive: true });
      expect({ what, code }).toEqual({ what, code: 1 });
      expect(stderr).toContain(what);
      expect(stderr).toContain("Do not publish it.");
    }
  }, 60_000);

  test("is not made twice: the version that is there stays", () => {
    const { code, stderr } = make(first, out, "--key", key);
    expect(code).toBe(1);
    expect(stderr).toContain(`${folder} is there already.\nRaise the version`);
    expect(readdirSync(out).sort()).toEqual(["download", "latest"]);
  });
});

describe("a release that does not get to its end", () => {
  /** Starts a release, and resolves when it is at work in its hidden folder. */
  async function begin(out: string): Promise<{ child: Child; hidden: string }> {
    const words = command("--targets", HERE.id, "--out", out, "--unsigned");
    const child = startChild(words, { cwd: first, env });
    await child.seen(/: building/);
    return { child, hidden: `.release-${child.pid}` };
  }

  test("killed, it leaves no release, and the next run takes its leftovers away", async () => {
    const out = join(scratch, "killed");
    const killed = await begin(out);
    await killed.child.end();
    expect(readdirSync(out)).toEqual([killed.hidden]);

    const stopped = await begin(out);
    expect(readdirSync(out)).toEqual([stopped.hidden]);
    process.kill(stopped.child.pid, "SIGTERM");
    expect(await stopped.child.exited).toEqual({ code: 143, signal: null });
    expect(stopped.child.log()).toContain("Nothing was released.");
    expect(readdirSync(out)).toEqual([]);
  }, 60_000);

  test.skipIf(!root)(
    "a disk that is too small is named before anything is built",
    () => {
      const disk = join(scratch, "disk");
      mkdirSync(disk);
      expect(run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).code).toBe(0);
      try {
        const { code, stderr } = make(first, join(disk, "out"), "--unsigned");
        expect(code).toBe(1);
        expect(stderr).toContain("is too full: a release of 1 needs 600 MB, and 2 MB are free");
        expect(readdirSync(join(disk, "out"))).toEqual([]);
        // A disk that fills up meanwhile: the same words, for every file that is written.
        run(["sh", "-c", `head -c 3m /dev/zero >'${disk}/full'`]);
        const keygen = release(first, "keygen", join(disk, "key.pem"));
        expect(keygen.code).toBe(1);
        expect(keygen.stderr).toContain("The disk is full");
      } finally {
        run(["umount", disk]);
      }
    },
    60_000,
  );
});
