/** The hash that Nix gives a folder: SHA-256 of its archive format, which knows names, contents, links and the executable bit only. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** A text or file of the archive: its length in eight bytes, then itself, filled up with zeros to a multiple of eight. */
function put(hash: Bun.CryptoHasher, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  hash.update(length);
  hash.update(bytes);
  hash.update(Buffer.alloc((8 - (bytes.length % 8)) % 8));
}

function node(hash: Bun.CryptoHasher, path: string): void {
  const put_ = (...parts: (string | Uint8Array)[]) => parts.forEach((part) => put(hash, part));
  const found = lstatSync(path);
  put_("(", "type");
  if (found.isSymbolicLink()) put_("symlink", "target", readlinkSync(path));
  else if (found.isDirectory()) {
    put_("directory");
    const names = readdirSync(path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const name of names) {
      put_("entry", "(", "name", name, "node");
      node(hash, join(path, name));
      put_(")");
    }
  } else {
    put_("regular");
    if ((found.mode & 0o100) !== 0) put_("executable", "");
    put_("contents", readFileSync(path));
  }
  put_(")");
}

/** `sha256-…` as `outputHash` takes it. Throws the system error of what cannot be read. */
export function narHash(path: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  put(hash, "nix-archive-1");
  node(hash, path);
  return `sha256-${hash.digest("base64")}`;
}
