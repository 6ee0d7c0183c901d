import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { makeHome } from "../../test/config-home.ts";
import { loadConfig } from "./load.ts";

const load = async (files: Record<string, string>) => {
  using home = makeHome();
  for (const [name, text] of Object.entries(files)) home.write(text, name);
  return await loadConfig(home.where);
};
const first = async (files: Record<string, string>) => (await load(files)).errors[0]!;

test("a group of keys can stand in a file of its own", async () => {
  const { parsed, files, errors } = await load({
    "clawdbot.json": '{ gateway: { $include: "gw.json5" } }',
    "gw.json5": "{ port: 1234, /* x */ }",
  });
  expect(errors).toEqual([]);
  expect(parsed).toEqual({ gateway: { port: 1234 } });
  expect(files).toHaveLength(1);
});

test("a list of files is merged in order: groups deeply, lists joined, the later value wins; keys beside it win over all", async () => {
  const { parsed } = await load({
    "clawdbot.json":
      '{ $include: ["a.json", "b.json"], ui: { assistant: { name: "own" } }, list: [3] }',
    "a.json": '{ gateway: { port: 1, mode: "local" }, list: [1], ui: { seamColor: "#000000" } }',
    "b.json": '{ gateway: { port: 2 }, list: [2], ui: { assistant: { name: "b", avatar: "x" } } }',
  });
  expect(parsed).toEqual({
    gateway: { port: 2, mode: "local" },
    list: [1, 2, 3],
    ui: { seamColor: "#000000", assistant: { name: "own", avatar: "x" } },
  });
});

test("an include may stand in a list and may itself include, relative to its own folder", async () => {
  const { parsed, errors } = await load({
    "clawdbot.json": '{ agents: { list: [ { $include: "agents/main.json" } ] } }',
    "agents/main.json": '{ id: "main", $include: "tools/t.json" }',
    "agents/tools/t.json": '{ tools: { deny: ["exec"] } }',
  });
  expect(errors).toEqual([]);
  expect(parsed).toEqual({ agents: { list: [{ id: "main", tools: { deny: ["exec"] } }] } });
});

test("a wrong value names the included file and its line", async () => {
  const problem = await first({
    "clawdbot.json": '{ gateway: { $include: "gw.json5" } }',
    "gw.json5": '{\n\n port: "x" }',
  });
  expect(problem).toMatchObject({ path: "gateway.port", line: 3, column: 8 });
  expect(problem.file).toEndWith("gw.json5");
});

test("a broken included file names itself", async () => {
  const problem = await first({ "clawdbot.json": '{ $include: "x.json" }', "x.json": "{\n a: 1" });
  expect(problem).toMatchObject({ line: 2 });
  expect(problem.file).toEndWith("x.json");
});

test("a cycle is refused with its chain", async () => {
  const problem = await first({
    "clawdbot.json": '{ $include: "a.json" }',
    "a.json": '{ $include: "b.json" }',
    "b.json": '{ $include: "a.json" }',
  });
  expect(problem.message).toContain("clawdbot.json → a.json → b.json → a.json");
});

test("a file that includes itself through a link is a cycle", async () => {
  using home = makeHome();
  home.write('{ $include: "same.json" }');
  symlinkSync("clawdbot.json", join(home.paths.stateDir, "same.json"));
  expect((await loadConfig(home.where)).errors[0]!.message).toContain("includes itself");
});

test("eleven files deep is too deep, ten are not", async () => {
  const chain = (n: number) =>
    Object.fromEntries(
      Array.from({ length: n }, (_, i) => [
        `${i}.json`,
        i === n - 1 ? "{ a: 1 }" : `{ $include: "${i + 1}.json" }`,
      ]),
    );
  expect((await load({ "clawdbot.json": '{ $include: "0.json" }', ...chain(10) })).errors).toEqual(
    [],
  );
  const problem = await first({ "clawdbot.json": '{ $include: "0.json" }', ...chain(11) });
  expect(problem.message).toContain("nested more than 10");
});

test("what is not a small regular file of text is refused", async () => {
  const big = " ".repeat(2 * 1024 * 1024 + 1);
  expect((await first({ "clawdbot.json": '{ $include: "x" }', x: big })).message).toContain(
    "at most 2097152",
  );
  expect(
    (await first({ "clawdbot.json": '{ $include: "agents" }', "agents/x": "{}" })).message,
  ).toContain("folder");
  expect((await first({ "clawdbot.json": '{ $include: "/dev/zero" }' })).message).toContain(
    "not a regular file",
  );
  expect((await first({ "clawdbot.json": '{ $include: "gone.json" }' })).message).toContain(
    "not there",
  );
  for (const name of ["http://x/y.json", "data:text/plain,{}", "file:///etc/passwd"])
    expect((await first({ "clawdbot.json": `{ $include: "${name}" }` })).message).toContain(
      "only files",
    );
  for (const name of ["3", "{}", '""', "[1]"])
    expect((await first({ "clawdbot.json": `{ $include: ${name} }` })).message).toContain(
      "must be a file name",
    );
});

test("keys beside an include need an include with keys", async () => {
  const problem = await first({
    "clawdbot.json": '{ a: { $include: "l.json", b: 1 } }',
    "l.json": "[1]",
  });
  expect(problem).toMatchObject({ path: "a.$include" });
});

test("outside its folder a file that everybody can change is refused, any other is read", async () => {
  using home = makeHome();
  mkdirSync(join(home.home, "shared"));
  const file = join(home.home, "shared/gw.json");
  writeFileSync(file, "{ port: 5 }");
  home.write(`{ gateway: { $include: "~/shared/gw.json" } }`);
  expect((await loadConfig(home.where)).config?.gateway.port).toBe(5);
  chmodSync(file, 0o666);
  expect((await loadConfig(home.where)).errors[0]!.message).toContain("every user can change");
});
