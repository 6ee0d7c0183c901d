/**
 * A real Docker engine for the deployment tests: dockerd in network, mount and process namespaces of its own, with Compose v2 and
 * buildx, and `debian:bookworm-slim` made from Debian's packages. Nothing on the machine changes, nothing is pulled, and
 * everything ends with the test process, however that ends. One engine per test process: `sharedEngine()`.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { watch } from "../../e2e/child.ts";
import { debianMirror, missing, type Ran, run, runAsync, type RunOptions } from "../lab.ts";

/** Kept between runs; made anew when it is not there. */
export const LAB = join(tmpdir(), "clawdbot-lab");
const BASE_IMAGE = "debian:bookworm-slim";
/** What the first stage of the Dockerfile begins with. Here it is `BASE_IMAGE`, without Node: an executable in dist/ needs none. */
const NODE_IMAGE = "node:22-bookworm-slim";

export type Engine = {
  /** The environment of programs that are to use this engine: that of the test process, with DOCKER_HOST and DOCKER_CONFIG. */
  env: Record<string, string>;
  /** The home of root on the engine's machine, empty at first: there it is /root. For build contexts and bind mounts. */
  dir: string;
  /** Runs `docker <words>`. Never throws; see `out`. */
  docker(words: string[], options?: RunOptions): Promise<Ran>;
  /** Runs `docker compose <words>` in a directory. */
  compose(cwd: string, words: string[], options?: RunOptions): Promise<Ran>;
  /** The command, to be run where the published ports are: on the engine's own 127.0.0.1. */
  inNamespace(command: string[]): string[];
  /** The command, to be run as root on the engine's machine: like `inNamespace`, and /root is the engine's own, which is `dir`. */
  asHost(command: string[]): string[];
  /** While `work` runs, containers and builds reach the network as this machine does. Throws when slirp4netns cannot be had. */
  online<T>(work: () => Promise<T>): Promise<T>;
  /** Ends dockerd with all its containers, and removes everything it kept. */
  stop(): Promise<void>;
};

/** Standard output without the last line break. Throws with everything that was said when the command failed. */
export function out(ran: Ran): string {
  if (ran.code !== 0) throw new Error(`exit code ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout.trimEnd();
}

/** Why no engine can run here; undefined when it can. Installs what is missing, where apt-get can. */
export function noEngine(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    process.stdout.write("skipped: a Docker engine of its own needs root on Linux\n");
    return "needs root on Linux";
  }
  const lacking = missing({
    dockerd: "docker.io",
    docker: "docker.io",
    iptables: "iptables",
    ip: "iproute2",
    mmdebstrap: "mmdebstrap",
    slirp4netns: "slirp4netns",
    curl: "curl",
    unshare: "util-linux",
  });
  return lacking ?? noRights();
}

/** Root in a container of somebody else's often may not do what dockerd does. Tried once: namespaces, overlays, packet filters. */
function noRights(): string | undefined {
  mkdirSync(LAB, { recursive: true });
  const place = mkdtempSync(join(LAB, ".rights-"));
  const script = `cd "$1" && mkdir lower upper work all
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work all && iptables -t nat -L`;
  const spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"];
  const { code, stderr } = run([...spaces, "sh", "-ec", script, "rights", place]);
  rmSync(place, { recursive: true, force: true });
  if (code === 0) return undefined;
  const reason = `dockerd cannot run here: ${stderr.trim().split("\n")[0]}`;
  process.stdout.write(`skipped: ${reason}\n`);
  return reason;
}

/**
 * Process 1 of the engine's namespaces: when it ends, everything in them does. The guides mount folders of /root; those of the
 * machine must not be touched, so the engine has a /root of its own.
 */
const INNER = `
ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward
mount --bind "$1/root" /root && cd /
dockerd --data-root "$1/data" --exec-root "$1/exec" -H "unix://$1/d.sock" --pidfile "$1/pid" --storage-driver=overlay2 &
daemon=$!
trap 'kill $daemon' TERM
wait $daemon
wait $daemon
`;

/**
 * Outside of the namespaces, and no child of the test process, which kills its children when a test takes too long. It ends the
 * engine when it is told to or when the test process has gone, and removes what is left.
 */
const SUPERVISOR = `
unshare --net --mount --pid --fork --mount-proc --kill-child sh -c "$2" dockerd "$1" >"$1/log" 2>&1 &
engine=$!
echo $engine >"$1/engine.pid"
trap : TERM
tail --pid="$3" -f /dev/null &
wait $!
kill $! 2>/dev/null
kill -TERM $(cat "/proc/$engine/task/$engine/children")
wait $engine
rm -rf "$1"
`;

/** Starts an engine with the base image. Throws with dockerd's log when it does not start. */
export async function startEngine(): Promise<Engine> {
  const plugins = await composePlugins();
  const rootfs = await baseRootfs();
  mkdirSync(LAB, { recursive: true });
  removeStale();
  const root = mkdtempSync(join(LAB, "engine-"));
  mkdirSync(join(root, "root"));
  writeFileSync(join(root, "log"), "");
  const words = ["engine", root, INNER, String(process.pid)];
  const quoted = 'setsid sh -c "$0" "$@" >/dev/null 2>&1 </dev/null & echo $!';
  const supervisor = Number(out(run(["sh", "-c", quoted, SUPERVISOR, ...words])));
  await listening(join(root, "log"), supervisor);
  const env = {
    ...(process.env as Record<string, string>),
    DOCKER_HOST: `unix://${root}/d.sock`,
    DOCKER_CONFIG: plugins,
  };
  // The child of unshare is process 1 of the namespaces.
  const unshare = readFileSync(join(root, "engine.pid"), "utf8").trim();
  const pid = Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, "utf8"));
  const docker = (words: string[], options: RunOptions = {}) =>
    runAsync(["docker", ...words], { ...options, env: { ...env, ...options.env } });
  const inNamespace = (command: string[]) => ["nsenter", "-t", String(pid), "-n", ...command];
  out(await runAsync(["sh", "-c", `docker import - ${BASE_IMAGE} <"${rootfs}"`], { env }));
  out(await docker(["tag", BASE_IMAGE, NODE_IMAGE]));
  return {
    env,
    dir: join(root, "root"),
    docker,
    compose: (cwd, words, options = {}) => docker(["compose", ...words], { ...options, cwd }),
    inNamespace,
    asHost: (command) => ["nsenter", "-t", String(pid), "-n", "-m", ...command],
    online: (work) => withNetwork(pid, work),
    async stop() {
      process.kill(supervisor);
      await runAsync(["tail", `--pid=${supervisor}`, "-f", "/dev/null"]);
    },
  };
}

/** What an engine left whose supervisor was killed too. */
function removeStale(): void {
  for (const file of new Bun.Glob("engine-*/engine.pid").scanSync(LAB)) {
    const pid = readFileSync(join(LAB, file), "utf8").trim();
    if (!existsSync(`/proc/${pid}`))
      rmSync(join(LAB, file, ".."), { recursive: true, force: true });
  }
}

const shared: { engine?: Promise<Engine> } = {};
/** The engine of this test process. It ends with the process. */
export const sharedEngine = (): Promise<Engine> => (shared.engine ??= startEngine());

/** Resolves when dockerd says that it listens; rejects with its log when the supervisor, or dockerd, ends before. */
async function listening(log: string, supervisor: number): Promise<void> {
  const words = ["tail", "-n", "+1", "-f", `--pid=${supervisor}`, log];
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const { log: said, seen, ended } = watch(child);
  try {
    await seen(/API listen on|failed to start daemon|^unshare: |level=fatal/m);
  } finally {
    child.kill();
    await ended;
  }
  if (said().includes("API listen on")) return;
  process.kill(supervisor);
  throw new Error(`dockerd does not run here:\n${said()}`);
}

async function withNetwork<T>(pid: number, work: () => Promise<T>): Promise<T> {
  const words = ["--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=1"];
  const slirp = Bun.spawn(["slirp4netns", ...words, String(pid), "tap0"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const ready = await slirp.stdout.getReader().read();
    if (ready.done) throw new Error("slirp4netns cannot give the engine a network");
    return await work();
  } finally {
    slirp.kill();
    await slirp.exited;
  }
}

/** Makes something once and puts it in place in one step, so that two test processes may do it at once. */
async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(LAB, name);
  if (existsSync(path)) return path;
  mkdirSync(LAB, { recursive: true });
  const scratch = mkdtempSync(join(LAB, ".making-"));
  try {
    await make(join(scratch, "it"));
    if (!existsSync(path)) renameSync(join(scratch, "it"), path);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return path;
}

/** The file system of `BASE_IMAGE` as a tar file, with what Docker's own slim image leaves out left out too. */
export const baseRootfs = (): Promise<string> =>
  cached("debian-bookworm-slim.tar", async (path) => {
    const without = ["man", "doc", "locale", "info"].map(
      (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
    );
    // As in Docker's own image: without it each unpacked file waits for the disk.
    const fast = "--dpkgopt=force-unsafe-io";
    const words = ["--variant=minbase", "--format=tar", ...without, fast, "bookworm", path];
    out(await runAsync(["mmdebstrap", ...words, debianMirror()]));
  });

/** A directory for DOCKER_CONFIG with Compose v2 and buildx, which bookworm does not have: taken out of trixie's packages. */
const composePlugins = (): Promise<string> =>
  cached("docker-config", async (path) => {
    const apt = `${path}-apt`;
    mkdirSync(join(apt, "lists/partial"), { recursive: true });
    const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    await Bun.write(
      join(apt, "sources.list"),
      `deb [signed-by=${keys}] ${debianMirror()} trixie main\n`,
    );
    const options = [
      ["Dir::Etc::sourceparts", "/dev/null"],
      ["Dir::Etc::sourcelist", join(apt, "sources.list")],
      ["Dir::State::lists", join(apt, "lists")],
    ].flatMap(([key, value]) => ["-o", `${key}=${value}`]);
    out(await runAsync(["apt-get", ...options, "update"]));
    const get = ["apt-get", ...options, "download", "docker-compose", "docker-buildx"];
    out(await runAsync(get, { cwd: apt }));
    for (const file of new Bun.Glob("*.deb").scanSync(apt))
      out(await runAsync(["dpkg-deb", "-x", join(apt, file), join(apt, "x")]));
    mkdirSync(join(path, "cli-plugins"), { recursive: true });
    for (const name of ["docker-compose", "docker-buildx"]) {
      const to = join(path, "cli-plugins", name);
      cpSync(join(apt, "x/usr/libexec/docker/cli-plugins", name), to);
      chmodSync(to, 0o755);
    }
  });
