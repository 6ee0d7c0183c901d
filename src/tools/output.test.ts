import { expect, test } from "bun:test";

import { leftOut, Output } from "./output.ts";

test("output within the limit is kept as it is", () => {
  const output = new Output(1000);
  output.append("one\n");
  output.append("two\n");
  expect(output.text()).toBe("one\ntwo\n");
});

test("the beginning and the end of long output are kept, and the gap is counted", () => {
  const output = new Output(1000);
  for (let i = 0; i < 100_000; i++) output.append(`${i % 10}`);
  expect(output.total).toBe(100_000);
  const text = output.text();
  expect(text.startsWith("0123456789".repeat(20))).toBe(true);
  expect(text.endsWith("0123456789".repeat(80))).toBe(true);
  expect(text).toContain(leftOut(99_000));
  expect(text.length).toBe(1000 + leftOut(99_000).length);
});

test("a reader gets what is new since its last visit, with a mark when some of it is gone", () => {
  const output = new Output(1000);
  output.append("a".repeat(500));
  expect(output.since(490)).toBe("a".repeat(10));
  const seen = output.total;
  output.append("b".repeat(40_000));
  expect(output.since(seen)).toBe(`${leftOut(39_200)}${"b".repeat(800)}`);
  expect(output.since(output.total)).toBe("");
});

test("one piece larger than the limit is cut like many small ones", () => {
  const output = new Output(1000);
  output.append("x".repeat(10_000_000));
  expect(output.text().length).toBeLessThan(1200);
});

test("half a surrogate pair is never given out", () => {
  const output = new Output(1000);
  output.append("😀".repeat(30_001));
  expect(output.text().isWellFormed()).toBe(true);
  expect(output.last(3).isWellFormed()).toBe(true);
});
