/** The config as it is shown to clients: whole, but without a single secret. */
import { valueOf } from "./document.ts";
import type { Node } from "./document.ts";
import { REDACTED } from "./edit.ts";
import type { Loaded } from "./load.ts";
import { formatPath, isRecord } from "./path.ts";
import { describe, type Problem } from "./problem.ts";
import { ConfigSchema } from "./schema.ts";
import { isSensitive } from "./shape.ts";
import { isReference } from "./substitute.ts";

/** The answer of the RPC `config.get`; the names are those of the wire. */
export type ConfigSnapshot = {
  path: string;
  exists: boolean;
  raw: string | null;
  parsed: unknown;
  valid: boolean;
  config: unknown;
  /** SHA-256 of the file's text, `baseHash` of a later write; empty when there is no file. */
  hash: string;
  issues: { path: string; message: string }[];
  warnings: { path: string; message: string }[];
  legacyIssues: { path: string; message: string }[];
  /** Parts that are kept but have no effect in this version. */
  inactive: string[];
};

/** `http://user:secret@host` in any value. */
const URL_SECRET = /(\/\/[^\s/@:]*:)[^\s/@]+(?=@)/g;

/** A copy with every secret replaced. A text that only names a variable is no secret and stays. */
export function redact(value: unknown, path: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item, i) => redact(item, [...path, String(i)]));
  if (isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, redact(child, [...path, key])]),
    );
  if (typeof value === "string" && value !== "" && !isReference(value))
    return isSensitive(ConfigSchema, path) ? REDACTED : value.replace(URL_SECRET, `$1${REDACTED}`);
  if (typeof value === "number" && isSensitive(ConfigSchema, path)) return REDACTED;
  return value;
}

/** The main file's text with its secrets replaced, everything else as it is. Null when it cannot be parsed: a secret may stand anywhere. */
function redactText({ raw, root }: Loaded): string | null {
  if (raw === null || !root) return null;
  const cuts: { start: number; end: number; text: string }[] = [];
  const walk = (node: Node, path: string[]): void => {
    if (node.kind === "array")
      for (const [i, item] of node.items.entries()) walk(item, [...path, String(i)]);
    else if (node.kind === "object") for (const m of node.members) walk(m.value, [...path, m.key]);
    else {
      const shown = redact(valueOf(node), path);
      if (shown !== node.value)
        cuts.push({ start: node.start, end: node.end, text: JSON.stringify(shown) });
    }
  };
  walk(root, []);
  return cuts
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, cut) => text.slice(0, cut.start) + cut.text + text.slice(cut.end), raw);
}

const shown = ({ path, message, hint, ...place }: Problem) => ({
  path,
  message:
    describe({ path: "", message, ...(place.line !== undefined && place) }) +
    (hint ? ` ${hint}` : ""),
});

export function snapshotOf(loaded: Loaded): ConfigSnapshot {
  // A value that a variable gave is as secret as what the variable holds.
  const hide = new Set(loaded.references);
  const config = redact(loaded.config ?? {});
  return {
    path: loaded.path,
    exists: loaded.exists,
    raw: redactText(loaded),
    parsed: redact(loaded.parsed ?? {}),
    valid: loaded.errors.length === 0,
    config: hide.size > 0 ? withoutPaths(config, hide) : config,
    hash: loaded.hash,
    issues: loaded.errors.map(shown),
    warnings: loaded.warnings.map(shown),
    legacyIssues: loaded.moved.map(({ from, to }) => ({
      path: formatPath(from),
      message: `Read as ${formatPath(to)}.`,
    })),
    inactive: loaded.inactive,
  };
}

/** Text values from variables, unless they are plainly no secret (short words and numbers). */
function withoutPaths(value: unknown, hide: ReadonlySet<string>, path: string[] = []): unknown {
  if (Array.isArray(value))
    return value.map((item, i) => withoutPaths(item, hide, [...path, String(i)]));
  if (isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, withoutPaths(child, hide, [...path, key])]),
    );
  return typeof value === "string" && hide.has(formatPath(path)) ? REDACTED : value;
}

/** Every secret text in a config, for the redactor of logs and transcripts. Short ones would mask ordinary words. */
export function secretsIn(config: unknown): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, path: string[]): void => {
    if (Array.isArray(value))
      for (const [i, item] of value.entries()) walk(item, [...path, String(i)]);
    else if (isRecord(value))
      for (const [key, child] of Object.entries(value)) walk(child, [...path, key]);
    else if (
      typeof value === "string" &&
      value.trim().length >= 8 &&
      isSensitive(ConfigSchema, path)
    )
      if (!isReference(value)) found.add(value.trim());
  };
  walk(config, []);
  return [...found];
}
