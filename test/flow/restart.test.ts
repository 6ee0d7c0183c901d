/** The whole gateway in one process, while somebody edits its config: whatever stands in the file, it goes on. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";

import { type RunningApp, startApp } from "../../src/app.ts";
import { readLock } from "../../src/base/lock.ts";
import { type Home, makeHome, NO_FLAGS } from "../config-home.ts";

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** Listens on a free port until the test is over. */
async function holder(): Promise<{ port: number; server: Server }> {
  const server = createServer();
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
  open.push(() => void server.close());
  return { port: (server.address() as { port: number }).port, server };
}

async function freePort(): Promise<number> {
  const { port, server } = await holder();
  await new Promise((gone) => server.close(gone));
  return port;
}

type Edited = { gateway: object; [key: string]: unknown };

function configure(home: Home, config: Edited): void {
  const gateway = { mode: "local", reload: { debounceMs: 0 }, ...config.gateway };
  const logging = { consoleLevel: "silent" };
  home.write(JSON.stringify({ logging, ...config, gateway }));
}

/** A gateway on a port of its own, and what it has written into its log file. */
async function running(config: Edited) {
  const home = makeHome();
  open.push(() => home[Symbol.dispose]());
  const paths = { ...home.paths, logDir: join(home.home, "logs") };
  configure(home, config);
  const app: RunningApp = await startApp({ env: home.env, paths, flags: NO_FLAGS });
  open.push(() => app.stop("test over"));
  const log = () =>
    existsSync(paths.logDir)
      ? readdirSync(paths.logDir)
          .map((name) => readFileSync(join(paths.logDir, name), "utf8"))
          .join("")
      : "";
  return {
    app,
    home,
    log,
    /** Resolves when the log has it; the test's own time limit is the end of the wait. */
    async seen(text: string | RegExp): Promise<void> {
      while (!(typeof text === "string" ? log().includes(text) : text.test(log())))
        await Bun.sleep(20);
    },
    answers: async (port: number) => (await fetch(`http://127.0.0.1:${port}/healthz`)).status,
    boot: () => readLock(paths.lockPath).body?.bootId,
  };
}

test("an edit that the gateway could not start with is an error in the log, and it runs on", async () => {
  const port = await freePort();
  const taken = await holder();
  const gateway = await running({ gateway: { port } });
  const boot = gateway.boot();
  const refusals: [gateway: object, message: RegExp, key: string][] = [
    [{ port: taken.port }, new RegExp(`not used: Port ${taken.port} on`), "gateway.port"],
    [{ port, bind: "lan" }, /not used: Refusing to bind gateway to lan without auth/, "bind"],
    [{ port, auth: { mode: "password" } }, /not used: .*no password is configured/, "auth.mode"],
    [
      { port, bind: "custom", auth: { token: "k3Jx9-vQ2mWz7_pLr8TnYb4c" } },
      /not used: gateway\.bind is custom/,
      "bind",
    ],
    [{ port, mode: "remote" }, /not used: .*current: remote/, "gateway.mode"],
  ];
  for (const [edit, message, key] of refusals) {
    configure(gateway.home, { gateway: edit });
    await gateway.seen(message);
    const line = gateway
      .log()
      .split("\n")
      .find((text) => message.test(text));
    expect(line).toContain(key);
    expect(line).toContain("hint");
    expect(await gateway.answers(port)).toBe(200);
  }
  expect(gateway.boot()).toBe(boot);
  rmSync(gateway.home.paths.configPath);
  await gateway.seen("the config file is gone");
  expect(await gateway.answers(port)).toBe(200);
  expect(gateway.boot()).toBe(boot);

  const other = await freePort();
  configure(gateway.home, { gateway: { port: other } });
  await gateway.seen(`:${other} (PID`);
  expect(await gateway.answers(other)).toBe(200);
  expect(gateway.boot()).not.toBe(boot);
}, 30_000);

test("a restart that fails all the same goes back to what ran before", async () => {
  const port = await freePort();
  const config = { gateway: { port }, commands: { restart: true } };
  const gateway = await running(config);
  configure(gateway.home, { ...config, gateway: { port, auth: { mode: "password" } } });
  await gateway.seen("is not used");
  // Nothing is checked before this one.
  gateway.app.restart("SIGUSR1");
  await gateway.seen(/the restart failed, going on with the config before it: .*no password/);
  await gateway.seen(new RegExp(`restart failed[^]*listening on ws://127.0.0.1:${port} `));
  expect(await gateway.answers(port)).toBe(200);
  expect(gateway.home.read("config.last-good.json5")).not.toContain("password");
}, 30_000);

test("a key that nothing acts on restarts nothing", async () => {
  const port = await freePort();
  const gateway = await running({ gateway: { port } });
  const boot = gateway.boot();
  configure(gateway.home, { gateway: { port, prot: 1 }, gatway: { a: 1 }, plugins: { a: 1 } });
  await gateway.seen(/config changed/);
  expect(gateway.log()).not.toContain("restarting");
  expect(gateway.boot()).toBe(boot);
});
