/** Starts the compiled binary as a user would: an empty directory, an empty HOME, a port of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type { Methods } from "../../src/gateway/methods/index.ts";
import { type ClientOptions, RpcClient } from "../../src/protocol/client.ts";
import { listening, watch, type Watched } from "./child.ts";

export const BINARY = resolve(
  process.env["CLAWDBOT_TEST_BINARY"] ??
    `dist/clawdbot${process.platform === "win32" ? ".exe" : ""}`,
);

export type Home = { dir: string; state: string; remove(): void };

/** An empty home directory; the state dir inside it is made by the program. */
export function emptyHome(): Home {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-e2e-"));
  return {
    dir,
    state: join(dir, ".clawdbot"),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export type Running = Omit<Watched, "ended"> & {
  port: number;
  pid: number;
  kill(signal?: NodeJS.Signals): Promise<number>;
  client(options?: Partial<ClientOptions>): RpcClient<Methods>;
  url: string;
};

export const clientInfo = { id: "test", version: "test", platform: process.platform, mode: "test" };

/** The environment of a child: nothing of this process but PATH and what the test gives. */
export const plainEnv = (
  home: Home,
  extra: Record<string, string> = {},
): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home.dir,
  TMPDIR: tmpdir(),
  NO_COLOR: "1",
  ...extra,
});

/** Runs one command to its end. */
export async function runCli(
  args: string[],
  options: { home: Home; env?: Record<string, string>; cwd?: string; input?: string },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([BINARY, ...args], {
    cwd: options.cwd ?? options.home.dir,
    env: plainEnv(options.home, options.env),
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** `clawdbot gateway` on a free port, ready when it has said that it listens. */
export async function startGatewayProcess(
  home: Home,
  options: { env?: Record<string, string>; args?: string[]; cwd?: string; port?: number } = {},
): Promise<Running> {
  const child = Bun.spawn(
    [
      BINARY,
      "gateway",
      "--allow-unconfigured",
      "--port",
      String(options.port ?? 0),
      ...(options.args ?? []),
    ],
    {
      cwd: options.cwd ?? home.dir,
      env: plainEnv(home, options.env),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const { log, seen, ended } = watch(child);
  const port = await listening({ log, seen });
  return {
    port,
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    log,
    seen,
    async kill(signal = "SIGTERM") {
      child.kill(signal);
      await ended;
      return child.exitCode ?? -1;
    },
    client: (extra = {}) =>
      new RpcClient<Methods>({
        url: `ws+unix://${join(home.state, "gateway.sock")}:/`,
        client: clientInfo,
        reconnect: false,
        ...extra,
      }),
  };
}
