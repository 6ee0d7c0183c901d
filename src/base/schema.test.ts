import { expect, test } from "bun:test";

import { z } from "zod";

import { absentOr, fields } from "./schema.ts";

test("an absent section is not made, and one that is there is checked and documented", () => {
  let made = 0;
  const schema = z.looseObject({
    part: absentOr(() => {
      made++;
      return z.looseObject({ size: z.int().default(3).meta({ title: "Size" }) });
    }),
  });
  expect(schema.parse({})).toEqual({});
  expect(schema.parse({ part: undefined })).toEqual({ part: undefined });
  expect(made).toBe(0);
  expect(schema.parse({ part: {} })).toEqual({ part: { size: 3 } });
  expect(schema.safeParse({ part: { size: "x" } }).error?.issues[0]?.path).toEqual([
    "part",
    "size",
  ]);
  expect(made).toBe(1);
  expect(fields(schema).map(({ path }) => path)).toContain("part.size");
});
