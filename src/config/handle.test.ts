import { expect, test } from "bun:test";
import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Home, keepLog, makeHome } from "../../test/config-home.ts";
import { AppError } from "../base/errors.ts";
import { openConfig, type OpenOptions } from "./handle.ts";
import type { ReloadPlan } from "./reload.ts";

const open = async (home: Home, more: Partial<OpenOptions> = {}) => {
  const kept = keepLog();
  return { ...kept, handle: await openConfig({ ...home.where, log: kept.log, ...more }) };
};

test("opening reads the config and keeps a copy of it, for this user only", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } } // mine");
  const { handle } = await open(home);
  expect(handle.current().gateway.port).toBe(5);
  expect(home.read("config.last-good.json5")).toBe("{ gateway: { port: 5 } } // mine");
  expect(statSync(join(home.paths.stateDir, "config.last-good.json5")).mode & 0o777).toBe(0o600);
  expect(home.read()).toBe("{ gateway: { port: 5 } } // mine");
});

test("no config file writes nothing", async () => {
  using home = makeHome();
  const { handle } = await open(home);
  expect(handle.current().gateway.port).toBe(18789);
  expect(existsSync(home.paths.stateDir)).toBe(false);
});

test("a config that cannot be used is refused with exit code 78's error, file, line and remedy", async () => {
  using home = makeHome();
  home.write("{\n gateway: { port: 'x' } }");
  await expect(open(home)).rejects.toMatchObject({
    code: "config_invalid",
    message:
      'The config cannot be used. clawdbot.json line 2, column 19: gateway.port must be a number, not "x".',
  });
  await expect(open(home, { useLastGood: true })).rejects.toMatchObject({ code: "config_invalid" });
});

test("when asked for, the last good config is used, the broken one is copied aside and stays where it is", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 }, ui: { seamColor: '#000000' } }");
  await open(home);
  const broken = "{\n gateway: { port: 'x' }, ui: { seamColor: '#000000' }, tools: {} }";
  home.write(broken);
  const { handle, lines } = await open(home, { useLastGood: true });
  expect(handle.current().gateway.port).toBe(5);
  expect(home.read()).toBe(broken);
  expect(handle.recovered).toMatchObject({
    lost: ["gateway.port", "tools"],
    problem: expect.stringContaining("line 2"),
  });
  expect(await Bun.file(handle.recovered!.setAside!).text()).toBe(broken);
  expect(handle.recovered!.setAside).toMatch(/clawdbot\.json\.rejected\.[\dTZ-]+$/);
  expect(statSync(handle.recovered!.setAside!).mode & 0o777).toBe(0o600);
  const said = lines.find((line) => line.level === "error");
  expect(said?.data).toMatchObject({
    notInForce: "gateway.port, tools",
    file: home.paths.configPath,
  });
  expect(handle.snapshot()).toMatchObject({ valid: false });
  expect(home.read("config.last-good.json5")).toContain("port: 5");
});

test("a restart loop over one broken file makes one copy, and no more than five are kept", async () => {
  using home = makeHome();
  home.write("{}");
  await open(home);
  home.write("{ broken");
  await open(home, { useLastGood: true });
  await open(home, { useLastGood: true });
  const copies = () => home.list().filter((name) => name.includes("rejected"));
  expect(copies()).toHaveLength(1);
  for (let i = 0; i < 8; i++)
    writeFileSync(join(home.paths.stateDir, `clawdbot.json.rejected.2020-0${i}`), String(i));
  home.write("{ broken otherwise");
  await open(home, { useLastGood: true });
  expect(copies()).toHaveLength(5);
});

test("the kept copy of a config with includes is whole, so that a broken included file does not matter; variables stay variables", async () => {
  using home = makeHome({ TOK: "sekret-value" });
  home.write('{ gateway: { $include: "gw.json" }, ui: { assistant: { name: "${TOK}" } } }');
  home.write("{ port: 7 }", "gw.json");
  await open(home);
  expect(home.read("config.last-good.json5")).not.toContain("sekret");
  home.write("{ port: ", "gw.json");
  const { handle } = await open(home, { useLastGood: true });
  expect(handle.current()).toMatchObject({
    gateway: { port: 7 },
    ui: { assistant: { name: "sekret-value" } },
  });
  expect(handle.recovered?.problem).toContain("gw.json");
});

test("warnings are lines; older names and inactive parts are one line each for all of them", async () => {
  using home = makeHome({
    CLAWDBOT_PROFILE: "a",
    OPENCLAW_GATEWAY_TOKEN: "x",
    CLAWDBOT_GATEWAY_TOKEN: "y",
  });
  home.write(
    "{ gatway: {}, agent: { workspace: 'x', timeoutSeconds: 5 }, channels: { signal: { a: 1 }, line: { a: 1 } }, cron: { a: 1 } }",
  );
  const { lines } = await open(home);
  expect(lines.map((line) => [line.level, line.message])).toEqual([
    [
      "warn",
      "OPENCLAW_GATEWAY_TOKEN and CLAWDBOT_GATEWAY_TOKEN differ; OPENCLAW_GATEWAY_TOKEN is used.",
    ],
    [
      "warn",
      "clawdbot.json line 1, column 11: gatway is not a known key; it is kept, and has no effect.",
    ],
    ["info", "older config keys are read under their new names"],
    ["info", "not active yet, kept in the config"],
  ]);
  expect(lines[3]!.data).toEqual({ keys: "channels.line, channels.signal, cron" });
});

test("an edit writes the file, takes effect at once and stamps who wrote", async () => {
  using home = makeHome();
  home.write("{\n  // mine\n  gateway: { port: 5 },\n}\n");
  const { handle } = await open(home);
  const plans: ReloadPlan[] = [];
  const stop = handle.watch((plan) => plans.push(plan));
  const { changed } = await handle.edit([
    { kind: "set", path: ["tools", "deny"], value: ["exec"] },
  ]);
  stop();
  expect(changed).toEqual(["tools.deny"]);
  expect(handle.current().tools.deny).toEqual(["exec"]);
  expect(home.read()).toContain("// mine");
  expect(handle.loaded().parsed).toMatchObject({
    meta: { lastTouchedVersion: expect.any(String) },
  });
  expect(plans).toHaveLength(1);
  expect(home.read("config.last-good.json5")).toBe(home.read());
});

test("an edit that changes nothing writes nothing", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const { handle } = await open(home);
  expect(await handle.edit([{ kind: "set", path: ["gateway", "port"], value: 5 }])).toEqual({
    changed: [],
  });
  expect(home.read()).toBe("{ gateway: { port: 5 } }");
});

test("edits at the same time happen one after the other, and one that fails stops no other", async () => {
  using home = makeHome();
  home.write("{}");
  const { handle } = await open(home);
  const set = (key: string, value: unknown) =>
    handle.edit([{ kind: "set", path: ["x", key], value }]);
  const results = await Promise.allSettled([
    ...Array.from({ length: 10 }, (_, i) => set(`k${i}`, i)),
    handle.edit([{ kind: "set", path: ["gateway", "port"], value: "bad" }]),
    set("last", true),
  ]);
  expect(results.filter((r) => r.status === "rejected")).toHaveLength(1);
  expect(Object.keys((handle.loaded().parsed as { x: object }).x)).toHaveLength(11);
});

test("setting a reference to a variable that is not set is refused by the running gateway", async () => {
  using home = makeHome();
  home.write("{}");
  const { handle } = await open(home);
  await expect(
    handle.edit([{ kind: "set", path: ["gateway", "auth", "token"], value: "${NOPE}" }]),
  ).rejects.toThrow("NOPE");
});

test("a changed file that cannot be used is one warning, and the running config stays", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const { handle, lines } = await open(home);
  home.write("{ gateway: { port: 'x' } }");
  expect(await handle.reload()).toBeUndefined();
  expect(handle.current().gateway.port).toBe(5);
  expect(lines.filter((line) => line.level === "warn")).toHaveLength(1);
  expect(handle.snapshot().valid).toBe(false);
  rmSync(home.paths.configPath);
  home.write("{ gateway: { port: 5 }, tools: { deny: ['x'] } }");
  expect(await handle.reload()).toMatchObject({ action: "none", changed: ["tools.deny"] });
});

test("a state dir that takes no copy is a warning, not the end of the start", async () => {
  using home = makeHome();
  home.write("{}");
  home.write("", "config.last-good.json5/in-the-way");
  const { handle, lines } = await open(home);
  expect(handle.current().gateway.port).toBe(18789);
  expect(lines).toMatchObject([{ level: "warn", data: { code: "EISDIR" } }]);
});

test("temporary files of a killed write are gone after the start", async () => {
  using home = makeHome();
  home.write("{}");
  const left = join(
    home.paths.stateDir,
    "clawdbot.json.4194304.00000000-0000-4000-8000-000000000000.tmp",
  );
  writeFileSync(left, "{ half");
  utimesSync(left, 0, 0);
  await open(home);
  expect(existsSync(left)).toBe(false);
});

/** Resolves with the next plan that the watcher reports. */
const next = (handle: Awaited<ReturnType<typeof open>>["handle"]) => {
  const { promise, resolve } = Promise.withResolvers<ReloadPlan>();
  const stop = handle.watch((plan) => {
    stop();
    resolve(plan);
  });
  return promise;
};

test("a change of the file is noticed, also when an editor replaces it, when it appears, and when an included file changes", async () => {
  using home = makeHome();
  home.write("{ gateway: { reload: { debounceMs: 0 } }, tools: { deny: ['a'] } }");
  const { handle } = await open(home);
  const first = next(handle);
  home.write("{ gateway: { reload: { debounceMs: 0 } }, tools: { deny: ['b'] } }");
  expect((await first).changed).toEqual(["tools.deny"]);

  const second = next(handle);
  const beside = home.write(
    "{ gateway: { reload: { debounceMs: 0 } }, tools: { $include: 'tools.json' } }",
    "new.json",
  );
  home.write("{ deny: ['c'] }", "tools.json");
  await Bun.$`mv ${beside} ${home.paths.configPath}`.quiet();
  expect((await second).config.tools.deny).toEqual(["c"]);

  home.write("{ deny: ", "tools.json");
  expect(await handle.reload()).toBeUndefined();
  const third = next(handle);
  home.write("{ deny: ['d'] }", "tools.json");
  expect((await third).config.tools.deny).toEqual(["d"]);
});

test("a first config file that appears while the gateway runs is taken up", async () => {
  using home = makeHome();
  home.write("x=1", "keep.txt");
  const { handle } = await open(home);
  const plan = next(handle);
  home.write("{ tools: { deny: ['a'] } }");
  expect((await plan).config.tools.deny).toEqual(["a"]);
});

test("a change that needs a restart and cannot be started with is one error, and the running config stays", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const { handle, lines } = await open(home);
  const plans: ReloadPlan[] = [];
  const stop = handle.watch(
    (plan) => plans.push(plan),
    async ({ config }) =>
      config.gateway.port === 6
        ? new AppError("port_taken", "Port 6 is taken.", { hint: "Take another." })
        : undefined,
  );
  home.write("{ gateway: { port: 6 } }");
  expect(await handle.reload()).toBeUndefined();
  expect(handle.current().gateway.port).toBe(5);
  expect(plans).toEqual([]);
  expect(lines).toEqual([
    {
      level: "error",
      message: "the changed config is not used: Port 6 is taken.",
      data: { keys: "gateway.port", hint: "Take another." },
    },
  ]);
  expect(home.read("config.last-good.json5")).toContain("port: 5");
  home.write("{ gateway: { port: 7 } }");
  expect(await handle.reload()).toMatchObject({ action: "restart" });
  stop();
  expect(handle.current().gateway.port).toBe(7);
  expect(plans).toHaveLength(1);
});

test("a config file that is deleted is one warning, and the running config stays", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const { handle, lines } = await open(home);
  rmSync(home.paths.configPath);
  expect(await handle.reload()).toBeUndefined();
  expect(await handle.reload()).toBeUndefined();
  expect(handle.current().gateway.port).toBe(5);
  expect(lines.map((line) => [line.level, line.message])).toEqual([
    ["warn", "the config file is gone; the running config stays"],
  ]);
  home.write("{ gateway: { port: 5 }, tools: { deny: ['x'] } }");
  expect(await handle.reload()).toMatchObject({ changed: ["tools.deny"] });
});

test("what ran before can be used in place of a file that could not be started with", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const first = (await open(home)).handle;
  const instead = { config: first.current(), env: first.env() };
  home.write("{ gateway: { port: 6 } }");
  const { handle } = await open(home, { instead });
  expect(handle.current().gateway.port).toBe(5);
  expect(home.read("config.last-good.json5")).toContain("port: 5");
});

test("a config counts as good only when the gateway has started with it", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5 } }");
  const { handle } = await open(home);
  handle.watch(() => undefined)();
  home.write("{ gateway: { port: 6 } }");
  expect(await handle.reload()).toMatchObject({ action: "restart" });
  expect(home.read("config.last-good.json5")).toContain("port: 5");
  const again = (await open(home, { unproven: true })).handle;
  expect(home.read("config.last-good.json5")).toContain("port: 5");
  await again.proven();
  expect(home.read("config.last-good.json5")).toContain("port: 6");
});
