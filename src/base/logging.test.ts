import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { LoggingOptions } from "./logging.ts";
import { createLogging } from "./logging.ts";
import { createRedactor } from "./redact.ts";
import type { Clock } from "./time.ts";

let dir = "";
let lines: string[] = [];
let now = 0;
const clock: Clock = { now: () => now, sleep: () => Promise.resolve() };
const open = (options: Partial<LoggingOptions> = {}) =>
  createLogging({ dir, clock, console: (line) => lines.push(line), ...options });
const read = (name: string) => fs.readFileSync(join(dir, name), "utf8");
const parse = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeEach(() => {
  dir = join(fs.mkdtempSync(join(tmpdir(), "logging-")), "log");
  lines = [];
  now = new Date(2026, 10, 20, 12, 0, 0).getTime();
});
afterEach(() => fs.rmSync(join(dir, ".."), { recursive: true, force: true }));

describe("a line", () => {
  test("on the console names its part and carries its data", async () => {
    const logging = open();
    const log = logging.logger("gateway");
    log.info("listening on ws://127.0.0.1:18789 (PID 7)");
    log.child("ws").warn("closed before connect", { code: 1006, reason: "no close frame" });
    await logging.close();
    expect(lines).toEqual([
      "[gateway] listening on ws://127.0.0.1:18789 (PID 7)",
      '[gateway/ws] warn: closed before connect code=1006 reason="no close frame"',
    ]);
  });

  test("in the file has the shape that logs.tail and the Control UI read", async () => {
    const logging = open();
    logging.logger("gateway/ws").warn("closed", { code: 1006 });
    await logging.close();
    const time = new Date(now).toISOString();
    expect(parse(fs.readFileSync(logging.file, "utf8"))).toEqual([
      {
        "0": JSON.stringify({ subsystem: "gateway/ws" }),
        "1": "closed",
        "2": { code: 1006 },
        _meta: { logLevelName: "WARN", date: time, name: "gateway/ws" },
        time,
      },
    ]);
  });

  test("goes where its level is wanted, also after a change", async () => {
    const logging = open({ level: "warn", consoleLevel: "debug" });
    const log = logging.logger("a");
    log.debug("one");
    log.warn("two");
    logging.configure({ level: "debug", consoleLevel: "silent" });
    log.debug("three");
    await logging.close();
    expect(lines).toEqual(["[a] debug: one", "[a] warn: two"]);
    const file = parse(fs.readFileSync(logging.file, "utf8"));
    expect(file.map((line) => line["1"])).toEqual(["two", "three"]);
  });

  test("pretty has the time, json is the line of the file, colours only when asked for", async () => {
    const pretty = open({ consoleStyle: "pretty" });
    pretty.logger("a").info("x");
    const json = open({ consoleStyle: "json" });
    json.logger("a").info("y");
    const colour = open({ colour: true });
    colour.logger("a").error("z");
    await Promise.all([pretty.close(), json.close(), colour.close()]);
    expect(lines[0]).toBe("12:00:00 [a] x");
    expect(JSON.parse(lines[1]!)).toMatchObject({ "1": "y" });
    expect(lines[2]).toBe("\u001b[36m[a]\u001b[0m \u001b[31merror: z\u001b[0m");
  });

  test("cannot be forged or made endless by a stranger's text", async () => {
    const logging = open();
    const evil = `x\n[gateway] forged\u001b[2J\u202e${"y".repeat(20_000)}`;
    logging.logger("a").info(evil, { origin: evil, deep: { list: [evil] } });
    await logging.close();
    expect(lines).toHaveLength(1);
    // oxlint-disable-next-line no-control-regex
    expect(lines[0]).not.toMatch(/[\u0000-\u001f\u202e]/);
    const text = fs.readFileSync(logging.file, "utf8");
    expect(text.trim().split("\n")).toHaveLength(1);
    expect(text.length).toBeLessThan(12_000);
  });

  test("survives data that JSON does not know", async () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    const logging = open();
    logging.logger("a").info("x", { loop, big: 1n, error: new Error("boom"), none: undefined });
    await logging.close();
    expect(fs.readFileSync(logging.file, "utf8")).toContain("boom");
  });

  test("shows a secret on neither output", async () => {
    const secret = "correct horse battery";
    const logging = open({ redact: createRedactor([secret]) });
    logging.logger("a").info(`sent ${secret}`, { header: `Bearer ${"t0".repeat(20)}`, secret });
    await logging.close();
    const everything = lines.join("\n") + fs.readFileSync(logging.file, "utf8");
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain("t0t0t0t0t0t0");
  });
});

describe("an error loop", () => {
  test("of 100,000 equal lines is one line and a count", async () => {
    const logging = open();
    const log = logging.logger("a");
    for (let i = 0; i < 100_000; i++) log.error("it happened again", { code: "EAGAIN" });
    log.info("something else");
    await logging.close();
    expect(lines).toEqual([
      "[a] error: it happened again code=EAGAIN",
      "[a] error: it happened again (×99999) code=EAGAIN",
      "[a] something else",
    ]);
    expect(parse(fs.readFileSync(logging.file, "utf8"))).toHaveLength(3);
  });

  test("of different lines is cut to 200 per second, and the rest is counted", async () => {
    const logging = open();
    const log = logging.logger("a");
    for (let i = 0; i < 5000; i++) log.warn("again", { i });
    log.error("an error still has room");
    now += 1000;
    log.warn("later");
    await logging.close();
    expect(lines).toHaveLength(203);
    expect(lines[200]).toBe("[a] error: an error still has room");
    expect(lines[201]).toBe("[log] warn: too many log lines; some were left out lines=4800");
    expect(lines[202]).toBe("[a] warn: later");
  });
});

describe("the file", () => {
  test("is a new one after midnight", async () => {
    now = new Date(2026, 10, 20, 23, 59, 59).getTime();
    const logging = open();
    logging.logger("a").info("yesterday");
    await logging.flush();
    now += 2000;
    logging.logger("a").info("today");
    await logging.close();
    expect(parse(read("clawdbot-2026-11-20.log"))[0]!["1"]).toBe("yesterday");
    expect(parse(read("clawdbot-2026-11-21.log"))[0]!["1"]).toBe("today");
  });

  test("is rotated by size, and only the newest ones stay", async () => {
    const logging = open({ maxBytes: 1000, keep: 3 });
    for (let i = 0; i < 40; i++) {
      logging.logger("a").info(`line ${i} ${"x".repeat(200)}`);
      await logging.flush();
    }
    await logging.close();
    const names = fs.readdirSync(dir).sort();
    expect(names).toEqual([
      "clawdbot-2026-11-20.1.log",
      "clawdbot-2026-11-20.2.log",
      "clawdbot-2026-11-20.log",
    ]);
    for (const name of names) expect(fs.statSync(join(dir, name)).size).toBeLessThanOrEqual(1000);
    expect(read(names[2]!)).toContain("line 39 ");
  });

  test("of older days goes when there are too many, other files stay", async () => {
    fs.mkdirSync(dir, { mode: 0o700 });
    for (let day = 1; day <= 9; day++) {
      const path = join(dir, `clawdbot-2026-11-0${day}.log`);
      fs.writeFileSync(path, "x");
      fs.utimesSync(path, day, day);
    }
    fs.writeFileSync(join(dir, "notes.log"), "mine");
    const logging = open({ keep: 3 });
    logging.logger("a").info("x");
    await logging.close();
    expect(fs.readdirSync(dir).sort()).toEqual([
      "clawdbot-2026-11-08.log",
      "clawdbot-2026-11-09.log",
      "clawdbot-2026-11-20.log",
      "notes.log",
    ]);
  });

  test("that was deleted while the program runs is made again", async () => {
    const logging = open();
    logging.logger("a").info("one");
    await logging.flush();
    fs.unlinkSync(logging.file);
    logging.logger("a").info("two");
    await logging.close();
    expect(parse(fs.readFileSync(logging.file, "utf8")).map((l) => l["1"])).toEqual(["two"]);
  });

  test("is private", async () => {
    const logging = open();
    logging.logger("a").info("x");
    await logging.close();
    expect(fs.statSync(logging.file).mode & 0o777).toBe(0o600);
    expect(fs.statSync(dir).mode & 0o777).toBe(0o700);
  });

  test("is never written through a link, a second name or a pipe that somebody laid there", async () => {
    fs.mkdirSync(dir, { mode: 0o700 });
    const victim = join(dir, "..", "victim");
    fs.writeFileSync(victim, "precious");
    const path = join(dir, "clawdbot-2026-11-20.log");
    for (const lay of [
      () => fs.symlinkSync(victim, path),
      () => fs.linkSync(victim, path),
      () => void Bun.spawnSync(["mkfifo", path]),
    ]) {
      fs.rmSync(path, { force: true });
      lay();
      const logging = open();
      logging.logger("a").info("x");
      await logging.close();
      expect(fs.readFileSync(victim, "utf8")).toBe("precious");
      expect(lines.at(-1)).toStartWith("[log] warn: The log file ");
    }
  });

  test("goes into a folder of our own when the usual one is a link or writable by others", async () => {
    const foreign = join(dir, "..", "foreign");
    fs.mkdirSync(foreign, { mode: 0o700 });
    fs.symlinkSync(foreign, dir);
    const linked = open();
    linked.logger("a").info("x");
    await linked.close();
    expect(fs.readdirSync(foreign)).toEqual([]);
    fs.unlinkSync(dir);
    fs.mkdirSync(dir);
    fs.chmodSync(dir, 0o777);
    const shared = open();
    await shared.close();
    expect(shared.file).not.toStartWith(dir);
  });

  test("that cannot be written costs one warning and nothing else, and is tried again later", async () => {
    const logging = open({ file: "/dev/full/x.log" });
    logging.logger("a").info("one");
    await logging.flush();
    logging.logger("a").info("two");
    await logging.close();
    expect(lines.filter((line) => line.startsWith("[log]"))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("[a]"))).toHaveLength(2);
  });

  test("is complete when the program ends in the middle", async () => {
    const program = `
      import { createLogging } from ${JSON.stringify(join(import.meta.dir, "logging.ts"))};
      const log = createLogging({ dir: ${JSON.stringify(dir)}, console: () => undefined }).logger("a");
      for (let i = 0; i < 150; i++) log.info("line " + i);
      log.info("same"); log.info("same");
      process.exit(3);`;
    const child = Bun.spawnSync([process.execPath, "-e", program]);
    expect(child.exitCode).toBe(3);
    const name = fs.readdirSync(dir)[0]!;
    const written = parse(read(name)).map((line) => line["1"]);
    expect(written).toHaveLength(152);
    expect(written.at(-1)).toBe("same");
  });
});

test("what is told goes to the console as it is, and never into the file", async () => {
  const logging = open();
  logging.logger("gateway").info("begin");
  logging.tell("gateway", "open http://127.0.0.1/#ticket=abcdefghijklmnop");
  await logging.close();
  expect(lines.at(-1)).toEndWith("[gateway] open http://127.0.0.1/#ticket=abcdefghijklmnop");
  const kept = fs.readdirSync(dir).map(read).join("");
  expect(kept).toContain("begin");
  expect(kept).not.toContain("ticket");
});

test("a restart in the same process leaves no listener behind, and a line after the end is no error", async () => {
  const count = () => [process.stderr.listenerCount("error"), process.listenerCount("exit")];
  await createLogging({ dir, clock }).close();
  const before = count();
  const logging = createLogging({ dir, clock, consoleLevel: "error" });
  await logging.close();
  expect(count()).toEqual(before);
  expect(before[0]).toBeGreaterThan(0);
  logging.logger("gateway").info("late");
});

test("another log file takes the lines from then on, and the first keeps its own", async () => {
  const logging = open();
  logging.logger("gateway").info("before");
  const path = join(dir, "elsewhere.log");
  await logging.redirect({ file: path });
  logging.logger("gateway").info("after");
  await logging.close();
  expect(logging.file).toBe(path);
  expect(fs.readFileSync(path, "utf8")).toContain("after");
  expect(fs.readFileSync(path, "utf8")).not.toContain("before");
  const first = fs.readdirSync(dir).find((name) => name !== "elsewhere.log")!;
  expect(read(first)).toContain("before");
});
