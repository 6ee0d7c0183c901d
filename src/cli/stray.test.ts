import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";

import { type Logger, silentLogger } from "../base/log.ts";
import { catchStray } from "./stray.ts";

function listen() {
  const lines: { message: string; data?: Record<string, unknown> }[] = [];
  const note = (message: string, data?: Record<string, unknown>) =>
    void lines.push({ message, data });
  const log: Logger = { ...silentLogger, error: note, debug: note };
  return { lines, log };
}

test("an error that nobody caught is one log line and not the end", () => {
  const source = new EventEmitter();
  const { lines, log } = listen();
  let over = false;
  const stop = catchStray({ source, log: () => log, giveUp: () => (over = true) });
  source.emit("uncaughtException", new TypeError("x is undefined"));
  source.emit("unhandledRejection", "a word");
  stop();
  expect(lines.map(({ data }) => data?.["error"])).toEqual(["x is undefined", "a word"]);
  expect(over).toBe(false);
  expect(source.listenerCount("uncaughtException")).toBe(0);
});

test("a loop of errors ends it, a slow trickle does not", () => {
  const source = new EventEmitter();
  const { log } = listen();
  let now = 0;
  let over = 0;
  const stop = catchStray({ source, log: () => log, giveUp: () => over++, now: () => now });
  for (let i = 0; i < 1000; i++) {
    now += 1000;
    source.emit("unhandledRejection", new Error("slow"));
  }
  expect(over).toBe(0);
  for (let i = 0; i < 300; i++) source.emit("unhandledRejection", new Error("fast"));
  expect(over).toBe(1);
  stop();
});

test("what a library prints never reaches the terminal, and its objects reach nothing", () => {
  const source = new EventEmitter();
  const { lines, log } = listen();
  const stop = catchStray({ source, log: () => log, giveUp: () => undefined });
  const { info } = console;
  info("Closing session:", { privKey: "secret" });
  console.info({ privKey: "secret" });
  stop();
  expect(lines).toEqual([{ message: "a library says", data: { text: "Closing session:" } }]);
});
