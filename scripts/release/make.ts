/**
 * Makes a release: everything into a hidden folder beside its place, then one rename. So a release is there whole or not at all,
 * whatever ends this program; a hidden folder that a killed run left is removed by the next one.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

import { readCarried } from "../portable/carry.ts";
import { binaryName, type Target } from "../targets.ts";
import { imagesImpossible, makeImage } from "./image.ts";
import { openKey, type ReleaseKey } from "./key.ts";
import {
  type Facts,
  type Manifest,
  type NixRelease,
  readFacts,
  type ReleaseFile,
  ROOT,
  sha256,
} from "./manifest.ts";
import type { Options } from "./options.ts";
import { launcherPackage, systemPackage } from "./packages.ts";
import { Problem } from "./problem.ts";
import { SIGNATURE, SUMS } from "./verify.ts";

const PLACEHOLDER = 'RELEASE_KEY="@RELEASE_KEY@"';
/** Bytes that one target takes at most: executable, its .gz, the npm package, the image, and the build's own copies. */
const PER_TARGET = 600_000_000;

export type Progress = (line: string) => void;
export type Made = { folder: string; manifest: Manifest; publicKey: string | undefined };

/** What is known before anything is built. */
type Plan = {
  options: Options;
  facts: Facts;
  key: ReleaseKey | undefined;
  /** Where the version's files will be. */
  folder: string;
  /** Why there are no images; undefined when there are. */
  noImages: string | undefined;
  installer: string;
};

/** Checks all that can be checked early. @throws Problem */
export function planRelease(options: Options, env: Record<string, string | undefined>): Plan {
  const facts = readFacts(env);
  if (facts.dirty && !options.allowDirty)
    throw new Problem(
      "Files differ from the commit, so nobody could make this release again.",
      "Commit them (see: git status), or pass --allow-dirty for a trial.",
    );
  if (options.key === undefined && !options.unsigned)
    throw new Problem(
      "There is no key to sign with.",
      "Pass --key <file> or set CLAWDBOT_SIGNING_KEY (bun run release keygen <file> makes one), or --unsigned for a trial.",
    );
  const key = options.key === undefined ? undefined : openKey(options.key);
  const folder = join(options.out, "download", `v${facts.version}`);
  checkFree(folder);
  // The paths of packages are in the executable's source maps, and pnpm has its own.
  if (existsSync(join(ROOT, "node_modules/.modules.yaml")))
    throw new Problem(
      "node_modules was made by pnpm, so the executables would differ from everybody else's.",
      "Run: rm -r node_modules && bun install --frozen-lockfile",
    );
  const installer = readFileSync(join(ROOT, "install.sh"), "utf8");
  if (installer.split("\n").filter((line) => line === PLACEHOLDER).length !== 1)
    throw new Problem(
      `install.sh has no place for the key: not exactly one line ${PLACEHOLDER}.`,
      "Put it back.",
    );
  const noImages = options.skipImage ? "--skip-image" : imagesImpossible();
  return { options, facts, key, folder, noImages, installer };
}

function checkFree(folder: string): void {
  if (!existsSync(folder)) return;
  throw new Problem(
    `${folder} is there already.`,
    `Raise the version in package.json, or remove it: rm -r '${folder}'`,
  );
}

/** What `--dry-run` says: the files, in the order of the sums. */
export function plannedFiles({ options, facts, noImages }: Plan): string[] {
  const names = options.targets.flatMap((target) => [
    binaryName(target),
    `${binaryName(target)}.gz`,
    `clawdbot-${target.id}-${facts.version}.tgz`,
    ...(target.docker && !noImages ? [imageName(target)] : []),
  ]);
  return [
    ...names,
    `clawdbot-${facts.version}.tgz`,
    "install.sh",
    "latest.txt",
    "manifest.json",
    "nix-release.json",
    SUMS,
    ...(options.key ? [SIGNATURE] : []),
  ].sort();
}

/** @param say one line per step; @param signal ends the run, with nothing left behind */
export async function makeRelease(plan: Plan, say: Progress, signal: AbortSignal): Promise<Made> {
  const { options, facts, folder } = plan;
  const work = join(options.out, `.release-${process.pid}`);
  mkdirSync(options.out, { recursive: true });
  removeLeftovers(options.out);
  checkSpace(options);
  mkdirSync(work);
  try {
    const made = new Folder(join(work, "files"));
    if (plan.noImages) say(`No image archives: ${plan.noImages}.`);
    for (const target of options.targets)
      await releaseTarget(target, plan, made, work, say, signal);
    const launcher = launcherPackage(options.targets, facts.version, facts.epoch);
    made.add({ name: launcher.name, kind: "npm" }, await compress(launcher.tar));
    say(launcher.name);
    const manifest = finish(plan, made);
    signal.throwIfAborted();
    // Another run may have been faster.
    checkFree(folder);
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(made.path, folder);
    publish(plan);
    return { folder, manifest, publicKey: plan.key?.publicKey };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The files of the release so far, and what the manifest will say of them. */
class Folder {
  readonly files: ReleaseFile[] = [];

  constructor(readonly path: string) {
    mkdirSync(path);
  }

  add(file: Omit<ReleaseFile, "size" | "sha256">, bytes: Uint8Array, mode = 0o644): void {
    writeFileSync(join(this.path, file.name), bytes, { mode });
    this.files.push({ ...file, size: bytes.length, sha256: sha256(bytes) });
  }

  sorted(): ReleaseFile[] {
    return this.files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}

async function releaseTarget(
  target: Target,
  plan: Plan,
  made: Folder,
  work: string,
  say: Progress,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const { facts } = plan;
  const name = binaryName(target);
  say(`${target.id}: building`);
  const path = await build(target, plan, join(work, "build"), signal);
  const bytes = readFileSync(path);
  const extra = { target: target.id, ...glibcOf(target, bytes) };
  await checkVersion(target, path, facts.version);
  made.add({ name, kind: "executable", ...extra }, bytes, 0o755);
  made.add({ name: `${name}.gz`, kind: "gzip", ...extra }, await compress(bytes));
  const npm = systemPackage(target, bytes, facts.version, facts.epoch);
  made.add({ name: npm.name, kind: "npm", ...extra }, await compress(npm.tar));
  signal.throwIfAborted();
  if (target.docker && !plan.noImages)
    made.add(
      { name: imageName(target), kind: "image", ...extra },
      makeImage(path, target.docker, facts, work),
    );
  rmSync(path);
  signal.throwIfAborted();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const files = made.files.filter((file) => file.target === target.id);
  say(
    `${target.id}: ${files.map((f) => `${f.name} ${(f.size / 1e6).toFixed(1)} MB`).join(", ")} (${seconds} s)`,
  );
}

const imageName = (target: Target): string => `clawdbot-image-${target.id}.tar`;

/** build.ts in a process of its own: the one that everybody builds with. */
async function build(
  target: Target,
  plan: Plan,
  outdir: string,
  signal: AbortSignal,
): Promise<string> {
  const words = ["build.ts", "--outdir", outdir, "--target", target.id];
  if (plan.key) words.push("--release-key", plan.key.publicKey);
  const child = Bun.spawn([process.execPath, ...words], {
    cwd: ROOT,
    env: { ...process.env, SOURCE_DATE_EPOCH: String(plan.facts.epoch) },
    stdio: ["ignore", "ignore", "pipe"],
    signal,
  });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  signal.throwIfAborted();
  if (code !== 0 && /ENOSPC|No space left/i.test(said))
    throw Object.assign(new Error(said), { code: "ENOSPC", path: outdir });
  if (code !== 0)
    throw new Problem(
      `${target.id} could not be built:\n${said.trim()}`,
      `Try it alone: bun build.ts --target ${target.id}`,
    );
  return join(outdir, binaryName(target));
}

/** @throws Problem for a Linux executable that needs the system's libraries: one file has to do on glibc, musl, NixOS and scratch */
function glibcOf(target: Target, bytes: Uint8Array): { glibc?: string } {
  if (target.os !== "linux") return {};
  const note = readCarried(bytes, binaryName(target))?.note;
  if (note === undefined)
    throw new Problem(
      `${binaryName(target)} is not portable: build.ts found no libraries for it to carry.`,
      `Run: bun build.ts --target ${target.id}   and do what it says, or leave the target out with --targets.`,
    );
  return { glibc: note.glibc };
}

/** The executable of this machine is started once: a release that does not start is none. */
async function checkVersion(target: Target, path: string, version: string): Promise<void> {
  if (target.os !== process.platform || target.cpu !== process.arch) return;
  const child = Bun.spawn([path, "--version"], { stdio: ["ignore", "pipe", "pipe"] });
  const [said, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (code !== 0 || said.trim() !== version)
    throw new Problem(
      `${binaryName(target)} --version ended with ${code} and said "${said.trim()}", not ${version}.`,
      "Mend the build before releasing.",
    );
}

/** As `gzip -9n`: no name, no time; the byte for the system is set, because libraries fill it in differently. */
async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = await promisify(gzip)(bytes, { level: 9 });
  packed.fill(0, 4, 8);
  packed[9] = 3;
  return packed;
}

/** install.sh, the tables, the sums and the signature: all that needs the other files. */
function finish(plan: Plan, made: Folder): Manifest {
  const { facts, options, key } = plan;
  const text = (value: string) => new TextEncoder().encode(value);
  const json = (value: unknown) => text(`${JSON.stringify(value, null, 2)}\n`);
  const script = key
    ? plan.installer.replace(PLACEHOLDER, () => `RELEASE_KEY="${key.publicKey}"`)
    : plan.installer;
  made.add({ name: "install.sh", kind: "text" }, text(script), 0o755);
  made.add({ name: "latest.txt", kind: "text" }, text(`${facts.version}\n`));
  made.add({ name: "nix-release.json", kind: "text" }, json(nixTable(plan, made)));
  const manifest: Manifest = {
    schema: 1,
    name: "clawdbot",
    version: facts.version,
    channel: options.channel,
    commit: facts.commit,
    dirty: facts.dirty,
    built: new Date(facts.epoch * 1000).toISOString(),
    bun: Bun.version,
    files: made.sorted(),
  };
  made.add({ name: "manifest.json", kind: "text" }, json(manifest));
  const sums = text(
    made
      .sorted()
      .map((file) => `${file.sha256}  ${file.name}\n`)
      .join(""),
  );
  writeFileSync(join(made.path, SUMS), sums);
  if (key) writeFileSync(join(made.path, SIGNATURE), `${key.sign(sums)}\n`);
  return manifest;
}

function nixTable({ facts, options }: Plan, made: Folder): NixRelease {
  const rows = options.targets.flatMap((target) => {
    const file = `${binaryName(target)}.gz`;
    const sum = made.files.find(({ name }) => name === file)!.sha256;
    return target.nix ? [[target.nix, { file, sha256: sum }] as const] : [];
  });
  return { version: facts.version, systems: Object.fromEntries(rows) };
}

/** The pointers, last of all: whoever reads them finds a whole release. A stable release is also the newest for the beta channel. */
function publish({ options, facts, folder }: Plan): void {
  const point = (path: string, bytes: Uint8Array) => {
    const place = join(options.out, path);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(`${place}.new`, bytes);
    renameSync(`${place}.new`, place);
  };
  if (options.writeNix)
    writeFileSync(join(ROOT, "nix/release.json"), readFileSync(join(folder, "nix-release.json")));
  const latest = new TextEncoder().encode(`${facts.version}\n`);
  point("download/beta/latest.txt", latest);
  if (options.channel === "beta") return;
  point("latest/download/install.sh", readFileSync(join(folder, "install.sh")));
  point("latest/download/latest.txt", latest);
}

/** Folders of runs that were killed: named after their process, which is gone. */
function removeLeftovers(out: string): void {
  for (const name of readdirSync(out)) {
    const pid = /^\.release-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    rmSync(join(out, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

function checkSpace(options: Options): void {
  const { bavail, bsize } = statfsSync(options.out);
  const needed = PER_TARGET * options.targets.length;
  if (bavail * bsize >= needed) return;
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  throw new Problem(
    `The disk of ${options.out} is too full: a release of ${options.targets.length} needs ${mb(needed)}, and ${mb(bavail * bsize)} are free.`,
    "Free some space, name a folder on another disk with --out, or make fewer --targets.",
  );
}
