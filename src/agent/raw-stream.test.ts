import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { RawStream, type RawStreamOptions } from "./raw-stream.ts";

const root = mkdtempSync(join(tmpdir(), "raw-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let warnings: string[] = [];
let path = "";
let n = 0;
beforeEach(() => {
  warnings = [];
  path = join(root, String(n++), "logs", "raw-stream.jsonl");
});

const none = () => undefined;
const log: Logger = {
  error: (message) => warnings.push(`error: ${message}`),
  warn: (message) => warnings.push(message),
  info: none,
  debug: none,
  child: () => log,
};
const open = (more: Partial<RawStreamOptions> = {}) =>
  new RawStream({ path, log, clock: { now: () => 1000, sleep: async () => undefined }, ...more });
const call = { agentId: "main", sessionId: "s1" };
const lines = (file = path) =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { call?: string; event: { type: string; delta?: string } });

type Event = { type: "text"; delta: string } | { type: "error"; error: AppError };
async function* events(...deltas: string[]): AsyncGenerator<Event> {
  for (const delta of deltas) yield { type: "text", delta };
}

test("every event of a call passes through and is a line of its own, readable by the owner only", async () => {
  const raw = open();
  const passed = await Array.fromAsync(raw.record(call, events("a", "b")));
  const other = await Array.fromAsync(raw.record(call, events("c")));
  await raw.close();
  expect([passed, other].flat()).toEqual(await Array.fromAsync(events("a", "b", "c")));
  const written = lines();
  expect(written.map((line) => line.event.delta)).toEqual(["a", "b", "c"]);
  expect(written[0]).toMatchObject({ ts: 1000, agentId: "main", sessionId: "s1" });
  expect(written[0]!.call).toBe(written[1]!.call!);
  expect(written[0]!.call).not.toBe(written[2]!.call!);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("an error is written with its code and its words", async () => {
  const raw = open();
  async function* failing(): AsyncGenerator<Event> {
    yield {
      type: "error",
      error: new AppError("provider_overloaded", "Busy.", { retryAfterMs: 5 }),
    };
  }
  await Array.fromAsync(raw.record(call, failing()));
  await raw.close();
  expect(lines()[0]!.event).toMatchObject({
    type: "error",
    error: { code: "provider_overloaded", message: "Busy.", retryAfterMs: 5 },
  });
});

test("whoever stops reading ends the stream behind it", async () => {
  const raw = open();
  let closed = false;
  async function* endless(): AsyncGenerator<Event> {
    try {
      for (;;) yield { type: "text", delta: "x" };
    } finally {
      closed = true;
    }
  }
  for await (const event of raw.record(call, endless())) if (event.type === "text") break;
  expect(closed).toBe(true);
  await raw.close();
});

test("an existing file is continued and becomes private", async () => {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, '{"event":{"type":"old"}}\n');
  chmodSync(path, 0o644);
  const raw = open();
  await Array.fromAsync(raw.record(call, events("new")));
  await raw.close();
  expect(lines().map((line) => line.event.type)).toEqual(["old", "text"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a full file ends with one line that says so, also for the next run, and the turn goes on", async () => {
  const raw = open({ maxBytes: 1000 });
  const long = Array.from({ length: 50 }, (_, i) => `${i} `.padEnd(40, "x"));
  expect(await Array.fromAsync(raw.record(call, events(...long)))).toHaveLength(50);
  expect(await Array.fromAsync(raw.record(call, events("more")))).toHaveLength(1);
  await raw.close();
  const written = lines();
  expect(written.at(-1)!.event).toEqual({ type: "full", maxBytes: 1000 } as never);
  expect(written.filter((line) => line.event.type === "full")).toHaveLength(1);
  expect(statSync(path).size).toBeLessThan(1200);
  expect(warnings).toEqual(["the raw stream file is full; nothing more is written to it"]);

  const before = readFileSync(path, "utf8");
  const again = open({ maxBytes: before.length });
  await Array.fromAsync(again.record(call, events("more")));
  await again.close();
  expect(readFileSync(path, "utf8")).toBe(before);
  expect(warnings).toHaveLength(2);
});

test("what a slow disk has no room for is counted, not waited for", async () => {
  const raw = open({ maxWaiting: 300 });
  // Nothing is written before the reader gives way, so all but the first lines find the queue full.
  const deltas = Array.from({ length: 100 }, (_, i) => String(i));
  for (const delta of deltas) void raw.record(call, events(delta)).next();
  await Bun.sleep(0);
  await raw.close();
  const written = lines();
  const lost = written.find((line) => line.event.type === "lost") as unknown as {
    event: { n: number };
  };
  const kept = written.filter((line) => line.event.type === "text").length;
  expect(kept).toBeGreaterThan(0);
  expect(kept + lost.event.n).toBe(100);
});

for (const [what, make] of [
  ["a folder", () => mkdirSync(path, { recursive: true })],
  ["a link", () => symlinkSync("/dev/null", path)],
  ["a pipe that nobody reads", () => Bun.spawnSync(["mkfifo", path])],
] as const)
  test(`${what} in place of the file is one warning, and the turn goes on`, async () => {
    mkdirSync(join(path, ".."), { recursive: true });
    make();
    const raw = open();
    expect(await Array.fromAsync(raw.record(call, events("a", "b")))).toHaveLength(2);
    expect(await Array.fromAsync(raw.record(call, events("c")))).toHaveLength(1);
    await raw.close();
    expect(warnings).toEqual(["the raw stream cannot be written; it ends here"]);
  });

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "a disk that fills up is one warning, and the turn goes on",
  async () => {
    const disk = join(root, "disk");
    mkdirSync(disk);
    const mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk];
    if (Bun.spawnSync(mount).exitCode !== 0)
      return process.stdout.write("      skipped: no tmpfs can be mounted here\n");
    try {
      const raw = open({ path: join(disk, "raw.jsonl") });
      const long = Array.from({ length: 20 }, () => "x".repeat(10_000));
      expect(await Array.fromAsync(raw.record(call, events(...long)))).toHaveLength(20);
      await raw.close();
      expect(warnings).toEqual(["the raw stream cannot be written; it ends here"]);
    } finally {
      Bun.spawnSync(["umount", disk]);
    }
  },
);
