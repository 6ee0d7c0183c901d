/**
 * The compiled binary in the surroundings of a platform: any command line, any environment, another user, another name. What is
 * started or made here is ended or removed after each test of a file that calls `useRig`.
 */
import { afterEach } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Methods } from "../../../src/gateway/methods/index.ts";
import { type ClientOptions, RpcClient } from "../../../src/protocol/client.ts";
import { BINARY, clientInfo } from "../../e2e/binary.ts";
import { listening, watch, type Watched } from "../../e2e/child.ts";
import { run } from "../lab.ts";

export const TOKEN = "k3Jx9-vQ2mWz7_pLr8TnYb4cQ1";
export const isRoot = process.getuid?.() === 0;
/** The user of the image. */
const NODE = 1000;

type Options = {
  env?: Record<string, string>;
  cwd?: string;
  /** Instead of the binary: a link to it under another name. */
  as?: string;
  /** As the image's user; only root can start that. */
  node?: boolean;
  /** Put before the command, as in `unshare -n`. */
  within?: string[];
};

export type Started = Omit<Watched, "ended"> & {
  pid: number;
  port: number;
  stop(signal?: NodeJS.Signals): Promise<number>;
};

const made = { dirs: [] as string[], running: [] as Started[] };

/** Every file of tests calls this once: a hook of a module that several files share would be the first file's only. */
export function useRig(): void {
  afterEach(async () => {
    for (const gateway of made.running.splice(0)) await gateway.stop("SIGKILL");
    for (const dir of made.dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
}

/** An empty home folder, by default of the user who runs the tests. */
export function home({ node = false } = {}): string {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-platform-"));
  made.dirs.push(dir);
  chmodSync(dir, 0o755);
  if (node) chownSync(dir, NODE, NODE);
  return dir;
}

/** The binary under another name, as an image has it. */
export function link(dir: string, name: string): string {
  const path = join(dir, name);
  symlinkSync(BINARY, path);
  return path;
}

/** Of a program that is started here: nothing of this process but PATH. */
export const variables = (
  dir: string,
  env: Record<string, string> = {},
): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: dir,
  TMPDIR: dir,
  NO_COLOR: "1",
  ...env,
});
/** The command line of the binary with these words. */
export const line = (words: string[], { as = BINARY, node, within = [] }: Options): string[] => [
  ...within,
  ...(node ? ["setpriv", `--reuid=${NODE}`, `--regid=${NODE}`, "--clear-groups", "--"] : []),
  as,
  ...words,
];

/** Runs a command of the binary to its end. */
export function cli(dir: string, words: string, options: Options & { input?: string } = {}) {
  return run(line(words === "" ? [] : words.split(" "), options), {
    cwd: options.cwd ?? dir,
    env: variables(dir, options.env),
    ...(options.input !== undefined && { input: options.input }),
  });
}

/** Starts a gateway with exactly these words, and waits until it listens. */
export async function start(dir: string, words: string, options: Options = {}): Promise<Started> {
  const child = Bun.spawn(line(words.split(" "), options), {
    cwd: options.cwd ?? dir,
    env: variables(dir, options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { log, seen, ended } = watch(child);
  const gateway: Started = {
    pid: child.pid,
    port: 0,
    log,
    seen,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await ended;
      return child.exitCode ?? -1;
    },
  };
  made.running.push(gateway);
  gateway.port = await listening(gateway);
  return gateway;
}

/** Connects and gives hello, or throws the gateway's refusal. The connection is closed again. */
export async function signIn(url: string, options: Partial<ClientOptions> = {}) {
  const client = new RpcClient<Methods>({
    url,
    client: clientInfo,
    auth: () => ({ token: TOKEN }),
    reconnect: false,
    ...options,
  });
  try {
    return await client.connect();
  } finally {
    client.close();
  }
}

/** A connection over the local socket, which needs no token. Close it. */
export async function operator(stateDir: string): Promise<RpcClient<Methods>> {
  const client = new RpcClient<Methods>({
    url: `ws+unix://${join(stateDir, "gateway.sock")}:/`,
    client: clientInfo,
    reconnect: false,
  });
  await client.connect();
  return client;
}

/** Says something to the assistant and waits for the end of the answer. */
export async function ask(stateDir: string, message: string): Promise<string> {
  const client = await operator(stateDir);
  try {
    const { runId = "" } = await client.call("chat.send", {
      sessionKey: "main",
      message,
      idempotencyKey: crypto.randomUUID(),
    });
    return String((await client.call("agent.wait", { runId, timeoutMs: 20_000 })).status);
  } finally {
    client.close();
  }
}

/** Of a gateway on this machine. */
export const urlOf = ({ port }: Pick<Started, "port">): string => `ws://127.0.0.1:${port}`;

/** A config whose change can be seen in the gateway's answers. */
export const named = (name: string) =>
  JSON.stringify({ gateway: { mode: "local" }, ui: { assistant: { name } } });

/** The assistant's name as the running gateway has it. */
export async function nameOf(stateDir: string): Promise<string> {
  const client = await operator(stateDir);
  try {
    return (await client.call("agent.identity.get", {})).name ?? "";
  } finally {
    client.close();
  }
}

/** A folder for state, as a volume is: made, and empty. */
export function volume(dir: string, name = "data"): string {
  const path = join(dir, name);
  mkdirSync(path);
  return path;
}
