import { expect, test } from "bun:test";

import { once } from "./once.ts";

test("it is made once, also when it is nothing", () => {
  let made = 0;
  const get = once(() => {
    made++;
    return undefined;
  });
  get();
  get();
  expect(made).toBe(1);
});

test("after a failure it is tried again", () => {
  let tried = 0;
  const get = once(() => {
    if (++tried === 1) throw new Error("not yet");
    return tried;
  });
  expect(get).toThrow("not yet");
  expect([get(), get()]).toEqual([2, 2]);
});
