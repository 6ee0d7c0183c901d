/** The recorded command line of the original against ours: nothing of it is forgotten silently. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { ERRORS } from "../../src/base/errors.ts";
import type { Command } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import {
  CHOICES,
  MISSING,
  MISSING_CHOICES,
  MISSING_FLAGS,
  ORIGINAL,
  SAYS,
} from "./cli-commands.ts";

/** A flag of ours as the record spells it: `no-open` for one that is on by itself, `message|m` with its short form. */
function spellings({ args }: Command): Set<string> {
  return new Set(
    Object.entries(args).flatMap(([name, spec]) => {
      if (spec.type === "positional") return [];
      const long = [name, ...(spec.type === "boolean" ? [`no-${name}`] : [])];
      return [...long, ...(spec.alias ? long.map((each) => `${each}|${spec.alias}`) : [])];
    }),
  );
}
/** Taken anywhere on the command line. */
const GLOBAL = new Set(["no-color"]);

const wanted = (path: string): string[] =>
  ORIGINAL[path]!.split(" ").filter((flag) => flag && !GLOBAL.has(flag));

test("every command of the original is there, or in the list of those that are not", () => {
  const lost = Object.keys(ORIGINAL).filter((path) => !(path in COMMANDS) && !(path in MISSING));
  expect(lost).toEqual([]);
});

test("no command is called missing that is there, and none that nobody recorded", () => {
  const there = Object.keys(MISSING).filter((path) => path in COMMANDS);
  const unknown = Object.keys(MISSING).filter((path) => !(path in ORIGINAL));
  // Built since? Take its line out of MISSING in cli-commands.ts.
  expect({ there, unknown }).toEqual({ there: [], unknown: [] });
});

for (const path of Object.keys(ORIGINAL).filter((each) => each in COMMANDS))
  test(`${path} takes every flag of the original`, async () => {
    const known = spellings(await COMMANDS[path]!.load());
    const without = MISSING_FLAGS[path] ?? {};
    const absent = wanted(path).filter((flag) => !known.has(flag));
    // A flag that is here on one side only is either forgotten, or built since: then its line goes.
    expect(absent.sort()).toEqual(Object.keys(without).sort());
    for (const why of Object.values(without)) expect(why.length).toBeGreaterThan(10);
  });

test("flags are called missing only of commands that are there", () => {
  expect(Object.keys(MISSING_FLAGS).filter((path) => !(path in COMMANDS))).toEqual([]);
});

test("every command below another has that one in the table, so that its help lists it", () => {
  const orphans = Object.keys(COMMANDS).filter((path) => {
    const above = path.split(" ").slice(0, -1).join(" ");
    return above !== "" && !(above in COMMANDS);
  });
  expect(orphans).toEqual([]);
});

test("the page about exit codes names every code that the program ends with", async () => {
  const page = await Bun.file("docs/exit-codes.md").text();
  const named = [...page.matchAll(/^\| (\d+) \|/gm)].map((m) => Number(m[1]));
  const used = new Set([0, 2, ...Object.values(ERRORS).map(({ exit }) => exit)]);
  expect(named).toEqual([...used].sort((a, b) => a - b));
});

test("every value that a flag of the original takes is taken", async () => {
  const refused: Record<string, string[]> = {};
  for (const [place, values] of Object.entries(CHOICES)) {
    const [path = "", flag = ""] = place.split(" --");
    const spec = (await COMMANDS[path]!.load()).args[flag]!;
    // A flag without a list of its own takes any text.
    const lost =
      spec.type === "enum" ? values.split(" ").filter((each) => !spec.options.includes(each)) : [];
    if (lost.length > 0) refused[place] = lost;
  }
  const known = Object.entries(MISSING_CHOICES).map(([place, lost]) => [place, Object.keys(lost)]);
  expect(refused).toEqual(Object.fromEntries(known));
});

test("exit codes and words are the original's, or those of its documentation", async () => {
  const main = resolve("src/main.ts");
  // Two at a time: each is a whole process, with an empty home of its own.
  const rest = SAYS.map((row) => row);
  const wrong: unknown[] = [];
  const next = async (): Promise<void> => {
    for (let row = rest.shift(); row; row = rest.shift()) {
      const [words, code, text = ""] = row;
      const home = mkdtempSync(join(tmpdir(), "clawdbot-says-"));
      const child = Bun.spawn([process.execPath, main, ...words.split(" ")], {
        cwd: home,
        env: { PATH: process.env["PATH"] ?? "", HOME: home, NO_COLOR: "1", TMPDIR: tmpdir() },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const said = (
        await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      ).join("");
      const got = await child.exited;
      if (got !== code || !said.includes(text)) wrong.push({ words, got, said });
      rmSync(home, { recursive: true });
    }
  };
  await Promise.all([next(), next()]);
  expect(wrong).toEqual([]);
}, 60_000);
