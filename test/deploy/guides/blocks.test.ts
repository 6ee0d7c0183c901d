/** Every command that a guide tells people to type is run by a test, or says why it cannot be. */
import { expect, test } from "bun:test";

import { blocksOf } from "./blocks.ts";

const all = blocksOf();
const sources = await Promise.all(
  (await Array.fromAsync(new Bun.Glob("test/deploy/**/*.test.ts").scan("."))).map((path) =>
    Bun.file(path).text(),
  ),
);

test("every block is run, or says why not", () => {
  expect(all.length).toBeGreaterThan(30);
  expect(all.filter((b) => !b.place && !b.reason).map((b) => b.at)).toEqual([]);
  expect(all.filter((b) => b.reason && b.reason.split(" ").length < 3).map((b) => b.at)).toEqual(
    [],
  );
});

test("every place that a block names is one where a test runs it", () => {
  const unknown = all.filter(
    ({ guide, place }) =>
      place && !sources.some((text) => text.includes(`scriptOf("${guide}", "${place}")`)),
  );
  expect(unknown.map((b) => `${b.at} (${b.place})`)).toEqual([]);
});

test("every guide has something that is run", () => {
  const guides = [...new Set(all.map((b) => b.guide))];
  expect(guides.filter((g) => !all.some((b) => b.guide === g && b.place))).toEqual([]);
});
