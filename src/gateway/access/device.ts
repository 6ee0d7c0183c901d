/** Device identities: an Ed25519 key that a client signs each connection with. Proof of "the same device", not of permission. */
import type { KeyObject } from "node:crypto";

import type { ConnectParams } from "./connect-params.ts";

/** Largest difference between the client's clock and ours, in ms. */
export const SKEW_MS = 600_000;
/** What stands before the 32 key bytes in a DER SubjectPublicKeyInfo of Ed25519. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export type DeviceFault =
  | "device identity mismatch"
  | "device signature expired"
  | "device nonce required"
  | "device nonce mismatch"
  | "device signature invalid"
  | "device public key invalid";

/** The raw 32 bytes of a public key in base64url or PEM; undefined when it is no Ed25519 key. */
function rawKey(text: string): Buffer | undefined {
  if (!text.includes("BEGIN")) {
    const raw = Buffer.from(text, "base64url");
    return raw.length === 32 ? raw : undefined;
  }
  const body = text.replace(/-----[A-Z ]+-----|\s/g, "");
  const der = Buffer.from(body, "base64");
  const isEd25519 = der.length === 44 && der.subarray(0, 12).equals(SPKI_PREFIX);
  return isEd25519 ? der.subarray(12) : undefined;
}

/** Fetched at the first signed connection: loading it costs every start 1.5 ms. */
const nodeCrypto = () => process.getBuiltinModule("node:crypto");

const keyObject = (raw: Buffer): KeyObject =>
  nodeCrypto().createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, raw]),
    format: "der",
    type: "spki",
  });

const lowerAscii = (text: string | undefined): string =>
  (text ?? "").trim().replace(/[A-Z]/g, (c) => c.toLowerCase());

/** The texts that generations 3, 2 and 1 sign. The scopes are joined as sent, before any default. */
function payloads(params: ConnectParams): { withNonce: string[]; without: string } {
  const { client, device, auth } = params;
  const token = auth?.token ?? auth?.deviceToken ?? auth?.bootstrapToken ?? "";
  const common = [
    device!.id,
    client.id,
    client.mode,
    params.role ?? "operator",
    (params.scopes ?? []).join(","),
    String(device!.signedAt),
    token,
  ];
  const nonce = device!.nonce ?? "";
  const extra = [lowerAscii(client.platform), lowerAscii(client.deviceFamily)];
  return {
    withNonce: [["v3", ...common, nonce, ...extra].join("|"), ["v2", ...common, nonce].join("|")],
    without: ["v1", ...common].join("|"),
  };
}

/**
 * Checks the signature against this connection's nonce. A nonce is single use because it belongs to one socket; only a direct
 * local program may leave it out, because old ones do not wait for the challenge.
 */
export function checkDevice(
  params: ConnectParams,
  at: { nonce: string; now: number; local: boolean },
): { fault: DeviceFault } | { deviceId: string; publicKey: string } {
  const device = params.device!;
  const raw = rawKey(device.publicKey);
  if (!raw) return { fault: "device public key invalid" };
  const deviceId = new Bun.CryptoHasher("sha256").update(raw).digest("hex");
  if (device.id !== deviceId) return { fault: "device identity mismatch" };
  if (Math.abs(at.now - device.signedAt) > SKEW_MS) return { fault: "device signature expired" };
  if (!device.nonce && !at.local) return { fault: "device nonce required" };
  if (device.nonce && device.nonce !== at.nonce) return { fault: "device nonce mismatch" };
  const texts = payloads(params);
  const signature = Buffer.from(device.signature, "base64url");
  const key = keyObject(raw);
  const signed = (device.nonce ? texts.withNonce : [texts.without]).some(
    (text) =>
      signature.length === 64 && nodeCrypto().verify(null, Buffer.from(text), key, signature),
  );
  if (!signed) return { fault: "device signature invalid" };
  return { deviceId, publicKey: raw.toString("base64url") };
}
