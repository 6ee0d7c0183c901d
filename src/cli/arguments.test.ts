import { expect, test } from "bun:test";

import { AppError } from "../base/errors.ts";
import { readWords, wholeNumber } from "./arguments.ts";
import type { ArgSpecs } from "./command.ts";

const SPECS = {
  path: { type: "positional", required: true, description: "" },
  value: { type: "positional", required: false, description: "" },
  port: { type: "string", hint: "n", description: "" },
  message: { type: "string", alias: "m", hint: "text", description: "" },
  bind: { type: "enum", options: ["loopback", "lan", "auto"], description: "" },
  verbose: { type: "boolean", description: "" },
  probe: { type: "boolean", default: true, description: "" },
} as const satisfies ArgSpecs;

const read = (line: string) => readWords(line.split(" "), SPECS);
const refusal = (line: string): string => {
  try {
    read(line);
  } catch (cause) {
    if (cause instanceof AppError) return `${cause.message} | ${cause.hint ?? ""}`;
    throw cause;
  }
  return "taken";
};

test("flags in both spellings, short ones and negated ones become one unmistakable form", () => {
  expect(read("a.b --port 1 -m hi --verbose --no-probe")).toEqual([
    "--port=1",
    "--message=hi",
    "--verbose=true",
    "--probe=false",
    "--",
    "a.b",
  ]);
  expect(read("a.b --port=1 --verbose=false")).toEqual([
    "--port=1",
    "--verbose=false",
    "--",
    "a.b",
  ]);
});

test("a negative number and what follows -- are values", () => {
  expect(read("a.b -5")).toEqual(["--", "a.b", "-5"]);
  expect(read("a.b -- --port")).toEqual(["--", "a.b", "--port"]);
});

test("an unknown flag is refused with the nearest known one", () => {
  expect(refusal("a.b --prot 1")).toBe("unknown option '--prot' | Did you mean --port?");
  expect(refusal("a.b --zzzzzzzz")).toBe("unknown option '--zzzzzzzz' | ");
  expect(refusal("a.b -x")).toStartWith("unknown option '-x'");
});

test("a flag without its value, a wrong choice, missing and surplus words are refused", () => {
  expect(refusal("a.b --port")).toStartWith("option '--port' needs a value");
  expect(refusal("a.b --port --verbose")).toStartWith("option '--port' needs a value");
  expect(refusal("a.b --bind wlan")).toStartWith(
    'Invalid --bind (use "loopback", "lan", or "auto")',
  );
  expect(refusal("--verbose")).toStartWith("missing argument <path>");
  expect(refusal("a b c")).toStartWith("unexpected argument 'c'");
});

test("a number outside its range is refused in the original's words", () => {
  const range = { min: 1, max: 65_535 };
  expect(wholeNumber("port", undefined, range)).toBeUndefined();
  expect(wholeNumber("port", "18789", range)).toBe(18_789);
  for (const text of ["0", "65536", "1.5", "x", "", "-1", "1e3", "99999999999999999999"])
    expect(() => wholeNumber("port", text, range)).toThrow(/^Invalid --port /);
});

test("a flag that begins with no- is its own where it is declared, and a negation elsewhere", () => {
  const boolean = { type: "boolean", description: "" } as const;
  const specs = { open: boolean, "no-open": boolean, probe: boolean };
  expect(readWords(["--no-open"], specs)).toEqual(["--without-open=true", "--"]);
  expect(readWords(["--open"], specs)).toEqual(["--open=true", "--"]);
  expect(readWords(["--no-probe"], specs)).toEqual(["--probe=false", "--"]);
});
