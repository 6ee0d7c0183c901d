/** Every promise of the published guides has a test that carries its number, or a line that says what differs. */
import { expect, test } from "bun:test";

import { PROMISES } from "./checklist.ts";

const numbers = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map((match) => Number(match[1])));

const texts = async (pattern: string) =>
  Promise.all(
    (await Array.fromAsync(new Bun.Glob(pattern).scan("."))).map((path) => Bun.file(path).text()),
  );

const tested = numbers(
  [...(await texts("test/**/*.test.ts")), ...(await texts("test/**/*.bats"))].join("\n"),
  /(?:\b(?:test|it)(?:\.\w+\([^)]*\))?\(\s*|@test )[`"']deploy-(\d{3}) /g,
);
const explained = numbers(
  await Bun.file("docs/compatibility.md").text(),
  /^\| deploy-(\d{3}) \| \S/gm,
);

test("every promise has a test or a line in docs/compatibility.md", () => {
  const open = Object.entries(PROMISES)
    .filter(([row]) => !tested.has(Number(row)) && !explained.has(Number(row)))
    .map(([row, promise]) => `deploy-${row.padStart(3, "0")} ${promise}`);
  expect(open).toEqual([]);
});

test("no test and no line has a number that is not a promise", () => {
  const unknown = [...tested, ...explained].filter((row) => !(row in PROMISES));
  expect(unknown).toEqual([]);
  expect(Object.keys(PROMISES)).toHaveLength(120);
});
