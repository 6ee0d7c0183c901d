/**
 * The lines of a file of any size, from its beginning or from its end, in memory that does not grow with the file. A line that is
 * too long is told and passed over.
 */
import { open } from "node:fs/promises";

/** Bytes that are read at once. */
const CHUNK = 256 * 1024;
/** Longest line, in bytes: a message with several pictures has a few MB. */
export const MAX_LINE = 64 * 1024 * 1024;

export type Line = {
  /** From the beginning: 1 for the first line of the file. From the end: 1 for the last one. Empty lines count. */
  number: number;
  /** Undefined when the line is too long. */
  text: string | undefined;
  /** Bytes of the file up to and with this line; from the end: those before it. */
  offset: number;
};

/** Where something of an older state is read from, line by line. */
export interface Lines {
  /** For messages: the path within the state folder. */
  name: string;
  /** In bytes; for the progress. */
  size: number;
  /** The same for the same content wherever it lies, another when something was appended. */
  fingerprint(): Promise<string>;
  forward(): AsyncIterable<Line>;
  backward(): AsyncIterable<Line>;
}

const NEWLINE = 0x0a;
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function linesOfFile(path: string, name: string, size: number): Lines {
  return {
    name,
    size,
    fingerprint: () => fingerprintOf(path, size),
    forward: () => forward(path, size),
    backward: () => backward(path, size),
  };
}

/** Not the whole of it, because a hundred megabytes are read twice already: the size, the beginning and the end. */
async function fingerprintOf(path: string, size: number): Promise<string> {
  const file = Bun.file(path);
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(await file.slice(0, 65_536).bytes());
  hasher.update(await file.slice(Math.max(0, size - 65_536), size).bytes());
  return `${size}:${hasher.digest("hex").slice(0, 32)}`;
}

/** What was appended after the size was taken is left for the next time. */
async function* forward(path: string, size: number): AsyncGenerator<Line> {
  const file = await open(path, "r");
  try {
    const parts = new Pieces();
    let number = 0;
    for (let at = 0; at < size;) {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK, size - at));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
      if (bytesRead === 0) break;
      let from = 0;
      const chunk = bytes.subarray(0, bytesRead);
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        parts.add(chunk.subarray(from, end));
        yield { number: ++number, text: parts.take(), offset: at + end + 1 };
        from = end + 1;
      }
      parts.add(chunk.subarray(from));
      at += bytesRead;
    }
    if (parts.length > 0) yield { number: ++number, text: parts.take(), offset: size };
  } finally {
    await file.close();
  }
}

async function* backward(path: string, size: number): AsyncGenerator<Line> {
  const file = await open(path, "r");
  try {
    const parts = new Pieces();
    let number = 0;
    for (let end = size; end > 0;) {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK, end));
      const start = end - bytes.length;
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      // Cut by somebody else meanwhile; what follows is no file that can be read.
      if (bytesRead < bytes.length) break;
      let to = bytes.length;
      for (
        let at = bytes.lastIndexOf(NEWLINE);
        at >= 0;
        at = to > 0 ? bytes.lastIndexOf(NEWLINE, to - 1) : -1
      ) {
        parts.addFront(bytes.subarray(at + 1, to));
        // The line end of the last line has no line behind it.
        if (number > 0 || parts.length > 0 || start + at + 1 < size)
          yield { number: ++number, text: parts.take(), offset: start + at + 1 };
        to = at;
      }
      parts.addFront(bytes.subarray(0, to));
      end = start;
    }
    if (parts.length > 0) yield { number: ++number, text: parts.take(), offset: 0 };
    else if (size > 0 && number > 0) yield { number: ++number, text: "", offset: 0 };
  } finally {
    await file.close();
  }
}

/** The pieces of one line; beyond the limit only their length is kept. */
class Pieces {
  length = 0;
  private pieces: Uint8Array[] = [];

  add(piece: Uint8Array): void {
    this.grow(piece);
    if (this.length <= MAX_LINE && piece.length > 0) this.pieces.push(piece);
  }

  addFront(piece: Uint8Array): void {
    this.grow(piece);
    if (this.length <= MAX_LINE && piece.length > 0) this.pieces.unshift(piece);
  }

  private grow(piece: Uint8Array): void {
    this.length += piece.length;
    if (this.length > MAX_LINE) this.pieces = [];
  }

  take(): string | undefined {
    const text = this.length > MAX_LINE ? undefined : decode(Buffer.concat(this.pieces));
    this.pieces = [];
    this.length = 0;
    return text;
  }
}
