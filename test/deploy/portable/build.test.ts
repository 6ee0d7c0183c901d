/** build.ts and the tools beside it: portable and plain, where the library comes from, the same bytes twice, changing the library. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { needsOf, readCarried } from "../../../scripts/portable/carry.ts";
import { findGlibc } from "../../../scripts/portable/libs.ts";
import { missing, run } from "../lab.ts";
import { copyTree } from "../tree.ts";
import { build, gatewayOf, inRoot, isPortable, makeRoot, noMounts, workFolder } from "./rig.ts";

setDefaultTimeout(120_000);
const why = noMounts();
const work = workFolder();
afterAll(work.remove);
const VERSION = /^\d{4}\.\d+\.\d+\S*\n$/;
const plain = join(work.dir, "plain/clawdbot");
const same = (a: string, b: string) => Buffer.compare(readFileSync(a), readFileSync(b)) === 0;
const tool = (name: string, ...words: string[]) =>
  run([process.execPath, `scripts/portable/${name}.ts`, ...words]);

/** The machine's own glibc in a folder, as somebody gives it with --libs. */
function ownGlibc(): string {
  const folder = join(work.dir, "glibc");
  if (existsSync(folder)) return folder;
  const found = findGlibc(needsOf(readFileSync(plain)));
  if (typeof found === "string") throw new Error(found);
  mkdirSync(folder);
  for (const { name, bytes } of found.libraries)
    writeFileSync(join(folder, name), bytes, { mode: 0o755 });
  return folder;
}

describe.skipIf(why !== undefined)("the build", () => {
  beforeAll(() => {
    expect(build(join(work.dir, "plain"), "--plain").code).toBe(0);
  });

  test("--plain leaves the library out: it starts here, and not where only musl is", () => {
    expect(isPortable(plain)).toBe(false);
    expect(run([plain, "--version"]).stdout).toMatch(VERSION);
    const root = makeRoot(join(work.dir, "root"), { clawdbot: plain });
    expect(run(inRoot(root, ["/clawdbot", "--version"])).code).toBe(127);
  });

  test("--libs takes the library from a folder, and says which it is; two builds give the same bytes", () => {
    const outs = ["one", "two"].map((name) => join(work.dir, name));
    const said = outs.map((out) => build(out, "--libs", ownGlibc()));
    for (const { code, stdout, stderr } of said) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/sha256 [0-9a-f]{64} .*  portable, glibc 2\.\d+ \(.+\)\n/);
    }
    expect(same(join(outs[0]!, "clawdbot"), join(outs[1]!, "clawdbot"))).toBe(true);
  });

  test("a copy of the tree in another folder gives the same bytes", () => {
    const copy = copyTree(join(work.dir, "a deeper/copy of it"));
    // The packages have to lie in the tree: their paths relative to it are in the source maps.
    const modules = ["node_modules", join(copy, "node_modules")];
    // As hard links where the file system is the same.
    if (run(["cp", "-al", ...modules]).code !== 0)
      expect(run(["cp", "-rT", ...modules]).code).toBe(0);
    const made = run([process.execPath, "build.ts", "--plain"], { cwd: copy });
    expect(made.code).toBe(0);
    expect(build(join(work.dir, "again"), "--plain").code).toBe(0);
    expect(same(join(copy, "dist/clawdbot"), join(work.dir, "again/clawdbot"))).toBe(true);
  });

  test.each([
    ["is empty", (dir: string) => dir, "is missing"],
    [
      "has a library for another processor",
      (dir: string) => {
        for (const file of ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"])
          writeFileSync(join(dir, file), Buffer.from("\x7fELF"));
        writeFileSync(join(dir, basename(needsOf(readFileSync(plain)).loader)), "");
        return dir;
      },
      "too short for an ELF file",
    ],
    [
      "has a C library that is not glibc",
      (dir: string) => {
        for (const name of ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"])
          copyFileSync(join(ownGlibc(), "libdl.so.2"), join(dir, name));
        const loader = basename(needsOf(readFileSync(plain)).loader);
        copyFileSync(join(ownGlibc(), "libdl.so.2"), join(dir, loader));
        return dir;
      },
      "is not glibc",
    ],
  ])(
    "when the folder of --libs %s, it is built plain with one clear message",
    (name, fill, reason) => {
      const libs = join(work.dir, `libs ${name}`);
      mkdirSync(libs);
      const out = join(work.dir, `out ${name}`);
      const { code, stdout, stderr } = build(out, "--libs", fill(libs));
      expect(code).toBe(0);
      expect(stdout).toMatch(/  plain\n$/);
      expect(stderr).toContain("this machine is built plain: ");
      expect(stderr).toContain(reason);
      expect(stderr).toContain("not on Alpine, NixOS or in an empty image");
      expect(isPortable(join(out, "clawdbot"))).toBe(false);
    },
  );

  test("the other processor's library is named as missing where Debian's tools are not there", () => {
    const path = join(work.dir, "no-tools");
    mkdirSync(path);
    symlinkSync(process.execPath, join(path, "bun"));
    const target = process.arch === "x64" ? "linux-arm64" : "linux-x64";
    const words = [
      process.execPath,
      "build.ts",
      "--outdir",
      join(work.dir, "bare"),
      "--target",
      target,
    ];
    const { code, stderr } = run(words, { env: { PATH: path, HOME: process.env["HOME"] ?? "" } });
    expect(code).toBe(0);
    expect(stderr).toContain(`${target} is built plain: `);
    expect(stderr).toContain(
      "without apt-get Debian's cannot be fetched. Give a folder that has it: --libs <dir>.",
    );
  });

  test.each([
    [["--libs", "/nowhere"], "The folder of --libs is not there: /nowhere."],
    [["--target", "linux-x64-musl"], "Unknown target"],
    [["--outdir"], "--outdir"],
    [["--fast"], "Use --all, --target"],
  ])("%p is refused", (options, reason) => {
    const { code, stderr } = build(join(work.dir, "never"), ...options);
    expect(code).toBe(1);
    expect(stderr).toContain(reason);
    expect(existsSync(join(work.dir, "never"))).toBe(false);
  });
});

describe.skipIf(why !== undefined)("what is carried", () => {
  const path = join(work.dir, "relinked");

  test("relink puts a glibc into a file and takes it out again, and inspect shows it with its licence", () => {
    copyFileSync(plain, path);
    expect(tool("inspect", path).stdout).toContain("plain, carries nothing");
    expect(tool("relink", path, ownGlibc()).code).toBe(0);
    expect(tool("inspect", path).stdout).toMatch(
      /portable, \w+, carries glibc 2\.\d+ \(.+\)\n(  [0-9a-f]{64}  \d+  \S+\n){5}/,
    );
    expect(tool("inspect", path, "--license").stdout).toBe(
      readFileSync("LICENSES/LGPL-2.1.txt", "utf8"),
    );
    expect(run([path, "--version"]).stdout).toMatch(VERSION);
    expect(tool("relink", path, "--plain").code).toBe(0);
    expect(same(path, plain)).toBe(true);
  });

  test("a folder without glibc leaves the file as it is", () => {
    const { code, stderr } = tool("relink", path, work.dir);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining("stays as it is: "),
    });
    expect(same(path, plain)).toBe(true);
  });

  test("inspect refuses what is no executable, or half of one", () => {
    expect(tool("inspect", "package.json")).toMatchObject({
      code: 1,
      stderr: "package.json is not an ELF file.\n",
    });
    expect(tool("inspect", "/nowhere").code).toBe(1);
    const half = join(work.dir, "half");
    writeFileSync(half, readFileSync(plain).subarray(0, 1_000_000));
    expect(tool("inspect", half).stderr).toContain("is cut short");
  });
});

const noTools = why ?? missing({ patchelf: "patchelf", strip: "binutils" });
describe.skipIf(noTools !== undefined)("tools that change executables", () => {
  test("deploy-047 patchelf --set-interpreter and --set-rpath on the plain executable keep it working, as Nix needs it", async () => {
    const store = "nix/store/glibc/lib";
    const loader = basename(needsOf(readFileSync(plain)).loader);
    const patched = join(work.dir, "patched");
    copyFileSync(plain, patched);
    const words = ["--set-interpreter", `/${store}/${loader}`, "--set-rpath", `/${store}`, patched];
    expect(run(["patchelf", ...words]).code).toBe(0);
    const names = needsOf(readFileSync(plain)).needed;
    const root = makeRoot(join(work.dir, "nixos"), {
      clawdbot: patched,
      ...Object.fromEntries(
        [loader, ...names].map((name) => [`${store}/${name}`, join(ownGlibc(), name)]),
      ),
    });
    expect(run(inRoot(root, ["/clawdbot", "--version"])).stdout).toMatch(VERSION);
    const gateway = await gatewayOf(inRoot(root, ["/clawdbot"]));
    expect((await fetch(`http://127.0.0.1:${gateway.port}/healthz`)).status).toBe(200);
    expect(await gateway.stop()).toBe(0);
  });

  test("deploy-047 the portable executable needs no patching there, and strip and patchelf leave it whole", () => {
    const portable = join(work.dir, "whole");
    copyFileSync(plain, portable);
    expect(tool("relink", portable, ownGlibc()).code).toBe(0);
    const before = join(work.dir, "before");
    copyFileSync(portable, before);
    expect(run(["strip", portable]).code).not.toBe(0);
    expect(run(["patchelf", "--set-interpreter", "/x", portable]).code).not.toBe(0);
    expect(same(portable, before)).toBe(true);
    expect(readCarried(readFileSync(portable), portable)!.note.plainSize).toBe(
      readFileSync(plain).length,
    );
  });

  test("deploy-047 strip turns the plain executable into plain Bun, which is why a package must not do it", () => {
    const stripped = join(work.dir, "stripped");
    copyFileSync(plain, stripped);
    expect(run(["strip", stripped]).code).toBe(0);
    expect(run([stripped, "--version"]).stdout.trim()).not.toMatch(/^2\d{3}\./);
  });
});
