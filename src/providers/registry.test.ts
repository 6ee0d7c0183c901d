import { expect, test } from "bun:test";

import { API_NAMES } from "./config.ts";
import { isDialect, PROVIDERS } from "./registry.ts";

test("every dialect loads, gives a provider without a connection, and can be named in a config", async () => {
  for (const [name, { load, label }] of Object.entries(PROVIDERS)) {
    const provider = (await load())({ id: "x", baseUrl: "http://127.0.0.1:1", idleTimeoutMs: 1 });
    expect(provider.stream).toBeFunction();
    expect(label).not.toBe("");
    expect(API_NAMES as readonly string[]).toContain(name);
  }
  expect(isDialect("toString")).toBe(false);
});
