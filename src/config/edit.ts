/**
 * Changes to the config as edits of its text, so that comments, order, `${VAR}`, includes and unknown keys survive, and defaults and
 * resolved secrets never get into the file. Pure: reading and writing is done by handle.ts and write.ts.
 */
import { basename } from "node:path";

import { AppError } from "../base/errors.ts";
import { memberOf, type Node, parseDocument, valueOf } from "./document.ts";
import { INCLUDE } from "./include.ts";
import { type Loaded, nodeAt } from "./load.ts";
import { formatPath, indexOf, isRecord, type Path, valueAt } from "./path.ts";
import { configInvalid } from "./problem.ts";
import { ConfigSchema } from "./schema.ts";
import { schemaAt, shapeOf } from "./shape.ts";
import { appendItem, insertMember, removeEntry, replaceValue } from "./splice.ts";

export type Change =
  | { kind: "set"; path: Path; value: unknown }
  /** Throws not_found when nothing stands there. */
  | { kind: "unset"; path: Path };

/** Stands for a secret in what is shown; written back it means: as it was. */
export const REDACTED = "__OPENCLAW_REDACTED__";

/** What a new config file begins as. */
const EMPTY = "{}\n";

/**
 * The text after all changes. Equal values are not touched, so setting a group changes only what differs in it.
 * Throws config_invalid (the file cannot be parsed), not_found, or bad_request (the place cannot take the value, or it is
 * written in another file).
 */
export function editText(
  loaded: Loaded,
  changes: readonly Change[],
): { text: string; changed: Path[] } {
  if (loaded.exists && !loaded.root) throw configInvalid(loaded.path, loaded.errors);
  let view = loaded;
  const changed: Path[] = [];
  for (const change of changes) {
    let text = view.raw ?? EMPTY;
    const steps = stepsOf(view, text, change);
    for (const step of steps) text = applyStep(text, view, step);
    changed.push(...steps.map((step) => step.path));
    if (steps.length > 0) view = after(view, text);
  }
  return { text: view.raw ?? EMPTY, changed };
}

/** What the next change of the same edit finds. What variables and includes make of it is only known after the next load. */
function after(loaded: Loaded, text: string): Loaded {
  const root = parse(text, loaded.path);
  const view = { ...loaded, exists: true, raw: text, root, filled: undefined };
  return loaded.files.length > 0 ? view : { ...view, tree: root, parsed: valueOf(root) };
}

const parse = (text: string, name: string): Node => {
  const parsed = parseDocument({ name, text });
  if (parsed.ok) return parsed.root;
  throw new AppError("internal", `An edit made the config unreadable: ${parsed.fault.message}.`);
};

/** Breaks a change down to values that have to be written or removed, of those that really differ. */
function stepsOf(loaded: Loaded, text: string, change: Change): Change[] {
  const tree = loaded.tree;
  if (change.kind === "unset") {
    if (change.path.length === 0)
      throw new AppError("bad_request", "The whole config cannot be removed.", {
        hint: "Name the key that shall go.",
      });
    const own = nodeAt(parse(text, loaded.path), change.path);
    if (!own && !(tree && nodeAt(tree, change.path))) throw absent(loaded, change.path);
    return [change];
  }
  checkValue(change.path, change.value);
  const steps: Change[] = [];
  const diff = (path: Path, value: unknown): void => {
    if (value === REDACTED) return;
    const there = tree && nodeAt(tree, path);
    if (!there) {
      steps.push({ kind: "set", path, value: withoutRedacted(value) });
      return;
    }
    if (Bun.deepEquals(valueAt(loaded.parsed, path), value, true)) return;
    if (Bun.deepEquals(valueAt(loaded.filled, path), value, true)) return;
    if (there.kind === "object" && isRecord(value)) {
      const gone = new Set(
        there.members.map((m) => m.key).filter((key) => !Object.hasOwn(value, key)),
      );
      for (const key of gone) steps.push({ kind: "unset", path: [...path, key] });
      for (const [key, child] of Object.entries(value)) diff([...path, key], child);
    } else if (there.kind === "array" && Array.isArray(value)) {
      for (let i = there.items.length - 1; i >= value.length; i--)
        steps.push({ kind: "unset", path: [...path, String(i)] });
      for (const [i, child] of value.entries()) diff([...path, String(i)], child);
    } else steps.push({ kind: "set", path, value: withoutRedacted(value) });
  };
  diff(change.path, change.value);
  return steps;
}

/** A sentinel where nothing was before says nothing. */
function withoutRedacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== REDACTED).map(withoutRedacted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== REDACTED)
      .map(([key, child]) => [key, withoutRedacted(child)]),
  );
}

/** Only what JSON can say goes into the file. */
function checkValue(path: Path, value: unknown, depth = 0): void {
  const bad = (message: string) =>
    new AppError("bad_request", `${formatPath(path) || "The config"} ${message}.`);
  if (depth > 50) throw bad("is nested too deeply");
  if (typeof value === "number" && !Number.isFinite(value)) throw bad("must be a finite number");
  if (Array.isArray(value)) for (const item of value) checkValue(path, item, depth + 1);
  else if (isRecord(value))
    for (const [key, child] of Object.entries(value)) {
      if (key === "__proto__") throw bad("cannot have a key named __proto__");
      checkValue(path, child, depth + 1);
    }
  else if (value !== null && !["string", "number", "boolean"].includes(typeof value))
    throw bad("has a value that cannot be written");
}

function applyStep(text: string, loaded: Loaded, step: Change): string {
  const root = parse(text, loaded.path);
  if (root.kind !== "object")
    throw new AppError(
      "bad_request",
      "The config is not a group of keys, so nothing can be set in it.",
    );
  return step.kind === "set" ? set(text, root, loaded, step) : unset(text, root, loaded, step.path);
}

type Group = Extract<Node, { kind: "object" }>;

function set(
  text: string,
  root: Group,
  loaded: Loaded,
  { path, value }: { path: Path; value: unknown },
): string {
  let node: Node = root;
  for (const [i, key] of path.entries()) {
    const here = path.slice(0, i);
    refuseJoined(loaded, node, here);
    if (node.kind === "object") {
      const member = memberOf(node, key);
      if (member) {
        node = member.value;
        continue;
      }
      refuseIncluded(loaded, node, path.slice(0, i + 1));
      return insertMember(text, node, key, nested(path, i + 1, value));
    }
    if (node.kind === "array") {
      const index = indexOf(key);
      const { length } = node.items;
      if (index === undefined || index > length)
        throw new AppError(
          "bad_request",
          `${formatPath(here)} is a list of ${length}, so it has no place "${key}".`,
          {
            hint: `Use an index from 0 to ${length}; ${length} adds to the end.`,
          },
        );
      if (index === length) return appendItem(text, node, nested(path, i + 1, value));
      node = node.items[index]!;
      continue;
    }
    if (node.value === null) return replaceValue(text, node, nested(path, i, value));
    throw new AppError(
      "bad_request",
      `${formatPath(here)} is a plain value, so nothing can be set inside it.`,
      {
        hint: `Set ${formatPath(here)} itself, or remove it first.`,
      },
    );
  }
  if (node.kind === "object" && memberOf(node, INCLUDE)) throw included(loaded, path);
  return replaceValue(text, node, value);
}

/** The value with the groups and lists that still have to be made around it. */
function nested(path: Path, from: number, value: unknown): unknown {
  let out = value;
  for (let i = path.length - 1; i >= from; i--) {
    const key = path[i]!;
    const schema = schemaAt(ConfigSchema, path.slice(0, i));
    const kind = schema && shapeOf(schema).kind;
    const list = kind === "list" || (kind === undefined && key === "0");
    if (list && key !== "0")
      throw new AppError(
        "bad_request",
        `${formatPath(path.slice(0, i))} is an empty list, so it has no place "${key}".`,
        {
          hint: "Use the index 0.",
        },
      );
    out = list ? [out] : { [key]: out };
  }
  return out;
}

function unset(text: string, root: Group, loaded: Loaded, path: Path): string {
  const parentPath = path.slice(0, -1);
  const key = path.at(-1)!;
  let parent: Node = root;
  for (const [i, step] of parentPath.entries()) {
    refuseJoined(loaded, parent, path.slice(0, i));
    const next: Node | undefined = nodeAt(parent, [step]);
    if (!next) throw included(loaded, path);
    parent = next;
  }
  refuseJoined(loaded, parent, parentPath);
  const index =
    parent.kind === "object"
      ? parent.members.findLastIndex((m) => m.key === key)
      : parent.kind === "array"
        ? (indexOf(key) ?? -1)
        : -1;
  if (parent.kind === "value" || index < 0) throw included(loaded, path);
  const target = parent.kind === "object" ? parent.members[index]!.value : parent.items[index];
  if (!target) throw absent(loaded, path);
  if (key === INCLUDE || (target.kind === "object" && memberOf(target, INCLUDE)))
    throw included(loaded, path);
  const out = removeEntry(text, parent, index);
  // Of a key that was written twice both go, else the one that did not count would come back to life.
  const again = nodeAt(parse(out, loaded.path), path);
  return again && parent.kind === "object"
    ? unset(out, parse(out, loaded.path) as Group, loaded, path)
    : out;
}

/** A new key beside `$include` is fine; one that the included file has belongs there. */
function refuseIncluded(loaded: Loaded, group: Group, path: Path): void {
  if (memberOf(group, INCLUDE) && loaded.tree && nodeAt(loaded.tree, path))
    throw included(loaded, path);
}

/** A list that is put together from two files has indexes that mean nothing in one of them. */
function refuseJoined(loaded: Loaded, node: Node, path: Path): void {
  const whole = loaded.tree && nodeAt(loaded.tree, path);
  const before = loaded.root && nodeAt(loaded.root, path);
  if (node.kind === "array" && whole?.kind === "array" && before?.kind === "array")
    if (whole.items.length !== before.items.length) throw included(loaded, path);
}

function included(loaded: Loaded, path: Path): AppError {
  const node = loaded.tree && nodeAt(loaded.tree, path);
  const file = foreignIn(node, loaded.path) ?? loaded.files[0];
  return new AppError(
    "bad_request",
    `${formatPath(path)} comes from ${file ?? "an included file"}, which ${basename(loaded.path)} includes, so it is not changed here.`,
    { hint: "Change it in that file.", details: { file } },
  );
}

/** The first other file that a value or a part of it comes from. */
function foreignIn(node: Node | undefined, main: string): string | undefined {
  if (!node) return undefined;
  if (node.doc.name !== main) return node.doc.name;
  const parts =
    node.kind === "object"
      ? node.members.map((m) => m.value)
      : node.kind === "array"
        ? node.items
        : [];
  for (const part of parts) {
    const file = foreignIn(part, main);
    if (file) return file;
  }
  return undefined;
}

function absent(loaded: Loaded, path: Path): AppError {
  const moved = loaded.moved.find(
    ({ to }) => to.length > 0 && to.every((key, i) => key === path[i]),
  );
  return new AppError("not_found", `Config path not found: ${formatPath(path)}.`, {
    ...(moved && { hint: `In the file it is written as ${formatPath(moved.from)}.` }),
  });
}
