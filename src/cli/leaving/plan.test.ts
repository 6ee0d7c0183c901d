import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { readEnv } from "../../base/env.ts";
import { findPaths } from "../../base/paths.ts";
import { resetPlan, statePlan, workspacePlan } from "./plan.ts";
import { refuseUnsafe, removeTree } from "./safe.ts";

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
});
function newHome(): string {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-plan-"));
  made.push(dir);
  return dir;
}
function fill(dir: string, names: string[]): void {
  mkdirSync(dir, { recursive: true });
  for (const name of names) writeFileSync(join(dir, name), "x");
}
const pathsOf = (home: string, vars: Record<string, string> = {}) =>
  findPaths(readEnv(vars), home, false);
const names = (paths: string[]): string[] => paths.map((path) => basename(path));

test("of a state folder everything goes, the config after the rest and the locks last", () => {
  const home = newHome();
  fill(join(home, ".clawdbot"), [
    "clawdbot.json",
    "gateway.1234abcd.lock",
    "anything-else",
    "clawdbot.sqlite",
  ]);
  const plan = statePlan(pathsOf(home), []);
  expect(names(plan.paths)).toEqual([
    "anything-else",
    "clawdbot.sqlite",
    "clawdbot.json",
    "gateway.1234abcd.lock",
  ]);
  expect(plan.folders).toEqual([join(home, ".clawdbot")]);
});

test("of a folder that somebody else uses too only known names go, and none where this program has never been", () => {
  const home = newHome();
  const dir = join(home, "data");
  const paths = pathsOf(home, { CLAWDBOT_STATE_DIR: dir });
  fill(dir, ["logs", "tools", "holiday.jpg"]);
  for (const plan of [statePlan(paths, []), resetPlan("config+creds+sessions", paths, undefined)])
    expect(plan.paths).toEqual([]);
  fill(dir, ["clawdbot.json", "media"]);
  const plan = statePlan(paths, []);
  expect(names(plan.paths)).toEqual(["logs", "media", "tools", "clawdbot.json"]);
  expect(plan.kept.join()).toContain("holiday.jpg");
  expect(names(resetPlan("config+creds+sessions", paths, undefined).paths)).toEqual([
    "media",
    "clawdbot.json",
  ]);
});

test("a config elsewhere goes with the state", () => {
  const home = newHome();
  fill(join(home, ".clawdbot"), ["clawdbot.sqlite"]);
  fill(join(home, "etc"), ["my.json"]);
  const paths = pathsOf(home, { CLAWDBOT_CONFIG_PATH: join(home, "etc/my.json") });
  expect(statePlan(paths, []).paths.at(-1)).toBe(join(home, "etc/my.json"));
  expect(names(resetPlan("config", paths, undefined).paths)).toEqual(["my.json"]);
});

test("a reset of the config takes every name that would be read instead", () => {
  const home = newHome();
  fill(join(home, ".clawdbot"), ["clawdbot.json", "moltbot.json", "clawdbot.sqlite", ".env"]);
  const plan = resetPlan("config", pathsOf(home), undefined);
  expect(names(plan.paths).sort()).toEqual(["clawdbot.json", "moltbot.json"]);
});

test.each([
  ["/", "the root"],
  ["/usr", "a folder of the whole machine"],
  ["/home/me", "the home folder"],
  ["/home", "the home folder"],
  ["/home/me/x/..", "the home folder"],
])("%s is never removed as a whole", (path, why) => {
  expect(() => refuseUnsafe(path, "/home/me", { whole: true })).toThrow(why);
});

test("a volume may hold the state, but not be a workspace that goes as a whole", () => {
  expect(() => refuseUnsafe("/data", "/home/me")).not.toThrow();
  expect(() => refuseUnsafe("/data", "/home/me", { whole: true })).toThrow("whole machine");
});

test("a link is refused, also one into the home folder", () => {
  const home = newHome();
  mkdirSync(join(home, "there"));
  symlinkSync("there", join(home, "link"));
  expect(() => refuseUnsafe(join(home, "link"), home)).toThrow(
    `is a link to ${join(home, "there")}`,
  );
  symlinkSync(join(home, "there"), join(home, "clawd"));
  expect(() => workspacePlan(pathsOf(home), undefined)).toThrow("is a link");
});

test("a link inside a folder goes, what it leads to stays", async () => {
  const home = newHome();
  fill(join(home, "outside"), ["keep"]);
  mkdirSync(join(home, "state/deep"), { recursive: true });
  symlinkSync(join(home, "outside"), join(home, "state/deep/link"));
  symlinkSync(join(home, "nowhere"), join(home, "state/dangling"));
  expect(await removeTree(join(home, "state"))).toBeUndefined();
  expect(existsSync(join(home, "state"))).toBe(false);
  expect(existsSync(join(home, "outside/keep"))).toBe(true);
});
