import { expect, test } from "bun:test";

import pkg from "../../package.json";

/** Adding one is a decision: a line here that says what it replaces. */
const ALLOWED: Record<string, string> = {
  "@anthropic-ai/sdk": "the Messages wire and its stream parser",
  "@preact/signals": "state of the Control UI",
  citty: "argument parsing and help of the command line",
  consola: "log lines on the console",
  hono: "HTTP routing",
  marked: "Markdown parsing in the browser; rendered to Preact nodes, never to HTML text",
  openai: "the Chat Completions and Responses wires and their stream parser",
  preact: "the Control UI",
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

test("one version of Bun everywhere", () => {
  expect(pkg.packageManager).toBe(`bun@${pkg.devDependencies.bun}`);
  expect(pkg.devDependencies["bun-types"]).toBe(pkg.devDependencies.bun);
  expect(Bun.version).toBe(pkg.devDependencies.bun);
});
