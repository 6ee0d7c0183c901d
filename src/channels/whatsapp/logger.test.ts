import { expect, test } from "bun:test";

import { silentLogger } from "../../base/log.ts";
import { libraryLogger, muteSignal } from "./logger.ts";

test("the Signal library's lines, which hold private keys, are not printed; all others are", () => {
  const printed: unknown[][] = [];
  const print = (...what: unknown[]): void => void printed.push(what);
  const target: Record<string, unknown> = { log: print, info: print, warn: print, error: print };
  muteSignal(target);
  muteSignal(target);
  const session = { privKey: "secret" };
  (target.info as typeof print)("Closing session:", session);
  (target.warn as typeof print)("Decrypted message with closed session.");
  (target.error as typeof print)("Session error:Error: Bad MAC", "stack");
  (target.info as typeof print)("something else", 1);
  (target.error as typeof print)(new TypeError("x"));
  expect(printed).toEqual([["something else", 1], [new TypeError("x")]]);
});

test("of the library's log only words and errors are kept", () => {
  const lines: unknown[] = [];
  const log = { ...silentLogger, debug: (...line: unknown[]) => void lines.push(line) };
  const logger = libraryLogger(log);
  logger.child({ class: "x" }).info({ node: { privateKey: "secret" } }, "logging in");
  logger.warn({ err: new TypeError("bad mac") }, "failed");
  logger.error({ trace: "Error: a\n at b" }, "stopped");
  logger.trace({ secret: 1 }, "never");
  expect(lines).toEqual([
    ["logging in", {}],
    ["failed", { error: "bad mac" }],
    ["stopped", { error: "Error: a" }],
  ]);
});
