import { expect, test } from "bun:test";

import { keepBackups } from "./upkeep.ts";

const log = { error() {}, warn() {}, info() {}, debug() {}, child: () => log };

test("a backup is asked for soon after the start, then every hour, until the end; one that fails ends nothing", async () => {
  const waits: number[] = [];
  const stop = new AbortController();
  let asked = 0;
  const clock = {
    now: () => 7,
    sleep: async (ms: number) => {
      waits.push(ms);
      if (waits.length === 4) throw new DOMException("stopped", "AbortError");
    },
  };
  const store = {
    backup: async () => {
      if (++asked === 2) throw new Error("disk");
    },
  };
  await keepBackups(store, { clock, log, signal: stop.signal });
  expect(waits).toEqual([5000, 3_600_000, 3_600_000, 3_600_000]);
  expect(asked).toBe(3);
});
