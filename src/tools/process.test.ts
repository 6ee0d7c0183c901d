import { expect, test } from "bun:test";

import {
  type Bench,
  openBench,
  runs,
  turnableClock,
  until,
} from "../../test/contract/tool-context.ts";
import { exec } from "./exec.ts";
import { processTool } from "./process.ts";
import { runTool } from "./tool.ts";

const start = async (bench: Bench, command: string, more: object = {}) => {
  const { details } = await runTool(exec, { command, background: true, ...more }, bench.ctx);
  return String(details!["sessionId"]);
};
const ask = (bench: Bench, action: string, more: object = {}, ctx = bench.ctx) =>
  runTool(processTool, { action, ...more }, ctx);
const jobOf = (bench: Bench, sessionId: string) => bench.jobs.get("main", sessionId)!;
const printed = (bench: Bench, sessionId: string, text: string) =>
  until(() => jobOf(bench, sessionId).output.text().includes(text));

test("list shows the commands of this agent only", async () => {
  await using bench = await openBench();
  expect((await ask(bench, "list")).text).toBe("No background commands.");
  const id = await start(bench, "sleep 1000");
  expect((await ask(bench, "list")).text).toMatch(new RegExp(`^${id}  running  0s  sleep 1000$`));
  expect(id).toMatch(/^[a-z]+-[a-z]+$/);
  const other = bench.as("other");
  expect((await ask(bench, "list", {}, other)).text).toBe("No background commands.");
  for (const action of ["poll", "log", "kill", "remove", "write"]) {
    const result = await ask(bench, action, { sessionId: id, data: "x" }, other);
    expect(result.text).toContain("There is no background command");
  }
  expect(await runs(jobOf(bench, id).pid)).toBe(true);
});

test("an unknown id names the known ones", async () => {
  await using bench = await openBench();
  const id = await start(bench, "sleep 1000");
  expect((await ask(bench, "poll", { sessionId: "no-such" })).text).toContain(`There are: ${id}.`);
  expect((await ask(bench, "poll")).text).toBe("sessionId is missing for poll.");
});

test("poll gives what is new since the last poll, then the end", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "echo one; read x; echo two $x; exit 5");
  await printed(bench, sessionId, "one");
  expect((await ask(bench, "poll", { sessionId })).text).toBe("one\n\n[Still running.]");
  await ask(bench, "submit", { sessionId, data: "go" });
  await jobOf(bench, sessionId).done;
  const end = await ask(bench, "poll", { sessionId });
  expect(end.text).toBe("two go\n\n[Exit code 5.]");
  expect(end.details).toMatchObject({ status: "failed", exitCode: 5 });
  expect((await ask(bench, "poll", { sessionId })).text).toBe("(no new output)\n\n[Exit code 5.]");
});

test("poll waits a moment for something new instead of answering nothing", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "sleep 0.1; echo late; sleep 1000");
  expect((await ask(bench, "poll", { sessionId })).text).toBe("late\n\n[Still running.]");
});

test("log gives the last 200 lines, the last N, or a slice", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "seq 1 300");
  await jobOf(bench, sessionId).done;
  const log = async (more: object) => (await ask(bench, "log", { sessionId, ...more })).text;
  expect(await log({})).toMatch(/^101\n[^]*\n300\n\n\[Lines 100-299 of 300\.\]$/);
  expect(await log({ limit: 2 })).toBe("299\n300\n\n[Lines 298-299 of 300.]");
  expect(await log({ offset: 10, limit: 2 })).toBe("11\n12\n\n[Lines 10-11 of 300.]");
  expect(await log({ offset: 0, limit: 300 })).toMatch(/^1\n[^]*\n300$/);
});

test("write types into a command, and eof ends its input", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "cat");
  await ask(bench, "write", { sessionId, data: "hello\n" });
  await printed(bench, sessionId, "hello");
  await ask(bench, "write", { sessionId, data: "bye", eof: true });
  await jobOf(bench, sessionId).done;
  expect((await ask(bench, "log", { sessionId })).text).toBe("hello\nbye");
  expect((await ask(bench, "write", { sessionId, data: "x" })).text).toContain("has ended");
});

test("a command that does not read does not hang the writer or eat memory", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "sleep 1000");
  const data = "x".repeat(100_000);
  const results = [];
  for (let i = 0; i < 4; i++) results.push(await ask(bench, "write", { sessionId, data }));
  expect(results.at(-1)!.text).toContain("has not read its last input yet");
  expect((await ask(bench, "write", { sessionId, data: `${data}x` })).text).toContain("More than");
});

test("keys, hex bytes and literal text reach a terminal", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "stty raw -echo; echo ready; head -c 9 | od -An -tx1", {
    pty: true,
  });
  await printed(bench, sessionId, "ready");
  await ask(bench, "send-keys", {
    sessionId,
    literal: "hi",
    hex: ["0d"],
    keys: ["C-a", "Up", "M-x"],
  });
  await jobOf(bench, sessionId).done;
  expect((await ask(bench, "log", { sessionId })).text).toContain("68 69 0d 01 1b 5b 41 1b 78");
});

test("C-c interrupts, Enter submits, a paste is bracketed", async () => {
  await using bench = await openBench();
  const sessionId = await start(
    bench,
    "read x; echo got $x; stty raw -echo; echo on; head -c 15 | od -An -c",
    {
      pty: true,
    },
  );
  await ask(bench, "submit", { sessionId, data: "word" });
  await printed(bench, sessionId, "got word");
  await printed(bench, sessionId, "on");
  await ask(bench, "paste", { sessionId, text: "abc" });
  await jobOf(bench, sessionId).done;
  expect((await ask(bench, "log", { sessionId })).text).toContain("[   2   0   0   ~   a   b   c");
  const sleeper = await start(bench, "echo up; sleep 1000", { pty: true });
  await printed(bench, sleeper, "up");
  await ask(bench, "send-keys", { sessionId: sleeper, keys: ["C-c"] });
  await jobOf(bench, sleeper).done;
  expect(jobOf(bench, sleeper).status).toBe("failed");
});

test("an unknown key is an error that lists the keys", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "cat");
  const result = await ask(bench, "send-keys", { sessionId, keys: ["Retrun"] });
  expect(result).toMatchObject({ isError: true });
  expect(result.text).toContain("Enter, Tab, Escape");
});

test("kill ends the whole group, and nobody is told about the agent's own kill", async () => {
  await using bench = await openBench();
  const sessionId = await start(bench, "sleep 1000 & echo $!; sleep 1000");
  await until(() => jobOf(bench, sessionId).output.text().includes("\n"));
  const child = Number(jobOf(bench, sessionId).output.text());
  const result = await ask(bench, "kill", { sessionId });
  expect(result.text).toBe(`Killed ${sessionId}.`);
  expect(result.details).toMatchObject({ status: "killed", exitSignal: "SIGTERM" });
  await until(async () => !(await runs(child)));
  expect(bench.exits).toEqual([]);
  expect((await ask(bench, "kill", { sessionId })).text).toContain("has ended already");
});

test("kill ends children that outlived their command", async () => {
  await using bench = await openBench();
  const { text, details } = await runTool(
    exec,
    { command: "sleep 1000 > /dev/null 2>&1 & echo $!" },
    bench.ctx,
  );
  const child = Number(text.split("\n")[0]);
  expect(await runs(child)).toBe(true);
  await ask(bench, "kill", { sessionId: details!["sessionId"] });
  await until(async () => !(await runs(child)));
});

test("clear forgets a finished command only; remove ends and forgets", async () => {
  await using bench = await openBench();
  const running = await start(bench, "sleep 1000");
  const finished = await start(bench, "true");
  await jobOf(bench, finished).done;
  expect((await ask(bench, "clear", { sessionId: running })).text).toContain("still runs");
  expect((await ask(bench, "clear", { sessionId: finished })).isError).toBeUndefined();
  const { pid } = jobOf(bench, running);
  await ask(bench, "remove", { sessionId: running });
  expect(bench.jobs.list("main")).toEqual([]);
  await until(async () => !(await runs(pid)));
});

test("an aborted run does not wait for a kill", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock });
  const sessionId = await start(bench, "trap '' TERM; echo up; while :; do sleep 0.1; done");
  await printed(bench, sessionId, "up");
  const pending = ask(bench, "kill", { sessionId });
  bench.abort();
  expect((await pending).text).toBe(`${sessionId} is being killed.`);
});
