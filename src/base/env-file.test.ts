import { expect, test } from "bun:test";

import { envLine, fitsEnvLine, parseEnvFile } from "./env-file.ts";

const HOSTILE = [
  "plain",
  "",
  "a b",
  "q\"uo'te",
  "do$llar ${HOME} `id`",
  "back\\slash\\",
  "% = # ;",
  " x ",
  "ключ",
];

test("what is written is read back, and a shell reads the same", () => {
  for (const value of HOSTILE) {
    const line = envLine("KEY", value);
    expect(parseEnvFile(line)).toEqual({ KEY: value });
    const shell = Bun.spawnSync(["sh", "-c", `${line}; printf %s "$KEY"`]);
    expect(shell.stdout.toString()).toBe(value);
  }
});

test("comments, blank lines and what is no assignment are skipped, the last of two counts", () => {
  const text = "\ufeff# A=1\n\n;B=2\nexport C = three\nnonsense\nC='fo\"ur'\r\nD=\n";
  expect(parseEnvFile(text)).toEqual({ C: 'fo"ur', D: "" });
});

test("a value with a line end fits on no line", () => {
  expect(["a\nb", "a\rb", "\u0000", "x".repeat(70_000)].map(fitsEnvLine)).toEqual(
    Array(4).fill(false),
  );
});
