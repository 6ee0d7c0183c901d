/** docker-setup.sh on a stage: bats files with a docker that only writes down what it is asked, and what bash it is written in. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { missing, run, runBats } from "../lab.ts";
import { ROOT } from "../tree.ts";

const SCRIPTS = [
  "docker-setup.sh",
  ...["env-file", "values", "folders"].map((name) => `scripts/setup/${name}.sh`),
  ...["sandbox-setup", "sandbox-common-setup", "sandbox-browser-setup", "package-mac-app"].map(
    (name) => `scripts/${name}.sh`,
  ),
];

missing({ plistutil: "libplist-utils", script: "bsdutils", setpriv: "util-linux", git: "git" });
await runBats([
  { title: "docker-setup.sh", file: "setup/run.bats" },
  { title: "docker-setup.sh: .env", file: "setup/env-file.bats" },
  { title: "docker-setup.sh: mounts and packages", file: "setup/mounts.bats" },
  { title: "docker-setup.sh: folders", file: "setup/folders.bats" },
  { title: "sandbox images", file: "setup/sandbox.bats" },
  { title: "the application for macOS", file: "setup/mac-app.bats", env: { BINARY } },
]);

/** Bash 3.2, which macOS has, cannot be had here; so what later versions brought must not be there. */
const NEWER: [what: string, pattern: RegExp][] = [
  [
    "associative arrays, name references, global declarations (4.0 to 4.3)",
    /\b(?:declare|local|typeset)\s+-\w*[Agnlu]/,
  ],
  ["mapfile, readarray, coproc (4.0)", /\b(?:mapfile|readarray|coproc)\b/],
  ["case changes (4.0)", /\$\{!?\w+(?:\[[^\]]*\])?(?:,,?|\^\^?)/],
  ["transformations (4.4)", /\$\{\w+(?:\[[^\]]*\])?@[A-Za-z]\}/],
  ["|& and &>> (4.0)", /\|&|&>>/],
  [";& and ;;& (4.0)", /;;?&/],
  ["negative lengths and subscripts (4.2, 4.3)", /\$\{\w+:[^}:]*:-|\$\{\w+\[-\d/],
  ["[[ -v (4.2)", /\[\[? -v /],
  ["printf of times (4.2)", /%\([^)]*\)T/],
  ["named file descriptors (4.1)", /\{\w+\}[<>]/],
  ["wait -n (4.3)", /\bwait -n\b/],
  ["read -t with a fraction, read -i (4.0)", /\bread\b[^|;\n]*-(?:i|t ?0?\.\d)/],
  [
    "variables of later versions",
    /\$\{?(?:EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASHPID|BASH_ARGV0)\b/,
  ],
  ["** (4.0)", /\bglobstar\b/],
  // With `set -u` 3.2 takes an empty array for an unset one. These are never empty.
  ["arrays that may be empty", /"\$\{(?!FOLDERS|PLACES|words)\w+\[[@*]\]\}"/],
];

describe.each(SCRIPTS)("%s", (name) => {
  test("deploy-014 has nothing that bash 3.2 lacks", async () => {
    const text = await Bun.file(join(ROOT, name)).text();
    const code = text.replaceAll(/^\s*#.*$/gm, "");
    expect(NEWER.filter(([, pattern]) => pattern.test(code)).map(([what]) => what)).toEqual([]);
  });
});

const noShellcheck = missing({ shellcheck: "shellcheck" });
describe.skipIf(noShellcheck !== undefined)("shellcheck", () => {
  const check = (...words: string[]): string => run(["shellcheck", ...words], { cwd: ROOT }).stdout;

  test("deploy-014 finds nothing in the scripts", () => {
    const own = SCRIPTS.filter((name) => !name.startsWith("scripts/setup/"));
    expect(check("-x", "-a", ...own, "scripts/sandbox-browser-entrypoint.sh")).toBe("");
  });

  test("finds nothing in their tests", async () => {
    const glob = new Bun.Glob("test/deploy/setup/**/*");
    const all = await Array.fromAsync(glob.scan(ROOT));
    const files = all.filter((name) => !name.endsWith(".ts")).sort();
    expect(files.length).toBeGreaterThan(5);
    // Not its remarks on quoted dollar signs: they are what is tested.
    expect(check("-S", "warning", "-e", "SC2034,SC2154", ...files)).toBe("");
  });
});
