import { expect, test } from "bun:test";

import { nearest } from "./nearest.ts";

test("the nearest known word is found, whatever its case", () => {
  const known = ["read", "write", "edit", "exec", "process"];
  expect(nearest("Read", known)).toBe("read");
  expect(nearest("writ", known)).toBe("write");
  expect(nearest("proccess", known)).toBe("process");
});

test("nothing is guessed when no word is near", () => {
  expect(nearest("browser", ["read", "write"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
  expect(nearest("r".repeat(1_000_000), ["read"])).toBeUndefined();
});
