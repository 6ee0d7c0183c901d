/** Looks into the zod schema without making a JSON schema of it, which would cost 10 ms on the way of every command. */
import { z } from "zod";

import type { FieldMeta } from "../base/schema.ts";

type Def = {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  options?: z.ZodType[];
  shape?: Record<string, z.ZodType>;
  catchall?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
};
const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;

/** What is inside a wrapping; undefined for what wraps nothing. A lazy schema is made now, once. */
const innerOf = (schema: z.ZodType): z.ZodType | undefined =>
  defOf(schema).type === "lazy"
    ? (schema as z.ZodLazy<z.ZodType>).unwrap()
    : defOf(schema).innerType;

/** Defaults, optionals and transforms off; of a choice, the branch that has keys. */
function bare(schema: z.ZodType): z.ZodType {
  const def = defOf(schema);
  if (def.type === "union") {
    const group = def.options!.map(bare).find((option) => defOf(option).type !== "string");
    return group ?? bare(def.options![0]!);
  }
  const inner = innerOf(schema);
  if (inner) return bare(inner);
  if (def.type === "pipe" && def.in) return bare(def.in);
  return schema;
}

export type Shape =
  /** `open` when any further key is text or a group of the same kind (`env`); undefined when further keys are unknown. */
  | { kind: "group"; keys: Record<string, z.ZodType>; open?: z.ZodType }
  | { kind: "map"; value: z.ZodType }
  | { kind: "list"; item: z.ZodType }
  | { kind: "leaf"; type: string };

export function shapeOf(schema: z.ZodType): Shape {
  const def = defOf(bare(schema));
  if (def.type === "object") {
    const open = def.catchall && defOf(def.catchall).type !== "unknown" ? def.catchall : undefined;
    return { kind: "group", keys: def.shape!, ...(open && { open }) };
  }
  if (def.type === "record") return { kind: "map", value: def.valueType! };
  if (def.type === "array") return { kind: "list", item: def.element! };
  return { kind: "leaf", type: def.type };
}

/** The schema one step down, or undefined when nothing is known of that key. */
export function childOf(schema: z.ZodType, key: string): z.ZodType | undefined {
  const shape = shapeOf(schema);
  if (shape.kind === "group") return Object.hasOwn(shape.keys, key) ? shape.keys[key] : shape.open;
  if (shape.kind === "map") return shape.value;
  if (shape.kind === "list") return /^\d+$/.test(key) ? shape.item : undefined;
  return undefined;
}

export function schemaAt(schema: z.ZodType, path: readonly string[]): z.ZodType | undefined {
  let found: z.ZodType | undefined = schema;
  for (const key of path) found = found && childOf(found, key);
  return found;
}

/** `.meta()` of a field, wherever in its wrapping it was put. */
export function metaOf(schema: z.ZodType): FieldMeta | undefined {
  const own = z.globalRegistry.get(schema);
  if (own) return own;
  const below = innerOf(schema);
  return below && metaOf(below);
}

const SECRET_NAME =
  /(?:token|password|passphrase|secret|api[-_]?key|private[-_]?key|access[-_]?key|credential|cookie)s?$/i;
/** Counts of tokens, and files and modes named after what they hold. */
const NO_SECRET = /(?:max|context|reserve|keepRecent|softThreshold|floor).*tokens$/i;

/**
 * Whether a value is a secret: its schema says so (then everything below it too), or its name does. Names count because channels
 * and plugins keep secrets in sections that have no schema here.
 */
export function isSensitive(schema: z.ZodType, path: readonly string[]): boolean {
  let found: z.ZodType | undefined = schema;
  for (const key of path) {
    found = found && childOf(found, key);
    if (found && metaOf(found)?.sensitive) return true;
  }
  if (path[0] === "env" && path.length > 1) return true;
  return path.some((key) => SECRET_NAME.test(key) && !NO_SECRET.test(key));
}
