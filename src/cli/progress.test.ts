import { expect, test } from "bun:test";

import { formatBytes, formatSeconds, progressLine } from "./progress.ts";

test("sizes and times are short", () => {
  expect([0, 999, 1000, 1540, 23_400_000, 999_600_000, 5e13].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.5 kB",
    "23 MB",
    "1.0 GB",
    "50 TB",
  ]);
  expect([0.4, 8, 65, 7200].map(formatSeconds)).toEqual(["0 s", "8 s", "1:05", "2:00:00"]);
});

test("a line fits into every terminal, and says as much as there is room for", () => {
  const state = { bytes: 50_000_000, total: 100_000_000, ms: 5000 };
  for (let columns = 1; columns <= 200; columns++)
    expect(progressLine("Downloading", state, columns).length).toBeLessThan(Math.max(12, columns));
  const wide = progressLine("Downloading", state, 120);
  expect(wide).toContain("[###############---------------]  50% 50 MB of 100 MB 10 MB/s 5 s left");
  expect(progressLine("Downloading", state, 40)).toBe("Downloading  50% 50 MB of 100 MB");
  expect(progressLine("Reading", { bytes: 5, total: undefined, ms: 1 }, 80)).toBe("Reading 5 B");
  expect(progressLine("Reading", { bytes: 9, total: 5, ms: 1 }, 80)).toContain("100%");
});
