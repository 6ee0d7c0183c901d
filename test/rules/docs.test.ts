/** What the documentation says must be so: the reference pages, links, commands, config keys, variables and files. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { pages } from "../../docs/generate.ts";
import { expand } from "../../docs/pages/config.ts";
import { COMMAND } from "../../docs/pages/markdown.ts";
import { PLAIN, PREFIXED } from "../../src/base/env.ts";
import { readWords } from "../../src/cli/arguments.ts";
import { COMMANDS, pathIn } from "../../src/cli/commands.ts";
import { INACTIVE, inactivePart, UNREAD } from "../../src/config/inactive.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import { schemaAt, shapeOf } from "../../src/config/shape.ts";
import { validate } from "../../src/config/validate.ts";
import { methods } from "../../src/gateway/methods/index.ts";
import { source } from "./source.ts";

type Doc = { path: string; text: string };
const read = async (pattern: string): Promise<Doc[]> =>
  Promise.all(
    (await Array.fromAsync(new Bun.Glob(pattern).scan({ dot: true })))
      .sort()
      .map(async (path) => ({ path, text: await Bun.file(path).text() })),
  );
const reference = await read("docs/reference/*");
/** Written by hand. */
const written = [
  ...(await read("README.md")),
  ...(await read("docs/*.md")),
  ...(await read("docs/guides/*.md")),
  ...(await read("docs/channels/*.md")),
];
const all = [...written, ...(await read("docs/*/**/*.md")), ...(await read(".github/*.md"))];

/** Fenced blocks of these languages. */
const blocks = (doc: Doc, ...languages: string[]): string[] =>
  [...doc.text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].flatMap((m) =>
    languages.includes(m[1]!) ? [m[2]!] : [],
  );
const prose = (doc: Doc): string => doc.text.replace(/^```[\s\S]*?^```/gm, "");
/** `code` in the text, outside of blocks; in tables `\|` stands for `|`. */
const spans = (doc: Doc): string[] =>
  [...prose(doc).matchAll(/`([^`\n]+)`/g)].map((m) => m[1]!.replaceAll("\\|", "|"));

test("the reference pages say what the program says", async () => {
  const made = await pages();
  const stale = Object.entries(made).flatMap(([name, text]) =>
    reference.find((page) => page.path === `docs/reference/${name}`)?.text === text ? [] : [name],
  );
  const extra = reference.map((page) => page.path.split("/").at(-1)!).filter((n) => !(n in made));
  // Stale? Write them anew with the command.
  expect({ command: COMMAND, stale, extra }).toEqual({ command: COMMAND, stale: [], extra: [] });
  // Every command is loaded for it.
}, 20_000);

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

test("every relative link leads to a file that is there, and to a heading of it", async () => {
  const broken: string[] = [];
  for (const doc of all)
    for (const [, target] of prose(doc).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file = "", anchor] = target!.split("#");
      const path = file ? join(dirname(doc.path), file) : doc.path;
      const found = existsSync(path) && path.endsWith(".md") && (await Bun.file(path).text());
      const headings = found ? [...found.matchAll(/^#+ (.*)$/gm)].map((m) => anchorOf(m[1]!)) : [];
      if (!existsSync(path) || (anchor && !headings.includes(anchor)))
        broken.push(`${doc.path}: ${target}`);
    }
  expect(broken).toEqual([]);
});

/** A line of a shell as words; `"$(…)"` and `<some text>` are one. Comments and files for input and output are left out. */
const shellWords = (line: string): string[] =>
  [
    ...line
      .replace(/\s#\s.*$/, "")
      .replace(/\s(?:[<>]|\|\|?|&&)\s.*$/, "")
      .matchAll(/(?:"[^"]*"|'[^']*'|<[^>]*>|\S)+/g),
  ].map((m) => m[0].replace(/^(["'])(.*)\1$/s, "$2"));

/** The words behind `clawdbot` or `./dist/clawdbot` at the beginning of a command line; undefined for another program. */
function commandWords(line: string): string[] | undefined {
  const words = shellWords(line.replace(/^\$ /, ""));
  while (/^[A-Z][A-Z0-9_]*=/.test(words[0] ?? "")) words.shift();
  return /^(?:\.\/dist\/)?clawdbot$/.test(words.shift() ?? "") ? words : undefined;
}

/** What is wrong with a command line, or undefined. `loose` leaves out values and needed words, for mentions in a sentence. */
async function problemOf(given: string[], loose: boolean): Promise<string | undefined> {
  const words = [...given];
  while (/^--(?:dev|no-color|profile)$/.test(words[0] ?? ""))
    if (words.shift() === "--profile") words.shift();
  if (words.length === 0 || /^(?:<\w+>|--version|--help|-[vVh])$/.test(words[0]!)) return undefined;
  const path = pathIn(words);
  const row = COMMANDS[path];
  if (!row) return "no such command";
  const rest = words.slice(path.split(" ").length).filter((word) => !/^(?:--help|-h)$/.test(word));
  try {
    readWords(rest, (await row.load()).args);
  } catch (cause) {
    const message = String(cause);
    return loose && /missing argument|needs a value/.test(message) ? undefined : message;
  }
  return undefined;
}

test("every command in a block of the documentation can be typed", async () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const doc of written)
    for (const line of blocks(doc, "sh", "").flatMap((block) => block.split("\n"))) {
      const words = commandWords(line);
      if (words) seen++;
      const problem = words && (await problemOf(words, false));
      if (problem) wrong.push(`${doc.path}: ${line}: ${problem}`);
    }
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(5);
});

test("every command in a sentence or a hint of an error exists", async () => {
  const wrong: string[] = [];
  const texts = [
    ...written.map((doc) => ({ path: doc.path, spans: spans(doc) })),
    ...source
      .filter((f) => f.path.startsWith("src/"))
      .map((f) => ({
        path: f.path,
        spans: [...f.text.matchAll(/["'][^"'\n]*`(clawdbot [^`\n$]+)`/g)].map((m) => m[1]!),
      })),
  ];
  for (const { path, spans: found } of texts)
    for (const span of found) {
      const words = commandWords(span.replaceAll('\\"', '"'));
      if (!words) continue;
      // `config get|set` means both.
      const at = words.findIndex((word) => word.includes("|"));
      const lines = at < 0 ? [words] : words[at]!.split("|").map((w) => words.with(at, w));
      for (const line of lines) {
        const problem = await problemOf(line, true);
        if (problem) wrong.push(`${path}: ${span}: ${problem}`);
      }
    }
  expect(wrong).toEqual([]);
});

const top = shapeOf(ConfigSchema);
const sections = new Set([
  ...(top.kind === "group" ? Object.keys(top.keys) : []),
  ...[...INACTIVE].flatMap((line) => line.match(/^\w+/) ?? []),
]);
const isKey = (path: string[]): boolean => {
  const filled = path.map((key) => (key === "[]" || key === "*" || /^<.*>$/.test(key) ? "0" : key));
  return schemaAt(ConfigSchema, filled) !== undefined || inactivePart(filled) !== undefined;
};

test("every config key that the documentation names is in the schema, or in the list of those to come", () => {
  const unknown = written.flatMap((doc) =>
    spans(doc).flatMap((span) => {
      const path = span.replaceAll("[]", ".[]").split(".");
      const looksLike = /^[a-zA-Z]+(?:\.(?:[a-zA-Z]+|\[\]|\*|<\w+>))+$/.test(path.join("."));
      if (!looksLike || !sections.has(path[0]!) || span in methods) return [];
      return isKey(path) ? [] : [`${doc.path}: ${span}`];
    }),
  );
  expect(unknown).toEqual([]);
  expect(isKey(["gateway", "auth", "tokn"])).toBe(false);
});

test("every config in the documentation is valid and does something", () => {
  for (const doc of written)
    for (const block of blocks(doc, "json5")) {
      const { config, errors, warnings, inactive } = validate(Bun.JSON5.parse(block));
      expect({ path: doc.path, errors, warnings, inactive }).toEqual({
        path: doc.path,
        errors: [],
        warnings: [],
        inactive: [],
      });
      expect(config).toBeDefined();
    }
});

/** Variables that only the scripts of an installation read. */
const inScripts = new Set(
  (
    await Promise.all(
      ["docker-setup.sh", "install.sh", "Dockerfile", "docker-compose.yml"].map((path) =>
        Bun.file(path).text(),
      ),
    )
  )
    .join("\n")
    .match(/\bCLAWDBOT_[A-Z][A-Z0-9_]*\b/g),
);

test("every variable that the documentation names is in the table, or in a script", () => {
  const own = /\b(?:CLAWDBOT|MOLTBOT|OPENCLAW)_([A-Z][A-Z0-9_]*)\b/g;
  const key = /\b[A-Z][A-Z0-9_]*_(?:API_KEY|TOKEN)\b/g;
  const unknown = all.flatMap((doc) => [
    ...[...doc.text.matchAll(own)]
      .filter((m) => !(m[1]! in PREFIXED) && !inScripts.has(m[0]))
      .map((m) => m[0]),
    ...[...doc.text.matchAll(key)]
      .map((m) => m[0])
      .filter((name) => !(name in PLAIN) && !(name.replace(/^[A-Z]+_/, "") in PREFIXED)),
  ]);
  expect(unknown).toEqual([]);
});

test("every file of the program that the documentation names is there", () => {
  const missing = all.flatMap((doc) =>
    spans(doc)
      .filter((span) => /^(?:src|test|web|docs|bench)\//.test(span) && !/[<*]|NNNN/.test(span))
      .filter((path) => !existsSync(path))
      .map((path) => `${doc.path}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("a key without effect is one that the schema has, and nothing reads it by its own name", () => {
  const keys = UNREAD.flatMap(expand);
  const absent = keys.filter((key) => {
    const path = key.split(".").map((name) => (name === "*" ? "0" : name));
    return !schemaAt(ConfigSchema, path);
  });
  expect(absent).toEqual([]);
  // Not those that check, print or pass on whatever is written.
  const passive = /config\.ts$|^src\/config\/|^src\/cli\/|^src\/gateway\/http\//;
  const program = source
    .filter((f) => f.path.startsWith("src/") && !passive.test(f.path))
    .map((f) => f.text.replace(/^\s*(?:\/\*\*|\*|\/\/).*$/gm, ""));
  // Names that many things have cannot be told apart by looking.
  const telling = keys.filter((key) => /^[a-z]+[A-Z]/.test(key.split(".").at(-1)!));
  const readAfterAll = telling.filter((key) => {
    const name = key.split(".").at(-1)!;
    return program.some((text) => new RegExp(`\\.${name}\\b|\\b${name}[,}:]`).test(text));
  });
  expect(readAfterAll).toEqual([]);
});
