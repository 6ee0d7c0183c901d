import { z } from "zod";

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
    const { properties, additionalProperties, items, anyOf, type: _, required: __, ...rest } = node;
    if (path) rows.push({ ...rest, path, type: typeName(node) });
    for (const branch of anyOf ?? []) if (branch.properties) walk(branch, "");
    for (const [key, child] of Object.entries(properties ?? {}))
      walk(child, path ? `${path}.${key}` : key);
    if (typeof additionalProperties === "object") walk(additionalProperties, `${path}.*`);
    if (items) walk(items, `${path}[]`);
  };
  walk(jsonSchema(schema), "");
  return rows;
}
