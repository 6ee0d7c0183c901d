/**
 * Runs a command on the gateway's own machine. There is no sandbox backend and no approval queue in this program yet, so:
 * without a word about it (the everyday case) a command runs here, with the rights of the gateway; whoever asks for more
 * protection than that (host sandbox, security allowlist, ask always) gets an error instead of an unprotected run.
 */
import { stat } from "node:fs/promises";

import { z } from "zod";

import { readEnv } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { missingCommandHint, missingCommandIn } from "../base/nix.ts";
import type { ToolResult } from "../flow.ts";
import { checkCallEnv, prependPath } from "./environment.ts";
import type { Job } from "./job.ts";
import { absolutePath, shorten } from "./place.ts";
import { type ExecSettings, tool, type ToolContext } from "./tool.ts";

/** One argument of a Linux process may not be longer. */
const MAX_COMMAND = 128_000;
/** The job keeps no more than this, whatever the configuration says. */
const MAX_OUTPUT = 200_000;
const MAX_TIMEOUT_SEC = 86_400;
/** Progress goes out this often, in ms, and shows this many characters. */
const PROGRESS_MS = 200;
const PROGRESS_CHARS = 4000;

const Input = z.object({
  command: z.string().describe("Shell command"),
  workdir: z.string().optional().describe("Directory (default: workspace)"),
  env: z.record(z.string(), z.string()).optional().describe("Extra variables"),
  yieldMs: z.int().min(0).optional().describe("Wait this long, then go on in background (10000)"),
  background: z.boolean().optional().describe("Return at once"),
  timeout: z.number().min(0).optional().describe("Seconds, then it is stopped (1800)"),
  pty: z.boolean().optional().describe("Give it a terminal"),
  elevated: z.boolean().optional().describe("Outside a sandbox, if there is one"),
  host: z.enum(["sandbox", "gateway", "node"]).optional().describe("Only gateway is available"),
  security: z.enum(["deny", "allowlist", "full"]).optional().describe("May only narrow"),
  ask: z.enum(["off", "on-miss", "always"]).optional().describe("May only tighten"),
  node: z.string().optional().describe("None is connected"),
});

export const exec = tool({
  name: "exec",
  label: "Run command",
  summary: "Run a shell command",
  description:
    "Run a shell command. A long one goes on in background under a session id; use process to look after it. Input is empty unless background, yieldMs or pty is given.",
  input: Input,
  aliases: { cmd: "command", cwd: "workdir", timeoutSec: "timeout", timeout_seconds: "timeout" },
  async run(input, ctx) {
    checkCommand(input.command);
    refuseUnavailable(input, ctx.exec);
    const cwd = await directoryFor(input.workdir, ctx);
    const env = { ...ctx.env, ...checkCallEnv(input.env ?? {}) };
    if (ctx.signal.aborted) throw new AppError("aborted", "The run was stopped before this call.");
    const job = ctx.jobs.start({
      agentId: ctx.agentId,
      sessionKey: ctx.sessionKey,
      command: input.command,
      cwd,
      env: prependPath(
        env,
        ctx.exec.pathPrepend.map((dir) => dir.replace(/^~(?=\/)/, env["HOME"] ?? "~")),
      ),
      pty: input.pty ?? false,
      stdin: (input.background ?? false) || input.yieldMs !== undefined,
      timeoutMs: Math.min(input.timeout || ctx.exec.timeoutSec, MAX_TIMEOUT_SEC) * 1000,
      maxOutputChars: Math.min(ctx.exec.maxOutputChars, MAX_OUTPUT),
    });
    if (input.background) return goOn(job, ctx);
    const yieldMs = Math.min(120_000, Math.max(10, input.yieldMs ?? ctx.exec.yieldMs));
    const outcome = await waitFor(job, yieldMs, ctx);
    if (outcome === "yield") return goOn(job, ctx);
    if (outcome === "abort") job.stop("aborted");
    return ended(job, ctx);
  },
});

function checkCommand(command: string): void {
  if (!command.trim()) throw new AppError("bad_request", "The command is empty.");
  if (command.includes("\0"))
    throw new AppError("bad_request", "The command contains a NUL character.");
  if (Buffer.byteLength(command) > MAX_COMMAND)
    throw new AppError("bad_request", `The command is longer than ${MAX_COMMAND} bytes.`, {
      hint: "Write a script with the write tool and run that.",
    });
}

type Wish = Pick<z.output<typeof Input>, "host" | "security" | "ask" | "node">;

/**
 * Throws forbidden when the configuration or the call asks for a place or a check that is not there. A call can only narrow
 * what the configuration allows. `elevated` has nothing to leave here and is accepted without effect.
 */
export function refuseUnavailable(wish: Wish, settings: ExecSettings): void {
  const refuse = (message: string, hint: string) => new AppError("forbidden", message, { hint });
  if (wish.host === "node" || wish.node !== undefined || settings.host === "node")
    throw refuse("No node is connected to run commands.", "Leave out host and node.");
  if (wish.host === "sandbox")
    throw refuse("There is no sandbox here.", "Leave out host to run on the gateway's machine.");
  const { security, ask } = rulesOf(settings);
  if (security === "deny" || wish.security === "deny")
    throw refuse("Commands are switched off.", "The user can change tools.exec.security.");
  const strictest = [security, wish.security, ask, wish.ask];
  if (strictest.includes("allowlist") || strictest.includes("always"))
    throw refuse(
      "This command would need an approval, and there is nobody to give one.",
      'The user can set tools.exec.security to "full" and tools.exec.ask to "off".',
    );
}

const MODES = {
  deny: { security: "deny", ask: "off" },
  allowlist: { security: "allowlist", ask: "off" },
  ask: { security: "allowlist", ask: "on-miss" },
  auto: { security: "allowlist", ask: "on-miss" },
  full: { security: "full", ask: "off" },
} as const;

/** `allowlist` is the original's default for the host `gateway`; unset, or a sandbox that is not there, means no approvals. */
function rulesOf(settings: ExecSettings): Pick<ExecSettings, "security" | "ask"> {
  const mode = settings.mode && MODES[settings.mode];
  const usual = settings.host === "gateway" ? "allowlist" : "full";
  return {
    security: settings.security ?? mode?.security ?? usual,
    ask: settings.ask ?? mode?.ask ?? "on-miss",
  };
}

/** An existing directory. Commands are not confined, so this only spares a confusing error. */
async function directoryFor(workdir: string | undefined, ctx: ToolContext): Promise<string> {
  const path = workdir?.trim() ? absolutePath(workdir, ctx) : ctx.workspace;
  try {
    if ((await stat(path)).isDirectory()) return path;
  } catch (cause) {
    if (!["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(errnoOf(cause) ?? ""))
      throw cause;
  }
  throw new AppError("not_found", `There is no directory ${shorten(path)} to run in.`, {
    hint: `Leave out workdir to run in ${ctx.workspace}.`,
  });
}

async function waitFor(
  job: Job,
  yieldMs: number,
  ctx: ToolContext,
): Promise<"done" | "yield" | "abort"> {
  const over = new AbortController();
  const aborted = new Promise<"abort">((resolve) =>
    ctx.signal.addEventListener("abort", () => resolve("abort"), { signal: over.signal }),
  );
  const waited = ctx.jobs.clock.sleep(yieldMs, over.signal).then(
    () => "yield" as const,
    // The command was faster.
    () => "done" as const,
  );
  const stopProgress = showProgress(job, ctx);
  try {
    return await Promise.race([job.done.then(() => "done" as const), waited, aborted]);
  } finally {
    stopProgress();
    over.abort();
  }
}

function showProgress(job: Job, ctx: ToolContext): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const unwatch = job.watch(() => {
    timer ??= setTimeout(() => {
      timer = undefined;
      ctx.update(job.output.last(PROGRESS_CHARS));
    }, PROGRESS_MS);
  });
  return () => {
    clearTimeout(timer);
    unwatch();
  };
}

function goOn(job: Job, ctx: ToolContext): ToolResult {
  ctx.jobs.background(job);
  job.polled = job.output.total;
  const output = job.output.text().trimEnd();
  return {
    text: `${output ? `${output}\n\n` : ""}[Still running in background as ${job.id} (pid ${job.pid}). Use process to poll, write or kill.]`,
    details: {
      status: "running",
      sessionId: job.id,
      pid: job.pid,
      startedAt: job.startedAt,
      durationMs: ctx.jobs.clock.now() - job.startedAt,
      cwd: job.spec.cwd,
      tail: job.output.last(PROGRESS_CHARS),
    },
  };
}

function ended(job: Job, ctx: ToolContext): ToolResult {
  const output = job.output.text().trimEnd() || "(no output)";
  const notes = [endNote(job), nixNote(job, output)];
  if (job.lingering && !job.stopped) {
    ctx.jobs.background(job);
    job.polled = job.output.total;
    notes.push(`[Processes it started still run; process knows them as ${job.id}.]`);
  }
  const failed = job.status !== "completed";
  return {
    text: [output, ...notes].filter(Boolean).join("\n\n"),
    isError: failed || undefined,
    details: {
      status: failed ? "failed" : "completed",
      exitCode: job.exitCode ?? null,
      ...(job.signal ? { exitSignal: job.signal } : {}),
      durationMs: (job.endedAt ?? ctx.jobs.clock.now()) - job.startedAt,
      ...(job.backgrounded ? { sessionId: job.id } : {}),
      cwd: job.spec.cwd,
    },
  };
}

/** In Nix mode: where a command that was not found is added, so that the model tells the user that instead of installing it. */
function nixNote(job: Job, output: string): string {
  if (job.exitCode !== 127) return "";
  const command = missingCommandIn(output);
  const hint = command && missingCommandHint(readEnv(job.spec.env), command);
  return hint ? `[${hint}]` : "";
}

/** How it ended, in brackets; empty for a plain success. */
export function endNote(job: Job): string {
  if (job.stopped === "timeout")
    return `[Stopped after ${job.spec.timeoutMs / 1000} s: the timeout. Set timeout for more, or use background.]`;
  if (job.stopped === "aborted") return "[Stopped: the run was aborted.]";
  if (job.stopped) return "[Stopped.]";
  if (job.signal) return `[Killed by ${job.signal}.]`;
  return job.exitCode === 0 ? "" : `[Exit code ${job.exitCode}.]`;
}
