/**
 * A tar archive as a stream, in and out: nothing is held but the block at hand. Bun.Archive would hold all of it. What is written is
 * ustar with the extensions of POSIX for long names and sizes, so that any tar can open it; what is read is only that.
 */
import { AppError } from "../../base/errors.ts";

const BLOCK = 512;
/** The longest name, and the largest extension, that is read; in bytes. */
const NAME_MAX = 4096;
const EXTENSION_MAX = 16_384;
/** Largest size that fits into the header's own field. */
const OCTAL_MAX = 0o77777777777;

export type Entry = {
  path: string;
  type: "file" | "folder";
  /** Bytes; 0 for a folder. */
  size: number;
  /** Permission bits. */
  mode: number;
  /** Epoch seconds. */
  mtime: number;
};

const text = new TextEncoder();
const octal = (value: number, width: number): string =>
  `${Math.floor(value)
    .toString(8)
    .padStart(width - 1, "0")}\0`;

function block(
  name: Uint8Array,
  type: string,
  { size, mode, mtime }: Omit<Entry, "path" | "type">,
) {
  const bytes = Buffer.alloc(BLOCK);
  bytes.set(name.subarray(0, 100), 0);
  bytes.write(octal(mode & 0o7777, 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  bytes.write(octal(Math.min(size, OCTAL_MAX), 12), 124);
  bytes.write(octal(Math.max(0, mtime), 12), 136);
  bytes.write(" ".repeat(8), 148);
  bytes.write(type, 156);
  bytes.write("ustar\u000000", 257);
  const sum = bytes.reduce((total, each) => total + each, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

/** `27 path=…`: with its own length in front, which counts itself. */
function extension(key: string, value: string): Uint8Array {
  const rest = text.encode(` ${key}=${value}\n`).length;
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return text.encode(`${length} ${key}=${value}\n`);
}

/** What stands before the bytes of an entry. */
export function headerOf(entry: Entry): Uint8Array {
  const name = text.encode(entry.path + (entry.type === "folder" ? "/" : ""));
  const more = [
    ...(name.length > 100 ? [extension("path", new TextDecoder().decode(name))] : []),
    ...(entry.size > OCTAL_MAX ? [extension("size", String(entry.size))] : []),
  ];
  const own = block(name, entry.type === "folder" ? "5" : "0", entry);
  if (more.length === 0) return own;
  const body = Buffer.concat(more);
  const about = { size: body.length, mode: 0o600, mtime: entry.mtime };
  return Buffer.concat([block(text.encode("more"), "x", about), body, paddingOf(body.length), own]);
}

/** Zeros up to the next block. */
export const paddingOf = (size: number): Uint8Array =>
  new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** What stands at the end. */
export const tarEnd = (): Uint8Array => new Uint8Array(2 * BLOCK);

const bad = (what: string): AppError => new AppError("backup_invalid", `The backup ${what}.`);

/** Takes exact amounts from a stream of pieces. */
class Bytes {
  private readonly source: AsyncIterator<Uint8Array>;
  private rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** At most `limit` bytes, at least one; undefined at the end. */
  async some(limit: number): Promise<Uint8Array | undefined> {
    while (this.rest.length === 0) {
      const next = await this.source.next();
      if (next.done) return undefined;
      this.rest = next.value;
    }
    const piece = this.rest.subarray(0, limit);
    this.rest = this.rest.subarray(piece.length);
    return piece;
  }

  async exactly(count: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (let have = 0; have < count;) {
      const piece = await this.some(count - have);
      if (!piece) throw bad("is cut off");
      pieces.push(piece);
      have += piece.length;
    }
    return Buffer.concat(pieces, count);
  }
}

export type ReadEntry = Entry & { body: AsyncIterable<Uint8Array> };

/**
 * The entries in their order. What the caller leaves of a body is passed over. Throws backup_invalid for everything that is not as
 * `headerOf` writes it: links, devices, another kind of archive, a cut.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadEntry> {
  const bytes = new Bytes(source);
  let more: Record<string, string> = {};
  for (;;) {
    const head = await bytes.exactly(BLOCK);
    if (head.every((each) => each === 0)) return;
    const { type, name, size: short, mode, mtime } = parse(head);
    if (type === "x") {
      if (short > EXTENSION_MAX) throw bad("has a header that is too long");
      more = extensions(await bytes.exactly(short));
      await bytes.exactly(paddingOf(short).length);
      continue;
    }
    if (type !== "0" && type !== "5") throw bad(`has something in it that is no file: ${name}`);
    const path = (more["path"] ?? name).replace(/\/$/, "");
    const size = more["size"] === undefined ? short : Number(more["size"]);
    more = {};
    if (!Number.isSafeInteger(size) || size < 0 || (type === "5" && size !== 0))
      throw bad(`has a wrong size in it: ${path}`);
    if (text.encode(path).length > NAME_MAX) throw bad("has a name in it that is too long");
    let left = size;
    const body = async function* () {
      while (left > 0) {
        const piece = await bytes.some(left);
        if (!piece) throw bad("is cut off");
        left -= piece.length;
        yield piece;
      }
    };
    yield { path, type: type === "5" ? "folder" : "file", size, mode, mtime, body: body() };
    while (left > 0) {
      const piece = await bytes.some(left);
      if (!piece) throw bad("is cut off");
      left -= piece.length;
    }
    await bytes.exactly(paddingOf(size).length);
  }
}

function parse(head: Buffer) {
  const field = (at: number, length: number): string =>
    head.toString("utf8", at, at + length).replace(/\0[^]*$/, "");
  const number = (at: number, length: number): number => {
    const digits = field(at, length).trim();
    if (!/^[0-7]{1,12}$/.test(digits)) throw bad("is not one of clawdbot");
    return Number.parseInt(digits, 8);
  };
  const sum = head.reduce((total, each, at) => total + (at >= 148 && at < 156 ? 32 : each), 0);
  if (field(257, 5) !== "ustar" || number(148, 7) !== sum) throw bad("is not one of clawdbot");
  return {
    name: field(0, 100),
    mode: number(100, 8),
    size: number(124, 12),
    mtime: number(136, 12),
    type: field(156, 1) || "0",
  };
}

function extensions(body: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const length = Number(body.toString("utf8", at, space));
    const line = body.toString("utf8", space + 1, at + length - 1);
    const equals = line.indexOf("=");
    if (space < at || !(length > 0) || at + length > body.length || equals < 1)
      throw bad("has a damaged header");
    found[line.slice(0, equals)] = line.slice(equals + 1);
    at += length;
  }
  return found;
}
