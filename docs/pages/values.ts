/** What a JSON schema allows, in words and as rows of a table. */
import type { SchemaNode } from "../../src/base/schema.ts";
import { code, codes, prose, sentences, table } from "./markdown.ts";

type Node = SchemaNode & {
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  maxLength?: number;
  maxItems?: number;
  propertyNames?: unknown;
};

const WORDS: Record<string, string> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
  null: "`null`",
  any: "anything",
};
const word = (type: string): string => WORDS[type] ?? type;

/** `list of text`, `text or group` and so on. */
export function kindOf(node: Node): string {
  if (node.anyOf) return [...new Set(node.anyOf.map(kindOf))].join(" or ");
  if (node.const !== undefined) return code(JSON.stringify(node.const));
  if (Array.isArray(node.type)) return node.type.map(word).join(" or ");
  if (node.type === "array") return `list of ${node.items ? plural(node.items) : "anything"}`;
  if (typeof node.additionalProperties === "object" && !node.properties)
    return `map of ${plural(node.additionalProperties)}`;
  if (node.type === "object") return node.propertyNames && !node.properties ? "map" : "group";
  return word(node.type ?? "any");
}

const plural = (node: Node): string =>
  kindOf(node)
    .replace(/^(group|list|map|number|whole number)\b/, "$1s")
    .replace("true or false", "switches");

const choices = (node: Node): unknown[] => [
  ...(node.enum ?? []),
  ...(node.anyOf ?? []).flatMap(choices),
  ...(node.items ? choices(node.items) : []),
  ...(typeof node.additionalProperties === "object" && !node.properties
    ? choices(node.additionalProperties)
    : []),
];

/** `One of …`, and the range of a number. */
export function limitsOf(node: Node): string {
  const allowed = choices(node);
  const { minimum, maximum = Infinity, exclusiveMinimum, maxLength, maxItems } = node;
  const from = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const to = maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  return sentences(
    allowed.length > 0 && `One of ${codes(allowed)}`,
    from !== undefined && to !== undefined && `${number(from)} to ${number(to)}`,
    from !== undefined && to === undefined && `At least ${number(from)}`,
    from === undefined && to !== undefined && `At most ${number(to)}`,
    exclusiveMinimum !== undefined && `More than ${number(exclusiveMinimum)}`,
    maxLength !== undefined && `At most ${number(maxLength)} characters`,
    maxItems !== undefined && `At most ${number(maxItems)}`,
  );
}

export const number = (value: number): string => value.toLocaleString("en-US");

/** A default as it would be written; nothing for an empty group or list. */
export const standardOf = (value: unknown): string =>
  value === undefined || /^(?:\{\}|\[\])$/.test(JSON.stringify(value))
    ? ""
    : code(JSON.stringify(value));

/** The parameters of a method or a tool, those of lists and groups with their path. */
export function parameters(schema: Node): string {
  const rows: string[][] = [];
  const walk = (node: Node, path: string): void => {
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      const full = path + name;
      const standard = standardOf(child.default);
      const needed = node.required?.includes(name) && !standard;
      rows.push([
        code(full),
        kindOf(child),
        needed ? "needed" : standard,
        sentences(prose(child.description ?? ""), limitsOf(child)),
      ]);
      walk(child, `${full}.`);
      if (child.items) walk(child.items, `${full}[].`);
    }
  };
  walk(schema, "");
  return table(["parameter", "type", "default", "what it is"], rows);
}
