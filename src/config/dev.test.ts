import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { type Home, keepLog, makeHome } from "../../test/config-home.ts";
import { devWorkspace, prepareDev, refuseReset } from "./dev.ts";
import { loadConfig } from "./load.ts";

const NOW = Date.UTC(2026, 10, 20, 9, 8, 7, 6);
const TRASH = "trash-2026-11-20T09-08-07-006Z";
const devHome = (more: Record<string, string> = {}) =>
  makeHome({ CLAWDBOT_PROFILE: "dev", ...more });
const prepare = async (home: Home, reset = false, now = NOW) => {
  const { log, lines } = keepLog();
  await prepareDev({ ...home.where, reset, now, log });
  return lines;
};
/** A profile in which somebody has worked. */
async function used(home: Home) {
  await prepare(home);
  home.write("{ gateway: { mode: 'local' } } // mine");
  for (const name of ["clawdbot.sqlite", "clawdbot.sqlite-wal", "clawdbot.json.bak", "backups/a"])
    home.write(name, name);
  home.write("kept", "gateway-token");
  writeFileSync(join(devWorkspace(home.paths), "MEMORY.md"), "remember");
}

describe("a development config", () => {
  test("names the agent dev and a workspace, listens on loopback only, and loads without a word", async () => {
    using home = devHome();
    const lines = await prepare(home);
    const { config, errors, warnings, inactive } = await loadConfig(home.where);
    expect([errors, warnings, inactive]).toEqual([[], [], []]);
    expect(config?.gateway).toMatchObject({ mode: "local", bind: "loopback" });
    const workspace = join(home.home, "clawd-dev");
    expect(config?.agents.list).toMatchObject([{ id: "dev", default: true, workspace }]);
    expect(readdirSync(workspace)).toEqual(["IDENTITY.md"]);
    expect(lines.map((line) => line.message)).toEqual(["a development config was made"]);
  });

  test("is only made when there is none, and a workspace with something in it stays as it is", async () => {
    using home = devHome();
    mkdirSync(join(home.home, "clawd-dev"));
    writeFileSync(join(home.home, "clawd-dev", "notes.md"), "mine");
    await prepare(home);
    expect(readdirSync(join(home.home, "clawd-dev"))).toEqual(["notes.md"]);
    home.write("{ /* mine */ }");
    expect(await prepare(home)).toEqual([]);
    expect(home.read()).toBe("{ /* mine */ }");
  });

  test("of a state folder that was named keeps its workspace in there", async () => {
    using base = makeHome();
    using home = devHome({ CLAWDBOT_STATE_DIR: join(base.home, "deep", "state") });
    await prepare(home);
    const { config } = await loadConfig(home.where);
    expect(config?.agents.list[0]?.workspace).toBe(join(home.paths.stateDir, "workspace-dev"));
  });

  test("is not made where Nix makes the config", async () => {
    using home = devHome({ CLAWDBOT_NIX_MODE: "1" });
    await expect(prepare(home)).rejects.toMatchObject({ code: "forbidden" });
  });
});

describe("a reset", () => {
  test("moves config, database and workspace into one folder, deletes nothing, and begins anew", async () => {
    using home = devHome();
    await used(home);
    const lines = await prepare(home, true);
    const trash = join(home.paths.stateDir, TRASH);
    expect(readdirSync(trash).sort()).toEqual([
      "backups",
      "clawd-dev",
      "clawdbot.json",
      "clawdbot.json.bak",
      "clawdbot.sqlite",
      "clawdbot.sqlite-wal",
    ]);
    expect(readFileSync(join(trash, "clawdbot.json"), "utf8")).toContain("mine");
    expect(readFileSync(join(trash, "clawd-dev", "MEMORY.md"), "utf8")).toBe("remember");
    expect(home.list()).toEqual(["clawdbot.json", "gateway-token", TRASH]);
    expect(home.read()).toContain('"dev"');
    expect(readdirSync(devWorkspace(home.paths))).toEqual(["IDENTITY.md"]);
    expect(lines[0]).toMatchObject({ data: { folder: trash } });
  });

  test("of nothing makes no folder", async () => {
    using home = devHome();
    await prepare(home, true);
    expect(home.list()).toEqual(["clawdbot.json"]);
  });

  test("after reset keeps every one that was moved away", async () => {
    using home = devHome();
    await used(home);
    await prepare(home, true);
    await prepare(home, true, NOW + 1);
    expect(home.list().filter((name) => name.startsWith("trash-"))).toHaveLength(2);
  });

  test("moves a link, not what it leads to", async () => {
    using home = devHome();
    const real = join(home.home, "project");
    mkdirSync(real);
    writeFileSync(join(real, "work.txt"), "mine");
    symlinkSync(real, join(home.home, "clawd-dev"));
    await prepare(home, true);
    expect(readFileSync(join(real, "work.txt"), "utf8")).toBe("mine");
    expect(existsSync(join(home.home, "clawd-dev", "work.txt"))).toBe(false);
  });

  test("never leaves the profile dev, and says how it is called there", async () => {
    for (const vars of [{}, { CLAWDBOT_PROFILE: "work" }, { CLAWDBOT_PROFILE: "default" }]) {
      using home = makeHome(vars as Record<string, string>);
      home.write("{ gateway: { port: 5 } }");
      for (const reset of [
        async () => refuseReset(home.paths),
        () => prepare(home, true).then(() => undefined),
      ])
        await expect(reset()).rejects.toMatchObject({
          code: "start_refused",
          hint: "Run `clawdbot --dev gateway --dev --reset`.",
        });
      expect(home.list()).toEqual(["clawdbot.json"]);
    }
  });

  test("does not touch the real state when that was named for the profile dev", async () => {
    using base = makeHome();
    using home = makeHome({
      HOME: base.home,
      CLAWDBOT_PROFILE: "dev",
      CLAWDBOT_STATE_DIR: join(base.home, ".clawdbot"),
    });
    expect(() => refuseReset({ ...home.paths, home: base.home })).toThrow("default profile");
  });
});
