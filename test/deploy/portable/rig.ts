/**
 * Where the portable executable is started: root file systems that hold next to nothing, each in a mount namespace of its own, so
 * that nothing stays mounted when the process ends. And the plain executable of the same tree, built once per run.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { needsOf, plainOf, readCarried } from "../../../scripts/portable/carry.ts";
import { findGlibc } from "../../../scripts/portable/libs.ts";
import { BINARY } from "../../e2e/binary.ts";
import { listening, watch } from "../../e2e/child.ts";
import { missing, run } from "../lab.ts";

/** Why the tests that need mounts cannot run here; undefined when they can. */
export function noMounts(): string | undefined {
  if (process.platform !== "linux") return "portable executables are for Linux";
  const lacking = missing({ unshare: "util-linux", ip: "iproute2", busybox: "busybox-static" });
  if (lacking) return lacking;
  const reason = existsSync(BINARY)
    ? run(["unshare", "-m", "true"]).code === 0
      ? undefined
      : "this user may not make a mount namespace"
    : `there is no ${BINARY}`;
  if (reason) process.stdout.write(`skipped: ${reason}\n`);
  return reason;
}

/** A folder that goes away with the run that made it. */
export function workFolder(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-portable-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Builds into `outdir` with the options and gives what the build said. */
export const build = (outdir: string, ...options: string[]) =>
  run([process.execPath, "build.ts", "--outdir", outdir, ...options]);

/** A root file system with /proc and /dev as mount points and these files (path in it → file outside), nothing else. */
export function makeRoot(root: string, files: Record<string, string>): string {
  for (const name of ["proc", "dev"]) mkdirSync(join(root, name), { recursive: true });
  for (const [path, source] of Object.entries(files)) {
    const at = join(root, path);
    if (existsSync(at)) continue;
    mkdirSync(dirname(at), { recursive: true });
    try {
      linkSync(source, at);
    } catch {
      // Another file system.
      copyFileSync(source, at);
    }
  }
  return root;
}

/** The command that runs `words` in a root made by {@link makeRoot}. `mounts`: what is there beside the files. */
export function inRoot(
  root: string,
  words: string[],
  mounts: "proc and dev" | "dev" = "proc and dev",
): string[] {
  const proc = mounts === "dev" ? "" : 'mount -t proc proc "$root/proc"; ';
  const script = `set -e; root=$1; shift; ${proc}mount --rbind /dev "$root/dev"; exec chroot "$root" "$@"`;
  return ["unshare", "-m", "sh", "-c", script, "sh", root, ...words];
}

/** The environment of a program inside a root. */
export const insideEnv = { HOME: "/home/me", PATH: "/bin:/usr/bin:/usr/sbin:/sbin", NO_COLOR: "1" };

/** Starts a gateway with `command` in front of its words, and waits until it says that it listens. @throws Error with its log */
export async function gatewayOf(command: string[], env: Record<string, string> = insideEnv) {
  const words = [...command, "gateway", "--allow-unconfigured", "--port", "0"];
  const child = Bun.spawn(words, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const { log, seen, ended } = watch(child);
  const port = await listening({ log, seen });
  return {
    port,
    pid: child.pid,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
      return child.exitCode;
    },
  };
}

/** Runs JavaScript with the runtime inside the executable, which is otherwise only for re-executing. */
export const asRuntime = { BUN_BE_BUN: "1", PATH: process.env["PATH"] ?? "", NO_COLOR: "1" };

/** The same as `-e` words, for {@link asRuntime}: prints which files the process has mapped. */
export const MAPS = [
  "-e",
  "console.log(require('node:fs').readFileSync('/proc/self/maps', 'utf8'))",
];

/** This machine's own glibc for an executable: path in a root (the loader's is fixed) → file, written into `folder`. */
export function ownGlibc(executable: string, folder: string): Record<string, string> {
  const bytes = readFileSync(executable);
  const needs = needsOf(readCarried(bytes, executable) ? plainOf(bytes, executable) : bytes);
  const found = findGlibc(needs);
  if (typeof found === "string") throw new Error(found);
  mkdirSync(folder, { recursive: true });
  return Object.fromEntries(
    found.libraries.map(({ name, bytes: library }, i) => {
      writeFileSync(join(folder, name), library, { mode: 0o755 });
      return [i === 0 ? needs.loader.slice(1) : `lib/${name}`, join(folder, name)];
    }),
  );
}

/** True when the file carries its library. */
export const isPortable = (path: string): boolean =>
  readCarried(readFileSync(path), path) !== undefined;

/** A `bwrap --seccomp` program that makes memfd_create() fail with EPERM, as a strict container does. x64 only. */
export function refuseMemfd(): Uint8Array {
  const step = (code: number, jt: number, jf: number, k: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(jt, 2);
    bytes.writeUInt8(jf, 3);
    bytes.writeUInt32LE(k, 4);
    return bytes;
  };
  const [load, equal, answer] = [0x20, 0x15, 0x06];
  return Buffer.concat([
    step(load!, 0, 0, 0),
    step(equal!, 0, 1, 319),
    step(answer!, 0, 0, 0x00050001),
    step(answer!, 0, 0, 0x7fff0000),
  ]);
}
