/** One running command: its process group, its output, its end. Made by jobs.ts; used by exec.ts and process.ts. */
import { AppError, errnoOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";
import { Output } from "./output.ts";
import { openPrintable } from "./printable.ts";
import { groupOutlives, shellArgv, shellFor, signalGroup } from "./shell.ts";

export type JobSpec = {
  agentId: string;
  sessionKey: string;
  command: string;
  /** An existing directory. */
  cwd: string;
  env: Record<string, string>;
  /** A terminal of 120x30 instead of pipes. */
  pty: boolean;
  /** Whether `write` will be possible; otherwise the command reads an empty input. A terminal always can. */
  stdin: boolean;
  /** Runs longer than this are stopped; 0 is no limit. */
  timeoutMs: number;
  /** Most characters of output kept. */
  maxOutputChars: number;
};

export type JobDeps = { clock: Clock; log: Logger; killAfterMs: number };

/** Why it was stopped from outside. */
export type StopReason = "timeout" | "killed" | "aborted" | "shutdown";
export type JobStatus = "running" | "completed" | "failed" | "killed";

export const TERMINAL = { cols: 120, rows: 30 };
/** How long output may still arrive after the command's own process ended, while its children hold the pipe. */
const DRAIN_MS = 150;
/** Reading pauses 10 ms per this many bytes, so that an endless writer (`yes`) cannot take the event loop. */
const BREATH_BYTES = 256 * 1024;
/** Input that is not read within this time is left to be read later. */
const WRITE_WAIT_MS = 250;
/** The longest timer of the runtime is 2^31 ms; one day is more than any command needs. */
const LONGEST_TIMEOUT_MS = 86_400_000;

type Child = {
  pid: number;
  exited: Promise<number>;
  signalCode: string | number | null;
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Resolves when all output was taken; never while a child of the command holds the pipe. */
  drained: Promise<void>;
  close(): void;
};

export class Job {
  readonly output: Output;
  readonly startedAt: number;
  readonly pid: number;
  /** Resolves, never rejects, when the command's own process ended and its output was taken. */
  readonly done: Promise<void>;
  endedAt: number | undefined;
  exitCode: number | undefined;
  signal: string | undefined;
  stopped: StopReason | undefined;
  /** It outlives the call that started it, and shows up in lists. */
  backgrounded = false;
  /** Output position of the last `poll`. */
  polled = 0;
  readonly #child: Child;
  readonly #watchers = new Set<() => void>();
  /** Aborted when nothing of it is left, which ends its timers. */
  readonly #gone = new AbortController();
  #writing = false;

  /** Throws tool_failed when the process cannot be started. */
  constructor(
    readonly id: string,
    readonly spec: JobSpec,
    private readonly deps: JobDeps,
  ) {
    this.output = new Output(spec.maxOutputChars);
    this.startedAt = deps.clock.now();
    const take = (text: string) => this.#take(text);
    this.#child = spec.pty ? startInTerminal(spec, take, deps.log) : startOnPipes(spec, take);
    this.pid = this.#child.pid;
    this.done = this.#finish();
    if (spec.timeoutMs > 0)
      this.#after(Math.min(spec.timeoutMs, LONGEST_TIMEOUT_MS), () => {
        if (this.status === "running") this.stop("timeout");
      });
  }

  get status(): JobStatus {
    if (this.endedAt === undefined) return "running";
    if (this.stopped) return "killed";
    return this.exitCode === 0 ? "completed" : "failed";
  }

  /** Processes that the command started are still there although it ended itself (`server &`). */
  get lingering(): boolean {
    return this.endedAt !== undefined && this.#groupLeft();
  }

  /** Called after every piece of output, until the returned function is called. */
  watch(onOutput: () => void): () => void {
    this.#watchers.add(onOutput);
    return () => this.#watchers.delete(onOutput);
  }

  /** Types into the command. Throws bad_request when it cannot read (any more), busy when it has not read the last input. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.endedAt !== undefined)
      throw new AppError("bad_request", `${this.id} has ended; it reads no more input.`);
    if (!this.spec.stdin && !this.spec.pty)
      throw new AppError("bad_request", `${this.id} was started without input.`, {
        hint: "Start it again with background:true or pty:true to write to it.",
      });
    if (this.#writing)
      throw new AppError("busy", `${this.id} has not read its last input yet.`, {
        hint: "Poll it first.",
      });
    this.#writing = true;
    const wrote = this.#child.write(bytes).finally(() => (this.#writing = false));
    background("writing to a process", wrote.then(undefined, this.#inputClosed), this.deps.log);
    await Promise.race([wrote, Bun.sleep(WRITE_WAIT_MS)]).catch(this.#inputClosedError);
  }

  /** Ends its input. */
  async closeInput(): Promise<void> {
    await this.#child.end().catch(this.#inputClosed);
  }

  /** TERM to the whole group now, KILL after the grace time to whoever is left. May be called again. */
  stop(reason: StopReason): void {
    if (this.#gone.signal.aborted) return;
    if (this.endedAt === undefined) this.stopped ??= reason;
    if (!this.signalAll("SIGTERM")) return;
    this.#after(this.deps.killAfterMs, () => this.signalAll("SIGKILL"));
  }

  /** False when nobody is left. */
  signalAll(signal: "SIGTERM" | "SIGKILL"): boolean {
    if (this.endedAt !== undefined && !this.lingering) return false;
    return signalGroup(this.pid, signal);
  }

  /** Ends its timers; for a job that nobody looks at any more. */
  release(): void {
    this.#gone.abort();
  }

  #take(text: string): void {
    if (!text) return;
    this.output.append(text);
    for (const watcher of this.#watchers) watcher();
  }

  async #finish(): Promise<void> {
    const code = await this.#child.exited;
    background("output of a process", this.#child.drained, this.deps.log);
    await Promise.race([Promise.allSettled([this.#child.drained]), Bun.sleep(DRAIN_MS)]);
    this.endedAt = this.deps.clock.now();
    const signal = this.#child.signalCode;
    if (signal === null) this.exitCode = code;
    else this.signal = String(signal);
    if (this.spec.pty) this.#child.close();
    this.#groupLeft();
    for (const watcher of this.#watchers) watcher();
  }

  /** Asked after the end. The first no is final: from then on the number may belong to somebody else. */
  #groupLeft(): boolean {
    if (this.#gone.signal.aborted) return false;
    if (groupOutlives(this.pid)) return true;
    this.#gone.abort();
    return false;
  }

  /** `work` does not run when nothing is left of the command by then. */
  #after(ms: number, work: () => void): void {
    const { clock, log } = this.deps;
    const wait = clock.sleep(ms, this.#gone.signal).then(work, (cause: unknown) => {
      // The command is over: the normal case.
      if (!this.#gone.signal.aborted) throw cause;
    });
    background("process timer", wait, log);
  }

  readonly #inputClosed = (cause: unknown): void => {
    if (errnoOf(cause) !== "EPIPE") throw cause;
  };
  readonly #inputClosedError = (cause: unknown): never => {
    if (errnoOf(cause) !== "EPIPE") throw cause;
    throw new AppError("bad_request", `${this.id} has closed its input.`, { cause });
  };
}

const startFailed = (cause: unknown): AppError => {
  const code = errnoOf(cause);
  if (code === "E2BIG")
    return new AppError("bad_request", "The command and its environment are too long to start.", {
      hint: "Write a script with the write tool and run that.",
      cause,
    });
  return new AppError("tool_failed", `The command could not be started (${code ?? cause}).`, {
    hint: code === "EAGAIN" || code === "EMFILE" ? "Too many processes run; stop some." : undefined,
    cause,
  });
};

function startOnPipes(spec: JobSpec, take: (text: string) => void): Child {
  const start = () => {
    try {
      return Bun.spawn(shellArgv(shellFor(spec.env), spec.command, false), {
        cwd: spec.cwd,
        env: spec.env,
        stdin: spec.stdin ? "pipe" : "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // A session and process group of its own: one signal reaches everything it starts.
        detached: true,
        windowsHide: true,
      });
    } catch (cause) {
      throw startFailed(cause);
    }
  };
  const child = start();
  const pump = async (stream: ReadableStream<Uint8Array>) => {
    const printable = openPrintable();
    let unrested = 0;
    for await (const bytes of stream) {
      take(printable.text(bytes));
      unrested += bytes.length;
      if (unrested < BREATH_BYTES) continue;
      unrested = 0;
      await Bun.sleep(10);
    }
    take(printable.text(new Uint8Array(), true));
  };
  return {
    pid: child.pid,
    exited: child.exited,
    get signalCode() {
      return child.signalCode;
    },
    drained: Promise.all([pump(child.stdout), pump(child.stderr)]).then(() => undefined),
    async write(bytes) {
      child.stdin?.write(bytes);
      await child.stdin?.flush();
    },
    async end() {
      await child.stdin?.end();
    },
    close() {},
  };
}

/** Falls back to pipes, saying so in the output, where the system has no terminal to give. */
function startInTerminal(spec: JobSpec, take: (text: string) => void, log: Logger): Child {
  const eof = Promise.withResolvers<void>();
  const start = () => {
    try {
      return Bun.spawn(shellArgv(shellFor(spec.env), spec.command, true), {
        cwd: spec.cwd,
        env: { TERM: "xterm-256color", ...spec.env },
        terminal: {
          ...TERMINAL,
          data: (terminal, bytes) => {
            printable ??= openPrintable(() => terminal.write("\x1b[1;1R"));
            take(printable.text(bytes));
          },
          exit: () => eof.resolve(),
        },
      });
    } catch (cause) {
      log.warn("no terminal for a command", { code: errnoOf(cause) });
      return undefined;
    }
  };
  let printable: ReturnType<typeof openPrintable> | undefined;
  const child = start();
  if (!child) {
    take("[No terminal is available here; the command runs without one.]\n");
    return startOnPipes({ ...spec, pty: false, stdin: true }, take);
  }
  const terminal = child.terminal!;
  return {
    pid: child.pid,
    exited: child.exited,
    get signalCode() {
      return child.signalCode;
    },
    drained: eof.promise.then(() => {
      if (printable) take(printable.text(new Uint8Array(), true));
    }),
    async write(bytes) {
      terminal.write(bytes);
    },
    async end() {
      terminal.write("\x04");
    },
    close: () => terminal.close(),
  };
}
