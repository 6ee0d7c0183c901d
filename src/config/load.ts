/**
 * The way from a file to a `Config`: read, parse, include, environment, variables, older spellings, paths, schema, defaults.
 * Nothing here throws for what is in the file: the result says what is wrong and where.
 */
import { join } from "node:path";

import { parseEnvFile, serviceEnvPath } from "../base/env-file.ts";
import { type Env, withVariables } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import { expandPaths, withDefaults } from "./defaults.ts";
import { memberOf, type Node, parseDocument, positionOf, valueOf } from "./document.ts";
import { inactivePart } from "./inactive.ts";
import { includeAll } from "./include.ts";
import { migrate, type Moved } from "./migrate.ts";
import { formatPath, isRecord, type Path } from "./path.ts";
import { placeOf, type Problem } from "./problem.ts";
import { type Config } from "./schema.ts";
import { type Read, readSource } from "./source.ts";
import { substitute } from "./substitute.ts";
import { type Found, toProblem, validate } from "./validate.ts";

export type Loaded = {
  path: string;
  exists: boolean;
  /** The text of the main file; null when there is none, or when it could not be read as text. */
  raw: string | null;
  bytes?: Uint8Array;
  /** SHA-256 of the main file in hex; empty when there is none. */
  hash: string;
  /** Included files. */
  files: string[];
  /** The main file alone, for editing. */
  root?: Node;
  /** Everything included, for places. */
  tree?: Node;
  /** What the user wrote, includes in place, variables as they are. */
  parsed?: unknown;
  /** The same with variables, so that an edit can tell a value that is so already. */
  filled?: unknown;
  /** The same with today's names and whole paths: what is validated. */
  resolved?: unknown;
  /** Defaults applied; undefined when there are errors. */
  config?: Config;
  /** The process environment, filled up from `gateway.env` and `.env` in the state dir and the `env` section. */
  env: Env;
  errors: Problem[];
  warnings: Problem[];
  /** Keys read under another name. */
  moved: Moved[];
  /** Parts that are known and kept but not built yet. */
  inactive: string[];
  /** Paths of values that came from variables. */
  references: string[];
};

export type LoadOptions = {
  env: Env;
  paths: Paths;
  /** Checks this text in place of the file's. */
  text?: string;
  /** An unset variable is an error where it has an effect. False for commands that only look at the file: another process may have it. */
  strictVariables?: boolean;
};

export const hashOf = (data: string | Uint8Array): string =>
  new Bun.CryptoHasher("sha256").update(data).digest("hex");

/** Variables of `<state>/.env`. None when there is no such file; never one from the current directory (decision 10). */
export async function readDotEnv(
  stateDir: string,
): Promise<{ vars: Record<string, string>; problem?: Problem }> {
  const read = await readSource(join(stateDir, ".env"));
  if (read.kind === "missing") return { vars: {} };
  if (read.kind === "fault") return { vars: {}, problem: read.problem };
  const text = read.doc.text.replace(/^\ufeff/, "");
  const entries = Object.entries(process.getBuiltinModule("node:util").parseEnv(text)).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === "string" && /^[A-Za-z_]\w*$/.test(entry[0]),
  );
  return { vars: Object.fromEntries(entries) };
}

/** Variables that `gateway install` has kept for the service. systemd has read them already; launchd and Windows cannot. */
async function readServiceEnv(stateDir: string): Promise<Record<string, string>> {
  const read = await readSource(serviceEnvPath(stateDir));
  return read.kind === "text" ? parseEnvFile(read.doc.text) : {};
}

export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { paths } = options;
  const dotEnv = await readDotEnv(paths.stateDir);
  const service = await readServiceEnv(paths.stateDir);
  const env = withVariables(withVariables(options.env, service), dotEnv.vars);
  const path = paths.configPath;
  const read: Read =
    options.text === undefined
      ? await readSource(path)
      : {
          kind: "text",
          doc: { name: path, text: options.text },
          bytes: new TextEncoder().encode(options.text),
          mode: 0,
        };
  const loaded: Loaded = {
    path,
    exists: read.kind !== "missing",
    raw: read.kind === "text" ? read.doc.text : null,
    hash: "bytes" in read && read.bytes ? hashOf(read.bytes) : "",
    files: [],
    env,
    errors: [],
    warnings: dotEnv.problem ? [dotEnv.problem] : [],
    moved: [],
    inactive: [],
    references: [],
  };
  if ("bytes" in read && read.bytes) loaded.bytes = read.bytes;
  if (read.kind === "fault") return { ...loaded, errors: [read.problem] };
  if (read.kind === "missing") return finish(loaded, {}, options);
  const parsed = parseDocument(read.doc);
  if (!parsed.ok) {
    const { offset, message, hint, path: inside } = parsed.fault;
    const where = inside.length > 0 ? ` (in ${formatPath(inside)})` : "";
    const place = { file: path, ...positionOf(read.doc.text, offset) };
    return { ...loaded, errors: [{ path: "", message: message + where, hint, ...place }] };
  }
  loaded.root = parsed.root;
  const included = await includeAll(parsed.root, { file: path, home: paths.home });
  loaded.files = included.files;
  if ("problem" in included) return { ...loaded, errors: [included.problem] };
  loaded.tree = included.tree;
  noteDuplicates(included.tree, loaded.warnings);
  return finish(loaded, valueOf(included.tree), options);
}

/** From the value on. */
function finish(
  loaded: Loaded,
  value: unknown,
  { paths, strictVariables = true }: LoadOptions,
): Loaded {
  loaded.parsed = value;
  const fail = (errors: Problem[]): Loaded => ({
    ...loaded,
    errors: [...loaded.errors, ...errors],
  });
  if (!isRecord(value))
    return fail([
      {
        path: "",
        message: "The config must be a group of keys",
        hint: "Put it all in { }.",
        ...(loaded.tree && placeOf(loaded.tree)),
      },
    ]);
  const section = substitute({ env: value.env }, loaded.env.raw);
  loaded.env = withVariables(loaded.env, variablesOf(section.value));
  const filled = substitute(value, loaded.env.raw);
  loaded.references = filled.references.map((r) => formatPath(r.path));
  loaded.filled = filled.value;
  const root = structuredClone(filled.value) as Record<string, unknown>;
  loaded.moved = migrate(root);
  const resolved = expandPaths(root, paths.home);
  loaded.resolved = resolved;

  const place = (at: Path) => placeIn(loaded, at);
  const checked = validate(resolved);
  loaded.inactive = checked.inactive;
  loaded.warnings.push(...checked.warnings.map((w) => toProblem(w, place(w.at))));
  const errors: Found[] = [...checked.errors];
  for (const { path: at, name } of filled.missing) {
    const missing: Found = {
      at,
      message: `uses the variable ${name}, which is not set`,
      hint: `Set ${name} in the environment or in ${join(paths.stateDir, ".env")}.`,
    };
    if (strictVariables && isNeeded(todaysPath(loaded.moved, at))) errors.push(missing);
    else loaded.warnings.push(toProblem(missing, place(at)));
  }
  if (errors.length > 0 || !checked.config)
    return fail(errors.map((e) => toProblem(e, place(e.at))));
  const mainKey = checked.config.session.mainKey;
  if (mainKey !== "main")
    loaded.warnings.push(
      toProblem(
        { at: ["session", "mainKey"], message: `is always "main"; "${mainKey}" is ignored` },
        place(["session", "mainKey"]),
      ),
    );
  loaded.config = withDefaults(checked.config);
  return loaded;
}

/** A channel without its token is one channel less, and says so itself; nothing reads what is not built. */
const isNeeded = (at: Path): boolean => at[0] !== "channels" && !inactivePart(at);

/** Where a path of an older spelling is read today. */
function todaysPath(moved: readonly Moved[], at: Path): Path {
  const row = moved.findLast(({ from }) => from.every((key, i) => key === at[i]));
  return row ? [...row.to, ...at.slice(row.from.length)] : at;
}

/** `env.vars` and other texts directly in `env`. */
function variablesOf(value: unknown): Record<string, string> {
  const env = isRecord(value) && isRecord(value.env) ? value.env : {};
  const vars = isRecord(env.vars) ? env.vars : {};
  return Object.fromEntries(
    [...Object.entries(vars), ...Object.entries(env)].filter(
      (entry): entry is [string, string] =>
        typeof entry[1] === "string" && /^[A-Za-z_]\w*$/.test(entry[0]) && entry[0] !== "vars",
    ),
  );
}

/** Where the value of a path was written: the value itself, else the nearest group around it; also for keys that were moved. */
export function placeIn(
  loaded: Loaded,
  at: Path,
): { file: string; line: number; column: number } | undefined {
  if (!loaded.tree) return undefined;
  const exact = nodeAt(loaded.tree, at);
  if (exact) return placeOf(exact);
  const moved = loaded.moved
    .filter(({ to }) => to.length <= at.length && to.every((key, i) => key === at[i]))
    .toSorted((a, b) => b.to.length - a.to.length)
    .flatMap(
      ({ from, to }) =>
        nodeAt(loaded.tree!, [...from, ...at.slice(to.length)]) ?? nodeAt(loaded.tree!, from) ?? [],
    );
  if (moved[0]) return placeOf(moved[0]);
  for (let n = at.length - 1; n >= 0; n--) {
    const around = nodeAt(loaded.tree, at.slice(0, n));
    if (around) return placeOf(around);
  }
  return undefined;
}

/** The node at a path, or undefined. */
export function nodeAt(root: Node, path: Path): Node | undefined {
  let node: Node | undefined = root;
  for (const key of path) {
    if (node?.kind === "array") node = node.items[Number(key)];
    else node = node && memberOf(node, key)?.value;
  }
  return node;
}

/** A key that is written twice in one group: the last one counts, which is rarely what was meant. */
function noteDuplicates(root: Node, warnings: Problem[]): void {
  const walk = (node: Node, path: string[]): void => {
    if (node.kind === "array")
      for (const [i, item] of node.items.entries()) walk(item, [...path, String(i)]);
    if (node.kind !== "object") return;
    const seen = new Set<string>();
    for (const { key, value, start } of node.members) {
      const at = { file: value.doc.name, ...positionOf(value.doc.text, start) };
      if (key === "__proto__")
        warnings.push({
          path: formatPath([...path, key]),
          message: "cannot be a key and is left out",
          ...at,
        });
      else if (seen.has(key))
        warnings.push({
          path: formatPath([...path, key]),
          message: "is written twice; the last one counts",
          hint: "Remove one of them.",
          ...at,
        });
      seen.add(key);
      walk(value, [...path, key]);
    }
  };
  walk(root, []);
}
