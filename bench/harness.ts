/** Starts and measures processes from outside, as a user would see them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type { Methods } from "../src/gateway/methods/index.ts";
import { type ClientOptions, RpcClient } from "../src/protocol/client.ts";

export type Row = {
  name: string;
  value: number;
  unit: "ms" | "MB" | "KB" | "x" | "frames/s" | "req/s";
  /** Undefined: for information. Frames per second are bounded from below, everything else from above. */
  bound?: number;
  note?: string;
};

export const BINARY = resolve("dist/clawdbot");
/** Made by run.ts from floor.ts. */
export const FLOOR = join(tmpdir(), `clawdbot-bench-floor-${process.pid}`);

export const holds = ({ value, unit, bound }: Row): boolean =>
  bound === undefined || (/\/s$/.test(unit) ? value >= bound : value <= bound);

export const percentile = (values: number[], p: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN
  );
};
export const median = (values: number[]): number => percentile(values, 50);

/** Runs `measure` `times` times, one after the other, and gives the median. */
export async function medianOf(times: number, measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < times; i++) values.push(await measure());
  return median(values);
}

export type Home = { dir: string; state: string; env: Record<string, string>; remove(): void };

/** An empty home whose config lets a thousand turns run at once, with a model at `modelUrl` when there is one. */
export function makeHome(modelUrl?: string): Home {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-bench-"));
  const state = join(dir, ".clawdbot");
  mkdirSync(state, { mode: 0o700 });
  const config = {
    gateway: { mode: "local" },
    logging: { file: join(dir, "gateway.log") },
    ...(modelUrl && {
      agents: { defaults: { model: "anthropic/claude-sonnet-4-5", maxConcurrent: 2000 } },
      models: { providers: { anthropic: { baseUrl: modelUrl, apiKey: "bench-key" } } },
    }),
  };
  writeFileSync(join(state, "clawdbot.json"), JSON.stringify(config), { mode: 0o600 });
  const env = { PATH: "/usr/bin:/bin", HOME: dir, TMPDIR: tmpdir(), NO_COLOR: "1" };
  return { dir, state, env, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export type Started = {
  pid: number;
  port: number;
  /** From spawn to the first good answer, in ms. */
  healthyMs: number;
  /** Sends SIGTERM; gives the time until it is gone, in ms. */
  stop(): Promise<number>;
};

/** A port that was free a moment ago. */
function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

export async function start(
  command: (port: number) => string[],
  home: Home,
  path: string,
): Promise<Started> {
  const port = freePort();
  const before = performance.now();
  const child = Bun.spawn(command(port), {
    cwd: home.dir,
    env: home.env,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  killAtExit(child);
  while (!(await answers(`http://127.0.0.1:${port}${path}`))) {
    if (child.exitCode !== null)
      throw new Error(`${command(port).join(" ")} ended with ${child.exitCode}`);
    await Bun.sleep(1);
  }
  return {
    pid: child.pid,
    port,
    healthyMs: performance.now() - before,
    async stop() {
      const began = performance.now();
      child.kill("SIGTERM");
      await child.exited;
      return performance.now() - began;
    },
  };
}

/** A row that fails must not leave its processes behind. */
function killAtExit(child: Bun.Subprocess): void {
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  child.exited.then(
    () => process.off("exit", kill),
    () => process.off("exit", kill),
  );
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );

export const startGateway = (home: Home): Promise<Started> =>
  start((port) => [BINARY, "gateway", "--port", String(port)], home, "/healthz");

export const startFloor = (home: Home): Promise<Started> =>
  start((port) => [FLOOR, home.dir, String(port)], home, "/");

/** How long one command takes from spawn to end, in ms. It must succeed. */
export async function commandMs(args: string[], home: Home): Promise<number> {
  const before = performance.now();
  const child = Bun.spawn([BINARY, ...args], { env: home.env, stdout: "ignore", stderr: "pipe" });
  const code = await child.exited;
  const ms = performance.now() - before;
  if (code !== 0)
    throw new Error(
      `${args.join(" ")} ended with ${code}: ${await new Response(child.stderr).text()}`,
    );
  return ms;
}

/** Resident memory of a process, or the most it ever had, in MB. */
export function memory(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** A client of the gateway on this home. The local socket opens a moment after the port, so the first tries may fail. */
export async function dial(
  home: Home,
  options: Partial<ClientOptions> = {},
): Promise<RpcClient<Methods>> {
  for (let tries = 0; ; tries++) {
    const client = new RpcClient<Methods>({
      url: `ws+unix://${join(home.state, "gateway.sock")}:/`,
      client: { id: "cli", version: "bench", platform: process.platform, mode: "cli" },
      reconnect: false,
      ...options,
    });
    try {
      await client.connect();
      return client;
    } catch (cause) {
      if (tries === 100) throw cause;
      await Bun.sleep(5);
    }
  }
}

/** The bench model as a child process. */
export async function startModel(): Promise<{
  url: string;
  times(): Promise<Record<string, { start: number; end: number }>>;
  stop(): Promise<void>;
}> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "model.ts")], {
    stdout: "pipe",
  });
  killAtExit(child);
  const { value } = await child.stdout.getReader().read();
  const url = new TextDecoder().decode(value).trim();
  return {
    url,
    times: async () =>
      (await (await fetch(url)).json()) as Record<string, { start: number; end: number }>,
    async stop() {
      child.kill();
      await child.exited;
    },
  };
}
