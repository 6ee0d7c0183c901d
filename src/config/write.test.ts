import { expect, test } from "bun:test";
import { chmodSync, chownSync, readlinkSync, renameSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { type Home, makeHome } from "../../test/config-home.ts";
import { loadConfig } from "./load.ts";
import { writeConfig } from "./write.ts";

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const write = async (home: Home, text: string, more: { whole?: boolean; force?: boolean } = {}) =>
  writeConfig({ ...home.where, base: await loadConfig(home.where), text, ...more });

test("a first write makes the folder and the file for this user only", async () => {
  using home = makeHome();
  await write(home, "{}\n");
  expect(home.list()).toEqual(["clawdbot.json"]);
  expect([mode(home.paths.stateDir), mode(home.paths.configPath)]).toEqual(["700", "600"]);
});

test("five backups are kept, the newest first, all for this user only", async () => {
  using home = makeHome();
  chmodSync(home.write("{ ui: { assistant: { name: '0' } } }"), 0o644);
  await write(home, "{ ui: { assistant: { name: '1' } } }");
  // The present file may have been made by hand, for everybody to read.
  expect(mode(`${home.paths.configPath}.bak`)).toBe("600");
  for (let i = 2; i <= 7; i++) await write(home, `{ ui: { assistant: { name: '${i}' } } }`);
  const names = [
    "clawdbot.json",
    ...["", ".1", ".2", ".3", ".4"].map((n) => `clawdbot.json.bak${n}`),
  ];
  expect(home.list()).toEqual(names);
  expect(names.map((name) => /\d/.exec(home.read(name))![0])).toEqual([
    "7",
    "6",
    "5",
    "4",
    "3",
    "2",
  ]);
  expect(names.map((name) => mode(join(home.paths.stateDir, name)))).toEqual(
    names.map(() => "600"),
  );
});

test.skipIf(process.getuid?.() !== 0)(
  "what root changes stays the gateway's to read, backups too",
  async () => {
    using home = makeHome();
    const { stateDir, configPath } = home.paths;
    home.write("{}");
    for (const path of [stateDir, configPath]) chownSync(path, 1234, 1234);
    await write(home, "{ ui: { assistant: { name: '1' } } }");
    for (const path of [configPath, `${configPath}.bak`]) expect(statSync(path).uid).toBe(1234);
  },
);

test("a text that would not work is not written", async () => {
  using home = makeHome();
  home.write("{}");
  await expect(write(home, "{ gateway: { port: 'x' } }")).rejects.toThrow("Nothing was changed");
  await expect(write(home, "{ gateway: {")).rejects.toThrow("Nothing was changed");
  expect(home.list()).toEqual(["clawdbot.json"]);
  expect(home.read()).toBe("{}");
});

test("a config that does not work may be mended step by step, but not made worse", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 'x', bind: 'y' } }");
  await write(home, "{ gateway: { port: 1, bind: 'y' } }");
  await expect(write(home, "{ gateway: { port: 1, bind: 'y', mode: 'z' } }")).rejects.toThrow(
    "gateway.mode",
  );
  await write(home, "{ gateway: { port: 1 } }");
});

test("a file that somebody else changed in the meantime is not overwritten", async () => {
  using home = makeHome();
  home.write("{}");
  const base = await loadConfig(home.where);
  home.write("{ ui: {} }");
  await expect(writeConfig({ ...home.where, base, text: "{ gateway: {} }" })).rejects.toMatchObject(
    { code: "config_conflict" },
  );
  using fresh = makeHome();
  const none = await loadConfig(fresh.where);
  fresh.write("{ ui: {} }");
  await expect(writeConfig({ ...fresh.where, base: none, text: "{}" })).rejects.toMatchObject({
    code: "config_conflict",
  });
  expect(fresh.read()).toBe("{ ui: {} }");
});

test("a whole new text that loses gateway.mode, meta or most of the file needs force", async () => {
  using home = makeHome();
  const text = `{ gateway: { mode: "local" }, ui: { assistant: { name: "${"x".repeat(40)}" } }, tools: {} }`;
  home.write(text);
  await expect(
    write(home, text.replace("mode", "port").replace('"local"', "1"), { whole: true }),
  ).rejects.toThrow("gateway.mode");
  await expect(write(home, '{ gateway: { mode: "local" } }', { whole: true })).rejects.toThrow(
    "less than half",
  );
  await write(home, '{ gateway: { mode: "local" } }', { whole: true, force: true });
});

test("with Nix nothing is written and the message says where to change it", async () => {
  using home = makeHome({ MOLTBOT_NIX_MODE: "1" });
  home.write("{}");
  await expect(write(home, "{ gateway: {} }")).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining("Nix"),
  });
});

test("a config that is a link stays one", async () => {
  using home = makeHome();
  const real = join(home.home, "dotfiles.json");
  renameSync(home.write("{}"), real);
  symlinkSync(real, home.paths.configPath);
  await write(home, "{ gateway: {} }");
  expect(readlinkSync(home.paths.configPath)).toBe(real);
  expect(await Bun.file(real).text()).toBe("{ gateway: {} }");
});

test.skipIf(process.getuid?.() === 0)("a folder that may not be written says so", async () => {
  using home = makeHome();
  home.write("{}");
  chmodSync(home.paths.stateDir, 0o500);
  await expect(write(home, "{ gateway: {} }")).rejects.toMatchObject({ code: "store_failed" });
  chmodSync(home.paths.stateDir, 0o700);
});
