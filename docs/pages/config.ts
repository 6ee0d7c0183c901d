/** docs/reference/config.md: every key of the config file. */
import { type Field, jsonSchema, type SchemaNode } from "../../src/base/schema.ts";
import { INACTIVE, UNREAD } from "../../src/config/inactive.ts";
import { ConfigSchema, fieldRows } from "../../src/config/schema.ts";
import { code, codes, page, prose, sentences, table } from "./markdown.ts";
import { kindOf, limitsOf, standardOf } from "./values.ts";

/** The part of the schema that a row came from: rows know its type, but not what a list holds. */
function nodeAt(schema: SchemaNode, path: string): SchemaNode {
  const steps = path.replaceAll("[]", ".[]").split(".");
  const step = (node: SchemaNode, name: string): SchemaNode[] => {
    if (node.anyOf) return node.anyOf.flatMap((branch) => step(branch, name));
    const more = node.additionalProperties;
    const next =
      name === "[]"
        ? node.items
        : name === "*"
          ? typeof more === "object" && more
          : node.properties?.[name];
    return next ? [next] : [];
  };
  const [found] = steps.reduce<SchemaNode[]>(
    (nodes, name) => nodes.flatMap((node) => step(node, name)),
    [schema],
  );
  return found!;
}

const isItem = (path: string): boolean => /(?:\.\*|\[\])$/.test(path);
const inside = (path: string, group: string): boolean =>
  path.startsWith(`${group}.`) || path.startsWith(`${group}[]`);

/** The keys below a group, told apart by what they are, so that two groups can be compared. */
const contents = (rows: Field[], group: string): Map<string, string> =>
  new Map(
    rows
      .filter((row) => inside(row.path, group))
      .map(({ path, ...rest }) => [path.slice(group.length), JSON.stringify(rest)]),
  );

/** `The same keys as …` when an earlier group holds all keys of this one (and one more at most). */
function likeEarlier(rows: Field[], at: number): string | undefined {
  const group = rows[at]!.path;
  const own = contents(rows, group);
  if (own.size < 3) return undefined;
  for (const { path } of rows.slice(0, at)) {
    if (inside(group, path)) continue;
    const other = contents(rows, path);
    const missing = [...other.keys()].filter((key) => !own.has(key));
    if (missing.length > 1 || [...own].some(([key, what]) => other.get(key) !== what)) continue;
    const without = missing.map((key) => `, without ${code(key.replace(/^\./, ""))}`);
    return `The same keys as ${code(path)}${without.join("")}.`;
  }
  return undefined;
}

/** A line of UNREAD or INACTIVE as single paths. */
export const expand = (line: string): string[] => {
  const [, head = "", names] = /^(.*)\{([^}]*)\}$/.exec(line) ?? [];
  return names ? names.split(",").map((name) => head + name) : [line];
};

const UNREAD_PATHS = UNREAD.flatMap(expand).map((path) => path.replace("list.*", "list[]"));
const isUnread = (path: string): boolean =>
  UNREAD_PATHS.some((unread) => path === unread || inside(path, unread));

function section(name: string, all: Field[], schema: SchemaNode): string {
  const lines: string[][] = [];
  let skipped: string | undefined;
  for (const [at, row] of all.entries()) {
    const { path, title, description, sensitive } = row;
    if (path !== name && !inside(path, name)) continue;
    if (path === name || (skipped && inside(path, skipped))) continue;
    const same = row.type === "object" ? likeEarlier(all, at) : undefined;
    skipped = same ? path : skipped;
    // What a list or a map holds is said in its own row; only a group that is like another needs one.
    if (isItem(path) && !same && row.type !== "string|object") continue;
    const node = nodeAt(schema, path);
    lines.push([
      code(path),
      kindOf(node),
      standardOf(row.default),
      sentences(
        isUnread(path) && "**No effect yet.**",
        sensitive && "**Secret.**",
        title,
        prose(description ?? ""),
        limitsOf(node),
        same,
      ),
    ]);
  }
  const head = all.find((row) => row.path === name);
  return [
    `## ${name}`,
    head?.title && head.title.toLowerCase().replace(/s$/, "") !== name.replace(/s$/, "")
      ? sentences(head.title)
      : "",
    table(["key", "type", "default", "what it does"], lines),
  ]
    .filter(Boolean)
    .join("\n\n");
}

function inactive(): string {
  const groups = Map.groupBy(INACTIVE.flatMap(expand), (path) =>
    path.slice(0, path.lastIndexOf(".") + 1),
  );
  const rows = [...groups]
    .map(([head, paths]) => [head, paths.map((path) => path.slice(head.length))] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([head, names]) => [head ? code(head.slice(0, -1)) : "the file", codes(names.sort())]);
  return table(["in", "keys"], rows);
}

export function configPage(): string {
  const rows = fieldRows();
  const schema = jsonSchema(ConfigSchema);
  const tops = rows.filter((row) => !/[.[]/.test(row.path) && row.type === "object");
  // What the program writes for itself comes after what people set.
  const rank = (row: Field) => (row.advanced ? 1000 : 0) + (row.order ?? 999);
  const names = tops.sort((a, b) => rank(a) - rank(b));
  return page(
    "Config",
    "src/config/schema.ts",
    "The config file is JSON5; `clawdbot config file` prints where it is. A key is written here with dots; `*` stands for any name and `[]` for any item of a list. A value may hold `${NAME}` of an environment variable. Keys marked **Secret** are masked in the log, and where `config get` prints a whole group. `clawdbot config validate` checks a file, `clawdbot config schema` prints the JSON schema for editors.",
    ...names.map(({ path }) => section(path, rows, schema)),
    "## Not active yet",
    "These keys of the original are known and kept, and have no effect in this version; the gateway says so once in its log. The same goes for the keys that are marked **No effect yet** above.",
    inactive(),
  );
}
