/** The packages, really built: the released file by its hash, and the program from this source tree. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { lockHash } from "../../../nix/deps.ts";
import { narHash } from "../../../nix/nar.ts";
import pkg from "../../../package.json";
import { BINARY } from "../../e2e/binary.ts";
import { run } from "../lab.ts";
import { ROOT } from "../tree.ts";
import { HERE, type Nix, noNix, openNix } from "./nix.ts";

setDefaultTimeout(300_000);
const VERSION = "2026.1.2";
const sha256 = (data: Uint8Array) => new Bun.CryptoHasher("sha256").update(data).digest("hex");

test("deploy-036 the hashes of the packages are those of this bun.lock", async () => {
  const deps = await Bun.file(join(ROOT, "nix/deps.json")).json();
  // Out of date? `bun nix/deps.ts` fetches and hashes them anew.
  expect(deps.lock).toBe(await lockHash());
  expect(deps.bun).toBe(pkg.devDependencies.bun);
  expect(Object.keys(deps.systems).sort()).toEqual([
    "aarch64-darwin",
    "aarch64-linux",
    "x86_64-darwin",
    "x86_64-linux",
  ]);
});

test("deploy-036 release.json names a file and its hash per system, or says that there is none", async () => {
  const release = await Bun.file(join(ROOT, "nix/release.json")).json();
  if (release.version === null) {
    expect(release.systems).toEqual({});
    expect(release.note).toContain("No release is published yet");
    return;
  }
  const files = {
    "x86_64-linux": "clawdbot-linux-x64.gz",
    "aarch64-linux": "clawdbot-linux-arm64.gz",
    "x86_64-darwin": "clawdbot-darwin-x64.gz",
    "aarch64-darwin": "clawdbot-darwin-arm64.gz",
  };
  for (const [system, file] of Object.entries(files))
    expect(release.systems[system]).toEqual({
      file,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
});

describe.skipIf(noNix !== undefined)("packages", () => {
  let nix: Nix;
  let mirror: string;
  beforeAll(() => {
    nix = openNix();
    mirror = join(nix.dir, "mirror");
    mkdirSync(join(mirror, `download/v${VERSION}`), { recursive: true });
  });
  afterAll(() => nix[Symbol.dispose]());

  /** A release with one file, as a mirror on disk has it. */
  const publish = (program: Uint8Array, hash?: string) => {
    const file = gzipSync(program);
    writeFileSync(join(mirror, `download/v${VERSION}/clawdbot-linux-x64.gz`), file);
    return `pkgs.callPackage (root + "/nix/package.nix") {
      baseUrl = "file://${mirror}";
      release = { version = "${VERSION}"; systems.${HERE} = {
        file = "clawdbot-linux-x64.gz"; sha256 = "${hash ?? sha256(file)}"; }; };
    }`;
  };

  test("deploy-036 the released file is fetched, unpacked, checked and runs, under all three names", () => {
    const program = Buffer.from(
      `#!/bin/sh\n[ "$1" = --version ] && echo ${VERSION} || echo "$@"\n`,
    );
    const { path, stderr } = nix.build(publish(program));
    expect(stderr).not.toContain("error:");
    expect(readdirSync(join(path!, "bin")).sort()).toEqual(["clawdbot", "moltbot", "openclaw"]);
    expect(run([join(path!, "bin/openclaw"), "--version"]).stdout).toBe(`${VERSION}\n`);
    expect(readFileSync(join(path!, "bin/clawdbot"))).toEqual(program);
  });

  test("deploy-036 a file with another hash is not used", () => {
    const program = Buffer.from(`#!/bin/sh\necho ${VERSION} # tampered with\n`);
    const { path, stderr } = nix.build(publish(program, "0".repeat(64)));
    expect(path).toBeUndefined();
    expect(stderr).toContain("hash mismatch");
  });

  test("deploy-036 a file that is cut off, or of another version, is not used", () => {
    const cut = publish(Buffer.from("x"));
    const file = join(mirror, `download/v${VERSION}/clawdbot-linux-x64.gz`);
    const half = gzipSync(new Uint8Array(100_000).map((_, i) => i % 251)).subarray(0, 300);
    writeFileSync(file, half);
    const broken = nix.build(cut.replace(/sha256 = "\w+"/, `sha256 = "${sha256(half)}"`));
    expect(broken.stderr).toContain("unexpected end of file");
    expect(broken.path).toBeUndefined();
    expect(nix.build(publish(Buffer.from("#!/bin/sh\necho 1.0.0\n"))).path).toBeUndefined();
  });

  test("deploy-036 without a release the error names the package that is built from source", () => {
    const expression = (release: string) =>
      `(pkgs.callPackage (root + "/nix/package.nix") { release = ${release}; }).name`;
    expect(() => nix.value(expression("{ version = null; systems = { }; }"))).toThrow(
      /no release is published yet[^]*clawdbot-from-source/,
    );
    expect(() =>
      nix.value(expression(`{ version = "1"; systems = { }; }`), "aarch64-darwin"),
    ).toThrow(
      /release 1 has no file for aarch64-darwin[^]*packages.aarch64-darwin.clawdbot-from-source/,
    );
  });

  test("deploy-036 the hash of a folder is the one that Nix gives it", () => {
    const dir = join(nix.dir, "tree");
    mkdirSync(join(dir, "deep/er"), { recursive: true });
    writeFileSync(join(dir, "deep/file"), "12345678");
    writeFileSync(join(dir, "deep/er/ünï"), "x".repeat(13), { mode: 0o755 });
    writeFileSync(join(dir, "a-b"), "");
    run(["ln", "-s", "deep/file", join(dir, "link")]);
    expect(narHash(dir)).toBe(nix.run("nix", "hash", "path", dir).stdout.trim());
  });

  test("deploy-036 a config that the gateway would refuse fails to build, with the gateway's own words", () => {
    const check = (config: string) =>
      nix.build(`
        let
          ours = import (root + "/nix/module/lib.nix") { inherit lib pkgs; };
          package = pkgs.runCommand "clawdbot" { } ''
            mkdir -p $out/bin; ln -s ${BINARY} $out/bin/clawdbot
          '';
        in ours.configFile { inherit package; check = true; config = ${config}; }`);
    const good = check(
      `{ gateway.mode = "local"; gateway.auth.token = "\${"$"}{NOT_SET_HERE}"; channels.telegram.tokenFile = "/home/ada/.secrets/t"; unset = null; }`,
    );
    expect(good.stderr).not.toContain("error:");
    expect(JSON.parse(readFileSync(good.path!, "utf8"))).toEqual({
      channels: { telegram: { tokenFile: "/home/ada/.secrets/t" } },
      gateway: { auth: { token: "${NOT_SET_HERE}" }, mode: "local" },
    });
    const bad = check(`{ gateway.port = "no port"; }`);
    expect(bad.path).toBeUndefined();
    expect(bad.stderr).toContain("gateway.port");
    expect(bad.stderr).toContain("programs.clawdbot.config has the problems named above");
  });

  /** The program built from this source tree, with a loader at a path that only this test has. Made once. */
  const fromSource = () => (built ??= build());
  let built: { program: string; loader: string } | undefined;
  const build = () => {
    // The packages as the download with a fixed hash has them: no scripts were run, so the engine is where its package has it.
    const modules = join(nix.dir, "modules");
    const leaveOut = /\/node_modules\/(?:\.bin|\.cache|bun|bun-types|fast-check|playwright-core)$/;
    cpSync(join(ROOT, "node_modules"), modules, {
      recursive: true,
      filter: (path) => !leaveOut.test(path),
    });
    const engine = `@oven/bun-linux-${process.arch === "arm64" ? "aarch64" : "x64"}/bin`;
    mkdirSync(join(modules, engine), { recursive: true });
    cpSync(process.execPath, join(modules, engine, "bun"), { dereference: true });
    const loader = join(nix.dir, "ld-nix.so");
    const usual = run(["patchelf", "--print-interpreter", "/bin/sh"]).stdout.trim();
    cpSync(usual, loader, { dereference: true });
    const { path, stderr } = nix.build(`
      let
        stdenv = pkgs.stdenv // { cc.bintools.dynamicLinker = "${loader}"; };
        # Fetching is the test of deps.json; here the folder is taken as it is.
        stdenvNoCC = { mkDerivation = _: ${modules}; };
      in pkgs.callPackage (root + "/nix/from-source.nix") { inherit stdenv stdenvNoCC; }`);
    if (!path) throw new Error(stderr);
    return { program: join(path, "bin/clawdbot"), loader };
  };

  test("deploy-047 the program built from source runs with the loader of nixpkgs", () => {
    const { program, loader } = fromSource();
    expect(run(["patchelf", "--print-interpreter", program]).stdout.trim()).toBe(loader);
    const env = { HOME: nix.dir, PATH: "/usr/bin:/bin" };
    expect(run([program, "--version"], { env }).stdout.trim()).toBe(pkg.version);
    expect(run([program, "config", "get", "gateway.port"], { env }).stdout.trim()).toBe("18789");
  });

  test("deploy-047 a released program gets into the store byte for byte; a stripped one would not pass the check", () => {
    mkdirSync(join(mirror, `download/v${pkg.version}`), { recursive: true });
    const release = (file: string, more = "") => {
      const program = readFileSync(file);
      const expression = publish(program).replaceAll(VERSION, pkg.version);
      const from = join(mirror, `download/v${VERSION}`);
      cpSync(from, join(mirror, `download/v${pkg.version}`), { recursive: true });
      const { path } = nix.build(expression.replace("baseUrl =", `${more} baseUrl =`));
      return path && sha256(readFileSync(join(path, "bin/clawdbot"))) === sha256(program);
    };
    // What stdenv does when it is not told to leave the file alone: what is left is a plain Bun of another version.
    const careless = `stdenvNoCC = pkgs.stdenv // {
      mkDerivation = args: pkgs.stdenv.mkDerivation (removeAttrs args [ "dontStrip" ]); };`;
    expect(release(BINARY)).toBe(true);
    expect(release(fromSource().program)).toBe(true);
    expect(release(fromSource().program, careless)).toBeUndefined();
  });
});
