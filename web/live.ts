/** What a run has said and done so far, built from events and from the snapshot in `chat.history`. Pure. */
import type { AgentEvent, LiveSnapshot } from "./wire.ts";

/** `sealed`: the message that it is part of is complete; what is streamed next begins a new part. */
export type LivePart = LiveText | LiveTool;
export type LiveText = { kind: "text" | "thinking"; text: string; sealed?: boolean };
export type LiveTool = {
  kind: "tool";
  id: string;
  name: string;
  args: unknown;
  output?: string;
  state: "running" | "done" | "failed";
  /** Epoch ms, as this page saw it. */
  startedAt: number;
  ms?: number;
};
export type LiveRun = {
  runId: string;
  startedAt: number;
  parts: LivePart[];
  /** When this page first heard of it, in its own order of things (`performance.now`). */
  seenAt: number;
  /** Past its last event; kept on screen until the history that replaces it is here. */
  ended?: boolean;
};

export const newRun = (runId: string, at: number, seenAt: number): LiveRun => ({
  runId,
  startedAt: at,
  parts: [],
  seenAt,
});

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

/** The text of a tool result in any of the shapes that are on the wire. */
export function resultText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(resultText).filter(Boolean).join("\n");
  if (typeof value === "object") {
    const { text, content } = value as { text?: unknown; content?: unknown };
    if (typeof text === "string") return text;
    if (content !== undefined) return resultText(content);
  }
  return JSON.stringify(value, null, 2);
}

/** Streamed text is the whole text of its message so far. */
function said(parts: LivePart[], kind: "text" | "thinking", text: string): LivePart[] {
  const at = parts.findLastIndex((part) => part.kind === kind && !part.sealed);
  return at === -1 ? [...parts, { kind, text }] : parts.with(at, { kind, text });
}

const sealed = (parts: LivePart[]): LivePart[] =>
  parts.map((part) => (part.kind === "tool" || part.sealed ? part : { ...part, sealed: true }));

function tooled(parts: LivePart[], data: Record<string, unknown>, now: number): LivePart[] {
  const id = textOf(data.toolCallId);
  if (!id) return parts;
  if (data.phase === "start") parts = sealed(parts);
  const at = parts.findIndex((part) => part.kind === "tool" && part.id === id);
  const before = at === -1 ? undefined : (parts[at] as LiveTool);
  const tool: LiveTool = before ?? {
    kind: "tool",
    id,
    name: textOf(data.name) ?? "",
    args: data.args,
    state: "running",
    startedAt: now,
  };
  const next = { ...tool };
  if (data.phase === "update") next.output = resultText(data.partialResult);
  if (data.phase === "result") {
    next.state = data.isError === true ? "failed" : "done";
    next.output = resultText(data.result ?? next.output);
    next.ms = typeof data.ms === "number" ? data.ms : now - tool.startedAt;
  }
  return before ? parts.with(at, next) : [...parts, next];
}

/** The run after one more event. Events may be doubled or missing; text is cumulative, so the newest one is right. */
export function applyEvent(run: LiveRun, event: AgentEvent, now: number): LiveRun {
  const { stream, data } = event;
  if (stream === "assistant") {
    const text = textOf(data.text);
    return text === undefined ? run : { ...run, parts: said(run.parts, "text", text) };
  }
  if (stream === "thinking") {
    const text = textOf(data.text);
    return text === undefined ? run : { ...run, parts: said(run.parts, "thinking", text) };
  }
  if (stream === "message") return { ...run, parts: sealed(run.parts) };
  if (stream === "tool") return { ...run, parts: tooled(run.parts, data, now) };
  if (stream === "lifecycle" && (data.phase === "end" || data.phase === "error"))
    return { ...run, ended: true };
  return run;
}

/** A snapshot as a run. */
export function runOf(snapshot: LiveSnapshot, seenAt: number): LiveRun {
  const parts: LivePart[] = [];
  if (snapshot.thinking) parts.push({ kind: "thinking", text: snapshot.thinking });
  if (snapshot.text) parts.push({ kind: "text", text: snapshot.text });
  for (const { call, output } of snapshot.tools)
    parts.push({
      kind: "tool",
      id: call.id,
      name: call.name,
      args: call.args,
      output,
      state: "running",
      startedAt: snapshot.startedAt,
    });
  return { runId: snapshot.runId, startedAt: snapshot.startedAt, parts, seenAt };
}

/**
 * Live runs after a history answer that was asked for at `askedAt`. The snapshot wins, but events that overtook it are kept:
 * a longer text that begins with the snapshot's, a tool's result, and a run that began after the question.
 */
export function reconcileRuns(
  local: LiveRun[],
  snapshots: LiveSnapshot[],
  askedAt: number,
  inHistory: (toolId: string) => boolean,
): LiveRun[] {
  const merged = snapshots.map((snapshot) => {
    const run = runOf(snapshot, askedAt);
    const mine = local.find((r) => r.runId === snapshot.runId);
    if (!mine) return run;
    const parts = run.parts.map((part) => {
      if (part.kind === "tool")
        return mine.parts.find((p) => p.kind === "tool" && p.id === part.id) ?? part;
      const newer = mine.parts.findLast((p) => p.kind === part.kind);
      return newer && "text" in newer && newer.text.startsWith(part.text) ? newer : part;
    });
    const known = new Set(parts.map((p) => (p.kind === "tool" ? p.id : "")));
    for (const part of mine.parts)
      if (part.kind === "tool" && !known.has(part.id) && !inHistory(part.id)) parts.push(part);
    return { ...run, parts, seenAt: mine.seenAt, ended: mine.ended };
  });
  const ids = new Set(snapshots.map((s) => s.runId));
  const newer = local.filter((run) => !ids.has(run.runId) && !run.ended && run.seenAt >= askedAt);
  return [...merged, ...newer];
}
