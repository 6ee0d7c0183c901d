/** Paths of config keys as people write them: `a.b`, `list[0].id`, `models["a.b/c"]`, `a\.b`. */
import { AppError } from "../base/errors.ts";

export type Path = string[];

/** More than any real key has; keeps a hostile path from building a tower of objects. */
const SEGMENTS_MAX = 50;

const bad = (text: string, message: string) =>
  new AppError("usage", `"${text.slice(0, 200)}" is not a config path: ${message}.`, {
    hint: 'Write it like gateway.port, agents.list[0].id or models.providers["my.host"].',
  });

/** Segments of a path; indexes stay text. Throws usage. A bracket takes its content literally, quotes around it are dropped. */
export function parsePath(text: string): Path {
  const path: Path = [];
  let word = "";
  /** True when the text before the cursor ended a segment, so that an empty one is a mistake. */
  let open = true;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\") {
      if (i + 1 >= text.length) throw bad(text, "it ends with a backslash");
      word += text[++i];
      open = true;
    } else if (c === ".") {
      if (word === "" && open) throw bad(text, "there is a dot without a key before it");
      if (word !== "") path.push(word);
      word = "";
      open = true;
    } else if (c === "[") {
      if (word !== "") path.push(word);
      word = "";
      const quote = /["']/.exec(text[i + 1] ?? "")?.[0];
      const end = quote ? text.indexOf(`${quote}]`, i + 2) : text.indexOf("]", i + 1);
      if (end < 0) throw bad(text, "a bracket is not closed");
      const inside = quote ? text.slice(i + 2, end) : text.slice(i + 1, end).trim();
      if (inside === "" && !quote) throw bad(text, "a bracket is empty");
      path.push(inside);
      i = quote ? end + 1 : end;
      open = false;
      const next = text[i + 1];
      if (next !== undefined && next !== "." && next !== "[")
        throw bad(text, "a bracket is followed by a dot or another bracket");
    } else {
      word += c;
      open = true;
    }
  }
  if (word !== "") path.push(word);
  else if (open) throw bad(text, text === "" ? "it is empty" : "it ends with a dot");
  if (path.length > SEGMENTS_MAX) throw bad(text, "it has too many parts");
  const odd = path.find((s) => s === "__proto__" || s === "prototype" || s === "constructor");
  if (odd) throw bad(text, `\`${odd}\` cannot be a key`);
  return path;
}

/** The inverse of `parsePath`. Numbers are indexes. */
export function formatPath(path: readonly (string | number)[]): string {
  let out = "";
  for (const part of path) {
    if (typeof part === "number") out += `[${part}]`;
    else if (/^[A-Za-z_$*][\w$*-]*$/.test(part)) out += out === "" ? part : `.${part}`;
    else if (/^\d+$/.test(part)) out += `[${part}]`;
    else if (!part.includes('"') && !part.includes("\\")) out += `["${part}"]`;
    else out += (out === "" ? "" : ".") + part.replace(/[^\w-]/g, "\\$&");
  }
  return out;
}

export const indexOf = (segment: string): number | undefined =>
  /^(0|[1-9]\d{0,8})$/.test(segment) ? Number(segment) : undefined;

/** What stands at a path, or undefined. Own properties only. */
export function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** A plain object: not an array, not null. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
