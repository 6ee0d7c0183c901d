import { expect, test } from "bun:test";

import { builtAt, clockFindings } from "./clock.ts";

const now = Date.UTC(2026, 10, 20, 12);
const well = { now, built: Date.UTC(2026, 10, 20), newest: now - 1000, aheadMs: 5 };
const said = (over: Partial<typeof well>) =>
  clockFindings({ ...well, ...over }).map(({ message }) => message);

test("clocks that agree are no finding", () => {
  expect(said({})).toEqual([]);
  expect(clockFindings({ now, built: undefined, newest: undefined, aheadMs: undefined })).toEqual(
    [],
  );
});

test("a clock from before this version was made is told with what fails because of it", () => {
  const [message] = said({ now: 1000, newest: 0 });
  expect(message).toContain("1970-01-01");
  expect(message).toContain("certificates");
  // In the first zone of the earth it is still yesterday.
  expect(said({ now: Date.UTC(2026, 10, 19, 13), newest: 0 })).toEqual([]);
});

test("a clock that was set back is seen by what is stored", () => {
  expect(said({ newest: now + 7_200_000 })).toEqual([expect.stringContaining("set back")]);
  // A network's own clock may be a little ahead.
  expect(said({ newest: now + 60_000 })).toEqual([]);
});

test("a gateway's clock may be a minute off, in both directions", () => {
  expect(said({ aheadMs: 59_000 })).toEqual([]);
  for (const aheadMs of [61_000, -3_600_000])
    expect(said({ aheadMs })).toEqual([expect.stringContaining("apart")]);
});

test("the day of a version is in its name", () => {
  expect(builtAt("2026.11.20")).toBe(Date.UTC(2026, 10, 20));
  expect(builtAt("2026.1.24-3")).toBe(Date.UTC(2026, 0, 24));
  expect(builtAt("dev")).toBeUndefined();
});
