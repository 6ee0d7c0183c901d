/**
 * Image archives for `docker load`, without a Docker engine. What the Dockerfile's stage `rootfs` runs is run here too, and the
 * settings are read from its last stage, so that an archive and a local build are the same image.
 * The commands run in a mount namespace over a copy-on-write view of this machine: it needs root on a Debian, and changes nothing.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join, relative } from "node:path";

import { type Facts, ROOT, sha256 } from "./manifest.ts";
import { Problem } from "./problem.ts";
import { type Entry, makeTar } from "./tar.ts";

/** Why images cannot be made here; undefined when they can. */
export function imagesImpossible(): string | undefined {
  if (process.platform !== "linux") return "image archives are made on Linux";
  const lacking = ["apt-get", "dpkg", "unshare", "mount"].filter((name) => !Bun.which(name));
  if (lacking.length > 0) return `image archives need Debian (there is no ${lacking.join(", ")})`;
  if (process.getuid?.() !== 0) return "image archives need root, for a mount namespace";
  const probe = Bun.spawnSync(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
  return probe.exitCode === 0 ? undefined : "this container may not mount file systems";
}

/** What the last stage of a Dockerfile says, in the words of the image format. */
type ImageConfig = {
  User?: string;
  WorkingDir?: string;
  Env: string[];
  Labels: Record<string, string>;
  ExposedPorts: Record<string, object>;
  StopSignal?: string;
  Entrypoint?: string[];
  Cmd?: string[];
  Healthcheck?: {
    Test: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    Retries?: number;
  };
};

/** @throws Problem for an instruction that this reader does not know: better no image than another one */
function readDockerfile(text: string): ImageConfig {
  const config: ImageConfig = {
    Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    Labels: {},
    ExposedPorts: {},
  };
  /** Build arguments at their defaults: what a build without any gets. */
  const defaults = new Map<string, string>();
  for (const { word, rest: written } of stagesOf(text).at(-1)!) {
    const rest = written.replace(/\$\{(\w+)\}/g, (whole, name) => defaults.get(name) ?? whole);
    if (word === "COPY" || word === "FROM") continue;
    if (word === "ARG") {
      for (const [name, value] of pairs(rest)) defaults.set(name, value);
      continue;
    }
    if (word === "ENV") for (const [name, value] of pairs(rest)) setEnv(config, name, value);
    else if (word === "LABEL") Object.assign(config.Labels, Object.fromEntries(pairs(rest)));
    else if (word === "WORKDIR") config.WorkingDir = rest;
    else if (word === "USER") config.User = rest;
    else if (word === "EXPOSE") config.ExposedPorts[rest.includes("/") ? rest : `${rest}/tcp`] = {};
    else if (word === "STOPSIGNAL") config.StopSignal = rest;
    else if (word === "ENTRYPOINT") config.Entrypoint = list(word, rest);
    else if (word === "CMD") config.Cmd = list(word, rest);
    else if (word === "HEALTHCHECK") config.Healthcheck = readHealthcheck(rest);
    else
      throw new Problem(
        `The last stage of the Dockerfile has ${word}, which the image archive does not know.`,
        "Move it to an earlier stage, or teach scripts/release/image.ts.",
      );
  }
  return config;
}

type Instruction = { word: string; rest: string };

/** Each stage begins with its FROM. */
function stagesOf(text: string): Instruction[][] {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replace(/\\\n/g, " ")
    .split("\n")
    .map((line) => /^\s*([A-Za-z]+)\s+(.*?)\s*$/.exec(line))
    .map((match) => ({ word: match?.[1]?.toUpperCase() ?? "?", rest: match?.[2] ?? "" }));
  const starts = lines.flatMap(({ word }, at) => (word === "FROM" ? [at] : []));
  return starts.map((at, i) => lines.slice(at, starts[i + 1]));
}

/** The commands that assemble the file system in /out, from /scripts, /licenses and /clawdbot. */
function readCommands(text: string): string[] {
  const stage = stagesOf(text).find(([from]) => / AS rootfs$/i.test(from!.rest)) ?? [];
  return stage.filter(({ word }) => word === "RUN").map(({ rest }) => rest);
}

/** `NAME=value NAME="value with spaces"` */
const pairs = (text: string): [string, string][] =>
  [...text.matchAll(/([\w.-]+)=(?:"([^"]*)"|(\S+))/g)].map((m) => [m[1]!, m[2] ?? m[3]!]);

function setEnv(config: ImageConfig, name: string, value: string): void {
  config.Env = [...config.Env.filter((line) => !line.startsWith(`${name}=`)), `${name}=${value}`];
}

function list(word: string, rest: string): string[] {
  try {
    const words: unknown = JSON.parse(rest);
    if (Array.isArray(words) && words.every((w) => typeof w === "string")) return words;
  } catch {
    // Said below, for a list of numbers too.
  }
  throw new Problem(
    `${word} in the Dockerfile is not a list: ${rest}`,
    'Write it as ["word", "word"]: there may be no shell.',
  );
}

function readHealthcheck(rest: string): ImageConfig["Healthcheck"] {
  const seconds = (name: string) => {
    const value = new RegExp(`--${name}=(\\d+)s`).exec(rest)?.[1];
    return value === undefined ? undefined : Number(value) * 1e9;
  };
  const retries = /--retries=(\d+)/.exec(rest)?.[1];
  return {
    Test: ["CMD", ...list("HEALTHCHECK", rest.replace(/^.*?CMD\s+/, ""))],
    Interval: seconds("interval"),
    Timeout: seconds("timeout"),
    StartPeriod: seconds("start-period"),
    Retries: retries === undefined ? undefined : Number(retries),
  };
}

/** The archive's bytes. @param arch Docker's word; @param scratch an empty folder of this release */
export function makeImage(
  executable: string,
  arch: string,
  facts: Facts,
  scratch: string,
): Uint8Array {
  const folder = join(scratch, `rootfs-${arch}`);
  try {
    const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
    const entries = assemble(executable, arch, folder, readCommands(dockerfile));
    const config = readDockerfile(dockerfile);
    config.Labels["org.opencontainers.image.version"] = facts.version;
    if (facts.commit) config.Labels["org.opencontainers.image.revision"] = facts.commit;
    return archive(makeTar(entries, facts.epoch), config, arch, facts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the Dockerfile's own commands where they can neither see nor change more than in its stage. */
function assemble(executable: string, arch: string, folder: string, commands: string[]): Entry[] {
  const out = join(folder, "out");
  const root = join(folder, "root");
  for (const path of [out, root, join(folder, "layer")]) mkdirSync(path, { recursive: true });
  const script = `
    set -eu
    mount -t tmpfs tmpfs "$1/layer"
    mkdir "$1/layer/upper" "$1/layer/work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" "$1/root"
    mount --rbind /dev "$1/root/dev"
    mount -t proc proc "$1/root/proc"
    mkdir -p "$1/root/out" "$1/root/scripts"
    mount --bind "$1/out" "$1/root/out"
    mount --bind "$4" "$1/root/scripts"
    : >"$1/root/clawdbot"
    mount --bind "$2" "$1/root/clawdbot"
    mkdir "$1/root/licenses"
    cp "$6/LICENSE" "$6"/LICENSES/* "$1/root/licenses/"
    rm -f "$1/root/etc/apt/apt.conf.d/docker-clean"
    export TARGETARCH="$3" CLAWDBOT_DOCKER_APT_PACKAGES=
    exec chroot "$1/root" /bin/sh -ec "$5"`;
  const done = Bun.spawnSync(
    [
      "unshare",
      "-m",
      "sh",
      "-c",
      script,
      "sh",
      folder,
      executable,
      arch,
      join(ROOT, "scripts/docker"),
      commands.join("\n"),
      ROOT,
    ],
    { stdout: "pipe", stderr: "pipe" },
  );
  if (done.exitCode !== 0)
    throw new Problem(
      `The file system of the ${arch} image could not be assembled:\n${done.stderr.toString().trim().split("\n").slice(-5).join("\n")}`,
      "Check that apt-get can download packages, or pass --skip-image.",
    );
  const entries = readTree(out, out);
  if (!entries.some(({ path }) => path === "usr/local/bin/clawdbot"))
    throw new Problem(
      "The Dockerfile's stage rootfs no longer puts the program at /usr/local/bin/clawdbot.",
      "Teach scripts/release/image.ts, or pass --skip-image.",
    );
  return entries;
}

/** Everything below a folder, sorted, with owners and permissions but without times. */
function readTree(folder: string, top: string): Entry[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name): Entry[] => {
      const path = join(folder, name);
      const stat = lstatSync(path);
      const entry = {
        path: relative(top, path),
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
      };
      if (stat.isSymbolicLink()) return [{ ...entry, mode: 0o777, link: readlinkSync(path) }];
      if (stat.isDirectory()) return [{ ...entry, path: `${entry.path}/` }, ...readTree(path, top)];
      return [{ ...entry, content: readFileSync(path) }];
    });
}

/** The form that `docker load`, `podman load` and `skopeo copy docker-archive:` read. */
function archive(layer: Uint8Array, config: ImageConfig, arch: string, facts: Facts): Uint8Array {
  const created = new Date(facts.epoch * 1000).toISOString();
  const digest = sha256(layer);
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const description = json({
    architecture: arch,
    os: "linux",
    created,
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
    history: [{ created, created_by: `clawdbot ${facts.version}` }],
  });
  const name = `${sha256(description)}.json`;
  const file = (path: string, content: Uint8Array): Entry => ({ path, mode: 0o644, content });
  const index = [
    { Config: name, RepoTags: [`clawdbot:${facts.version}`], Layers: [`${digest}/layer.tar`] },
  ];
  return makeTar(
    [
      file(name, description),
      { path: `${digest}/`, mode: 0o755 },
      file(`${digest}/layer.tar`, layer),
      file("manifest.json", json(index)),
    ],
    facts.epoch,
  );
}
