/**
 * The processes that `exec` starts and `process` looks after. One table per gateway; every reader sees its own agent's only.
 * Bounded in count and memory. Nothing survives `stop`: each command has its own process group, which gets TERM, then KILL.
 */
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";
import { Job, type JobSpec } from "./job.ts";

/** A background command that ended by itself, for the notice to its session (`tools.exec.notifyOnExit`). */
export type JobExit = {
  id: string;
  agentId: string;
  sessionKey: string;
  command: string;
  status: "completed" | "failed" | "killed";
  exitCode?: number;
  signal?: string;
  durationMs: number;
  /** The last 400 characters of its output. */
  tail: string;
};

export interface Jobs {
  readonly clock: Clock;
  /** Starts a command in the foreground: not listed until `background`. Throws tool_failed, or busy at the limits. */
  start(spec: JobSpec): Job;
  /** Lets it outlive its call, under its id. */
  background(job: Job): void;
  /** Background jobs of one agent, oldest first; finished ones as long as they are kept. */
  list(agentId: string): Job[];
  get(agentId: string, id: string): Job | undefined;
  /** Forgets a job; stops it when it runs. */
  remove(job: Job): void;
  /** Ends everything, KILL after `graceMs`. Resolves when nothing is left; starts are refused from then on. */
  stop(graceMs?: number): Promise<void>;
}

export type JobsOptions = {
  clock: Clock;
  log: Logger;
  /** How long finished background jobs are kept (`tools.exec.cleanupMs`). */
  cleanupMs: number;
  /** A background job ended, not by the agent's own hand. Called once per job; must not throw. */
  onExit?: (exit: JobExit) => void;
  /** From TERM to KILL. */
  killAfterMs?: number;
  /** Commands that one agent may have running at the same time. */
  maxRunning?: number;
};

/** Finished jobs of all agents together that are kept at most, and what their output may hold in memory. */
const MAX_FINISHED = 200;
const MAX_FINISHED_CHARS = 8_000_000;

export function openJobs(options: JobsOptions): Jobs {
  const { clock, log, cleanupMs, onExit, killAfterMs = 10_000, maxRunning = 64 } = options;
  const table = new Map<string, Job>();
  let stopping = false;
  const alive = (job: Job) => job.status === "running" || job.lingering;

  const sweep = () => {
    const finished = [...table.values()].filter((job) => !alive(job)).reverse();
    let [count, chars] = [0, 0];
    for (const job of finished) {
      chars += Math.min(job.output.total, job.spec.maxOutputChars);
      const old = clock.now() - job.endedAt! > cleanupMs;
      if (!job.backgrounded || old || ++count > MAX_FINISHED || chars > MAX_FINISHED_CHARS) {
        table.delete(job.id);
        job.release();
      }
    }
  };

  const ended = (job: Job) => {
    const ownHand = job.stopped === "killed" || job.stopped === "shutdown";
    if (job.backgrounded && !ownHand && job.status !== "running")
      onExit?.({
        id: job.id,
        agentId: job.spec.agentId,
        sessionKey: job.spec.sessionKey,
        command: job.spec.command,
        status: job.status,
        exitCode: job.exitCode,
        signal: job.signal,
        durationMs: job.endedAt! - job.startedAt,
        tail: job.output.last(400),
      });
    sweep();
  };

  return {
    clock,
    start(spec) {
      if (stopping)
        throw new AppError("busy", "The gateway is stopping; no command is started any more.");
      sweep();
      const running = [...table.values()].filter(
        (job) => job.spec.agentId === spec.agentId && alive(job),
      );
      if (running.length >= maxRunning)
        throw new AppError("busy", `${running.length} commands are running already.`, {
          hint: "Stop some with process kill before starting more.",
        });
      const job = new Job(freeId(table), spec, { clock, log, killAfterMs });
      table.set(job.id, job);
      background(
        "end of a process",
        job.done.then(() => ended(job)),
        log,
      );
      return job;
    },
    background(job) {
      job.backgrounded = true;
    },
    list(agentId) {
      sweep();
      return [...table.values()].filter((j) => j.spec.agentId === agentId && j.backgrounded);
    },
    get(agentId, id) {
      sweep();
      const job = table.get(id);
      return job?.spec.agentId === agentId && job.backgrounded ? job : undefined;
    },
    remove(job) {
      job.stop("killed");
      job.backgrounded = false;
      sweep();
    },
    async stop(graceMs = 2000) {
      stopping = true;
      const left = () => [...table.values()].filter(alive);
      for (const job of left()) job.stop("shutdown");
      for (let waited = 0; waited < graceMs && left().length > 0; waited += 10) await Bun.sleep(10);
      for (const job of left()) job.signalAll("SIGKILL");
      // A process that hangs in the kernel does not die even now; the stop goes on without it.
      await Promise.race([
        Promise.all([...table.values()].map((job) => job.done)),
        Bun.sleep(1000),
      ]);
      for (const job of table.values()) job.release();
      table.clear();
    },
  };
}

const ADJECTIVES =
  "amber bold brave brisk calm clear cool crisp dawn deep eager early fair fast fresh gentle glad grand keen kind lively lucky mellow mild neat nimble noble plain proud quick quiet rapid ready sharp silent smooth solid steady sunny swift tidy vivid warm wild wise young".split(
    " ",
  );
const NOUNS =
  "atlas basil bison brook canyon cedar cliff cloud comet coral crane creek delta dune ember falcon fern finch fjord forest harbor hawk heron island lagoon lake lark maple meadow mesa moss oasis ocean orchid otter pebble pine prairie raven reef ridge river sable shell summit tide valley willow".split(
    " ",
  );
const pick = (words: string[]) => words[Math.floor(Math.random() * words.length)]!;

/** `calm-otter`; a number is added while that one is taken. */
function freeId(taken: ReadonlyMap<string, unknown>): string {
  for (let n = 1; ; n++) {
    const id = `${pick(ADJECTIVES)}-${pick(NOUNS)}${n > 10 ? `-${n}` : ""}`;
    if (!taken.has(id)) return id;
  }
}
