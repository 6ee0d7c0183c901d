import { expect, test } from "bun:test";

import type { UiFile } from "./assets.ts";
import { preloaded } from "./ui.ts";

const file = (path: string, text: string): UiFile => ({
  path,
  type: path.endsWith(".html") ? "text/html" : "text/javascript",
  bytes: new TextEncoder().encode(text),
  entry: path.endsWith(".html"),
});
const page = (html: string, ...scripts: [path: string, text: string][]) => {
  const made = preloaded([file("index.html", html), ...scripts.map(([p, t]) => file(p, t))]);
  return new TextDecoder().decode(made[0]!.bytes);
};
const SCRIPT = '<script type="module" crossorigin src="/a.js"></script>';
const link = (name: string) => `<link rel="modulepreload" crossorigin href="./${name}">`;

test("all that the page's script imports at once is named in the page, what comes later is not", () => {
  const html = page(
    `<head>${SCRIPT}</head>`,
    ["a.js", 'import{x as y}from"/b.js";import"./c.js";y(()=>import("./later.js"));'],
    ["b.js", 'import*as d from"/d.js";export{d};'],
    ["c.js", 'export*from"/b.js";'],
    ["d.js", "export const d=1;"],
    ["later.js", "export{};"],
  );
  expect(html).toBe(`<head>${SCRIPT}${link("b.js")}${link("c.js")}${link("d.js")}</head>`);
});

test("what is named already, or is no file of the page, is left alone", () => {
  const html = `<head>${SCRIPT}${link("b.js")}</head>`;
  const script: [string, string] = ["a.js", 'import"/b.js";import"/elsewhere.js";'];
  expect(page(html, script, ["b.js", ""])).toBe(html);
  expect(page("<head></head>", script)).toBe("<head></head>");
});
