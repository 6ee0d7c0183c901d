import { z } from "zod";

// Compiling parsers pays only for schemas that are used thousands of times; at a start it costs 4 ms and 2 MB.
z.config({ jitless: true });

/**
 * Optional, and not even made while it is absent, which zod's own `optional` does: a schema of a hundred keys takes half a megabyte.
 * Give it its `.meta` inside; outside it would be copied without this.
 */
export function absentOr<S extends z.ZodType>(make: () => S): z.ZodOptional<z.ZodLazy<S>> {
  const schema = z.lazy(make).optional();
  const { parse } = schema._zod;
  schema._zod.parse = (payload, ctx) =>
    payload.value === undefined ? payload : parse(payload, ctx);
  schema._zod.run = schema._zod.parse;
  // Found out by looking inside otherwise.
  Object.defineProperty(schema._zod, "optin", { value: "optional" });
  return schema;
}

/** Form hints that ride on a schema field; everything else (type, default, enum) zod already knows. */
export type FieldMeta = {
  title?: string;
  description?: string;
  group?: string;
  order?: number;
  advanced?: boolean;
  /** Masked in forms, logs and `config get`; seeds the redactor. */
  sensitive?: boolean;
  placeholder?: string;
};

declare module "zod" {
  interface GlobalMeta {
    group?: string;
    order?: number;
    advanced?: boolean;
    sensitive?: boolean;
    placeholder?: string;
  }
}

/** One row per config key: what the docs table, the settings form, `config get|set` and the redactor read. */
export type Field = FieldMeta & { path: string; type: string; default?: unknown; enum?: unknown[] };

/** The parts of a JSON schema (draft-07) that this program looks at. */
export type SchemaNode = FieldMeta & {
  type?: string | string[];
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  required?: string[];
  default?: unknown;
  enum?: unknown[];
};

/** JSON schema (draft-07) of what may be written, so defaults are optional. */
export const jsonSchema = (schema: z.ZodType): SchemaNode =>
  z.toJSONSchema(schema, {
    io: "input",
    target: "draft-7",
    unrepresentable: "any",
  }) as SchemaNode;

const typeName = (node: SchemaNode): string => {
  if (node.anyOf) return node.anyOf.map(typeName).join("|");
  if (Array.isArray(node.type)) return node.type.join("|");
  return node.type ?? "any";
};

/** Flattens a schema into rows. A map's values are at `path.*`, an array's items at `path[]`. */
export function fields(schema: z.ZodType): Field[] {
  const rows: Field[] = [];
  const walk = (node: SchemaNode, path: string) => {
    const { properties: _, additionalProperties: __, items: ___, anyOf: ____, ...rest } = node;
    delete rest.required;
    if (path) rows.push({ ...rest, path, type: typeName(node) });
    below(node, path);
  };
  const below = (node: SchemaNode, path: string) => {
    for (const branch of node.anyOf ?? []) below(branch, path);
    for (const [key, child] of Object.entries(node.properties ?? {}))
      walk(child, path ? `${path}.${key}` : key);
    if (typeof node.additionalProperties === "object") walk(node.additionalProperties, `${path}.*`);
    if (node.items) walk(node.items, `${path}[]`);
  };
  walk(jsonSchema(schema), "");
  return rows;
}
