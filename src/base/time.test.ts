import { expect, test } from "bun:test";

import { waitUntil } from "./time.ts";

test("a wait ends with the look that finds it done, and gives up after its limit", async () => {
  let looks = 0;
  expect(await waitUntil(() => ++looks === 3, 1_000, 1)).toBe(true);
  expect(looks).toBe(3);
  expect(await waitUntil(async () => ++looks < 0, 5, 1)).toBe(false);
  expect(looks).toBe(8);
});
