import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import type { Cli } from "./command.ts";
import { tcpTarget } from "./rpc.ts";

const CONFIG = '{ gateway: { auth: { token: "config-token", password: "config-password" } } }';
const TYPED = { token: "typed-token" };

/** Where a command would go, and with which secrets. */
async function target(vars: Record<string, string>, wish: object, config = CONFIG) {
  using home = makeHome(vars);
  home.write(config);
  home.write("generated-token-generated-token", "gateway-token");
  const { url, auth } = await tcpTarget({ env: home.env, paths: home.paths } as Cli, wish);
  return { url, auth };
}

test("an address that was typed gets no secret but one that was typed with it", async () => {
  const vars = { CLAWDBOT_GATEWAY_TOKEN: "env-token", CLAWDBOT_GATEWAY_URL: "ws://other" };
  const url = "wss://stranger.example:1/";
  expect(await target(vars, { url })).toEqual({ url, auth: {} });
  expect(await target(vars, { url, ...TYPED })).toEqual({ url, auth: TYPED });
});

test("the address of the environment gets the environment's secret, never that of this machine's gateway", async () => {
  const vars = { CLAWDBOT_GATEWAY_URL: "ws://clawdbot-gateway:18789" };
  const url = "ws://clawdbot-gateway:18789/";
  expect(await target(vars, {})).toEqual({ url, auth: {} });
  const named = { ...vars, CLAWDBOT_GATEWAY_TOKEN: "env-token" };
  expect(await target(named, {})).toEqual({ url, auth: { token: "env-token" } });
  expect(await target(named, TYPED)).toEqual({ url, auth: TYPED });
});

test("another gateway of the config gets its own secret; a port of this machine the config's, never the generated one", async () => {
  const remote = CONFIG.replace(
    "{ gateway: {",
    '{ gateway: { mode: "remote", remote: { url: "wss://far.example", token: "remote-token" },',
  );
  expect(await target({}, {}, remote)).toEqual({
    url: "wss://far.example/",
    auth: { token: "remote-token" },
  });
  expect(await target({}, { port: "4711" })).toEqual({
    url: "ws://127.0.0.1:4711",
    auth: { token: "config-token", password: "config-password" },
  });
  expect(await target({}, { port: "4711" }, "{}")).toEqual({
    url: "ws://127.0.0.1:4711",
    auth: {},
  });
});

test("a public address without TLS is refused before anything is sent; networks of one's own are not", async () => {
  for (const url of [
    "ws://gateway.example:18789",
    "http://203.0.113.7:18789",
    "ws://[2001:db8::1]:1",
  ])
    await expect(target({}, { url, ...TYPED })).rejects.toThrow("unprotected");
  const near = [
    "127.0.0.1",
    "192.168.1.5",
    "100.100.1.2",
    "[::1]",
    "[fdaa::3]",
    "nas",
    "nas.local",
  ];
  for (const host of near)
    expect((await target({}, { url: `ws://${host}:1/`, ...TYPED })).url).toBe(`ws://${host}:1/`);
  expect((await target({}, { url: "wss://gateway.example/", ...TYPED })).auth).toEqual(TYPED);
});
