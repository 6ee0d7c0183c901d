import { expect, test } from "bun:test";

import { packDocs } from "./docs-text.ts";

const unpack = (packed: string): Record<string, string> =>
  JSON.parse(new TextDecoder().decode(Bun.zstdDecompressSync(Buffer.from(packed, "base64"))));

test("the pages are packed, and nothing but pages", () => {
  const names = Object.keys(unpack(packDocs()));
  expect(names).toContain("guides/docker.md");
  expect(names.filter((name) => !name.endsWith(".md"))).toEqual([]);
});

test("where the folder was left out there are none, and the build goes on", () => {
  expect(unpack(packDocs(`${import.meta.dir}/no-such-folder`))).toEqual({});
});
