import { expect, test } from "bun:test";

import { applyEvent, type LiveRun, newRun, reconcileRuns } from "./live.ts";
import type { LiveSnapshot } from "./wire.ts";

const play = (...events: [stream: string, data: Record<string, unknown>][]): LiveRun =>
  events.reduce(
    (run, [stream, data], i) =>
      applyEvent(run, { runId: "r1", seq: i + 1, stream, data }, 1000 + i),
    newRun("r1", 0, 0),
  );
const texts = (run: LiveRun | undefined) =>
  run?.parts.map((part) => (part.kind === "tool" ? `${part.name}:${part.state}` : part.text));

test("text is cumulative within a message; a doubled or missing event changes nothing", () => {
  const run = play(
    ["assistant", { text: "He" }],
    ["assistant", { text: "Hello" }],
    ["assistant", { text: "Hello" }],
    ["message", {}],
    ["tool", { phase: "start", toolCallId: "t", name: "exec", args: {} }],
    ["assistant", { text: "Hello again" }],
  );
  expect(texts(run)).toEqual(["Hello", "exec:running", "Hello again"]);
});

test("an attempt that begins anew replaces what it had said", () => {
  expect(texts(play(["assistant", { text: "Wrong way" }], ["assistant", { text: "R" }]))).toEqual([
    "R",
  ]);
});

test("thinking and text of one message grow side by side", () => {
  const run = play(
    ["thinking", { text: "hm" }],
    ["assistant", { text: "So" }],
    ["thinking", { text: "hmm" }],
    ["assistant", { text: "So be it" }],
  );
  expect(texts(run)).toEqual(["hmm", "So be it"]);
});

test("a tool shows what it says while it runs, then its result and time", () => {
  const running = play(
    ["tool", { phase: "start", toolCallId: "t", name: "exec", args: { command: "ls" } }],
    ["tool", { phase: "update", toolCallId: "t", name: "exec", partialResult: "a\n" }],
  );
  expect(running.parts[0]).toMatchObject({ state: "running", output: "a\n" });
  const done = applyEvent(
    running,
    {
      runId: "r1",
      seq: 9,
      stream: "tool",
      data: { phase: "result", toolCallId: "t", result: "a\nb", isError: true, ms: 5 },
    },
    9,
  );
  expect(done.parts).toMatchObject([{ state: "failed", output: "a\nb", ms: 5 }]);
});

const snapshot = (more: Partial<LiveSnapshot>): LiveSnapshot => ({
  runId: "r1",
  startedAt: 0,
  text: "",
  thinking: "",
  tools: [],
  ...more,
});
const never = () => false;

test("after a reconnect the snapshot wins, but not over what is newer", () => {
  const local = play(["assistant", { text: "One two three" }]);
  expect(texts(reconcileRuns([local], [snapshot({ text: "One two" })], 5, never)[0])).toEqual([
    "One two three",
  ]);
  expect(texts(reconcileRuns([local], [snapshot({ text: "Other" })], 5, never)[0])).toEqual([
    "Other",
  ]);
  expect(texts(reconcileRuns([], [snapshot({ text: "Fresh" })], 5, never)[0])).toEqual(["Fresh"]);
});

test("what the transcript has by now is not shown a second time", () => {
  const local = play(
    ["assistant", { text: "First" }],
    ["tool", { phase: "start", toolCallId: "t1", name: "read", args: {} }],
    ["tool", { phase: "result", toolCallId: "t1", result: "x" }],
    ["assistant", { text: "Second" }],
  );
  const [run] = reconcileRuns([local], [snapshot({ text: "Sec" })], 5, (id) => id === "t1");
  expect(texts(run)).toEqual(["Second"]);
});

test("a tool's result that overtook the snapshot is kept", () => {
  const local = play(
    ["tool", { phase: "start", toolCallId: "t1", name: "read", args: {} }],
    ["tool", { phase: "result", toolCallId: "t1", result: "x" }],
  );
  const tools = [{ call: { id: "t1", name: "read", args: {} } }];
  expect(texts(reconcileRuns([local], [snapshot({ tools })], 5, never)[0])).toEqual(["read:done"]);
});

test("a run that is over is gone, one that began after the question stays", () => {
  const old = { ...newRun("old", 0, 1), parts: [] };
  const fresh = newRun("fresh", 0, 9);
  expect(reconcileRuns([old, fresh], [], 5, never).map((run) => run.runId)).toEqual(["fresh"]);
});
