/** `${NAME}` in texts, and `{ source: "env", id: "NAME" }` in place of a secret. Names are upper case; `$${NAME}` is the text itself. */
import { isRecord } from "./path.ts";

export type Substituted = {
  value: unknown;
  /** Every text that came from variables: its path, and their names. `config set` keeps these when they are not touched. */
  references: { path: string[]; names: string[] }[];
  /** Variables that are not set; the text keeps its `${NAME}`. */
  missing: { path: string[]; name: string }[];
};

const PATTERN = /\$\$\{([A-Z_][A-Z0-9_]*)\}|\$\{([A-Z_][A-Z0-9_]*)\}/g;

/** True when a text would be changed by substitution, so that it is a reference and not a secret. */
export const isReference = (text: string): boolean =>
  [...text.matchAll(PATTERN)].some((match) => match[2] !== undefined);

/** Replaces variables in every text below `value` (values, not keys). `lookup` gives undefined for an unset or blank one. */
export function substitute(
  value: unknown,
  lookup: (name: string) => string | undefined,
): Substituted {
  const references: Substituted["references"] = [];
  const missing: Substituted["missing"] = [];
  const get = (name: string, path: string[], names: string[]): string | undefined => {
    names.push(name);
    const found = lookup(name);
    if (found === undefined) missing.push({ path, name });
    return found;
  };
  const walk = (node: unknown, path: string[]): unknown => {
    if (typeof node === "string") {
      if (!node.includes("${")) return node;
      const names: string[] = [];
      const out = node.replace(PATTERN, (all, escaped: string | undefined, name: string) =>
        escaped ? `\${${escaped}}` : (get(name, path, names) ?? all),
      );
      if (names.length > 0) references.push({ path, names });
      return out;
    }
    if (Array.isArray(node)) return node.map((item, i) => walk(item, [...path, String(i)]));
    if (!isRecord(node)) return node;
    if (node.source === "env" && typeof node.id === "string" && isSecretRef(node)) {
      const names: string[] = [];
      const found = get(node.id, path, names);
      references.push({ path, names });
      return found ?? `\${${node.id}}`;
    }
    return Object.fromEntries(
      Object.entries(node).map(([key, child]) => [key, walk(child, [...path, key])]),
    );
  };
  return { value: walk(value, []), references, missing };
}

/** A reference to a secret has these keys and no others. */
const isSecretRef = (node: Record<string, unknown>): boolean =>
  Object.keys(node).every((key) => key === "source" || key === "provider" || key === "id");
