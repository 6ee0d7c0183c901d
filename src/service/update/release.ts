/** A release as its own signed list describes it: which file this machine takes, how long it is, and its checksum. */
import { createPublicKey, verify } from "node:crypto";

import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { fetchSmall, type Source } from "./source.ts";

export type Channel = "stable" | "beta";

/** Most bytes of the texts of a release, and of the program. */
const LATEST_MAX = 1024;
const SUMS_MAX = 65_536;
const SIGNATURE_MAX = 1024;
const MANIFEST_MAX = 1024 * 1024;
export const PROGRAM_MAX = 1024 * 1024 * 1024;

export type Release = {
  version: string;
  /** To download, below the source's base. */
  path: string;
  /** Its name in the release. */
  name: string;
  /** It has to be unpacked. */
  packed: boolean;
  sum: string;
  /** Bytes; unknown when the release has no manifest. */
  size: number | undefined;
  /** Of the program itself. */
  programSum: string;
  programSize: number | undefined;
};

const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?$/;

/** `2026.11.20` and `2026.11.20-beta.1`: what may become part of an address and of a file's name. */
export const isVersion = (text: string): boolean => text.length <= 64 && VERSION.test(text);

/** Whether the first comes before the second: 2026.1.1-beta.1 before 2026.1.1. */
export const isOlder = (one: string, other: string): boolean => Bun.semver.order(one, other) < 0;

/** `linux-x64`: as in the names of a release's files. */
export const targetOf = (
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): string => `${platform === "win32" ? "windows" : platform}-${arch}`;

/** The newest version of a channel. Throws update_failed. */
export async function newestVersion(
  source: Source,
  channel: Channel,
  signal: AbortSignal,
): Promise<string> {
  const path =
    channel === "stable" ? "latest/download/latest.txt" : `download/${channel}/latest.txt`;
  const text = new TextDecoder().decode(await fetchSmall(source, path, LATEST_MAX, signal));
  const version = text.split("\n")[0]!.trim();
  if (isVersion(version)) return version;
  throw new AppError(
    "update_failed",
    `What is at ${source.base}/${path} is not the name of a version.`,
    {
      hint: "A sign-in page of the network may have answered instead. Open the address in a browser, or name a version with --tag.",
      details: { reason: "no-version" },
    },
  );
}

/** Checks who signed the release and finds this machine's file in it. Throws update_failed; nothing of it is believed before. */
export async function readRelease(
  source: Source,
  version: string,
  { key, target = targetOf(), signal }: { key: string; target?: string; signal: AbortSignal },
): Promise<Release> {
  const folder = `download/v${version}`;
  const small = (name: string, max: number) => fetchSmall(source, `${folder}/${name}`, max, signal);
  const bytes = await small("SHA256SUMS", SUMS_MAX);
  const signature = await small("SHA256SUMS.sig", SIGNATURE_MAX);
  if (!isSigned(key, bytes, signature))
    throw new AppError(
      "update_failed",
      `The signature of version ${version} is wrong: these files were not made by clawdbot's release.`,
      {
        hint: "Nothing was changed. Try another source; if it stays so, please report it.",
        details: { reason: "signature-wrong" },
      },
    );
  const sums = readSums(new TextDecoder().decode(bytes));
  const name = `clawdbot-${target}${target.startsWith("windows") ? ".exe" : ""}`;
  const programSum = sums.get(name);
  if (!programSum)
    throw new AppError("update_failed", `Version ${version} has no clawdbot for ${target}.`, {
      hint: "Choose another version with --tag <version>.",
      details: { reason: "no-target" },
    });
  const packedSum = sums.get(`${name}.gz`);
  const chosen = packedSum ? `${name}.gz` : name;
  const manifestSum = sums.get("manifest.json");
  const sizes = manifestSum
    ? readManifest(await small("manifest.json", MANIFEST_MAX), manifestSum, version)
    : new Map<string, number>();
  return {
    version,
    path: `${folder}/${chosen}`,
    name: chosen,
    packed: packedSum !== undefined,
    sum: packedSum ?? programSum,
    size: sizes.get(chosen),
    programSum,
    programSize: sizes.get(name),
  };
}

/** Anything that is not well-formed is simply not signed. */
function isSigned(key: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const raw = Buffer.from(new TextDecoder().decode(signature).trim(), "base64");
  if (raw.length !== 64) return false;
  const spki = createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" });
  return verify(null, bytes, spki, raw);
}

/** By name. One that is listed twice with different sums is not listed. */
function readSums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  const twice = new Set<string>();
  for (const line of text.split("\n")) {
    const [, sum, name] = /^([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(line) ?? [];
    if (!sum || !name) continue;
    if (sums.has(name) && sums.get(name) !== sum) twice.add(name);
    sums.set(name, sum);
  }
  for (const name of twice) sums.delete(name);
  return sums;
}

const Manifest = z.object({
  schema: z.literal(1),
  version: z.string(),
  files: z.array(z.object({ name: z.string(), size: z.int().min(0) })),
});

const hash = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/**
 * The lengths of the files. A signed list of another release, which somebody shows under a newer name, is found out here: throws
 * update_failed.
 */
function readManifest(bytes: Uint8Array, sum: string, version: string): Map<string, number> {
  const wrong = (what: string) =>
    new AppError("update_failed", `manifest.json of version ${version} ${what}.`, {
      hint: "Nothing was changed. The source mixes its versions up: try another one.",
      details: { reason: "checksum-wrong" },
    });
  if (hash(bytes) !== sum) throw wrong("is not the file that was published");
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw wrong("cannot be read");
  }
  // A later form of the manifest: what is downloaded has its checksum all the same.
  const { data } = Manifest.safeParse(json);
  if (!data) return new Map();
  if (data.version !== version) throw wrong(`is that of version ${data.version}`);
  return new Map(data.files.map(({ name, size }) => [name, size]));
}
