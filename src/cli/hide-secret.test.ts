import { expect, test } from "bun:test";

import { withoutSecrets } from "./hide-secret.ts";

test("secrets leave the words in both spellings, everything else stays", () => {
  const words = [
    "gateway",
    "--token",
    "a",
    "--port",
    "1",
    "--password=b",
    "--token=c",
    "--",
    "--token",
  ];
  expect(withoutSecrets(words)).toEqual(["gateway", "--port", "1", "--", "--token"]);
});
