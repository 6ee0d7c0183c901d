import { expect, test } from "bun:test";

import { roomFindings } from "./disk.ts";

const MB = 1024 * 1024;
const severities = (free: number, files?: number) =>
  roomFindings("/state", free, files).map(({ severity }) => severity);

test("room is told in two steps, and a disk without inodes too", () => {
  expect(severities(200 * MB)).toEqual([]);
  expect(severities(199 * MB)).toEqual(["warning"]);
  expect(severities(63 * MB)).toEqual(["error"]);
  expect(severities(500 * MB, 0)).toEqual(["error"]);
  expect(severities(500 * MB, 1)).toEqual([]);
});
