/** Reads the words after a command strictly: every flag must be known, have its value, and one of the allowed ones. */
import { AppError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { type ArgSpec, type ArgSpecs, LIST_MARK, parserName } from "./command.ts";

/**
 * Every flag as one word (`--port=1`), then `--`, then the positional words: no parser can misread it.
 * Throws `usage` with the nearest known flag in the hint.
 * @param passOver is told the words that are not known, which are then left out; without it they are an error
 */
export function readWords(
  raw: string[],
  specs: ArgSpecs,
  passOver?: (word: string) => void,
): string[] {
  const flags: string[] = [];
  const positional: string[] = [];
  const lists = new Map<string, string[]>();
  for (let i = 0; i < raw.length; i++) {
    const word = raw[i]!;
    if (word === "--") {
      positional.push(...raw.slice(i + 1));
      break;
    }
    if (!isFlag(word)) {
      positional.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const found = findFlag(flag, specs);
    if (!found && passOver) {
      passOver(word);
      continue;
    }
    if (!found) throw unknownFlag(flag, specs);
    if (found.spec.type === "boolean") {
      const value = equals < 0 ? "true" : word.slice(equals + 1);
      flags.push(`--${parserName(found.name)}=${found.negated ? "false" : value}`);
    } else {
      const value = checkValue(found, equals < 0 ? raw[++i] : word.slice(equals + 1), specs);
      if (found.spec.type === "list")
        lists.set(found.name, [...(lists.get(found.name) ?? []), value]);
      else flags.push(`--${parserName(found.name)}=${value}`);
    }
  }
  for (const [name, values] of lists) flags.push(`--${parserName(name)}=${values.join(LIST_MARK)}`);
  const known = passOver ? withoutExtra(positional, specs, passOver) : positional;
  checkPositional(known, specs);
  return [...flags, "--", ...known];
}

/** `-5` is a value, not a flag. */
const isFlag = (word: string): boolean => /^-[^\d.]/.test(word) && word !== "-";

type Found = { name: string; spec: ArgSpec; negated: boolean };

function findFlag(flag: string, specs: ArgSpecs): Found | undefined {
  const long = flag.startsWith("--");
  const wanted = long ? flag.slice(2) : flag.slice(1);
  const flags = Object.entries(specs).filter(([, spec]) => spec.type !== "positional");
  // `--no-open` may be a flag of its own beside `--open`: neither and both are different things then.
  for (const [name, spec] of flags)
    if (long ? name === wanted : "alias" in spec && spec.alias === wanted)
      return { name, spec, negated: false };
  for (const [name, spec] of flags)
    if (long && spec.type === "boolean" && wanted === `no-${name}`)
      return { name, spec, negated: true };
  return undefined;
}

function checkValue({ name, spec }: Found, value: string | undefined, specs: ArgSpecs): string {
  if (value === undefined || (value.startsWith("--") && findFlag(value.split("=")[0]!, specs)))
    throw new AppError("usage", `option '--${name}' needs a value`);
  if (spec.type === "enum" && !spec.options.includes(value)) {
    const quoted = spec.options.map((option) => `"${option}"`);
    const choice = `${quoted.slice(0, -1).join(", ")}${quoted.length > 2 ? "," : ""} or ${quoted.at(-1)}`;
    throw new AppError("usage", `Invalid --${name} (use ${choice})`);
  }
  return value;
}

function unknownFlag(flag: string, specs: ArgSpecs): AppError {
  const known = Object.entries(specs).flatMap(([name, spec]) =>
    spec.type === "positional" ? [] : [`--${name}`],
  );
  const near = nearest(flag, [...known, "--help"]);
  return new AppError("usage", `unknown option '${flag}'`, {
    ...(near && { hint: `Did you mean ${near}?` }),
  });
}

/** The value of a flag that was passed over stands there too. */
function withoutExtra(
  words: string[],
  specs: ArgSpecs,
  passOver: (word: string) => void,
): string[] {
  const places = Object.values(specs).filter(({ type }) => type === "positional").length;
  for (const word of words.slice(places)) passOver(word);
  return words.slice(0, places);
}

function checkPositional(words: string[], specs: ArgSpecs): void {
  const wanted = Object.entries(specs).flatMap(([name, spec]) =>
    spec.type === "positional" ? [{ name, ...spec }] : [],
  );
  const missing = wanted.find((spec, i) => spec.required && words[i] === undefined);
  if (missing) throw new AppError("usage", `missing argument <${missing.name}>`);
  const extra = words[wanted.length];
  if (extra !== undefined && !wanted.at(-1)?.rest)
    throw new AppError("usage", `unexpected argument '${extra}'`);
}

/** A whole number in a range, from a flag. Throws `usage` in the original's words: `Invalid --port …`. */
export function wholeNumber(
  flag: string,
  text: string | undefined,
  range: { min: number; max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new AppError(
    "usage",
    `Invalid --${flag} (use a whole number from ${range.min} to ${range.max})`,
  );
}
