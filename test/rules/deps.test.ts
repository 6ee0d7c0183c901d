import { expect, test } from "bun:test";

import pkg from "../../package.json";

/** Adding one is a decision: a line here that says what it replaces. */
const ALLOWED: Record<string, string> = {
  "@anthropic-ai/sdk": "the Messages wire and its stream parser",
  "@whiskeysockets/baileys": "WhatsApp's wire: Noise, Signal sessions, binary stanzas",
  "@preact/signals": "state of the Control UI",
  citty: "argument parsing and help of the command line",
  consola: "log lines on the console",
  "discord.js": "Discord's gateway and REST, with resume and rate limits",
  grammy: "Telegram's Bot API, typed",
  hono: "HTTP routing",
  marked: "Markdown parsing in the browser; rendered to Preact nodes, never to HTML text",
  openai: "the Chat Completions and Responses wires and their stream parser",
  preact: "the Control UI",
  uqr: "QR codes as a matrix, for the terminal and the page",
  zod: "schemas",
  bun: "the runtime and bundler, so that npm alone brings it",
  "bun-types": "types and documentation of Bun",
  "fast-check": "property tests",
  "playwright-core": "drives Debian's Chromium in the browser tests",
};

test("every dependency is on the list, with an exact version", () => {
  const all = { ...pkg.dependencies, ...pkg.devDependencies };
  expect(Object.keys(all).filter((name) => !(name in ALLOWED))).toEqual([]);
  expect(Object.entries(all).filter(([, v]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(v))).toEqual([]);
});

test("nothing is allowed that is not used", () => {
  const all = { ...pkg.dependencies, ...pkg.devDependencies };
  expect(Object.keys(ALLOWED).filter((name) => !(name in all))).toEqual([]);
});

test("one version of Bun everywhere", async () => {
  const bun = pkg.devDependencies.bun;
  expect(pkg.devDependencies["bun-types"]).toBe(bun);
  expect(Bun.version).toBe(bun);
  // The launcher has no other way to know it: it says how to build when there is no executable beside it.
  expect(await Bun.file("scripts/npm/index.js").text()).toContain(`npx -y bun@${bun} run build`);
});

test("corepack is told an exact pnpm, with its hash", () => {
  // The guides' Dockerfile runs `corepack enable` and `pnpm install`: corepack refuses any other manager's name here.
  expect(pkg.packageManager).toMatch(/^pnpm@\d+\.\d+\.\d+\+sha512\.[0-9a-f]{128}$/);
});

test("pnpm-lock.yaml has the versions of package.json, from the same files as bun.lock", async () => {
  type Wanted = Record<string, { specifier: string }>;
  type PnpmLock = {
    importers: { ".": { dependencies: Wanted; devDependencies: Wanted } };
    packages: Record<string, { resolution: { integrity: string } }>;
  };
  type BunLock = { packages: Record<string, [name: string, ...unknown[]]> };
  const pnpm = Bun.YAML.parse(await Bun.file("pnpm-lock.yaml").text()) as PnpmLock;
  const bun = Bun.JSON5.parse(await Bun.file("bun.lock").text()) as BunLock;
  const wanted = (rows: Wanted) =>
    Object.fromEntries(Object.entries(rows).map(([name, { specifier }]) => [name, specifier]));
  expect(wanted(pnpm.importers["."].dependencies)).toEqual(pkg.dependencies);
  expect(wanted(pnpm.importers["."].devDependencies)).toEqual(pkg.devDependencies);
  // Transitive ones may be newer where pnpm chose later; one that both name is the same file.
  const ours = new Map(
    Object.values(bun.packages).map((row) => [row[0], String(row.at(-1))] as const),
  );
  const differ = Object.entries(pnpm.packages).filter(
    ([name, { resolution }]) => ours.has(name) && ours.get(name) !== resolution.integrity,
  );
  expect(differ).toEqual([]);
  expect(Object.keys(pnpm.packages).filter((name) => ours.has(name)).length).toBeGreaterThan(20);
});
