/** The two ways of a command: through the gateway, and with the state folder itself while none runs. */
import { afterAll, beforeAll, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import { takeLock } from "../../src/base/state-dir.ts";
import { eitherWay, withStore } from "../../src/cli/channels/reach.ts";
import type { Cli } from "../../src/cli/command.ts";
import { makeHome } from "../config-home.ts";
import { openRig, type Rig, TOKEN } from "./rig.ts";

let rig: Rig;
const home = makeHome();
const cli = { env: home.env, paths: home.paths, name: "clawdbot", profileFlag: "" } as Cli;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(async () => {
  await rig.close();
  home[Symbol.dispose]();
});
const lost = () => new AppError("gateway_unreachable", "The gateway went away.");
const never = () => Promise.reject(new AppError("internal", "This way must not be taken."));

test("what the gateway does is not done again", async () => {
  const wish = { port: String(rig.gateway.port), token: TOKEN };
  const status = await eitherWay(
    cli,
    wish,
    async ({ client }) => (await client.call("channels.status", {})).channelOrder.length,
    never,
  );
  expect(status).toBe(3);
});

test("a gateway that goes away in the middle may have done it, so it is not done the other way too", async () => {
  const wish = { port: String(rig.gateway.port), token: TOKEN };
  const failed = eitherWay(cli, wish, () => Promise.reject(lost()), never);
  await expect(failed).rejects.toMatchObject({ code: "gateway_unreachable" });
});

test("without a gateway the other way is taken; not for an address that was typed", async () => {
  expect(await eitherWay(cli, { port: "1" }, never, async () => "here")).toBe("here");
  const typed = eitherWay(cli, { url: "ws://127.0.0.1:1" }, never, async () => "here");
  await expect(typed).rejects.toMatchObject({ code: "gateway_unreachable" });
});

test("a wrong token is no reason to go round the gateway", async () => {
  const wish = { port: String(rig.gateway.port), token: "wrong" };
  const refused = eitherWay(cli, wish, never, async () => "here");
  await expect(refused).rejects.toThrow("token mismatch");
});

test("the store is opened under the lock, never beside a gateway, and the lock is given back", async () => {
  home.write("{}");
  const lock = takeLock(home.paths, "boot", 1);
  await expect(withStore(cli, never)).rejects.toMatchObject({ code: "gateway_running" });
  lock.release();
  await expect(withStore(cli, never)).rejects.toMatchObject({ code: "internal" });
  expect(await withStore(cli, async (store) => (await store.counts()).sessions)).toBe(0);
});
