/** manifest.json of a release: what each file is, and from what it was made. The same commit gives the same bytes: no clock, no host, no user. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import pkg from "../../package.json";
import { Problem } from "./problem.ts";

export const ROOT = join(import.meta.dir, "../..");

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const ReleaseFile = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  kind: z.enum(["executable", "gzip", "npm", "image", "text"]),
  /** Bytes. */
  size: z.int().min(0),
  sha256: Sha256,
  /** One of the names of `bun build.ts --target`; none for files that are for every system. */
  target: z.string().optional(),
  /** The C library that a Linux executable carries, as it names itself. */
  glibc: z.string().optional(),
});
export type ReleaseFile = z.infer<typeof ReleaseFile>;

export const Manifest = z.object({
  /** Grows when the meaning of a field changes. */
  schema: z.literal(1),
  name: z.literal("clawdbot"),
  version: z.string(),
  channel: z.enum(["stable", "beta"]),
  /** Git commit; null when the source is not a checkout. */
  commit: z.string().nullable(),
  /** Whether files differed from the commit. */
  dirty: z.boolean(),
  /** SOURCE_DATE_EPOCH, or the time of the commit. */
  built: z.iso.datetime(),
  bun: z.string(),
  files: z.array(ReleaseFile),
});
export type Manifest = z.infer<typeof Manifest>;

/** Nix's table: which file each system takes, and its hash. nix/release.json has this shape. */
export const NixRelease = z.object({
  version: z.string(),
  systems: z.record(z.string(), z.object({ file: z.string(), sha256: Sha256 })),
});
export type NixRelease = z.infer<typeof NixRelease>;

export const sha256 = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

export type Facts = {
  version: string;
  commit: string | null;
  dirty: boolean;
  /** Seconds since 1970: the time stamp of everything in the release. */
  epoch: number;
};

/** @throws Problem when there is no date that a second build would find again */
export function readFacts(env: Record<string, string | undefined>): Facts {
  const git = (...words: string[]): string | undefined => {
    if (!existsSync(join(ROOT, ".git")) || !Bun.which("git")) return undefined;
    const done = Bun.spawnSync(["git", "-C", ROOT, ...words], { stderr: "ignore" });
    return done.exitCode === 0 ? done.stdout.toString().trim() : undefined;
  };
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(pkg.version))
    throw new Problem(
      `The version ${pkg.version} in package.json is not like 2026.11.20 or 2026.11.20-beta.1.`,
      "Correct it in package.json.",
    );
  const commit = git("rev-parse", "HEAD");
  const date = env["SOURCE_DATE_EPOCH"] || git("log", "-1", "--format=%ct");
  if (date === undefined || !/^\d{1,11}$/.test(date))
    throw new Problem(
      date === undefined
        ? "This source is not a Git checkout, so there is no date for the release."
        : `SOURCE_DATE_EPOCH is "${date}", which is not a number of seconds.`,
      "Run: SOURCE_DATE_EPOCH=$(date +%s) bun run release …",
    );
  return {
    version: pkg.version,
    commit: commit ?? null,
    dirty: (git("status", "--porcelain", "--untracked-files=normal") ?? "") !== "",
    epoch: Number(date),
  };
}
