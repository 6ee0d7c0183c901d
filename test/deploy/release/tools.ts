/** The package managers and Nodes that the guides name, fetched once from npm's registry, and children that are started as users do. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import pkg from "../../../package.json";
import { watch, type Watched } from "../../e2e/child.ts";
import { run } from "../lab.ts";

const CACHE = join(tmpdir(), "clawdbot-lab", "npm");
/** What `npm install -g pnpm` gives, and what corepack takes from package.json. */
export const PNPM_NEWEST = "12.21.0";
export const PNPM_PINNED = /^pnpm@([\d.]+)\+/.exec(pkg.packageManager)![1]!;
/** The Node of the guides' image. It can replace itself by another program; this machine's may not. */
export const NODE_22 = "22.23.3";

export type Tool = { folder: string } | { why: string };

/** Installs one package, alone, into the lab's cache. @returns its folder in node_modules, or why it cannot be had */
export function fetchTool(name: string, version: string): Tool {
  const place = join(CACHE, `${name}-${version}`);
  const folder = join(place, "node_modules", name);
  if (existsSync(folder)) return { folder };
  if (!Bun.which("npm")) return skip("there is no npm");
  mkdirSync(CACHE, { recursive: true });
  const scratch = mkdtempSync(join(CACHE, ".new-"));
  const done = run(["npm", "install", "--prefix", scratch, "--no-audit", `${name}@${version}`]);
  try {
    if (done.code !== 0) return skip(`npm cannot fetch ${name}@${version}`);
    // Another test process may have been faster.
    if (!existsSync(place)) renameSync(scratch, place);
    return { folder };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function skip(why: string): Tool {
  process.stdout.write(`skipped: ${why}\n`);
  return { why };
}

/** A folder for PATH that has only this pnpm. */
export function fetchPnpm(version: string): Tool {
  const tool = fetchTool("pnpm", version);
  return "why" in tool ? tool : { folder: join(dirname(tool.folder), ".bin") };
}

/** A folder for PATH that has only this Node. */
export function fetchNode(version: string): Tool {
  const tool = fetchTool(`node-${process.platform}-${process.arch}`, version);
  return "why" in tool ? tool : { folder: join(tool.folder, "bin") };
}

/** Nothing of this process: an empty home, the loopback registry, and a proxy that leads nowhere, so that nothing else is asked. */
export const closedEnv = (home: string, path: string[], extra: Record<string, string> = {}) => ({
  HOME: home,
  TMPDIR: tmpdir(),
  PATH: [...path, "/usr/local/bin", "/usr/bin", "/bin"].join(":"),
  NO_COLOR: "1",
  CI: "1",
  npm_config_update_notifier: "false",
  HTTPS_PROXY: "http://127.0.0.1:9",
  https_proxy: "http://127.0.0.1:9",
  HTTP_PROXY: "http://127.0.0.1:9",
  http_proxy: "http://127.0.0.1:9",
  NO_PROXY: "127.0.0.1",
  no_proxy: "127.0.0.1",
  ...extra,
});

export type Child = AsyncDisposable &
  Omit<Watched, "ended"> & {
    pid: number;
    exited: Promise<{ code: number | null; signal: string | number | null }>;
    /** Ends the child and everything that it started. */
    end(): Promise<void>;
  };

/** Starts a command as the leader of a process group of its own. */
export function startChild(
  command: string[],
  options: { cwd?: string; env: Record<string, string> },
): Child {
  const child = Bun.spawn(command, {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const { log, seen } = watch(child);
  const exited = child.exited.then(() => ({ code: child.exitCode, signal: child.signalCode }));
  const end = async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (cause) {
      // Everything in the group has ended already.
      if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause;
    }
    await exited;
  };
  return { pid: child.pid, log, seen, exited, end, [Symbol.asyncDispose]: end };
}
