import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import { type Change, editText, REDACTED } from "./edit.ts";
import { loadConfig } from "./load.ts";
import { parsePath } from "./path.ts";

const set = (path: string, value: unknown): Change => ({
  kind: "set",
  path: parsePath(path),
  value,
});
const unset = (path: string): Change => ({ kind: "unset", path: parsePath(path) });

async function edit(
  text: string | undefined,
  changes: Change[],
  files: Record<string, string> = {},
) {
  using home = makeHome({ TOK: "secret-from-outside" });
  if (text !== undefined) home.write(text);
  for (const [name, content] of Object.entries(files)) home.write(content, name);
  return editText(await loadConfig({ ...home.where, strictVariables: false }), changes).text;
}

const COMMENTED = `// who: me
{
  // the port
  gateway: {
    port: 18789, // as ever
    auth: { token: "\${TOK}" }, /* from outside */
    "bind": 'loopback'
    // end of gateway
  },
  agents: { list: [
    { id: "a" }, // first
    { id: "b" },
  ] },
}
// bye
`;

test("a value is replaced where it stands; everything else stays", async () => {
  expect(await edit(COMMENTED, [set("gateway.port", 8080)])).toBe(
    COMMENTED.replace("18789", "8080"),
  );
  expect(await edit(COMMENTED, [set("gateway.bind", "lan")])).toBe(
    COMMENTED.replace("'loopback'", '"lan"'),
  );
  expect(await edit(COMMENTED, [set("agents.list[1].id", "c")])).toBe(
    COMMENTED.replace('"b"', '"c"'),
  );
});

test("a value that is so already is not touched, also when a variable gives it", async () => {
  expect(await edit(COMMENTED, [set("gateway.port", 18789)])).toBe(COMMENTED);
  expect(await edit(COMMENTED, [set("gateway.auth.token", "secret-from-outside")])).toBe(COMMENTED);
});

test("a variable is kept also when the file has older names", async () => {
  const text = "{ identity: { name: 'x' }, gateway: { auth: { token: '${TOK}' }, port: 1 } }";
  const value = { auth: { token: "secret-from-outside" }, port: 2 };
  expect(await edit(text, [set("gateway", value)])).toBe(text.replace("port: 1", "port: 2"));
});

test("setting a group touches only what differs in it", async () => {
  const value = { port: 1, auth: { token: "secret-from-outside" }, bind: "loopback" };
  expect(await edit(COMMENTED, [set("gateway", value)])).toBe(COMMENTED.replace("18789", "1"));
  const fewer = await edit(COMMENTED, [set("gateway", { port: 18789, bind: "lan" })]);
  expect(fewer).not.toContain("TOK");
  expect(fewer).toContain("// as ever");
  expect(fewer).toContain("/* from outside */");
});

test("a masked secret that is written back stays what it was, and is never written itself", async () => {
  expect(await edit(COMMENTED, [set("gateway.auth", { token: REDACTED, mode: "token" })])).toBe(
    COMMENTED.replace('"${TOK}" }', '"${TOK}", mode: "token" }'),
  );
  expect(await edit("{}", [set("gateway.auth", { token: REDACTED, mode: "token" })])).not.toContain(
    REDACTED,
  );
});

test("a new key goes behind the last one, in the file's own style", async () => {
  expect(await edit(COMMENTED, [set("gateway.mode", "local")])).toBe(
    COMMENTED.replace("'loopback'\n", '\'loopback\',\n    "mode": "local"\n'),
  );
  expect(await edit(COMMENTED, [set("agents.list[2]", { id: "c" })])).toBe(
    COMMENTED.replace('{ id: "b" },\n', '{ id: "b" },\n    {\n      "id": "c"\n    },\n'),
  );
  expect(await edit("{a: 1}", [set("b", 2)])).toBe("{a: 1, b: 2}");
  expect(await edit("{a: 1, /* x */}", [set("b", 2)])).toBe("{a: 1, b: 2 /* x */}");
  expect(await edit("{\r\n\ta: 1 // one\r\n}\r\n", [set("b", { c: 2 })])).toBe(
    '{\r\n\ta: 1, // one\r\n\tb: {\r\n\t\t"c": 2\r\n\t}\r\n}\r\n',
  );
  expect(await edit("{\n  a: 1 // one\n  , // two\n}", [set("b", 2)])).toBe(
    "{\n  a: 1 // one\n  , // two\n  b: 2,\n}",
  );
});

test("a new file and an empty group begin as JSON", async () => {
  expect(await edit(undefined, [set("gateway.port", 1)])).toBe(
    '{\n  "gateway": {\n    "port": 1\n  }\n}\n',
  );
  expect(await edit("{ /* empty */ }", [set("a", 1)])).toBe('{\n  "a": 1 /* empty */\n}');
  expect(await edit("{\n  // note\n}\n", [set("a", 1)])).toBe('{\n  "a": 1\n  // note\n}\n');
});

test("groups and lists on the way are made as the schema has them", async () => {
  expect(await edit("{}", [set("agents.list[0].id", "main")])).toContain('"list": [\n');
  expect(JSON.parse(await edit("{}", [set("channels.discord.guilds.123.x", 1)]))).toEqual({
    channels: { discord: { guilds: { "123": { x: 1 } } } },
  });
  expect(JSON.parse(await edit("{}", [set("models.providers.0.baseUrl", "x")]))).toEqual({
    models: { providers: { "0": { baseUrl: "x" } } },
  });
  expect(
    JSON.parse(
      await edit("{ a: null }", [set("a.b", 1)]).then((t) => JSON.stringify(Bun.JSON5.parse(t))),
    ),
  ).toEqual({ a: { b: 1 } });
});

test("a removed key takes its comma along and leaves comments and no empty line", async () => {
  expect(await edit("{\n  a: 1,\n  b: 2,\n  c: 3\n}", [unset("b")])).toBe("{\n  a: 1,\n  c: 3\n}");
  expect(await edit("{\n  a: 1,\n  b: 2\n}", [unset("b")])).toBe("{\n  a: 1\n}");
  expect(await edit("{\n  a: 1, // keep\n  // b is\n  b: 2,\n}", [unset("b")])).toBe(
    "{\n  a: 1, // keep\n  // b is\n}",
  );
  expect(await edit("{a: 1, b: 2}", [unset("a")])).toBe("{b: 2}");
  expect(await edit("{a: 1, b: 2}", [unset("b")])).toBe("{a: 1}");
  expect(await edit("{a: [1, 2, 3]}", [unset("a[1]")])).toBe("{a: [1, 3]}");
  expect(await edit("{a: 1}", [unset("a")])).toBe("{}");
  expect(await edit("{a: 1, b: 2, a: 3}", [unset("a")])).toBe("{b: 2}");
});

test("several changes of one edit see each other", async () => {
  const text = await edit("{}", [
    set("agents.list[0].id", "a"),
    set("agents.list[1].id", "b"),
    unset("agents.list[0]"),
    set("gateway.port", 1),
    set("gateway.port", 2),
  ]);
  expect(JSON.parse(text)).toEqual({ agents: { list: [{ id: "b" }] }, gateway: { port: 2 } });
});

test("a place that cannot take the value is refused, and why", async () => {
  const refused = (text: string, change: Change, message: string) =>
    expect(edit(text, [change])).rejects.toThrow(message);
  await refused("{ gateway: { port: 1 } }", set("gateway.port.x", 1), "is a plain value");
  await refused("{ agents: { list: [] } }", set("agents.list[1].id", "x"), "is a list of 0");
  await refused("{ agents: { list: [] } }", set("agents.list.main", "x"), 'has no place "main"');
  await refused("{}", set("agents.list[3].id", "x"), "is an empty list");
  await refused("{}", unset("nope"), "Config path not found: nope");
  await refused("{}", { kind: "unset", path: [] }, "cannot be removed");
  await refused("{}", set("a", Number.POSITIVE_INFINITY), "finite");
  await refused("{}", set("a", undefined), "cannot be written");
  await refused("{}", set("a", JSON.parse('{"__proto__": 1}')), "__proto__");
  await refused("{ a: ", set("b", 1), "The config cannot be used");
  await refused("[1]", set("b", 1), "not a group of keys");
});

test("removing a key of an older name says how it is written in the file", async () => {
  const failed = await edit("{ agent: { workspace: 'x' } }", [
    unset("agents.defaults.workspace"),
  ]).catch((e: unknown) => e);
  expect(failed).toMatchObject({
    code: "not_found",
    hint: "In the file it is written as agent.workspace.",
  });
});

test("what an included file says is changed there, and the message names it", async () => {
  const files = {
    "gw.json": '{ port: 1, auth: { mode: "token" } }',
    "list.json": '{ agents: { list: [{ id: "x" }] } }',
  };
  const main =
    '{ gateway: { $include: "gw.json", bind: "lan" }, $include: "list.json", agents: { list: [{ id: "y" }] } }';
  const refused = (change: Change, file: string) =>
    expect(edit(main, [change], files)).rejects.toThrow(file);
  await refused(set("gateway.port", 2), "gw.json");
  await refused(set("gateway.auth.mode", "none"), "gw.json");
  await refused(unset("gateway.auth"), "gw.json");
  await refused(unset("gateway"), "gw.json");
  await refused(set("gateway", { port: 3 }), "gw.json");
  await refused(set("gateway", "x"), "gw.json");
  await refused(set("agents.list[1].id", "z"), "list.json");
  await refused(unset("gateway.$include"), "includes");
  expect(await edit(main, [set("gateway.bind", "auto")], files)).toBe(main.replace("lan", "auto"));
  expect(await edit(main, [set("gateway.mode", "local")], files)).toContain(
    'bind: "lan", mode: "local"',
  );
  expect(
    await edit(main, [set("gateway", { port: 1, auth: { mode: "token" }, bind: "auto" })], files),
  ).toBe(main.replace("lan", "auto"));
});
