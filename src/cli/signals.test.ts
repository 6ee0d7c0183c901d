import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";

import type { Logger } from "../base/log.ts";
import { runUntilStopped, type SignalOptions } from "./signals.ts";

/** An app that stops when the test says so, signals that the test sends, and a clock that the test moves. */
function rig(options: Pick<SignalOptions, "terminalGone"> = {}) {
  const source = new EventEmitter();
  const seen: string[] = [];
  const stopped = Promise.withResolvers<void>();
  const done = Promise.withResolvers<number>();
  const started = Promise.withResolvers<void>();
  const timeout = Promise.withResolvers<void>();
  const state = { now: 1000 };
  const say = (message: string) => void seen.push(message);
  const log: Logger = { error: say, warn: say, info: say, debug: say, child: () => log };
  const exit = runUntilStopped(
    async () => {
      await started.promise;
      return {
        log,
        stop(reason) {
          seen.push(`stop: ${reason}`);
          return stopped.promise;
        },
        restart: (reason) => void seen.push(`restart: ${reason}`),
        reload: () => void seen.push("reload"),
        done: done.promise,
      };
    },
    {
      source,
      clock: { now: () => state.now, sleep: () => timeout.promise },
      terminalGone: options.terminalGone ?? (() => false),
    },
  );
  return { source, seen, stopped, done, started, timeout, state, exit };
}

/** After the start. */
async function running(options: Pick<SignalOptions, "terminalGone"> = {}) {
  const it = rig(options);
  it.started.resolve();
  await Bun.sleep(0);
  return it;
}

test("SIGTERM stops the app and gives 0, and no listener is left", async () => {
  const { source, seen, stopped, exit } = await running();
  source.emit("SIGTERM");
  stopped.resolve();
  expect(await exit).toBe(0);
  expect(seen).toEqual(["signal SIGTERM received", "stop: received SIGTERM"]);
  expect(source.eventNames()).toEqual([]);
});

test("the second wish to stop ends it at once; its echo from a wrapper does not", async () => {
  const { source, state, exit, seen } = await running();
  source.emit("SIGINT");
  source.emit("SIGINT");
  state.now += 299;
  source.emit("SIGTERM");
  expect(await Promise.race([exit, Bun.sleep(0).then(() => "goes on" as const)])).toBe("goes on");
  state.now += 1;
  source.emit("SIGINT");
  expect(await exit).toBe(130);
  expect(seen.filter((line) => line.startsWith("stop"))).toHaveLength(1);
});

test("a stop that takes too long is given up with a line that says so", async () => {
  const { source, seen, timeout, exit } = await running();
  source.emit("SIGTERM");
  timeout.resolve();
  expect(await exit).toBe(0);
  expect(seen.at(-1)).toBe("shutdown timed out; exiting without full cleanup");
});

test("a signal during the start ends it at once, and one to restart or reload is left alone", async () => {
  const { source, seen, exit } = rig();
  source.emit("SIGUSR1");
  source.emit("SIGHUP");
  source.emit("SIGTERM");
  expect(await exit).toBe(143);
  expect(seen).toEqual([]);
});

test("an app that ends by itself gives its own code, and one that cannot start its error", async () => {
  const one = await running();
  one.done.resolve(3);
  expect(await one.exit).toBe(3);
  const other = rig();
  other.started.reject(new RangeError("no"));
  await expect(other.exit).rejects.toThrow("no");
});

test.skipIf(process.platform === "win32")(
  "SIGUSR1 asks for a restart, SIGHUP for the config; SIGHUP of a closed terminal is a stop",
  async () => {
    const it = await running();
    it.source.emit("SIGUSR1");
    it.source.emit("SIGHUP");
    expect(it.seen).toEqual(["restart: SIGUSR1", "reload"]);
    const left = await running({ terminalGone: () => true });
    left.source.emit("SIGHUP");
    left.stopped.resolve();
    expect(await left.exit).toBe(0);
    expect(left.seen).toEqual(["signal SIGHUP received", "stop: received SIGHUP"]);
  },
);

test.skipIf(process.platform === "win32")(
  "SIGHUP whose terminal goes away a moment later is a stop too",
  async () => {
    let gone = false;
    const it = await running({ terminalGone: () => gone });
    it.source.emit("SIGHUP");
    expect(it.seen).toEqual(["reload"]);
    gone = true;
    it.timeout.resolve();
    it.stopped.resolve();
    expect(await it.exit).toBe(0);
    expect(it.seen.slice(0, 3)).toEqual([
      "reload",
      "signal SIGHUP received",
      "stop: received SIGHUP",
    ]);
  },
);
