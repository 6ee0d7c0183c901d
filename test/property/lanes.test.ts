import { expect, test } from "bun:test";

import fc from "fast-check";

import type { SessionKey } from "../../src/flow.ts";
import { Lanes } from "../../src/sessions/lanes.ts";

test("lanes keep the order within a session, never overlap, respect the bound and survive failures", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          key: fc.constantFrom("a", "b", "c", "d"),
          ticks: fc.integer({ min: 0, max: 4 }),
          fail: fc.boolean(),
        }),
        { maxLength: 20 },
      ),
      fc.integer({ min: 1, max: 3 }),
      async (jobs, max) => {
        const lanes = new Lanes(() => max);
        const done: Record<string, number[]> = {};
        const busy = new Set<string>();
        let peak = 0;
        await Promise.allSettled(
          jobs.map((job, i) =>
            lanes.run(job.key as SessionKey, async () => {
              expect(busy.has(job.key)).toBe(false);
              busy.add(job.key);
              peak = Math.max(peak, busy.size);
              for (let n = 0; n < job.ticks; n++) await Promise.resolve();
              busy.delete(job.key);
              (done[job.key] ??= []).push(i);
              if (job.fail) throw new Error("boom");
            }),
          ),
        );
        expect(peak).toBeLessThanOrEqual(max);
        for (const order of Object.values(done))
          expect(order).toEqual(order.toSorted((x, y) => x - y));
        expect(Object.values(done).flat()).toHaveLength(jobs.length);
      },
    ),
    { numRuns: 200 },
  );
});

test("idle lanes are forgotten", async () => {
  const lanes = new Lanes(() => 1);
  await lanes.run("x" as SessionKey, async () => undefined);
  await lanes.idle();
  await Promise.resolve();
  expect(Object.values(lanes).find((v) => v instanceof Map)?.size).toBe(0);
});
