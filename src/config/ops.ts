/** What `clawdbot config get|set|unset|validate|file` do. Typed results and AppErrors; the command line prints them. */
import type { Env } from "../base/env.ts";
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import { parseDocument, valueOf } from "./document.ts";
import { type Change } from "./edit.ts";
import { editFile } from "./handle.ts";
import { loadConfig, type Loaded } from "./load.ts";
import { formatPath, isRecord, parsePath, type Path, valueAt } from "./path.ts";
import { configInvalid, describe, type Problem } from "./problem.ts";
import { planReload } from "./reload.ts";
import { ConfigSchema } from "./schema.ts";
import { schemaAt, shapeOf } from "./shape.ts";
import { redact } from "./snapshot.ts";

/** Where the config of this command is. */
export type Where = { env: Env; paths: Paths };

/** Another process may have the variables that this one lacks, so their absence is no error here. */
const read = ({ env, paths }: Where): Promise<Loaded> =>
  loadConfig({ env, paths, strictVariables: false });

/**
 * The value at a path, with defaults. Secrets inside a group are masked; one that is asked for by its own path is given.
 * An invalid config is read as far as possible. Throws usage, not_found, or config_invalid (the file cannot be parsed).
 */
export async function getValue(where: Where, pathText: string): Promise<unknown> {
  const path = parsePath(pathText);
  const loaded = await read(where);
  if (loaded.parsed === undefined) throw configInvalid(loaded.path, loaded.errors);
  const value = valueAt(loaded.config ?? loaded.resolved ?? loaded.parsed, path);
  if (value === undefined) throw new AppError("not_found", `Config path not found: ${pathText}`);
  return typeof value === "object" ? redact(value, path) : value;
}

/** The file and everything in it, secrets masked, for a `config get` without a path. */
export async function getAll(where: Where): Promise<unknown> {
  const loaded = await read(where);
  if (loaded.parsed === undefined) throw configInvalid(loaded.path, loaded.errors);
  return redact(loaded.config ?? loaded.parsed);
}

export type EditResult = {
  file: string;
  /** Paths that are different now; empty when everything was so already. */
  changed: string[];
  /** Those of them that a running gateway takes over only with a restart. */
  needRestart: string[];
  /** One sentence each, about the config as it is now. */
  warnings: string[];
};

/**
 * Sets one value. The text is taken as JSON5, else as plain text (`json`: a text that is no JSON5 is refused with usage); where the
 * schema wants text, `123` is text too. Throws what parsePath, editText and writeConfig throw.
 */
export async function setValue(
  where: Where,
  pathText: string,
  valueText: string,
  { json = false, now = Date.now() }: { json?: boolean; now?: number } = {},
): Promise<EditResult> {
  const path = parsePath(pathText);
  return change(where, { kind: "set", path, value: valueFrom(path, valueText, json) }, now);
}

/** Removes one value; of a list the rest moves up. Throws not_found when there is none in the file. */
export async function unsetValue(
  where: Where,
  pathText: string,
  { now = Date.now() }: { now?: number } = {},
): Promise<EditResult> {
  return change(where, { kind: "unset", path: parsePath(pathText) }, now);
}

async function change(where: Where, step: Change, now: number): Promise<EditResult> {
  const before = await read(where);
  const { loaded, changed } = await editFile({ ...where, strictVariables: false, now }, [step]);
  const mode = loaded.config?.gateway.reload.mode ?? "hybrid";
  const plan = before.config && loaded.config && planReload(before.config, loaded.config, mode);
  return {
    file: loaded.path,
    changed,
    needRestart: (plan?.needRestart ?? changed).filter((path) => !path.startsWith("meta.")),
    warnings: [...loaded.errors, ...loaded.warnings]
      .filter((problem) => related(problem, step.path))
      .map((problem) => describe(problem) + (problem.hint ? ` ${problem.hint}` : "")),
  };
}

const related = (problem: Problem, path: Path): boolean =>
  problem.path.startsWith(formatPath(path)) || formatPath(path).startsWith(problem.path);

function valueFrom(path: Path, text: string, json: boolean): unknown {
  const parsed = parseDocument({ name: "the value", text });
  if (!parsed.ok) {
    if (!json) return text;
    throw new AppError("usage", `The value is not JSON: ${parsed.fault.message}.`, {
      hint: parsed.fault.hint,
    });
  }
  const value = valueOf(parsed.root);
  if (json) return value;
  const schema = schemaAt(ConfigSchema, path);
  const shape = schema && shapeOf(schema);
  const wantsText = shape?.kind === "leaf" && (shape.type === "string" || shape.type === "enum");
  const plain = !isRecord(value) && !Array.isArray(value);
  const odd = typeof value === "number" && !Number.isFinite(value);
  return plain && typeof value !== "string" && (wantsText || odd) ? text : value;
}

export type Report = {
  file: string;
  exists: boolean;
  valid: boolean;
  errors: Problem[];
  warnings: Problem[];
  /** Older spellings: what is written and what it is read as. */
  moved: { from: string; to: string }[];
  /** Kept but without effect in this version. */
  inactive: string[];
  /** Included files. */
  files: string[];
};

/** Checks the file. `strict` makes warnings count, as the original did with unknown keys. */
export async function validateFile(where: Where, { strict = false } = {}): Promise<Report> {
  const loaded = await read(where);
  return {
    file: loaded.path,
    exists: loaded.exists,
    valid: loaded.errors.length === 0 && !(strict && loaded.warnings.length > 0),
    errors: loaded.errors,
    warnings: loaded.warnings,
    moved: loaded.moved.map(({ from, to }) => ({ from: formatPath(from), to: formatPath(to) })),
    inactive: loaded.inactive,
    files: loaded.files,
  };
}
