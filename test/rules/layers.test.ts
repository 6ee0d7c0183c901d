import { expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";

import { source } from "./source.ts";

/** The architecture. Higher may import lower; equals may not import each other. The longest matching prefix wins. */
const RANK: Record<string, number> = {
  "src/base": 0,
  "src/message.ts": 0.5,
  "src/flow.ts": 1,
  "src/protocol": 2,
  "src/media": 2,
  "src/channels": 3,
  "src/providers": 3,
  "src/tools": 3,
  // Schemas of owners that sit higher: config/schema.ts assembles them (design: single source).
  "src/gateway/config.ts": 3,
  "src/agent/config.ts": 3,
  "src/sessions/config.ts": 3,
  "src/router/config.ts": 3,
  "src/router/routes/config.ts": 3,
  "src/config": 4,
  "src/store": 4,
  "src/router": 5,
  "src/sessions": 5,
  "src/agent": 5,
  "src/delivery": 5,
  "src/pipeline.ts": 6,
  "src/messaging": 6.5,
  "src/wizard": 6.7,
  "src/gateway": 7,
  "src/service": 7,
  "src/legacy": 7.5,
  "src/app.ts": 8,
  "src/doctor": 8,
  "src/cli": 9,
  "src/main.ts": 10,
  web: 10,
};
const TYPES_ONLY = [["web", "src/gateway/methods"]];
const WEB_VALUES = ["src/protocol", "web"];
/** The one asset that is imported upwards: the page that the binary embeds. */
const ASSETS = new Set(["src/gateway/http/ui.ts -> web/index.html"]);
const PLUGIN = /^src\/(channels|providers|tools)\/([^/]+)\//;

const IMPORT =
  /^(?:import|export)\s+(type\s)?[\w\s{},*$]*?\sfrom\s+"(\.[^"]+)"|^import\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm;
const unitOf = (file: string) =>
  Object.keys(RANK)
    .filter((unit) => file === unit || file.startsWith(`${unit}/`))
    .sort((a, b) => b.length - a.length)[0];

type Edge = { from: string; to: string; type: boolean; dynamic: boolean };
const all: Edge[] = source.flatMap(({ path: from, text }) =>
  [...text.matchAll(IMPORT)]
    .map((m) => ({
      from,
      to: normalize(join(dirname(from), (m[2] ?? m[3] ?? m[4])!)),
      type: !!m[1],
      dynamic: !!m[4],
    }))
    .filter((e) => !ASSETS.has(`${e.from} -> ${e.to}`) && !/\.(json|css|sql|md)$/.test(e.to)),
);

test("every file belongs to a unit of the layer table", () => {
  const homeless = new Set(
    [...source.map((f) => f.path), ...all.map((e) => e.to)].filter((f) => !unitOf(f)),
  );
  expect([...homeless]).toEqual([]);
});

test("imports point down", () => {
  const bad = all.filter(({ from, to }) => {
    const [a, b] = [unitOf(from), unitOf(to)];
    return a && b && a !== b && RANK[a]! <= RANK[b]!;
  });
  expect(bad.map((e) => `${e.from} -> ${e.to}`)).toEqual([]);
});

test("web sees types of the method table and values of protocol only", () => {
  const bad = all.filter(
    (e) =>
      e.from.startsWith("web/") &&
      !WEB_VALUES.some((unit) => e.to.startsWith(unit)) &&
      !(e.type && TYPES_ONLY.some(([, unit]) => e.to.startsWith(unit!))),
  );
  expect(bad.map((e) => `${e.from} -> ${e.to}`)).toEqual([]);
});

test("a plug-in folder imports no other plug-in folder", () => {
  const bad = all.filter(({ from, to }) => {
    const [a, b] = [PLUGIN.exec(from), PLUGIN.exec(to)];
    return a && b && `${a[1]}/${a[2]}` !== `${b[1]}/${b[2]}`;
  });
  expect(bad.map((e) => `${e.from} -> ${e.to}`)).toEqual([]);
});

test("dynamic imports live in registries", () => {
  const bad = all.filter(
    (e) => e.dynamic && !/registry\.ts$|cli\/commands\.ts$|^web\//.test(e.from),
  );
  expect(bad.map((e) => e.from)).toEqual([]);
});

test("no import cycles, types included", () => {
  const next = new Map<string, string[]>();
  for (const e of all) if (!e.dynamic) next.set(e.from, [...(next.get(e.from) ?? []), e.to]);
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]) => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    state.set(file, "open");
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    state.set(file, "done");
  };
  for (const file of next.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});
