/** Updates that are killed, at every step: what is left always works, and the next one begins as if nothing had been. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { alive } from "../../src/base/fs.ts";
import { readJournal } from "../../src/service/update/journal.ts";
import { schemaOf } from "../../src/store/sqlite/rescue/snapshot.ts";
import { plainEnv } from "./binary.ts";
import { run, send, until } from "./update-rig.ts";
import { HANGS, NEW, OLD, type Stage } from "./update-stage.ts";

/** The cases, on a stage whose versions are built when they run. */
export function killTests(stage: Stage): void {
  const { rig } = stage;
  const start = () =>
    Bun.spawn([stage.program, "update", "--json"], {
      cwd: stage.home.dir,
      env: plainEnv(stage.home),
      stdio: ["ignore", "pipe", "ignore"],
    });
  const has = (folder: string, name: RegExp) =>
    existsSync(folder) && readdirSync(folder).some((each) => name.test(each));

  const lockBody = (folder: string): { pid: number } | undefined => {
    const lock = has(folder, /\.lock$/) && readdirSync(folder).find((name) => /\.lock$/.test(name));
    const text = lock ? readFileSync(join(folder, lock), "utf8").split("\n")[0] : "";
    return text ? (JSON.parse(text) as { pid: number }) : undefined;
  };
  const phase = () => readJournal(stage.home.state)?.phase;
  const MOMENTS: [name: string, moment: () => boolean][] = [
    ["while it downloads", () => has(stage.work, /\.gz$/)],
    ["while it unpacks", () => has(stage.work, /^clawdbot$/)],
    ["while it tries the new version", () => !!lockBody(join(stage.home.state, "update/trial"))],
    ["when the file is in its place", () => phase() === "swapped"],
    ["while the gateway hands over", () => phase() === "trying"],
  ];

  for (const [name, moment] of MOMENTS)
    test(`the command is killed ${name}`, async () => {
      stage.fresh();
      rig.publish(NEW, { path: stage.programs[NEW]! });
      let gateway = await stage.start();
      await send(gateway, "before");
      const child = start();
      await until(moment);
      const trial = lockBody(join(stage.home.state, "update/trial"));
      child.kill("SIGKILL");
      await child.exited;
      // The version that is tried does not outlive it.
      if (trial) await until(() => !alive(trial.pid));
      expect([OLD, NEW]).toContain(await stage.versionOf());
      await send(gateway, "after");

      // The gateway may still be at it: it goes on without the command.
      let { json } = await stage.update();
      while (json["reason"] === "busy") ({ json } = await stage.update());
      expect(["ok", "already-newest"]).toContain(json["reason"] ?? json["status"]);
      expect(await stage.versionOf()).toBe(NEW);
      await gateway.end();
      gateway = await stage.start();
      expect((await gateway.facts()).version).toBe(NEW);
      await send(gateway, "last");
      expect(existsSync(stage.work)).toBe(false);
      expect(existsSync(join(stage.home.state, "update/trial"))).toBe(false);
    }, 60_000);

  test("the gateway is stopped while it tries a version: both processes end, and nothing is lost", async () => {
    stage.fresh();
    rig.publish(HANGS, { path: stage.programs[HANGS]! });
    let gateway = await stage.start();
    await send(gateway, "before");
    const updater = start();
    await gateway.seen(/listening on ws:\/\/127/, 2);
    const { pid } = await gateway.facts();
    process.kill(gateway.pid, "SIGTERM");
    await gateway.ended;
    expect(alive(pid)).toBe(false);
    updater.kill("SIGKILL");
    await updater.exited;
    gateway = await stage.start();
    await send(gateway, "after");
    expect(await gateway.answers()).toEqual(["before", "after"]);
  }, 60_000);

  test("of two at once one works, and the other says so", async () => {
    stage.fresh();
    rig.publish(NEW, { path: stage.programs[NEW]! });
    const first = start();
    await until(() => has(stage.work, /^pid$/));
    const second = await run(stage.program, ["update", "--json"], stage.home);
    expect({ code: second.code, ...JSON.parse(second.stdout) }).toMatchObject({
      code: 1,
      status: "error",
      reason: "busy",
    });
    expect(await first.exited).toBe(0);
    expect(await stage.versionOf()).toBe(NEW);
  }, 60_000);

  test("everything is killed while a version is tried that never gets ready: after three starts the old one comes back, with all messages", async () => {
    stage.fresh();
    rig.publish(HANGS, { path: stage.programs[HANGS]! });
    let gateway = await stage.start();
    await send(gateway, "before");
    const updater = start();
    await until(() => phase() === "trying");
    // The new version listens, and takes this one.
    await gateway.seen(/trying version/);
    await gateway.seen(/listening on/, 2);
    await send(gateway, "meanwhile");
    const { pid } = await gateway.facts();
    expect(pid).not.toBe(gateway.pid);
    updater.kill("SIGKILL");
    process.kill(gateway.pid, "SIGKILL");
    process.kill(pid, "SIGKILL");
    await Promise.all([updater.exited, gateway.ended]);
    expect(await stage.versionOf()).toBe(HANGS);
    expect(schemaOf(join(stage.home.state, "clawdbot.sqlite"))).toBe(99);

    for (let starts = 1; starts <= 3; starts++) {
      gateway = await stage.start();
      expect((await gateway.facts()).version).toBe(HANGS);
      process.kill(gateway.pid, "SIGKILL");
      await gateway.ended;
    }
    gateway = await stage.start();
    expect(gateway.log()).toContain(`The update to ${HANGS} was taken back`);
    expect(await gateway.facts()).toEqual({ pid: gateway.pid, version: OLD });
    expect(await stage.versionOf()).toBe(OLD);
    await send(gateway, "after");
    for (const name of ["before", "meanwhile", "after"]) await gateway.answered(name);
  }, 60_000);
}
