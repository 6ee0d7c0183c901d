import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import { REDACTED } from "./edit.ts";
import { getAll, getValue, setValue, unsetValue, validateFile } from "./ops.ts";

test("get gives values with defaults, and masks secrets inside a group but not one that is asked for", async () => {
  using home = makeHome();
  home.write("{ gateway: { auth: { token: 'sekret-sekret' } } }");
  expect(await getValue(home.where, "gateway.port")).toBe(18789);
  expect(await getValue(home.where, "gateway.auth.token")).toBe("sekret-sekret");
  expect(await getValue(home.where, "gateway.auth")).toMatchObject({ token: REDACTED });
  expect(JSON.stringify(await getAll(home.where))).not.toContain("sekret");
  await expect(getValue(home.where, "gateway.nope")).rejects.toMatchObject({
    code: "not_found",
    message: "Config path not found: gateway.nope",
  });
  await expect(getValue(home.where, "gateway..port")).rejects.toMatchObject({ code: "usage" });
});

test("get reads an invalid config as far as it can, and says why when it cannot", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 'x', bind: 'lan' } }");
  expect(await getValue(home.where, "gateway.bind")).toBe("lan");
  home.write("{ gateway: ");
  await expect(getValue(home.where, "gateway.bind")).rejects.toMatchObject({
    code: "config_invalid",
  });
});

test("set takes JSON5, else plain text; where text is wanted a number is text", async () => {
  using home = makeHome();
  const set = async (path: string, text: string) => {
    await setValue(home.where, path, text);
    return getValue(home.where, path);
  };
  expect(await set("gateway.port", "8080")).toBe(8080);
  expect(await set("gateway.allowedHosts", "['a', \"b\",]")).toEqual(["a", "b"]);
  expect(await set("ui.assistant.name", "Rex the dog")).toBe("Rex the dog");
  expect(await set("ui.assistant.name", "42")).toBe("42");
  expect(await set("agents.defaults.timeFormat", "24")).toBe("24");
  expect(await set("ui.assistant.name", "true")).toBe("true");
  expect(await set("ui.assistant.name", "")).toBe("");
  expect(await set("own.key", "Infinity")).toBe("Infinity");
  await expect(setValue(home.where, "gateway.port", "{a", { json: true })).rejects.toMatchObject({
    code: "usage",
  });
  await expect(
    setValue(home.where, "ui.assistant.name", "42", { json: true }),
  ).rejects.toMatchObject({ code: "config_invalid" });
});

test("set says what changed, what needs a restart, and what is odd about it", async () => {
  using home = makeHome();
  home.write("{ odd: 1 }");
  expect(await setValue(home.where, "gateway.port", "8080")).toMatchObject({
    changed: ["gateway.port"],
    needRestart: ["gateway.port"],
    warnings: [],
  });
  expect(await setValue(home.where, "gateway.port", "8080")).toMatchObject({
    changed: [],
    needRestart: [],
  });
  expect(await setValue(home.where, "tools.deny", "['x']")).toMatchObject({
    changed: ["tools.deny"],
    needRestart: [],
  });
  const { warnings } = await setValue(home.where, "gateway.prot", "1");
  expect(warnings).toEqual([expect.stringContaining("gateway.prot is not a known key")]);
  expect(warnings[0]).toContain("Did you mean gateway.port?");
});

test("unset removes what is in the file; a default is not there to be removed", async () => {
  using home = makeHome();
  home.write("{ gateway: { port: 5, mode: 'local' } }");
  expect(await unsetValue(home.where, "gateway.port")).toMatchObject({ changed: ["gateway.port"] });
  await expect(unsetValue(home.where, "gateway.port")).rejects.toMatchObject({ code: "not_found" });
  expect(await getValue(home.where, "gateway.port")).toBe(18789);
});

test("validate reports errors, warnings, older names and inactive parts; strict makes warnings count", async () => {
  using home = makeHome();
  home.write("{ gatway: {}, agent: { workspace: 'x' }, cron: { enabled: true } }");
  const report = await validateFile(home.where);
  expect(report).toMatchObject({
    exists: true,
    valid: true,
    errors: [],
    inactive: ["cron"],
    moved: [{ from: "agent.workspace", to: "agents.defaults.workspace" }],
  });
  expect(report.warnings).toHaveLength(1);
  expect((await validateFile(home.where, { strict: true })).valid).toBe(false);
  home.write("{ gateway: { port: 0 } }");
  expect(await validateFile(home.where)).toMatchObject({
    valid: false,
    errors: [{ path: "gateway.port", line: 1 }],
  });
});
