import { afterEach, expect, test } from "bun:test";

import { keepLog, makeHome } from "../../test/config-home.ts";
import { waitUntil } from "../base/time.ts";
import { openConfig } from "../config/handle.ts";
import { openWizard } from "./desk.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A desk over a real config in a folder of its own; nobody can sign in to anything. */
async function openDesk(idleMs?: number) {
  const home = makeHome();
  open.push(() => home[Symbol.dispose]());
  const { log } = keepLog();
  const config = await openConfig({ env: home.env, paths: home.paths, log, make: true });
  const nobody = async () => undefined;
  const desk = openWizard(
    {
      config,
      paths: home.paths,
      log,
      learn: () => undefined,
      models: { defaultRef: async () => "demo/demo" },
      logins: {
        start: async () => ({ kind: "wait", text: "" }),
        wait: nobody,
        goesOn: () => false,
        cancel: nobody,
        logout: async () => false,
      },
    },
    idleMs,
  );
  open.push(() => desk.close());
  return desk;
}

test("a set-up that nobody answers ends, so that the next one may begin", async () => {
  const desk = await openDesk(5);
  const { sessionId } = await desk.start({});
  const over = async () => (await desk.status(sessionId)).status === "cancelled";
  expect(await waitUntil(over, 5_000, 5)).toBe(true);
  expect((await desk.start({})).sessionId).not.toBe(sessionId);
});

test("two that begin at once are one and a refusal", async () => {
  const desk = await openDesk();
  const both = await Promise.allSettled([desk.start({}), desk.start({})]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("the end of the gateway ends it", async () => {
  const desk = await openDesk();
  const { sessionId } = await desk.start({});
  await desk.close();
  expect((await desk.status(sessionId)).status).toBe("cancelled");
});
