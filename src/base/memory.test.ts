import { expect, test } from "bun:test";

import { giveBackMemory } from "./memory.ts";
import type { Clock } from "./time.ts";

test("memory is given back after the start and after work, once each, and never while there is work", async () => {
  const stop = new AbortController();
  const gc = Bun.gc;
  const given: number[] = [];
  // What there is to do at each look: runs that were begun, and whether one goes on.
  const looks: [begun: number, busy: boolean][] = [
    [0, false],
    [0, false],
    [3, true],
    [3, true],
    [5, false],
    [5, false],
    [5, false],
  ];
  let look = -1;
  const clock: Clock = {
    now: () => 0,
    async sleep(_, signal) {
      if (signal?.aborted) throw signal.reason;
      if (++look === looks.length) stop.abort();
    },
  };
  const at = () => looks[Math.min(look, looks.length - 1)]!;
  Bun.gc = () => {
    given.push(look);
  };
  try {
    await giveBackMemory(
      clock,
      stop.signal,
      () => at()[0],
      () => at()[1],
    );
  } finally {
    Bun.gc = gc;
  }
  expect(given).toEqual([0, 5]);
});
