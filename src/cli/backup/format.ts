/** What a backup is: one folder in a packed tar, with a note of its origin first and the sums of everything last. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";

/** The one folder that everything is in. */
export const TOP = "clawdbot-backup";
export const ORIGIN = `${TOP}/backup.json`;
export const MANIFEST = `${TOP}/manifest.json`;
/** Most bytes of those two. */
export const ORIGIN_MAX = 1024 * 1024;
export const MANIFEST_MAX = 256 * 1024 * 1024;

export const Origin = z.object({
  /** Grows when an older program could not restore it. */
  format: z.literal(1),
  version: z.string(),
  /** ISO. */
  createdAt: z.string(),
  /** The number of the last schema step of the database; 0 when there is none. */
  schema: z.int(),
  onlyConfig: z.boolean(),
  /** What is in which folder of the archive, and where it was. */
  roots: z.array(
    z.object({
      name: z.string().regex(/^(?:state|config|workspace\/[a-z0-9][a-z0-9_-]{0,63})$/),
      path: z.string(),
    }),
  ),
  /** The config file's name within `state` or `config`; absent when there was none. */
  config: z
    .string()
    .regex(/^[^/\\]+$/)
    .optional(),
});
export type Origin = z.infer<typeof Origin>;

const FileSum = z.object({ size: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

export const Manifest = z.object({
  /** By path in the archive; of all files but this one. */
  files: z.record(z.string(), FileSum),
  folders: z.int().min(0),
  /** What was left out, and why. */
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
});
export type Manifest = z.infer<typeof Manifest>;

const bad = (what: string): AppError => new AppError("backup_invalid", `The backup ${what}.`);

/** Throws backup_invalid for what is no note of this form. */
export function parsePart<T>(schema: z.ZodType<T>, bytes: Uint8Array, name: string): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw bad(`has a ${name} that cannot be read`);
  }
  const { data, error } = schema.safeParse(json);
  if (data !== undefined) return data;
  throw bad(`has a ${name} that is not right: ${error?.issues[0]?.path.join(".") || "its form"}`);
}

/**
 * Splits a path of the archive. Throws backup_invalid for one that leads out of it, or that some system would read in another way.
 * @returns the root's name and what is below it; empty for the root itself
 */
export function placeIn(path: string): { root: string; below: string } {
  // oxlint-disable-next-line no-control-regex
  const odd = /[\u0000-\u001f\u007f]|\\|^\/|\/\//.test(path);
  const parts = path.split("/");
  if (odd || parts[0] !== TOP || parts.some((part) => part === "" || part === "." || part === ".."))
    throw bad(`has a file in it that leads elsewhere: ${JSON.stringify(path.slice(0, 200))}`);
  const depth = parts[1] === "workspace" ? 3 : 2;
  return { root: parts.slice(1, depth).join("/"), below: parts.slice(depth).join("/") };
}
