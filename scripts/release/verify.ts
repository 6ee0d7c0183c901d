/** Checks a release folder as install.sh does, and that nothing is in it that the sums do not name. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { isSignedBy, readPublicKey } from "./key.ts";
import { Manifest, sha256 } from "./manifest.ts";
import { Problem } from "./problem.ts";

export const SUMS = "SHA256SUMS";
export const SIGNATURE = "SHA256SUMS.sig";

export type Verdict = {
  folder: string;
  files: number;
  signature: "good" | "none";
  /** Whether the key came from the maintainer; else only from install.sh in the same folder. */
  trusted: boolean;
};

/** @param folder one version's files, or the root of a release tree: then every version in it. @throws Problem for the first that is wrong */
export function verifyRelease(folder: string, keyFile: string | undefined): Verdict[] {
  if (existsSync(join(folder, SUMS))) return [verifyVersion(folder, keyFile)];
  const download = join(folder, "download");
  const versions = existsSync(download)
    ? readdirSync(download).filter((name) => name.startsWith("v"))
    : [];
  if (versions.length === 0)
    throw new Problem(
      `There is no release in ${folder}.`,
      "Name the folder that has SHA256SUMS, or the one given to --out.",
    );
  return versions.sort().map((name) => verifyVersion(join(download, name), keyFile));
}

function verifyVersion(folder: string, keyFile: string | undefined): Verdict {
  const bad = (message: string): Problem =>
    new Problem(`${folder}: ${message}`, "Do not publish it. Make the release again.");
  if (!existsSync(join(folder, SUMS))) throw bad(`there is no ${SUMS}.`);
  const bytes = readFileSync(join(folder, SUMS));
  const sums = new Map<string, string>();
  for (const line of bytes.toString().split("\n").slice(0, -1)) {
    const match = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(line);
    if (!match) throw bad(`${SUMS} has a line that is not a sum: ${JSON.stringify(line)}.`);
    sums.set(match[2]!, match[1]!);
  }
  if (sums.size === 0) throw bad(`${SUMS} is empty.`);
  const signature = checkSignature(folder, bytes, keyFile, bad);
  for (const [name, sum] of sums) {
    if (!existsSync(join(folder, name))) throw bad(`${name} is missing.`);
    if (sha256(readFileSync(join(folder, name))) !== sum)
      throw bad(`${name} is not what was released: its SHA-256 differs.`);
  }
  const extra = readdirSync(folder).filter(
    (name) => !sums.has(name) && name !== SUMS && name !== SIGNATURE,
  );
  if (extra.length > 0) throw bad(`${extra.join(", ")} is not in ${SUMS}.`);
  checkManifest(folder, sums, bad);
  return { folder, files: sums.size, ...signature };
}

function checkSignature(
  folder: string,
  sums: Uint8Array,
  keyFile: string | undefined,
  bad: (message: string) => Problem,
): Pick<Verdict, "signature" | "trusted"> {
  const path = join(folder, SIGNATURE);
  if (!existsSync(join(folder, "install.sh"))) throw bad("install.sh is missing.");
  const script = readFileSync(join(folder, "install.sh"), "utf8");
  const written = /^RELEASE_KEY="([A-Za-z0-9+/=]{40,})"$/m.exec(script)?.[1];
  if (!existsSync(path)) {
    if (keyFile !== undefined || written !== undefined) throw bad(`there is no ${SIGNATURE}.`);
    return { signature: "none", trusted: false };
  }
  const key = keyFile === undefined ? written : readPublicKey(keyFile);
  if (key === undefined)
    throw new Problem(`${folder}: there is no key to check the signature with.`, "Pass --key.");
  if (!isSignedBy(key, sums, readFileSync(path, "utf8").trim()))
    throw bad(`the signature is not by this key, or ${SUMS} was changed.`);
  if (written !== key) throw bad("install.sh carries another key than the one that signed.");
  return { signature: "good", trusted: keyFile !== undefined };
}

function readManifest(text: string): Manifest | undefined {
  try {
    return Manifest.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function checkManifest(
  folder: string,
  sums: Map<string, string>,
  bad: (message: string) => Problem,
): void {
  if (!sums.has("manifest.json")) throw bad("there is no manifest.json.");
  const manifest = readManifest(readFileSync(join(folder, "manifest.json"), "utf8"));
  if (manifest === undefined) throw bad("manifest.json is not a manifest.");
  const listed = manifest.files.map(({ name, sha256: sum }) => `${name} ${sum}`).sort();
  const summed = [...sums].filter(([name]) => name !== "manifest.json");
  if (
    listed.join("\n") !==
    summed
      .map(([name, sum]) => `${name} ${sum}`)
      .sort()
      .join("\n")
  )
    throw bad(`manifest.json and ${SUMS} name different files.`);
}
