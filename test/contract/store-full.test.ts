import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AppError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/base/time.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { type Line, recordingLog } from "./store-log.ts";
import { address, inbound, key, said, turnRoute } from "./store.ts";

const MB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "clawdbot-full-"));
const disk = join(folder, "disk");
mkdirSync(disk);
const mounted =
  process.platform === "linux" &&
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], { stderr: "ignore" })
    .success;
const why = mounted ? "" : " (skipped: a small disk could not be mounted; it needs root)";

afterAll(() => {
  if (mounted) Bun.spawnSync(["umount", "-l", disk]);
  rmSync(folder, { recursive: true, force: true });
});

const path = join(disk, "clawdbot.sqlite");
const ballast = join(disk, "ballast");
const free = () => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};
/** Leaves `bytes` free. */
const fillDisk = (bytes: number) => {
  rmSync(ballast, { force: true });
  writeFileSync(ballast, new Uint8Array(free() - bytes));
};
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (cause: unknown) => (cause as AppError).code,
  );

describe.skipIf(!mounted)(`a full disk${why}`, () => {
  const lines: Line[] = [];
  const clock = { ...systemClock, now: () => clock.time, time: Date.UTC(2026, 0, 1) };
  const tick = () => void (clock.time += 10_000);
  let store: Awaited<ReturnType<typeof openSqlite>>;
  beforeAll(async () => {
    store = await openSqlite({
      path,
      log: recordingLog(lines),
      clock,
      space: { floor: 1 * MB, reserve: 4 * MB },
    });
  });
  const accept = (id: string) => {
    tick();
    return codeOf(store.inbound.accept(inbound(id), turnRoute(), id));
  };
  const reserve = () => statSync(`${path}.reserve`, { throwIfNoEntry: false })?.size ?? 0;

  test("with room there is a reserve", async () => {
    expect(reserve()).toBe(4 * MB);
    expect(await accept("a")).toBe("ok");
    expect(await accept("b")).toBe("ok");
    await store.turns.begin(["a"], [said("user", "hello")], 1);
  });

  test("with little room new messages are refused, but known ones are known and turns go on", async () => {
    fillDisk(0.5 * MB);
    expect(await accept("c")).toBe("disk_full");
    expect(await accept("a")).toBe("ok");
    expect(await codeOf(store.turns.append("a", [said("assistant", "one")]))).toBe("ok");
    expect(reserve()).toBe(4 * MB);
  });

  test("whoever asks is told, and the log says once that it began", () => {
    for (let i = 0; i < 3; i++) {
      tick();
      expect(store.problem?.()).toMatch(/^The disk that holds .* is almost full \(0 MB free\)/);
    }
    expect(lines.map((l) => l.level).filter((level) => level === "error")).toHaveLength(1);
  });

  test("with no room at all the reserve is given up, and the running turns end", async () => {
    fillDisk(0);
    const big = "x".repeat(200_000);
    for (let i = 0; i < 5; i++)
      expect(await codeOf(store.turns.append("a", [said("assistant", big)]))).toBe("ok");
    expect(reserve()).toBe(0);
    expect(lines.filter((l) => l.message.startsWith("the disk is full"))).toHaveLength(1);
    const done = { state: "done" as const, at: 2, entries: [said("assistant", "the end")] };
    const outbox = [{ key: "k", to: address, text: "the end" }];
    expect(await codeOf(store.turns.finish("a", { ...done, outbox }))).toBe("ok");
    expect(await accept("d")).toBe("disk_full");
  });

  test("when even that is used up, every call fails clearly and nothing is half done", async () => {
    writeFileSync(ballast, new Uint8Array(0));
    fillDisk(0);
    await store.turns.begin(["b"], [], 1).catch(() => "full already");
    let failed = "ok";
    for (let i = 0; i < 40 && failed === "ok"; i++)
      failed = await codeOf(store.kv.set("s", `k${i}`, "x".repeat(100_000)));
    expect(failed).toBe("disk_full");
    expect((await store.turns.get("a"))?.state).toBe("done");
    expect((await store.turns.unfinished()).map((t) => t.id)).toEqual(["b"]);
    const sizes = readdirSync(disk).filter((name) => name.startsWith("clawdbot.sqlite"));
    expect(
      sizes.filter((name) => name.endsWith(".sqlite") && statSync(join(disk, name)).size === 0),
    ).toEqual([]);
  });

  test("after room was made the same store works again and has its reserve back", async () => {
    rmSync(ballast);
    tick();
    expect(store.problem?.()).toBeUndefined();
    expect(lines.filter((l) => l.message.startsWith("the disk has room again"))).toHaveLength(1);
    expect(await accept("e")).toBe("ok");
    expect(await codeOf(store.turns.begin(["b"], [said("user", "x")], 3))).toBe("ok");
    expect(reserve()).toBe(4 * MB);
    await store.close();
    const again = await openSqlite({ path, log: recordingLog(lines), clock });
    expect(again.recovery).toBeUndefined();
    expect((await again.turns.unfinished()).map((t) => t.id)).toEqual(["b", "e"]);
    await again.close();
  });

  test("a start on a full disk gives up the reserve and finds everything", async () => {
    expect(reserve()).toBeGreaterThan(0);
    fillDisk(0);
    store = await openSqlite({
      path,
      log: recordingLog(lines),
      clock,
      space: { floor: 1 * MB, reserve: 4 * MB },
    });
    expect(store.recovery).toBeUndefined();
    const end = { state: "done" as const, at: 3, entries: [], outbox: [] };
    expect(await store.turns.finish("b", end)).toBe(true);
    await store.close();
  });

  test("a recovery without room changes nothing, and is done when there is room", async () => {
    for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
    const open = () =>
      openSqlite({
        path,
        log: recordingLog(lines),
        clock,
        space: { floor: MB, reserve: 0.1 * MB },
      });
    store = await open();
    const { sessionId } = await store.sessions.ensure(key("main"), "main", 1);
    for (let i = 0; i < 60; i++)
      await store.transcript.append(sessionId, [said("user", "x".repeat(50_000))]);
    await store.close();
    rmSync(join(disk, "backups"), { recursive: true, force: true });
    const file = readFileSync(path);
    const page = file.length - 3 * 4096;
    writeFileSync(
      path,
      file.fill(0, 0, 4096).fill(7, page - (page % 4096), page - (page % 4096) + 4096),
    );
    fillDisk(1.5 * MB);
    expect(await codeOf(open())).toBe("disk_full");
    expect(statSync(path).size).toBe(file.length);
    rmSync(ballast);
    store = await open();
    expect(store.recovery?.salvaged).toBeGreaterThan(55);
    expect((await store.transcript.from(sessionId, 0)).length).toBeGreaterThan(55);
    await store.close();
  });
});
