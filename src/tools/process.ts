/** Looks after the background commands that `exec` started. */
import { z } from "zod";

import { AppError } from "../base/errors.ts";
import { formatAge } from "../base/time.ts";
import type { ToolResult } from "../flow.ts";
import { endNote } from "./exec.ts";
import type { Job } from "./job.ts";
import { bracketedPaste, hexBytes, keyBytes } from "./keys.ts";
import { shorten } from "./place.ts";
import { tool, type ToolContext } from "./tool.ts";

const LOG_LINES = 200;
/** Most characters typed into a command by one call. */
const MAX_INPUT = 100_000;
/** A poll that has nothing new yet waits this long for something, which saves the model a round. In ms. */
const POLL_WAIT_MS = 2000;
/** TERM has this long; then KILL has come. In ms. */
const KILL_WAIT_MS = 12_000;

const Input = z.object({
  action: z
    .enum([
      "list",
      "poll",
      "log",
      "write",
      "send-keys",
      "submit",
      "paste",
      "kill",
      "clear",
      "remove",
    ])
    .describe("clear forgets a finished one, remove also kills"),
  sessionId: z.string().optional().describe("Id from exec; all but list"),
  data: z.string().optional().describe("write, submit: text"),
  keys: z.array(z.string()).optional().describe("send-keys: Enter, C-c, Up, M-x ..."),
  hex: z.array(z.string()).optional().describe("send-keys: bytes"),
  literal: z.string().optional().describe("send-keys: text"),
  text: z.string().optional().describe("paste: text"),
  bracketed: z.boolean().optional().describe("paste: bracketed (true)"),
  eof: z.boolean().optional().describe("write: then end input"),
  offset: z.int().min(0).optional().describe("log: first line, from 0"),
  limit: z.int().min(1).optional().describe("log: lines (last 200)"),
});
type Input = z.output<typeof Input>;

export const processTool = tool({
  name: "process",
  label: "Processes",
  summary: "Look after background commands",
  description:
    "Background commands: list; poll (new output and state), log, write, send-keys, submit (text and Enter), paste, kill.",
  input: Input,
  aliases: { session_id: "sessionId", id: "sessionId" },
  async run(input, ctx) {
    if (input.action === "list") return list(ctx);
    const job = jobFor(input, ctx);
    switch (input.action) {
      case "poll":
        return poll(job, ctx);
      case "log":
        return log(job, input);
      case "write":
        return write(job, input);
      case "submit":
        await type(job, `${input.data ?? ""}${job.spec.pty ? "\r" : "\n"}`);
        return answer(job, `Submitted to ${job.id}.`);
      case "paste":
        return paste(job, input);
      case "send-keys":
        return sendKeys(job, input);
      case "kill":
        return kill(job, ctx);
      case "clear":
        if (job.status === "running")
          throw new AppError("bad_request", `${job.id} still runs.`, {
            hint: "Use kill or remove.",
          });
        ctx.jobs.remove(job);
        return answer(job, `Forgot ${job.id}.`);
      case "remove":
        ctx.jobs.remove(job);
        return answer(job, `Removed ${job.id}.`);
    }
  },
});

function jobFor({ action, sessionId }: Input, ctx: ToolContext): Job {
  if (!sessionId) throw new AppError("bad_request", `sessionId is missing for ${action}.`);
  const job = ctx.jobs.get(ctx.agentId, sessionId.trim());
  if (job) return job;
  const known = ctx.jobs.list(ctx.agentId).map((other) => other.id);
  throw new AppError("not_found", `There is no background command ${shorten(sessionId)}.`, {
    hint: known.length > 0 ? `There are: ${known.slice(-10).join(", ")}.` : "None is known.",
  });
}

const stateOf = (job: Job): string => {
  if (job.status === "running") return "running";
  const children = job.lingering ? ", children still run" : "";
  if (job.signal) return `${job.status} (${job.signal}${children})`;
  return `${job.status} (exit ${job.exitCode}${children})`;
};

const detailsOf = (job: Job): Record<string, unknown> => ({
  sessionId: job.id,
  status: job.status,
  ...(job.status === "running" ? { pid: job.pid } : { exitCode: job.exitCode ?? null }),
  ...(job.signal ? { exitSignal: job.signal } : {}),
});

const answer = (job: Job, text: string): ToolResult => ({ text, details: detailsOf(job) });

function list(ctx: ToolContext): ToolResult {
  const jobs = ctx.jobs.list(ctx.agentId);
  const now = ctx.jobs.clock.now();
  const lines = jobs.map((job) => {
    const age = formatAge((job.endedAt ?? now) - job.startedAt);
    const command = job.spec.command.replace(/\s+/g, " ").trim();
    return `${job.id}  ${stateOf(job)}  ${age}  ${command.slice(0, 120).toWellFormed()}`;
  });
  return {
    text: lines.join("\n") || "No background commands.",
    details: {
      sessions: jobs.map((job) => ({
        ...detailsOf(job),
        command: job.spec.command,
        cwd: job.spec.cwd,
        startedAt: job.startedAt,
        endedAt: job.endedAt,
      })),
    },
  };
}

async function poll(job: Job, ctx: ToolContext): Promise<ToolResult> {
  if (job.status === "running" && job.output.total === job.polled)
    await somethingNew(job, POLL_WAIT_MS, ctx);
  const fresh = job.output.since(job.polled).trimEnd();
  job.polled = job.output.total;
  const state = job.status === "running" ? "[Still running.]" : endNote(job) || "[Exit code 0.]";
  return {
    text: `${fresh || "(no new output)"}\n\n${state}`,
    details: { ...detailsOf(job), totalChars: job.output.total },
  };
}

/** Resolves at the next output, at the end, at an abort, or after `ms`. */
async function somethingNew(job: Job, ms: number, ctx: ToolContext): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([ctx.signal, over.signal]);
  const unwatch = job.watch(() => over.abort());
  try {
    // Either it slept, or it was woken: both are fine.
    await Promise.allSettled([ctx.jobs.clock.sleep(ms, signal)]);
  } finally {
    unwatch();
  }
}

function log(job: Job, { offset, limit }: Input): ToolResult {
  const text = job.output.text().replace(/\n$/, "");
  const lines = text ? text.split("\n") : [];
  const count = limit ?? LOG_LINES;
  const from = offset ?? Math.max(0, lines.length - count);
  const shown = lines.slice(from, from + count);
  const last = from + shown.length;
  const note =
    shown.length === lines.length ? "" : `\n\n[Lines ${from}-${last - 1} of ${lines.length}.]`;
  return {
    text: (shown.join("\n") || "(no output)") + note,
    details: { ...detailsOf(job), totalLines: lines.length, totalChars: job.output.total },
  };
}

async function type(job: Job, input: string | Uint8Array): Promise<void> {
  if (input.length > MAX_INPUT)
    throw new AppError("bad_request", `More than ${MAX_INPUT} characters at once.`);
  await job.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
}

async function write(job: Job, { data = "", eof }: Input): Promise<ToolResult> {
  if (!data && !eof) throw new AppError("bad_request", "data is missing for write.");
  if (data) await type(job, data);
  if (eof) await job.closeInput();
  return answer(
    job,
    `Wrote ${data.length} characters to ${job.id}${eof ? " and ended its input" : ""}.`,
  );
}

async function paste(job: Job, { text, data, bracketed = true }: Input): Promise<ToolResult> {
  const pasted = text ?? data;
  if (!pasted) throw new AppError("bad_request", "text is missing for paste.");
  await type(job, bracketed ? bracketedPaste(pasted) : pasted);
  return answer(job, `Pasted ${pasted.length} characters to ${job.id}.`);
}

async function sendKeys(
  job: Job,
  { keys = [], hex = [], literal = "" }: Input,
): Promise<ToolResult> {
  const parts = [
    ...(literal ? [Buffer.from(literal)] : []),
    ...hex.map(hexBytes),
    ...keys.map((key) => Buffer.from(keyBytes(key))),
  ];
  if (parts.length === 0)
    throw new AppError("bad_request", "keys, hex or literal is missing for send-keys.");
  await type(job, Buffer.concat(parts));
  return answer(job, `Sent to ${job.id}.`);
}

async function kill(job: Job, ctx: ToolContext): Promise<ToolResult> {
  if (job.status !== "running" && !job.lingering)
    return answer(job, `${job.id} has ended already: ${stateOf(job)}.`);
  job.stop("killed");
  const over = new AbortController();
  const limit = ctx.jobs.clock.sleep(KILL_WAIT_MS, AbortSignal.any([ctx.signal, over.signal]));
  await Promise.race([job.done, Promise.allSettled([limit])]);
  over.abort();
  return answer(job, job.status === "running" ? `${job.id} is being killed.` : `Killed ${job.id}.`);
}
