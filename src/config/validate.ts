/**
 * Checks a config value against the schema. A wrong type or value is an error; a key that nobody knows is a warning with the nearest
 * known one; a known key of a part that is not built yet is neither (decision 9).
 */
import type { z } from "zod";

import { nearest } from "../base/nearest.ts";
import { holdsInactive, inactiveNames, inactivePart, saysSomething } from "./inactive.ts";
import { formatPath, isRecord, type Path, valueAt } from "./path.ts";
import type { Problem } from "./problem.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { isSensitive, shapeOf } from "./shape.ts";

export type Checked = {
  /** Undefined when there are errors. */
  config?: Config;
  errors: Found[];
  warnings: Found[];
  /** Kept, but without effect in this version: `channels.discord`. */
  inactive: string[];
};
/** A problem by the segments of its path, so that its place in the file can be looked up. */
export type Found = { at: Path; message: string; hint?: string };

export function validate(value: unknown): Checked {
  const { warnings, inactive } = unknownKeys(value);
  if (!isRecord(value))
    return {
      errors: [
        { at: [], message: "The config must be a group of keys", hint: "Put it all in { }." },
      ],
      warnings,
      inactive,
    };
  const parsed = ConfigSchema.safeParse(value);
  const errors = parsed.success
    ? crossChecks(parsed.data)
    : parsed.error.issues.flatMap((issue) => toFound(issue, value));
  if (parsed.success && errors.length === 0)
    return { config: parsed.data, errors, warnings, inactive };
  return { errors, warnings, inactive };
}

/** What no single field can know. */
function crossChecks({ agents }: Config): Found[] {
  const found: Found[] = [];
  const seen = new Map<string, Set<string>>([
    ["id", new Set()],
    ["agentDir", new Set()],
  ]);
  for (const [i, agent] of agents.list.entries())
    for (const [key, values] of seen) {
      const value = agent[key];
      const same =
        typeof value === "string" ? (key === "id" ? value.toLowerCase() : value) : undefined;
      if (same === undefined) continue;
      if (values.has(same))
        found.push({
          at: ["agents", "list", String(i), key],
          message: `is "${same}", as that of another agent`,
          hint: `Every agent needs ${key === "id" ? "an id" : "a folder"} of its own.`,
        });
      values.add(same);
    }
  return found;
}

type Issue = z.core.$ZodIssue;

function toFound(issue: Issue, root: unknown, before: PropertyKey[] = []): Found[] {
  const at = [...before, ...issue.path].map(String);
  if (issue.code === "invalid_union") {
    // The branch that failed deepest is the one that was meant.
    const branches = issue.errors.map((errors) =>
      errors.flatMap((inner) => toFound(inner, root, [...before, ...issue.path])),
    );
    const depth = (found: Found[]) => Math.max(0, ...found.map((f) => f.at.length));
    const meant = branches.toSorted((a, b) => depth(b) - depth(a))[0] ?? [];
    if (depth(meant) > at.length) return meant;
    const kinds = issue.errors.flatMap((errors) =>
      errors.flatMap((inner) => (inner.code === "invalid_type" ? [kind(inner.expected)] : [])),
    );
    return [{ at, message: `must be ${[...new Set(kinds)].join(" or ")}${not(at, root)}` }];
  }
  return [{ at, ...reason(issue, at, root) }];
}

function reason(issue: Issue, at: Path, root: unknown): { message: string; hint?: string } {
  const value = valueAt(root, at);
  switch (issue.code) {
    case "invalid_type": {
      if (value === undefined)
        return { message: "is missing", hint: `Add it: ${kind(issue.expected)}.` };
      const message = `must be ${kind(issue.expected)}${not(at, root)}`;
      const quoted = typeof value === "string" && /^(-?[\d.]+|true|false)$/.test(value.trim());
      const numeric = ["number", "int", "boolean"].includes(issue.expected);
      return quoted && numeric ? { message, hint: "Write it without quotes." } : { message };
    }
    case "invalid_value": {
      const allowed = issue.values.map(String);
      const near = typeof value === "string" ? nearest(value, allowed) : undefined;
      return {
        message: `must be ${allowed
          .map((v) => `"${v}"`)
          .join(", ")
          .replace(/, ([^,]*)$/, " or $1")}${not(at, root)}`,
        ...(near && { hint: `Did you mean "${near}"?` }),
      };
    }
    case "too_small":
      return {
        message: `must be ${size(issue.origin, issue.inclusive ? "at least" : "more than", issue.minimum)}${not(at, root)}`,
      };
    case "too_big":
      return {
        message: `must be ${size(issue.origin, issue.inclusive ? "at most" : "less than", issue.maximum)}${not(at, root)}`,
      };
    case "invalid_format":
      return { message: `is not right: ${issue.message}` };
    default:
      return { message: `is not right: ${issue.message}` };
  }
}

const size = (origin: string, than: string, limit: number | bigint) =>
  `${than} ${limit}${origin === "string" ? " characters long" : ""}`;

const KINDS: Record<string, string> = {
  string: "text in quotes",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list in [ ]",
  object: "a group of keys in { }",
  record: "a group of keys in { }",
};
const kind = (expected: string) => KINDS[expected] ?? expected;

/** What stands there instead, unless it may be a secret. */
function not(at: Path, root: unknown): string {
  const value = valueAt(root, at);
  if (value === null) return ", not null";
  if (Array.isArray(value)) return ", not a list";
  if (typeof value === "object") return ", not a group of keys";
  if (value === undefined || isSensitive(ConfigSchema, at)) return "";
  return `, not ${JSON.stringify(value).slice(0, 60)}`;
}

function unknownKeys(root: unknown): { warnings: Found[]; inactive: string[] } {
  const warnings: Found[] = [];
  const inactive = new Set<string>();
  const walk = (schema: z.ZodType, value: unknown, at: Path): void => {
    const shape = shapeOf(schema);
    if (shape.kind === "list" && Array.isArray(value))
      for (const [i, item] of value.entries()) walk(shape.item, item, [...at, String(i)]);
    if (!isRecord(value)) return;
    if (shape.kind === "map")
      for (const [key, child] of Object.entries(value)) walk(shape.value, child, [...at, key]);
    if (shape.kind !== "group") return;
    for (const [key, child] of Object.entries(value)) {
      const path = [...at, key];
      if (noteInactive(path, child)) continue;
      if (Object.hasOwn(shape.keys, key)) walk(shape.keys[key]!, child, path);
      else if (!shape.open) warnings.push({ at: path, ...unknown(path, Object.keys(shape.keys)) });
    }
  };
  /** True when the path belongs to a part that is not built yet. */
  function noteInactive(path: Path, value: unknown): boolean {
    const part = inactivePart(path);
    if (part) {
      if (saysSomething(value)) inactive.add(formatPath(part));
      return true;
    }
    if (shapeKnown(path) || !holdsInactive(path) || !isRecord(value)) return false;
    for (const [key, child] of Object.entries(value)) noteInactive([...path, key], child);
    return true;
  }
  walk(ConfigSchema, root, []);
  return { warnings, inactive: [...inactive].sort() };
}

const shapeKnown = (path: Path): boolean => {
  const shape = shapeOf(ConfigSchema);
  return path.length > 1 || (shape.kind === "group" && Object.hasOwn(shape.keys, path[0]!));
};

function unknown(path: Path, siblings: string[]): { message: string; hint: string } {
  const key = path.at(-1)!;
  const parent = path.slice(0, -1);
  const near = nearKey(key, [...siblings, ...inactiveNames(parent)]);
  const home = near ? undefined : homeOf(key);
  return {
    message: "is not a known key; it is kept, and has no effect",
    hint: near
      ? `Did you mean ${formatPath([...parent, near])}?`
      : home
        ? `Did you mean ${home}?`
        : "Remove it when it is not needed.",
  };
}

/** Short words are near to anything, so they must at least begin alike. */
const nearKey = (key: string, known: string[]): string | undefined =>
  nearest(
    key,
    known.filter((name) => key.length > 4 || name[0] === key[0]),
  );

/** Where a key belongs that stands in the wrong group, when there is only one place of that name. */
function homeOf(key: string): string | undefined {
  const places: Path[] = [];
  const walk = (schema: z.ZodType, at: Path): void => {
    const shape = shapeOf(schema);
    if (shape.kind !== "group") return;
    for (const [name, child] of Object.entries(shape.keys)) {
      if (name === key) places.push([...at, name]);
      walk(child, [...at, name]);
    }
  };
  walk(ConfigSchema, []);
  return places.length === 1 ? formatPath(places[0]!) : undefined;
}

/** Gives a problem its words and its place. */
export const toProblem = (
  found: Found,
  place: { file: string; line: number; column: number } | undefined,
): Problem => ({
  path: formatPath(found.at),
  message: found.message,
  ...(found.hint && { hint: found.hint }),
  ...place,
});
