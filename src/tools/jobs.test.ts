import { expect, test } from "bun:test";

import { openBench, runs, turnableClock, until } from "../../test/contract/tool-context.ts";
import type { JobSpec } from "./job.ts";

const spec = (command: string, more: Partial<JobSpec> = {}): JobSpec => ({
  agentId: "main",
  sessionKey: "agent:main:main",
  command,
  cwd: "/",
  env: { PATH: "/usr/bin:/bin" },
  pty: false,
  stdin: false,
  timeoutMs: 0,
  maxOutputChars: 10_000,
  ...more,
});

test("TERM first, KILL for whoever is left after the grace time", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock });
  const job = bench.jobs.start(
    spec("trap 'echo term' TERM; echo up; while :; do sleep 0.05; done"),
  );
  await until(() => job.output.text().includes("up"));
  job.stop("killed");
  await until(() => job.output.text().includes("term"));
  clock.advance(9_999);
  expect(job.status).toBe("running");
  clock.advance(1);
  await job.done;
  expect(job.signal).toBe("SIGKILL");
});

test("stopping the table ends every command, also those that ignore TERM and those left behind", async () => {
  await using bench = await openBench();
  const stubborn = bench.jobs.start(spec("trap '' TERM; echo up; while :; do sleep 0.05; done"));
  const parent = bench.jobs.start(spec("sleep 1000 & echo $!"));
  await until(() => stubborn.output.text().includes("up"));
  await parent.done;
  const child = Number(parent.output.text());
  expect(parent.lingering).toBe(true);
  await bench.jobs.stop(50);
  expect(await runs(stubborn.pid)).toBe(false);
  await until(async () => !(await runs(child)));
  expect(() => bench.jobs.start(spec("true"))).toThrow("stopping");
});

test("an idle table stops at once", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock });
  await bench.jobs.stop();
});

test("finished background commands are kept for a time, foreground ones not at all", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock, cleanupMs: 1000 });
  const [front, back] = [bench.jobs.start(spec("true")), bench.jobs.start(spec("true"))];
  bench.jobs.background(back);
  await Promise.all([front.done, back.done]);
  expect(bench.jobs.list("main")).toEqual([back]);
  clock.advance(1001);
  expect(bench.jobs.list("main")).toEqual([]);
  expect(bench.jobs.get("main", back.id)).toBeUndefined();
});

test("one agent cannot start more than its share; another still can", async () => {
  await using bench = await openBench({ maxRunning: 3 });
  for (let i = 0; i < 3; i++) bench.jobs.start(spec("sleep 1000"));
  expect(() => bench.jobs.start(spec("true"))).toThrow("3 commands are running already");
  const other = bench.jobs.start(spec("echo fine", { agentId: "other" }));
  await other.done;
  expect(other.output.text()).toBe("fine\n");
});

test("the memory of finished commands is bounded: the oldest go first", async () => {
  await using bench = await openBench({ maxRunning: 1000 });
  const jobs = [];
  for (let i = 0; i < 12; i++) {
    const job = bench.jobs.start(
      spec("head -c 900000 /dev/zero | tr '\\0' x", { maxOutputChars: 1_000_000 }),
    );
    bench.jobs.background(job);
    await job.done;
    jobs.push(job.id);
  }
  const kept = bench.jobs.list("main").map((job) => job.id);
  expect(kept).toEqual(jobs.slice(-8));
});

test("a command that cannot be started is an error, and leaves nothing in the table", async () => {
  await using bench = await openBench();
  expect(() => bench.jobs.start(spec("true", { cwd: "/no/such/dir" }))).toThrow(
    "could not be started",
  );
  expect(() => bench.jobs.start(spec(`: ${"x".repeat(300_000)}`))).toThrow("too long to start");
  expect(bench.jobs.list("main")).toEqual([]);
});

test("the exit of a background command is told once, with the end of its output", async () => {
  await using bench = await openBench();
  const job = bench.jobs.start(spec("seq 1 1000; kill -9 $$"));
  bench.jobs.background(job);
  await until(() => bench.exits.length > 0);
  expect(bench.exits).toMatchObject([{ status: "failed", signal: "SIGKILL" }]);
  expect(bench.exits[0]!.tail.length).toBe(400);
  expect(bench.exits[0]!.tail).toEndWith("999\n1000\n");
});

test("hundreds of commands of many agents run side by side, each with its own output", async () => {
  await using bench = await openBench();
  const run = async (n: number) => {
    const job = bench.jobs.start(spec(`echo ${n}`, { agentId: `agent-${n % 30}` }));
    await job.done;
    return job.output.text();
  };
  const seen: string[] = [];
  for (let from = 0; from < 300; from += 50)
    seen.push(...(await Promise.all(Array.from({ length: 50 }, (_, i) => run(from + i)))));
  expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => `${i}\n`));
});
