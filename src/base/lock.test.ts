import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { acquireLock, type LockBody, readLock } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const count = { next: 0 };
let path: string;
beforeEach(() => {
  path = join(folder, `${count.next++}.lock`);
});

const body = (more: Partial<LockBody> = {}): LockBody => ({
  pid: process.pid,
  bootId: "boot",
  version: "1",
  startedAt: 5,
  ...more,
});
const take = (more?: Partial<LockBody>) => {
  const lock = acquireLock(path, body(more));
  if (!("release" in lock)) throw new Error(`taken by ${JSON.stringify(lock)}`);
  return lock;
};

test("a lock on a file that was removed between open and lock protects nothing, so it is taken again", () => {
  const calls: number[] = [];
  const flock = (file: number) => {
    // `rm -f`, or another gateway that moves it away, just then.
    if (calls.push(file) === 1) rmSync(path);
    return 0;
  };
  const lock = acquireLock(path, body({ port: 7 }), flock);
  if (!("release" in lock)) throw new Error("taken");
  expect(calls).toHaveLength(2);
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ port: 7 });
  lock.release();
});

/** A process that tries to take the lock, tells "held" or the owner's pid, and runs until it is killed. */
function holder(after = ""): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const script = `
    import { acquireLock } from ${JSON.stringify(join(import.meta.dir, "lock.ts"))};
    const lock = acquireLock(${JSON.stringify(path)}, { pid: process.pid, bootId: "b", version: "1", startedAt: 1 });
    ${after}
    process.stdout.write("release" in lock ? "held\\n" : lock.pid + "\\n");
    setInterval(() => {}, 1000);`;
  return Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
}
const firstLine = async (child: { stdout: ReadableStream<Uint8Array> }) => {
  let text = "";
  for await (const piece of child.stdout) {
    text += new TextDecoder().decode(piece);
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0]!;
};
const kill = async (child: Bun.Subprocess<"ignore", "pipe", "inherit">) => {
  child.kill("SIGKILL");
  await child.exited;
};

test("the second one is told who holds it, and where", () => {
  const lock = take();
  lock.update(body({ port: 18_789, bind: "127.0.0.1" }));
  expect(acquireLock(path, body({ pid: 1 }))).toEqual(body({ port: 18_789, bind: "127.0.0.1" }));
  expect(readLock(path)).toEqual({ held: true, body: body({ port: 18_789, bind: "127.0.0.1" }) });
  lock.release();
  lock.release();
  expect(readLock(path).held).toBe(false);
  take().release();
});

test("a shorter body replaces a longer one wholly", () => {
  const lock = take();
  lock.update(body({ bind: "x".repeat(500) }));
  lock.update(body({ port: 1 }));
  expect(readLock(path).body).toEqual(body({ port: 1 }));
  lock.release();
});

test("looking at a lock that nobody ever took makes no file", () => {
  expect(readLock(path)).toEqual({ held: false, body: undefined });
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test("the file is readable by its owner only, whatever it was before", () => {
  writeFileSync(path, "", { mode: 0o644 });
  const lock = take();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  lock.release();
});

const leftovers: [string, string][] = [
  ["nothing", ""],
  ["garbage", "\u0000\u00ff{{{{"],
  ["a megabyte of garbage", "x".repeat(1_000_000)],
  ["pid 1, which lives", JSON.stringify(body({ pid: 1 }))],
  ["our own pid", JSON.stringify(body())],
  ["a start in the future", JSON.stringify(body({ startedAt: 9e15 }))],
  ["a body of another shape", JSON.stringify({ pid: "many" })],
];
for (const [name, text] of leftovers)
  test(`a file left behind with ${name} never stops a start`, () => {
    writeFileSync(path, text);
    expect(readLock(path).held).toBe(false);
    const lock = take({ port: 7 });
    expect(readLock(path)).toEqual({ held: true, body: body({ port: 7 }) });
    lock.release();
  });

test("a directory in the place of the file is moved aside", () => {
  mkdirSync(path);
  expect(readLock(path)).toEqual({ held: false, body: undefined });
  take().release();
  expect(readdirSync(folder).some((name) => name.includes(".lock.aside-"))).toBe(true);
});

test("an owner that has not written its body yet is reported as unknown", () => {
  const lock = take();
  writeFileSync(path, "");
  expect(acquireLock(path, body())).toMatchObject({ pid: 0 });
  lock.release();
});

test("after kill -9 the next start has the lock at once, twenty times", async () => {
  for (let i = 0; i < 20; i++) {
    const child = holder();
    expect(await firstLine(child)).toBe("held");
    expect(readLock(path)).toMatchObject({ held: true, body: { pid: child.pid } });
    await kill(child);
    expect(readLock(path).held).toBe(false);
  }
}, 20_000);

test("of processes that start at the same moment exactly one has the lock, and the others know its pid", async () => {
  const children = [holder(), holder(), holder()];
  const answers = await Promise.all(children.map(firstLine));
  const winner = children[answers.indexOf("held")]!;
  expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
  expect(answers.filter((answer) => answer === String(winner.pid))).toHaveLength(2);
  await Promise.all(children.map(kill));
});

for (const [name, flock] of [
  ["flock", undefined],
  ["SQLite", null],
] as const)
  test(`a lock file that somebody removed is made again by its owner, with its body (${name})`, () => {
    const again = () => acquireLock(path, body(), flock);
    const lock = again();
    if (!("release" in lock)) throw new Error("not free");
    lock.update({ ...body(), port: 4711 });
    rmSync(path);
    expect(lock.keep()).toBe(true);
    expect(readLock(path, flock)).toMatchObject({ held: true, body: { port: 4711 } });
    expect(again()).toMatchObject({ port: 4711 });
    expect(lock.keep()).toBe(true);
    lock.release();
    const next = again();
    expect("release" in next).toBe(true);
    if ("release" in next) next.release();
  });

test("an owner whose file another process took over is told so", () => {
  const first = acquireLock(path, body());
  if (!("release" in first)) throw new Error("not free");
  rmSync(path);
  const second = acquireLock(path, body());
  if (!("release" in second)) throw new Error("not free");
  expect(first.keep()).toBe(false);
  second.release();
  expect(first.keep()).toBe(true);
  first.release();
});

test("a child process that outlives the owner does not keep the lock", async () => {
  const child = holder(
    `const sleep = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore"], detached: true });
     process.stdout.write(sleep.pid + " ");`,
  );
  const [pid, state] = (await firstLine(child)).split(" ");
  expect(state).toBe("held");
  await kill(child);
  try {
    expect(process.kill(Number(pid), 0)).toBe(true);
    take().release();
  } finally {
    process.kill(Number(pid), "SIGKILL");
  }
});

test("one refusal is not believed: it may be somebody who only looks", () => {
  const answers = [-1, 0];
  const lock = acquireLock(path, body(), () => answers.shift() ?? 0);
  expect("release" in lock).toBe(true);
});

test("a lock that the caller forgot stays held", () => {
  for (const flock of [undefined, null]) {
    path = join(folder, `${count.next++}.lock`);
    (() => void acquireLock(path, body(), flock))();
    Bun.gc(true);
    expect(readLock(path, flock).held).toBe(true);
  }
});

for (const [name, flock] of [
  ["on a system without flock", null],
  ["on a volume that refuses flock", () => -1],
] as const)
  test(`${name} SQLite's lock does the same`, async () => {
    const child = holder();
    await firstLine(child);
    await kill(child);
    const lock = acquireLock(path, body({ port: 1 }), flock);
    if (!("release" in lock)) throw new Error("not taken");
    Bun.gc(true);
    expect(readLock(path, flock)).toEqual({ held: true, body: body({ port: 1 }) });
    expect(acquireLock(path, body({ pid: 9 }), flock)).toEqual(body({ port: 1 }));
    lock.release();
    expect(readLock(path, flock).held).toBe(false);
    expect("release" in acquireLock(path, body(), flock)).toBe(true);
  });
