import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { openBench, runs, turnableClock, until } from "../../test/contract/tool-context.ts";
import { exec, refuseUnavailable } from "./exec.ts";
import { runTool, type ToolContext } from "./tool.ts";

const run = (ctx: ToolContext, command: string, more: object = {}) =>
  runTool(exec, { command, ...more }, ctx);

test("a command's output and exit code are the result", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "echo hello; pwd");
  expect(result).toMatchObject({
    text: `hello\n${bench.ctx.workspace}`,
    details: { status: "completed", exitCode: 0, cwd: bench.ctx.workspace },
  });
  expect(result.isError).toBeUndefined();
  expect(bench.jobs.list("main")).toEqual([]);
});

test("a command that fails is an error with its output", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "echo before; exit 3");
  expect(result).toMatchObject({
    isError: true,
    text: "before\n\n[Exit code 3.]",
    details: { status: "failed", exitCode: 3 },
  });
  expect((await run(bench.ctx, "kill -SEGV $$")).text).toContain("[Killed by SIGSEGV.]");
  expect((await run(bench.ctx, "no-such-program-here")).text).toContain("[Exit code 127.]");
});

test("stdout and stderr arrive in the order in which they were written", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "for i in 1 2 3; do echo out$i; echo err$i >&2; done");
  expect(result.text).toBe("out1\nerr1\nout2\nerr2\nout3\nerr3");
});

test("the command gets its variables and none of the gateway's", async () => {
  await using bench = await openBench();
  const { text } = await run(bench.ctx, "env", { env: { FOO: "bar baz", PORT: 3000 } });
  expect(text).toContain("PORT=3000");
  expect(text).toContain("FOO=bar baz");
  expect(text).toContain(`HOME=${bench.home}`);
  expect(text).not.toMatch(/^(BUN_|NODE_OPTIONS|LD_)/m);
});

test("arguments of a wrong kind are refused before anything runs", async () => {
  await using bench = await openBench();
  for (const args of [
    { command: ["touch", "ran"] },
    { command: "touch ran", timeout: "soon" },
    "x",
  ])
    expect(await runTool(exec, args, bench.ctx)).toMatchObject({
      isError: true,
      text: expect.stringMatching(/^Invalid arguments for exec:\n/),
    });
  expect(await Array.fromAsync(new Bun.Glob("*").scan(bench.ctx.workspace))).toEqual([]);
});

test("variables that decide which code runs are refused, and nothing runs", async () => {
  await using bench = await openBench();
  for (const name of ["PATH", "BUN_BE_BUN", "LD_PRELOAD"]) {
    const result = await run(bench.ctx, "touch ran", { env: { [name]: "1" } });
    expect(result).toMatchObject({ isError: true });
    expect(result.text).toContain(`${name} cannot be set`);
  }
  expect(await Bun.file(join(bench.ctx.workspace, "ran")).exists()).toBe(false);
});

test("configured directories come first on the PATH, a program in the working directory does not", async () => {
  await using bench = await openBench();
  for (const dir of ["work", "more"]) {
    const path = join(bench.ctx.workspace, "..", dir, "whoami");
    await Bun.write(path, `#!/bin/sh\necho ${dir}\n`);
    await Bun.$`chmod +x ${path}`;
  }
  expect((await run(bench.ctx, "whoami")).text).not.toBe("work");
  const ctx = {
    ...bench.ctx,
    exec: { ...bench.ctx.exec, pathPrepend: [join(bench.home, "../more")] },
  };
  expect((await run(ctx, "whoami")).text).toBe("more");
});

test("workdir is relative to the workspace; one that is missing is an error", async () => {
  await using bench = await openBench();
  await mkdir(join(bench.ctx.workspace, "sub"));
  expect((await run(bench.ctx, "pwd", { workdir: "sub" })).text).toEndWith("/work/sub");
  expect((await run(bench.ctx, "pwd", { cwd: "~" })).text).toBe(bench.home);
  const result = await run(bench.ctx, "pwd", { workdir: "nowhere" });
  expect(result.isError).toBe(true);
  expect(result.text).toContain("There is no directory");
});

test("long output keeps beginning and end, and says how much is missing", async () => {
  await using bench = await openBench();
  const ctx = { ...bench.ctx, exec: { ...bench.ctx.exec, maxOutputChars: 1000 } };
  const { text } = await run(ctx, "seq 1 20000");
  expect(text).toStartWith("1\n2\n3\n");
  expect(text).toEndWith("19999\n20000");
  expect(text).toMatch(/\[\.\.\. 107894 characters left out: narrow the output/);
  expect(text.length).toBeLessThan(1200);
});

test("binary output does not reach the model", async () => {
  await using bench = await openBench();
  const { text } = await run(bench.ctx, "head -c 20000 /bin/sh; printf 'a\\0b\\033[31mc'");
  expect(text).not.toMatch(/[\x00-\x08\x1b]/);
  expect(text).toEndWith("abc");
});

test("a command without a terminal reads an empty input and does not wait for more", async () => {
  await using bench = await openBench();
  expect((await run(bench.ctx, "cat; echo done")).text).toBe("done");
});

test("a child that keeps the pipe open does not hold up the call, and stays known", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "sleep 1000 & echo started $!");
  expect(result.details).toMatchObject({ status: "completed", exitCode: 0 });
  const pid = Number(/started (\d+)/.exec(result.text)![1]);
  expect(await runs(pid)).toBe(true);
  const id = String(result.details!["sessionId"]);
  expect(result.text).toContain(`process knows them as ${id}`);
  expect(bench.jobs.list("main").map((job) => job.id)).toEqual([id]);
  await bench.jobs.stop(0);
  await until(async () => !(await runs(pid)));
});

test("a double fork out of the group does not hold up the call either", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "(setsid sleep 1000 & echo $!) ; echo over");
  expect(result.text).toContain("over");
  process.kill(Number(/\d+/.exec(result.text)![0]), "SIGKILL");
});

test("a slow command goes on in the background and tells its session when it ends", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "echo first; sleep 0.2; echo second; exit 4", {
    yieldMs: 100,
  });
  expect(result.text).toContain("first\n\n[Still running in background as ");
  expect(result.details).toMatchObject({ status: "running", pid: expect.any(Number) });
  await until(() => bench.exits.length > 0);
  expect(bench.exits).toMatchObject([
    {
      id: result.details!["sessionId"],
      agentId: "main",
      sessionKey: "agent:main:main",
      status: "failed",
      exitCode: 4,
      tail: "first\nsecond\n",
    },
  ]);
});

test("background: true returns at once", async () => {
  await using bench = await openBench();
  const result = await run(bench.ctx, "sleep 1000", { background: true });
  expect(result.details).toMatchObject({ status: "running" });
});

test("the timeout stops the command and everything it started", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock });
  const pending = run(bench.ctx, "sleep 1000 & echo $!; echo up > up; wait", { timeout: 5 });
  await until(() => Bun.file(join(bench.ctx.workspace, "up")).exists());
  clock.advance(5000);
  const result = await pending;
  expect(result).toMatchObject({ isError: true, details: { status: "failed", exitCode: null } });
  expect(result.text).toContain("[Stopped after 5 s: the timeout.");
  const pid = Number(result.text.split("\n")[0]);
  await until(async () => !(await runs(pid)));
});

test("an aborted run stops its command at once, even one that ignores TERM", async () => {
  const clock = turnableClock();
  await using bench = await openBench({ clock });
  const pending = run(
    bench.ctx,
    "trap '' TERM; echo $$; echo up > up; while :; do sleep 0.1; done",
  );
  await until(() => Bun.file(join(bench.ctx.workspace, "up")).exists());
  bench.abort();
  const result = await pending;
  expect(result.isError).toBe(true);
  expect(result.text).toContain("[Stopped: the run was aborted.]");
  const pid = Number(result.text.split("\n")[0]);
  expect(await runs(pid)).toBe(true);
  clock.advance(10_000);
  await until(async () => !(await runs(pid)));
});

test("an aborted run leaves its background commands alone", async () => {
  await using bench = await openBench();
  const { details } = await run(bench.ctx, "sleep 1000", { background: true });
  bench.abort();
  expect(await runs(Number(details!["pid"]))).toBe(true);
});

test("progress shows the newest text, now and then", async () => {
  await using bench = await openBench();
  await run(bench.ctx, "for i in $(seq 1 40); do echo line $i; sleep 0.01; done");
  expect(bench.updates.length).toBeGreaterThan(0);
  expect(bench.updates.length).toBeLessThan(10);
  expect(bench.updates.at(-1)).toStartWith("line 1\n");
});

test("an endless writer neither eats memory nor blocks the others", async () => {
  await using bench = await openBench();
  const before = process.memoryUsage().rss;
  const endless = run(bench.ctx, "yes");
  const others = await Promise.all(
    Array.from({ length: 10 }, (_, i) => run(bench.ctx, `echo ${i}`)),
  );
  expect(others.map((r) => r.text)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
  bench.abort();
  const result = await endless;
  expect(result.text.length).toBeLessThan(201_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
});

test("with a terminal the command sees one of 120 by 30, and its question for the cursor is answered", async () => {
  await using bench = await openBench();
  const size = await run(bench.ctx, "test -t 0 && test -t 1 && stty size", { pty: true });
  expect(size.text).toBe("30 120");
  const script = "stty raw -echo; printf '\\033[6n'; head -c 6 | od -An -c";
  expect((await run(bench.ctx, script, { pty: true })).text).toContain("033   [   1   ;   1   R");
});

test("an empty, oversized or NUL command is refused", async () => {
  await using bench = await openBench();
  expect((await run(bench.ctx, "  ")).text).toBe("The command is empty.");
  expect((await run(bench.ctx, "echo\0x")).text).toContain("NUL");
  expect((await run(bench.ctx, `: ${"x".repeat(200_000)}`)).text).toContain("Write a script");
});

test("protection that is not there is refused, never left out silently", () => {
  const settings = { timeoutSec: 1, yieldMs: 1, maxOutputChars: 1, pathPrepend: [] };
  const check = (wish: object, more: object = {}) =>
    refuseUnavailable(wish, { ...settings, ...more });
  expect(() => check({ host: "sandbox" })).toThrow("no sandbox");
  expect(() => check({ host: "node" })).toThrow("No node");
  expect(() => check({ node: "mac" })).toThrow("No node");
  expect(() => check({}, { host: "node" })).toThrow("No node");
  expect(() => check({ security: "deny" })).toThrow("switched off");
  expect(() => check({}, { security: "deny", host: "sandbox" })).toThrow("switched off");
  expect(() => check({ security: "allowlist" })).toThrow("approval");
  expect(() => check({ ask: "always" })).toThrow("approval");
  expect(() => check({}, { security: "allowlist" })).toThrow("approval");
  expect(() => check({}, { host: "gateway" })).toThrow("approval");
  expect(() => check({}, { mode: "deny" })).toThrow("switched off");
  expect(() => check({}, { mode: "ask" })).toThrow("approval");
  expect(() => check({}, { mode: "full", security: "deny" })).toThrow("switched off");
  expect(() => check({ ask: "off", security: "full" }, { ask: "always" })).toThrow("approval");
  for (const [wish, more] of [
    [{}, {}],
    [{ host: "gateway", security: "full", ask: "off" }, {}],
    [{}, { host: "sandbox" }],
    [{}, { host: "auto" }],
    [{}, { host: "gateway", mode: "full" }],
    [{}, { host: "gateway", security: "full", ask: "off" }],
  ])
    expect(() => check(wish!, more!)).not.toThrow();
});
