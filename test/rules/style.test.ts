import { expect, test } from "bun:test";

import { files, source } from "./source.ts";

const BANNED: [name: string, pattern: RegExp, except: RegExp][] = [
  ["console outside cli output", /\bconsole\./, /^src\/cli\/out\.ts$/],
  ["process.env outside base/env.ts", /process\.env|Bun\.env/, /^src\/base\/env\.ts$/],
  ["process.exit outside main.ts", /process\.exit\(/, /^src\/main\.ts$/],
  [
    "empty catch",
    /catch\s*(?:\(\w+\)\s*)?\{\s*\}|\.catch\(\(\)\s*=>\s*(?:\{\s*\}|undefined|null)\)/,
    /^$/,
  ],
  ["bare Error", /throw new Error\(/, /^web\//],
  ["module-level mutable state", /^(?:export )?let /m, /^$/],
  ["any", /\bas any\b|:\s*any\b|<any>(?!;$)/, /^src\/tools\/tool\.ts$/],
  ["numbered or V2 copies", /\b\w+V2\b|\bpart-?\d\b/, /^$/],
  ["module mocks", /mock\.module/, /^$/],
];
for (const [name, pattern, except] of BANNED)
  test(`no ${name}`, () => {
    const bad = source.filter((f) => pattern.test(f.text) && !except.test(f.path));
    expect(bad.map((f) => f.path)).toEqual([]);
  });

test("files stay under 400 lines", () => {
  const bad = files.filter((f) => f.text.split("\n").length > 400);
  expect(bad.map((f) => `${f.path} ${f.text.split("\n").length}`)).toEqual([]);
});

test("file names are kebab-case, short, and say what they hold", () => {
  const bad = source
    .map((f) => f.path.split("/").at(-1)!)
    .filter(
      (name) =>
        !/^[a-z0-9-]{1,28}(\.test)?\.tsx?$/.test(name) ||
        /^(utils?|helpers?|common|misc|impl|shared|types)\.ts$/.test(name),
    );
  expect(bad).toEqual([]);
});

test("object types stay under 21 fields", () => {
  const bags = source.flatMap((f) =>
    [...f.text.matchAll(/^export (?:type (\w+)[^={]*= |interface (\w+)[^{]*)\{\n([\s\S]*?)^\}/gm)]
      .map((m) => ({
        name: m[1] ?? m[2],
        fields: (m[3] ?? "").match(/^ {2}(?:readonly )?\w+[?]?[(:<]/gm)?.length ?? 0,
      }))
      .filter((t) => t.fields > 20)
      .map((t) => `${f.path} ${t.name} ${t.fields}`),
  );
  expect(bags).toEqual([]);
});

test("config types come from schemas", () => {
  const twin = /^export (?:interface \w+Config\b|type \w+Config\b[^=]*=\s*\{)/m;
  expect(source.filter((f) => twin.test(f.text)).map((f) => f.path)).toEqual([]);
});

test("a plug-in's id is written only in its own folder and its registry", () => {
  const seen: string[] = [];
  for (const kind of ["channels"])
    for (const id of new Set(
      source.map((f) => new RegExp(`^src/${kind}/([^/]+)/`).exec(f.path)?.[1]).filter(Boolean),
    ))
      for (const f of source)
        if (
          f.path.startsWith("src/") &&
          !f.path.startsWith(`src/${kind}/`) &&
          // What older configs called it is a fact, and so is where it went.
          f.path !== "src/config/migrate.ts" &&
          // The original's wire protocol itself uses this word as a client mode.
          !(id === "webchat" && f.path.startsWith("src/gateway/")) &&
          new RegExp(`["'\`]${id}\\b`).test(f.text)
        )
          seen.push(`${f.path} ${id}`);
  expect(seen).toEqual([]);
});

test("folders stay under 26 files", () => {
  const count = new Map<string, number>();
  for (const f of source) {
    const folder = f.path.slice(0, f.path.lastIndexOf("/"));
    count.set(folder, (count.get(folder) ?? 0) + 1);
  }
  expect([...count].filter(([, n]) => n > 25)).toEqual([]);
});

test("every file opens a unit or an export by saying what it is for", () => {
  const contract = source.filter((f) => f.path.startsWith("src/"));
  expect(contract.filter((f) => !/\/\*\*/.test(f.text)).map((f) => f.path)).toEqual([]);
});

test("the straight line stays readable", () => {
  const lines = (path: string) => source.find((f) => f.path === path)!.text.split("\n").length;
  expect(lines("src/flow.ts")).toBeLessThanOrEqual(150);
  expect(lines("src/pipeline.ts")).toBeLessThanOrEqual(220);
});
