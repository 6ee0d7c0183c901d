import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";

import { readLock } from "../../src/base/lock.ts";
import { keepLock, makeStateDir, takeLock } from "../../src/base/state-dir.ts";
import { keepLog, makeHome } from "../config-home.ts";

test("a second gateway for one state directory says who has it and how to run another", async () => {
  using home = makeHome();
  await makeStateDir(home.paths, home.env);
  const lock = takeLock(home.paths, "boot", 1);
  lock.update({ pid: 42, port: 7, bootId: "boot", version: "1", startedAt: 1 });
  try {
    takeLock(home.paths, "other", 2);
    expect.unreachable();
  } catch (cause) {
    expect(cause).toMatchObject({
      code: "gateway_running",
      message: "A gateway is already running for this state directory (PID 42 on port 7).",
      hint: "`clawdbot dashboard` opens it. To run another one beside it: clawdbot --profile <name> gateway --port <other port>.",
    });
  } finally {
    lock.release();
  }
});

test.skipIf(process.platform !== "linux")(
  "a state directory that cannot be made names the variable that moves it",
  async () => {
    using home = makeHome();
    const made = makeStateDir({ ...home.paths, stateDir: "/proc/nope/.clawdbot" }, home.env);
    await expect(made).rejects.toMatchObject({
      code: "store_failed",
      message: "The state directory /proc/nope/.clawdbot cannot be made (ENOENT).",
      hint: expect.stringContaining("CLAWDBOT_STATE_DIR"),
    });
  },
);

test("the folder of a state directory is made for its owner only", async () => {
  using home = makeHome();
  const stateDir = join(home.home, "a", "b");
  await makeStateDir({ ...home.paths, stateDir }, home.env);
  expect((await Bun.file(stateDir).stat()).mode & 0o777).toBe(0o700);
});

test("the owner makes its lock file again, and a second gateway is refused as before", async () => {
  using home = makeHome();
  await makeStateDir(home.paths, home.env);
  const { log, lines } = keepLog();
  const lock = keepLock(takeLock(home.paths, "boot", 1), log, 5);
  rmSync(home.paths.lockPath);
  while (!readLock(home.paths.lockPath).held) await Bun.sleep(5);
  expect(() => takeLock(home.paths, "other", 2)).toThrow("already running");
  expect(lines).toEqual([]);
  lock.release();
  expect(readLock(home.paths.lockPath).held).toBe(false);
});
