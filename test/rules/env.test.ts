import { expect, test } from "bun:test";

import { PLAIN, PREFIXED } from "../../src/base/env.ts";
import { source } from "./source.ts";

const program = source.filter((f) => f.path.startsWith("src/") && f.path !== "src/base/env.ts");

test("the process environment is read in one file", () => {
  const readers = /\bprocess\.env\b|\bBun\.env\b|\bimport\.meta\.env\b/;
  expect(source.filter((f) => readers.test(f.text)).map((f) => f.path)).toEqual([
    "src/base/env.ts",
  ]);
});

test("running from source reads no .env of the current folder, where an agent could write", async () => {
  const settings = Bun.TOML.parse(await Bun.file("bunfig.toml").text());
  expect(settings).toMatchObject({ env: false });
});

test("every variable that is read by name is in the table", () => {
  const reads = /\.raw\(\s*"([^"]+)"|\bvars(?:\.([A-Z][A-Z0-9_]*)\b|\["([^"]+)"\])/g;
  const unknown = program.flatMap((f) =>
    [...f.text.matchAll(reads)]
      .map((m) => (m[1] ?? m[2] ?? m[3])!)
      .filter((name) => !(name in PLAIN))
      .map((name) => `${f.path} ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("every name of a key or token that the program mentions is in the table, so that it is masked and documented", () => {
  const secret = /["'`]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:API_KEY|TOKEN|ACCESS_KEY))["'`]/g;
  const unknown = program.flatMap((f) =>
    [...f.text.matchAll(secret)]
      .map((m) => m[1]!)
      .filter((name) => !(name in PLAIN) && !(name in PREFIXED))
      .map((name) => `${f.path} ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("every variable of the product is used, so the table promises nothing", () => {
  const property = (name: string) =>
    name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const unused = Object.keys(PREFIXED).filter(
    (name) => !program.some((f) => new RegExp(`\\b${property(name)}\\b`).test(f.text)),
  );
  expect(unused).toEqual([]);
});
