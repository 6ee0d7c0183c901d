/**
 * Finds the C library that a portable executable carries: in the folder of `--libs`, on this machine when it has the same
 * processor, or else in Debian's package for the other processor, which is fetched into a cache without touching this system.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

import type { Library } from "./carry.ts";
import { ElfError, type Machine, readElf } from "./elf.ts";

/** A glibc that is complete. `version` as it names itself: "2.36 (Debian GLIBC 2.36-9+deb12u14)". */
export type Glibc = { version: string; libraries: Library[] };

/** What has to be found, from the executable itself. */
export type Needs = { loader: string; needed: string[]; machine: Machine };

/** ELF's, Debian's and the multiarch folders' words for the processors. */
const DEBIAN: Record<Machine, { arch: string; folder: string }> = {
  x64: { arch: "amd64", folder: "x86_64-linux-gnu" },
  arm64: { arch: "arm64", folder: "aarch64-linux-gnu" },
};

const CACHE = resolve(import.meta.dir, "../../node_modules/.cache/clawdbot-glibc");

/** @param folder of `--libs`: then nothing else is looked at. @returns the library, or in one sentence why it cannot be had */
export function findGlibc(needs: Needs, folder?: string): Glibc | string {
  if (/ld-musl/.test(needs.loader))
    return "this Bun is the one for musl, which needs the machine's own musl. Build with --target linux-x64 or linux-arm64.";
  if (folder !== undefined) return firstOf([join(folder, needs.machine), folder], needs);
  if (process.platform !== "linux")
    return `glibc for ${needs.machine} is not on this ${process.platform} machine. Give a folder that has it: --libs <dir>.`;
  if (needs.machine === process.arch) return firstOf(ownFolders(needs), needs);
  return fromDebian(needs);
}

/** Where distributions keep the C library. The loader's real place comes first: its library stands beside it. */
function ownFolders({ loader, machine }: Needs): string[] {
  const places = ["/lib", "/usr/lib"].flatMap((lib) => [
    join(lib, DEBIAN[machine].folder),
    `${lib}64`,
    lib,
  ]);
  return existsSync(loader) ? [dirname(realpathSync(loader)), ...places] : places;
}

function firstOf(folders: string[], needs: Needs): Glibc | string {
  const reasons = new Set<string>();
  for (const folder of folders.filter((path) => existsSync(path))) {
    const found = readFolder(folder, needs);
    if (typeof found !== "string") return found;
    reasons.add(found);
  }
  return reasons.values().next().value ?? `there is no glibc in ${folders.join(", ")}.`;
}

/** All of one folder, because the loader and the library have to be of the same build. */
function readFolder(folder: string, { loader, needed, machine }: Needs): Glibc | string {
  const names = new Set([loader.split("/").at(-1)!, ...needed]);
  const libraries: Library[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (!existsSync(path)) return `${path} is missing.`;
    const bytes = readFileSync(path);
    try {
      if (readElf(bytes, path).machine !== machine) return `${path} is not for ${machine}.`;
    } catch (error) {
      if (error instanceof ElfError) return error.message;
      throw error;
    }
    libraries.push({ name, bytes });
  }
  const versions = libraries
    .filter(({ name }) => name.startsWith("ld-") || name.startsWith("libc.so"))
    .map(({ bytes }) => versionOf(bytes));
  const version = versions.find((text) => text !== undefined);
  if (version === undefined) return `the C library in ${folder} is not glibc.`;
  if (versions.some((text) => text !== undefined && text !== version))
    return `the loader and the C library in ${folder} are of different versions (${versions.join(", ")}).`;
  return { version, libraries };
}

/** The loader and libc.so.6 both hold the sentence "… (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36." */
function versionOf(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString("latin1");
  const match = /\(([^()\0\n]{1,80})\) (?:stable|development) release version (\d+\.\d+)/.exec(
    text,
  );
  return match ? `${match[2]} (${match[1]})` : undefined;
}

/** The package of the same version as this machine's own when there is one, so that both processors carry the same. */
function fromDebian(needs: Needs): Glibc | string {
  const hint = "Give a folder that has it: --libs <dir>.";
  const { arch, folder } = DEBIAN[needs.machine];
  for (const tool of ["apt-get", "dpkg-deb"])
    if (!Bun.which(tool))
      return `glibc for ${needs.machine} is not on this machine, and without ${tool} Debian's cannot be fetched. ${hint}`;
  const own = output(["dpkg-query", "-W", "-f", "${Version}", "libc6"]);
  const cached = join(CACHE, `${arch}-${own || "newest"}`);
  const at = join(cached, "lib", folder);
  if (!existsSync(cached)) {
    const reason = fetchPackage(arch, own, cached);
    if (reason) return `glibc for ${needs.machine} could not be fetched: ${reason} ${hint}`;
  }
  return firstOf([at, join(cached, "usr/lib", folder)], needs);
}

/** apt with folders of its own, so that it needs no root, asks no lock and adds no architecture to the system. */
function fetchPackage(arch: string, version: string, to: string): string | undefined {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, ".fetch-"));
  try {
    for (const dir of ["lists/partial", "archives/partial", "deb", "out"])
      mkdirSync(join(work, dir), { recursive: true });
    const apt = [
      "apt-get",
      "-q",
      ...[
        `APT::Architecture=${arch}`,
        `APT::Architectures=${arch}`,
        "APT::Sandbox::User=",
        "Acquire::Languages=none",
        `Dir::State::lists=${work}/lists`,
        "Dir::State::status=/dev/null",
        `Dir::Cache=${work}`,
      ].flatMap((option) => ["-o", option]),
    ];
    const update = run([...apt, "update"], work);
    if (update) return update;
    const exact = version ? run([...apt, "download", `libc6=${version}`], join(work, "deb")) : "";
    if (exact !== undefined) {
      const newest = run([...apt, "download", "libc6"], join(work, "deb"));
      if (newest) return newest;
    }
    const unpacked = run(["sh", "-c", "dpkg-deb -x deb/*.deb out"], work);
    if (unpacked) return unpacked;
    // Another build may have been faster.
    if (!existsSync(to)) renameSync(join(work, "out"), to);
    return undefined;
  } catch (error) {
    // A full disk: the build can go on without it.
    return String(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @returns what a failed command said, in one line; undefined when it succeeded */
function run(command: string[], cwd: string): string | undefined {
  const done = Bun.spawnSync(command, { cwd, stdout: "pipe", stderr: "pipe", timeout: 180_000 });
  if (done.success) return undefined;
  const lines = done.stderr.toString().trim().split("\n");
  return (lines.find((line) => line.startsWith("E: ")) ?? lines.at(-1)) || `${command[0]} failed.`;
}

const output = (command: string[]): string =>
  Bun.which(command[0]!)
    ? Bun.spawnSync(command, { stderr: "ignore" }).stdout.toString().trim()
    : "";
