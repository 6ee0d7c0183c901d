import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import { REDACTED } from "./edit.ts";
import { loadConfig } from "./load.ts";
import { redact, secretsIn, snapshotOf } from "./snapshot.ts";

const TEXT = `{
  // the secret
  gateway: { auth: { token: "sekret-gateway-token", password: '\${PW}' }, port: 5 },
  models: { providers: { x: { apiKey: "sekret-api-key", headers: { "X-Any": "sekret-header" }, baseUrl: "http://me:sekret-url@host/v1" } } },
  channels: { discord: { token: "sekret-discord", appId: 12345 }, x: { nested: [{ signingSecret: "sekret-sign" }] } },
  env: { FOO: "sekret-env", vars: { BAR: "sekret-var" } },
  agents: { defaults: { contextTokens: 1000 } },
}`;

test("no secret is in the snapshot, in whatever part of it; everything else is", async () => {
  using home = makeHome({ PW: "sekret-from-outside" });
  home.write(TEXT);
  const view = snapshotOf(await loadConfig(home.where));
  expect(JSON.stringify(view)).not.toContain("sekret");
  expect(view.raw).toContain("// the secret");
  expect(view.raw).toContain("'${PW}'");
  expect(view.raw).toContain(`token: "${REDACTED}"`);
  expect(view.parsed).toMatchObject({
    gateway: { port: 5, auth: { password: "${PW}" } },
    channels: { discord: { appId: 12345 } },
  });
  expect(view.config).toMatchObject({
    agents: { defaults: { contextTokens: 1000 } },
    gateway: { bind: "loopback" },
  });
  expect(view).toMatchObject({
    exists: true,
    valid: true,
    issues: [],
    legacyIssues: [],
    inactive: [],
  });
  expect(view.hash).toBe(new Bun.CryptoHasher("sha256").update(TEXT).digest("hex"));
});

test("a secret that was written as a number is one, valid or not", async () => {
  using home = makeHome();
  home.write(
    `{ gateway: { auth: { password: 918273645 } }, channels: { x: { apiKey: 918273645, n: 5 } } }`,
  );
  const view = snapshotOf(await loadConfig(home.where));
  expect(JSON.stringify(view)).not.toContain("918273645");
  expect(view.parsed).toMatchObject({ channels: { x: { apiKey: REDACTED, n: 5 } } });
});

test("what a variable holds is hidden wherever it is used; its name is shown", async () => {
  using home = makeHome({ PW: "sekret-from-outside", DIR: "sekret-folder" });
  home.write(
    '{ ui: { assistant: { name: "${PW}" } }, agents: { list: [{ id: "a", name: "x ${DIR} y" }] } }',
  );
  const loaded = await loadConfig(home.where);
  expect(loaded.config?.ui.assistant.name).toBe("sekret-from-outside");
  const view = snapshotOf(loaded);
  expect(JSON.stringify(view)).not.toContain("sekret");
  expect(view.config).toMatchObject({
    ui: { assistant: { name: REDACTED } },
    agents: { list: [{ id: "a", name: REDACTED }] },
  });
  expect(view.parsed).toMatchObject({ ui: { assistant: { name: "${PW}" } } });
});

test("a text that cannot be parsed is not shown at all: a secret may stand anywhere in it", async () => {
  using home = makeHome();
  home.write('{ gateway: { auth: { token: "sekret" ');
  const view = snapshotOf(await loadConfig(home.where));
  expect(view).toMatchObject({ raw: null, valid: false, parsed: {}, config: {} });
  expect(view.issues[0]!.message).toContain("line 1");
  expect(JSON.stringify(view)).not.toContain("sekret");
});

test("a missing file has an empty hash", async () => {
  using home = makeHome();
  expect(snapshotOf(await loadConfig(home.where))).toMatchObject({
    exists: false,
    raw: null,
    hash: "",
    valid: true,
  });
});

test("secrets for the redactor: every text at a secret place, variables resolved, short words left out", async () => {
  using home = makeHome({ PW: "sekret-from-outside" });
  home.write(TEXT.replace("sekret-discord", "short"));
  const { config } = await loadConfig(home.where);
  expect(secretsIn(config).sort()).toEqual([
    "sekret-api-key",
    "sekret-env",
    "sekret-from-outside",
    "sekret-gateway-token",
    "sekret-header",
    "sekret-sign",
    "sekret-var",
  ]);
});

test("counts of tokens and empty texts are no secrets", () => {
  const value = {
    maxTokens: 5,
    contextTokens: 6,
    compaction: { reserveTokensFloor: 1 },
    token: "",
    apiKey: "${KEY}",
    tokens: "x",
  };
  expect(redact(value)).toEqual({ ...value, tokens: REDACTED });
});
