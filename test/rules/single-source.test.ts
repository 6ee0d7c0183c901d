import { expect, test } from "bun:test";

import { fields } from "../../src/base/schema.ts";
import { INACTIVE } from "../../src/config/inactive.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import { schemaAt } from "../../src/config/shape.ts";
import { source } from "./source.ts";

/** Where sections of the config are described: beside what they configure. */
const OWNER =
  /^src\/(?!cli\/|gateway\/methods\/)(?:[\w-]+\/)+config\.ts$|^src\/config\/logging\.ts$/;
const owners = source.filter((f) => OWNER.test(f.path));

test("a section's schema imports nothing but zod and base, so that any part may own one", () => {
  const bad = owners.flatMap((f) =>
    [...f.text.matchAll(/^import .*?"([^"]+)";/gms)]
      .map((m) => m[1]!)
      .filter((from) => from !== "zod" && !/^(?:\.\.\/)+base\//.test(from))
      // What every channel has is written once, in the folder above.
      .filter((from) => !(from === "../config.ts" && /^src\/channels\/\w+\//.test(f.path)))
      .map((from) => `${f.path} ${from}`),
  );
  expect(bad).toEqual([]);
  expect(owners.length).toBeGreaterThan(5);
});

test("the type of a section comes from its schema and bears its name", () => {
  const types = source.flatMap((f) =>
    [...f.text.matchAll(/^export (?:type|interface) (\w+Config)\b([^;{]*)/gm)].map(
      (m) => [f.path, m[1]!, m[2]!.replace(/\s+/g, " ").trim()] as const,
    ),
  );
  const bad = types.filter(
    ([, name, body]) => !new RegExp(`^= z\\.(output|input)<typeof (${name}|\\w+)>`).test(body),
  );
  expect(bad).toEqual([]);
  expect(types.length).toBeGreaterThan(5);
});

test("titles and hints of config keys are written by their owners only", () => {
  const others = source.filter((f) => /\.meta\(\{\s*title:/.test(f.text) && !OWNER.test(f.path));
  expect(others.map((f) => f.path)).toEqual([]);
});

test("every key that a person sets has a title and every number says its unit or what it counts", () => {
  const rows = fields(ConfigSchema).filter(
    (row) => !/(\.\*|\[\])$/.test(row.path) && !/^(\$schema|wizard\.)/.test(row.path),
  );
  expect(
    rows.filter((row) => !row.title && !row.path.includes(".cost.")).map((row) => row.path),
  ).toEqual([]);
});

test("every value has a default, or the description says what happens without it, or it is optional by nature", () => {
  const numbers = fields(ConfigSchema).filter(
    (row) => /^(integer|number)$/.test(row.type) && !/(\.\*|\[\])$/.test(row.path),
  );
  const silent = numbers.filter((row) => row.default === undefined && !row.description);
  expect(silent.map((row) => row.path)).toEqual([]);
});

test("secrets are marked as such", () => {
  const rows = fields(ConfigSchema).filter((row) =>
    /(token|password|apiKey|secret)$/i.test(row.path),
  );
  expect(rows.filter((row) => !row.sensitive).map((row) => row.path)).toEqual([]);
  expect(rows.length).toBeGreaterThan(4);
});

test("a key is either built or not active yet, never both", () => {
  const both = INACTIVE.flatMap((line) => {
    const group = /\{([^}]*)\}$/.exec(line);
    const head = group ? line.slice(0, group.index) : line.slice(0, line.lastIndexOf(".") + 1);
    const names = group ? group[1]!.split(",") : [line.slice(head.length)];
    return names.filter((name) => {
      const path = `${head}${name}`
        .split(".")
        .map((key) => (key === "*" && head.startsWith("agents.list") ? "0" : key));
      return (
        name !== "*" &&
        path.every((_, i) => schemaAt(ConfigSchema, path.slice(0, i + 1))) &&
        path[0] !== "env"
      );
    });
  });
  expect(both).toEqual([]);
});
