import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { readEnv } from "./env.ts";
import { expandHome, findPaths, otherConfigs, workspaceOf } from "./paths.ts";

function house() {
  const home = mkdtempSync(join(tmpdir(), "clawdbot-paths-"));
  return {
    home,
    dir: (name: string) => (mkdirSync(join(home, name), { recursive: true }), join(home, name)),
    file: (name: string) => (writeFileSync(join(home, name), "{}"), join(home, name)),
    find: (vars: Record<string, string> = {}, container = false) =>
      findPaths(readEnv(vars), home, container),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

test("an empty home gets ~/.clawdbot, clawdbot.json and ~/clawd", () => {
  using h = house();
  const paths = h.find();
  expect(paths).toMatchObject({
    stateDir: join(h.home, ".clawdbot"),
    configPath: join(h.home, ".clawdbot/clawdbot.json"),
    workspaceDefault: join(h.home, "clawd"),
    socketPath: join(h.home, ".clawdbot/gateway.sock"),
    databasePath: join(h.home, ".clawdbot/clawdbot.sqlite"),
  });
  expect(paths.lockPath).toMatch(/\.clawdbot\/gateway\.[0-9a-f]{8}\.lock$/);
});

test("the first existing state dir and config file of any name are used", () => {
  using h = house();
  h.dir(".openclaw");
  h.file(".openclaw/openclaw.json");
  expect(h.find().configPath).toBe(join(h.home, ".openclaw/openclaw.json"));
  h.dir(".moltbot");
  h.file(".moltbot/moltbot.json");
  expect(h.find().stateDir).toBe(join(h.home, ".moltbot"));
  h.dir(".clawdbot");
  h.file(".clawdbot/moltbot.json");
  expect(h.find().configPath).toBe(join(h.home, ".clawdbot/moltbot.json"));
});

test("explicit variables win, `~` is the home and a relative path is made whole", () => {
  using h = house();
  h.dir(".clawdbot");
  const data = h.dir("data");
  h.file("data/openclaw.json");
  expect(h.find({ OPENCLAW_STATE_DIR: data }).configPath).toBe(join(data, "openclaw.json"));
  const paths = h.find({ CLAWDBOT_STATE_DIR: "~/data", CLAWDBOT_CONFIG_PATH: "my.json5" });
  expect(paths.stateDir).toBe(data);
  expect(paths.configPath).toBe(join(process.cwd(), "my.json5"));
});

test("a state dir of its own never borrows the config of another one", () => {
  using h = house();
  h.dir(".clawdbot");
  h.file(".clawdbot/clawdbot.json");
  expect(h.find({ CLAWDBOT_STATE_DIR: h.dir("data") }).configPath).toBe(
    join(h.home, "data/clawdbot.json"),
  );
});

test("a profile has its own state, config and workspace; default is none", () => {
  using h = house();
  h.dir(".clawdbot");
  expect(h.find({ CLAWDBOT_PROFILE: "work" })).toMatchObject({
    profile: "work",
    stateDir: join(h.home, ".clawdbot-work"),
    workspaceDefault: join(h.home, "clawd-work"),
  });
  h.dir(".openclaw-work");
  expect(h.find({ CLAWDBOT_PROFILE: "work" }).stateDir).toBe(join(h.home, ".openclaw-work"));
  expect(h.find({ CLAWDBOT_PROFILE: "default" }).stateDir).toBe(join(h.home, ".clawdbot"));
  expect(h.find({ CLAWDBOT_PROFILE: "work", CLAWDBOT_STATE_DIR: "/data" }).stateDir).toBe("/data");
});

test("a profile that could leave the home folder is refused", () => {
  using h = house();
  for (const name of ["../x", "a/b", ".hidden", "-x", "a b", "x".repeat(65)])
    expect(() => h.find({ CLAWDBOT_PROFILE: name })).toThrow("cannot be the name of a profile");
});

test("the workspace is the named one, else an existing one, else ~/clawd", () => {
  using h = house();
  const inState = h.dir(".clawdbot/workspace");
  expect(h.find().workspaceDefault).toBe(inState);
  h.dir("clawd");
  expect(h.find().workspaceDefault).toBe(join(h.home, "clawd"));
  const named = h.dir("elsewhere");
  expect(h.find({ CLAWDBOT_WORKSPACE_DIR: named }).workspaceDefault).toBe(named);
});

test("a named workspace that is not there gives way to one that is (Docker guide: a path of the host)", () => {
  using h = house();
  const vars = { CLAWDBOT_WORKSPACE_DIR: join(h.home, "only-on-the-host") };
  expect(h.find(vars).workspaceDefault).toBe(vars.CLAWDBOT_WORKSPACE_DIR);
  h.dir("clawd");
  expect(h.find(vars).workspaceDefault).toBe(join(h.home, "clawd"));
});

test("in a container a workspace that is named counts only when it is there and can be written", () => {
  using h = house();
  const vars = { CLAWDBOT_WORKSPACE_DIR: join(h.home, "only-on-the-host") };
  expect(h.find(vars, true).workspaceDefault).toBe(join(h.home, "clawd"));
  h.dir("only-on-the-host");
  expect(h.find(vars, true).workspaceDefault).toBe(vars.CLAWDBOT_WORKSPACE_DIR);
});

test("of several state folders or workspaces the one with content is used, then a mounted one", () => {
  using h = house();
  for (const name of [".clawdbot", ".openclaw", "clawd"]) h.dir(name);
  expect(h.find().stateDir).toBe(join(h.home, ".clawdbot"));
  h.dir(".openclaw/workspace");
  expect(h.find()).toMatchObject({
    stateDir: join(h.home, ".openclaw"),
    workspaceDefault: join(h.home, "clawd"),
  });
  h.file(".openclaw/workspace/AGENTS.md");
  expect(h.find().workspaceDefault).toBe(join(h.home, ".openclaw/workspace"));
  h.file(".clawdbot/anything");
  expect(h.find().stateDir).toBe(join(h.home, ".clawdbot"));
});

test("a config of another name that appears later is the one from then on; a new one has the brand of its folder's variable", () => {
  using h = house();
  const data = h.dir("data");
  const paths = h.find({ CLAWDBOT_STATE_DIR: data });
  expect(paths.configPath).toBe(join(data, "clawdbot.json"));
  h.file("data/moltbot.json");
  expect(paths.configPath).toBe(join(data, "moltbot.json"));
  h.file("data/clawdbot.json");
  expect(paths.configPath).toBe(join(data, "clawdbot.json"));
  h.file("data/openclaw.json");
  expect(paths.configPath).toBe(join(data, "openclaw.json"));
  expect(otherConfigs(paths)).toEqual([join(data, "clawdbot.json"), join(data, "moltbot.json")]);
  expect(h.find({ OPENCLAW_STATE_DIR: h.dir("new") }).configPath).toBe(
    join(h.home, "new/openclaw.json"),
  );
});

test("other agents work beside the default one", () => {
  using h = house();
  expect(workspaceOf(h.find(), "ops")).toBe(join(h.home, "clawd-ops"));
  h.dir(".clawdbot/workspace");
  expect(workspaceOf(h.find(), "ops")).toBe(join(h.home, ".clawdbot/workspace-ops"));
});

test("a socket that does not fit into an address moves to a short path of this user and state dir", () => {
  using h = house();
  const long = join(h.home, "d".repeat(120));
  const { socketPath } = h.find({ CLAWDBOT_STATE_DIR: long });
  expect(Buffer.byteLength(socketPath)).toBeLessThan(104);
  expect(socketPath).toContain(`clawdbot-${process.getuid?.()}`);
  const other = h.find({ CLAWDBOT_STATE_DIR: `${long}2` }).socketPath;
  expect(other).not.toBe(socketPath);
});

test("one state folder has one lock, whatever config is used and however the folder is spelled", () => {
  using h = house();
  const real = h.dir("real");
  symlinkSync(real, join(h.home, "link"));
  const lock = (dir: string, config: string) =>
    basename(h.find({ CLAWDBOT_STATE_DIR: dir, CLAWDBOT_CONFIG_PATH: config }).lockPath);
  expect(lock(join(h.home, "link"), "/a.json")).toBe(lock(real, "/b.json"));
});

test("only a leading ~ or ~/ is the home folder", () => {
  expect(["~", "~/a", "~x", "a/~", "/b"].map((p) => expandHome(p, "/h"))).toEqual([
    "/h",
    "/h/a",
    "~x",
    "a/~",
    "/b",
  ]);
});
