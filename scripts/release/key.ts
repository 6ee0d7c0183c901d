/** The release key: Ed25519, the private half as PKCS8 PEM in a file of the maintainer, the public half in install.sh. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";

import { Problem } from "./problem.ts";

export type ReleaseKey = {
  /** Base64 of the public key's SPKI form, one line: what is written into install.sh. */
  publicKey: string;
  /** Base64 of the 64-byte signature over `bytes`. */
  sign(bytes: Uint8Array): string;
};

/** @throws Problem when the file is there already: a key that has signed a release must never be lost to a second keygen */
export function makeKey(file: string): string {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  try {
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(file, pem, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new Problem(`${file} is there already.`, "Name another file, or move that one away.");
  }
  return publicKey.export({ type: "spki", format: "der" }).toString("base64");
}

/** @throws Problem when it is no private Ed25519 key, or when others may read it */
export function openKey(file: string): ReleaseKey {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile())
    throw new Problem(`There is no key file ${file}.`, `Make one: bun run release keygen ${file}`);
  if (process.platform !== "win32" && (stat.mode & 0o077) !== 0)
    throw new Problem(`Others may read the key file ${file}.`, `Run: chmod 600 ${file}`);
  const pem = readFileSync(file, "utf8");
  try {
    const secret = createPrivateKey(pem);
    if (secret.asymmetricKeyType !== "ed25519") throw new TypeError(secret.asymmetricKeyType);
    return {
      publicKey: createPublicKey(pem).export({ type: "spki", format: "der" }).toString("base64"),
      sign: (bytes) => sign(null, bytes, secret).toString("base64"),
    };
  } catch {
    throw new Problem(
      `${file} is not a private Ed25519 key in PEM form.`,
      "Make one: bun run release keygen <file>",
    );
  }
}

/** The public key in a file, be it the private PEM, the public PEM or the base64 line that keygen prints. */
export function readPublicKey(file: string): string {
  const text = readFileSync(file, "utf8").trim();
  const pem = text.includes("-----BEGIN") ? text : pemOf(text);
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError(key.asymmetricKeyType);
    return key.export({ type: "spki", format: "der" }).toString("base64");
  } catch {
    throw new Problem(
      `${file} holds no Ed25519 key.`,
      "Give the key file of keygen, or a file with the line that it prints.",
    );
  }
}

/** @param publicKey base64 of SPKI; @param signature base64. Anything that is not well-formed is simply not valid. */
export function isSignedBy(publicKey: string, bytes: Uint8Array, signature: string): boolean {
  try {
    return verify(null, bytes, createPublicKey(pemOf(publicKey)), Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

const pemOf = (base64: string): string =>
  `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
