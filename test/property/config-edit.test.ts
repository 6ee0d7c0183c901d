import { expect, test } from "bun:test";

import fc from "fast-check";

import { readEnv } from "../../src/base/env.ts";
import { parseDocument, valueOf } from "../../src/config/document.ts";
import { type Change, editText } from "../../src/config/edit.ts";
import type { Loaded } from "../../src/config/load.ts";
import { valueAt } from "../../src/config/path.ts";

/** A value, and a JSON5 text of it in which comments with numbers stand wherever they may. */
type Written = { value: unknown; text: string };

const KEYS = ["gateway", "port", "a", "b-c", "x y", "ünï", "list", "0", "your"];
const key = fc.constantFrom(...KEYS);
const leaf = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 8 }),
  fc.constant("${VAR} and $${X}"),
);
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("node"), { maxLength: 4 }),
    fc.dictionary(key, tie("node"), { maxKeys: 4 }),
  ),
})).node as fc.Arbitrary<unknown>;
const group = fc.dictionary(key, value, { maxKeys: 5 });

/** Writes a value with comments; `dice` decides style and comments, so that a failure can be repeated. */
function write(root: unknown, dice: number[]): string {
  let at = 0;
  let comment = 0;
  const roll = (n: number) => (dice[at++ % dice.length] ?? 0) % n;
  const space = () =>
    ["", " ", "\n", `/* c${++comment}. */`, ` // c${++comment}.\n`, "\n\n"][roll(6)]!;
  const name = (k: string) => (/^[A-Za-z_]\w*$/.test(k) && roll(2) ? k : JSON.stringify(k));
  const put = (node: unknown): string => {
    if (typeof node !== "object" || node === null) return JSON.stringify(node);
    const isList = Array.isArray(node);
    const parts = isList
      ? node.map((item) => space() + put(item) + space())
      : Object.entries(node).map(
          ([k, v]) => `${space()}${name(k)}${space()}:${space()}${put(v)}${space()}`,
        );
    const tail = parts.length > 0 && roll(2) ? `,${space()}` : parts.length === 0 ? space() : "";
    return (isList ? "[" : "{") + parts.join(",") + tail + (isList ? "]" : "}");
  };
  return space() + put(root) + space();
}
const written: fc.Arbitrary<Written> = fc
  .tuple(group, fc.array(fc.nat(), { minLength: 7, maxLength: 40 }))
  .map(([root, dice]) => ({ value: root, text: write(root, dice) }));

const commentsOf = (text: string) => [...text.matchAll(/c\d+\./g)].map((m) => m[0]).sort();
const read = (text: string): unknown => {
  const parsed = parseDocument({ name: "c", text });
  if (!parsed.ok) throw new Error(`${parsed.fault.message} in ${text}`);
  return valueOf(parsed.root);
};
const loadedOf = (text: string): Loaded => {
  const parsed = parseDocument({ name: "c", text });
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const { root } = parsed;
  const base = {
    path: "c",
    exists: true,
    raw: text,
    hash: "",
    files: [],
    env: readEnv({}),
    errors: [],
    warnings: [],
    moved: [],
    inactive: [],
    references: [],
  };
  return { ...base, root, tree: root, parsed: valueOf(root) };
};

/** Every path of a value, groups and lists too. */
const pathsOf = (node: unknown, path: string[] = []): string[][] =>
  typeof node === "object" && node !== null
    ? [
        ...(path.length > 0 ? [path] : []),
        ...Object.entries(node).flatMap(([k, v]) => pathsOf(v, [...path, k])),
      ]
    : [path];

/** The comments inside the text of a value that goes away with it. */
function commentsInside(text: string, path: string[]): string[] {
  const parsed = parseDocument({ name: "c", text });
  if (!parsed.ok) return [];
  let node = parsed.root;
  let start = node.start;
  for (const k of path) {
    if (node.kind === "array") node = node.items[Number(k)]!;
    else if (node.kind === "object") {
      const member = node.members.findLast((m) => m.key === k)!;
      start = member.start;
      node = member.value;
    }
    if (node.kind !== "object") start = Math.min(start, node.start);
  }
  return commentsOf(text.slice(start, node.end));
}
const without = (all: string[], gone: string[]) => all.filter((c) => !gone.includes(c));

function setAt(root: unknown, path: string[], next: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return next;
  const copy = structuredClone(root) as Record<string, unknown>;
  copy[head] = setAt(copy[head], rest, next);
  return copy;
}

test("the writer of this test writes what it says", () => {
  fc.assert(fc.property(written, ({ value: root, text }) => expect(read(text)).toEqual(root)));
});

test("a text with comments reads as Bun's own parser reads it", () => {
  fc.assert(fc.property(written, ({ text }) => expect(read(text)).toEqual(Bun.JSON5.parse(text))));
});

test("setting a value changes that value only; comments, unknown keys and ${VAR} elsewhere stay", () => {
  fc.assert(
    fc.property(written, fc.nat(), value, ({ value: root, text }, pick, next) => {
      const paths = pathsOf(root).filter((p) => p.length > 0);
      if (paths.length === 0) return;
      const path = paths[pick % paths.length]!;
      const out = editText(loadedOf(text), [{ kind: "set", path, value: next }]).text;
      expect(read(out)).toEqual(setAt(root, path, next));
      const kept = without(commentsOf(text), commentsInside(text, path));
      expect(without(kept, commentsOf(out))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("adding a key keeps every comment and every other value", () => {
  fc.assert(
    fc.property(written, fc.nat(), value, ({ value: root, text }, pick, next) => {
      const groups = [[] as string[], ...pathsOf(root)].filter((p) => {
        const there = valueAt(root, p);
        return typeof there === "object" && there !== null && !Array.isArray(there);
      });
      const path = [...groups[pick % groups.length]!, "added"];
      const out = editText(loadedOf(text), [{ kind: "set", path, value: next }]).text;
      expect(read(out)).toEqual(setAt(root, path, next));
      expect(commentsOf(out)).toEqual(commentsOf(text));
    }),
    { numRuns: 500 },
  );
});

test("removing a key keeps every comment outside of it and every other value", () => {
  fc.assert(
    fc.property(written, fc.nat(), ({ value: root, text }, pick) => {
      const paths = pathsOf(root).filter((p) => p.length > 0);
      if (paths.length === 0) return;
      const path = paths[pick % paths.length]!;
      const out = editText(loadedOf(text), [{ kind: "unset", path }]).text;
      const expected = structuredClone(root);
      const parent = valueAt(expected, path.slice(0, -1)) as Record<string, unknown>;
      const last = path.at(-1)!;
      if (Array.isArray(parent)) parent.splice(Number(last), 1);
      else delete parent[last];
      expect(read(out)).toEqual(expected);
      expect(
        without(without(commentsOf(text), commentsInside(text, path)), commentsOf(out)),
      ).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("any number of changes after one another leaves a text that can be read", () => {
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({
      kind: fc.constant("set" as const),
      path: fc.array(key, { minLength: 1, maxLength: 3 }),
      value,
    }),
    fc.record({
      kind: fc.constant("unset" as const),
      path: fc.array(key, { minLength: 1, maxLength: 3 }),
    }),
  );
  fc.assert(
    fc.property(written, fc.array(change, { maxLength: 8 }), ({ text }, changes) => {
      let now = text;
      for (const step of changes)
        try {
          now = editText(loadedOf(now), [step]).text;
          if (step.kind === "set") expect(valueAt(read(now), step.path)).toEqual(step.value);
        } catch (cause) {
          // A path that the config cannot take, or that is not there, is refused and nothing changes.
          if (!(cause instanceof Error) || cause.name !== "AppError") throw cause;
          expect(cause).not.toMatchObject({ code: "internal" });
        }
      read(now);
    }),
    { numRuns: 300 },
  );
});
