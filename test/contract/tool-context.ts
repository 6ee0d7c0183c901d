/** A real place for tools to work in: temp workspace, home and state dir, a job table, and a clock that a test may turn. */
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Logger } from "../../src/base/log.ts";
import { type Clock, systemClock } from "../../src/base/time.ts";
import { childEnv } from "../../src/tools/environment.ts";
import { type JobExit, type Jobs, type JobsOptions, openJobs } from "../../src/tools/jobs.ts";
import type { ToolContext } from "../../src/tools/tool.ts";

export const quiet: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => quiet,
};

export type Bench = {
  ctx: ToolContext;
  jobs: Jobs;
  /** Background jobs that ended, as the app would hear of them. */
  exits: JobExit[];
  /** What the run's watchers were shown, in order. */
  updates: string[];
  home: string;
  state: string;
  abort: () => void;
  /** The same place for another agent. */
  as(agentId: string): ToolContext;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function openBench(options: Partial<JobsOptions> = {}): Promise<Bench> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "tools-")));
  const [home, state, workspace] = ["home", "state", "work"].map((name) => join(root, name));
  for (const dir of [home, state, workspace]) await mkdir(dir!);
  const exits: JobExit[] = [];
  const updates: string[] = [];
  const jobs = openJobs({
    clock: systemClock,
    log: quiet,
    cleanupMs: 60_000,
    onExit: (exit) => exits.push(exit),
    ...options,
  });
  const stop = new AbortController();
  const ctx: ToolContext = {
    workspace: workspace!,
    agentId: "main",
    sessionKey: "agent:main:main",
    signal: stop.signal,
    update: (text) => updates.push(text),
    jobs,
    env: { ...childEnv(process.env), HOME: home! },
    exec: { timeoutSec: 60, yieldMs: 30_000, maxOutputChars: 200_000, pathPrepend: [] },
    denied: [state!],
    log: quiet,
  };
  return {
    ctx,
    jobs,
    exits,
    updates,
    home: home!,
    state: state!,
    abort: () => stop.abort(),
    as: (agentId) => ({ ...ctx, agentId }),
    async [Symbol.asyncDispose]() {
      await jobs.stop(0);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Time that stands still until a test moves it. */
export function turnableClock(): Clock & { advance(ms: number): void } {
  let now = 1_000_000;
  const waiting = new Set<{ at: number; wake: () => void }>();
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const entry = { at: now + ms, wake: resolve };
        waiting.add(entry);
        signal?.addEventListener("abort", () => {
          waiting.delete(entry);
          reject(signal.reason);
        });
      }),
    advance(ms) {
      now += ms;
      for (const entry of [...waiting])
        if (entry.at <= now) {
          waiting.delete(entry);
          entry.wake();
        }
    },
  };
}

/** Resolves as soon as `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(2);
}

/** Whether a process is there and not a zombie. */
export async function runs(pid: number): Promise<boolean> {
  const state = await Bun.$`ps -o stat= -p ${pid}`.nothrow().quiet().text();
  return state.trim() !== "" && !state.trim().startsWith("Z");
}
