/**
 * Writes tar archives whose bytes depend on nothing but what is asked for: no clock, no owner, no order of the file system.
 * The ustar form, which npm, Docker and every tar read.
 */

export type Entry = {
  /** Relative, with `/`; a folder's path ends with one. */
  path: string;
  /** Permission bits. */
  mode: number;
  uid?: number;
  gid?: number;
  content?: Uint8Array;
  /** Target of a symbolic link. */
  link?: string;
};

const BLOCK = 512;
const text = new TextEncoder();

/** @param mtime seconds, the same for every entry; @throws RangeError when a name is too long for ustar (100 bytes after a folder of 155) */
export function makeTar(entries: Entry[], mtime: number): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const size = entry.content?.length ?? 0;
    const head = header(entry, size, mtime);
    return entry.content ? [head, entry.content, new Uint8Array(padding(size))] : [head];
  });
  // Two empty blocks end an archive.
  return Buffer.concat([...parts, new Uint8Array(BLOCK * 2)]);
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

function header(entry: Entry, size: number, mtime: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, length: number, value: string) => {
    const bytes = text.encode(value);
    if (bytes.length > length)
      throw new RangeError(`${entry.path}: "${value}" is too long for tar`);
    block.set(bytes, at);
  };
  const octal = (at: number, length: number, value: number) =>
    put(at, length, `${value.toString(8).padStart(length - 1, "0")}\0`);
  const { name, prefix } = splitPath(entry.path);
  put(0, 100, name);
  octal(100, 8, entry.mode);
  octal(108, 8, entry.uid ?? 0);
  octal(116, 8, entry.gid ?? 0);
  octal(124, 12, size);
  octal(136, 12, mtime);
  put(148, 8, "        ");
  put(156, 1, entry.link !== undefined ? "2" : entry.path.endsWith("/") ? "5" : "0");
  put(157, 100, entry.link ?? "");
  put(257, 8, "ustar\x0000");
  octal(329, 8, 0);
  octal(337, 8, 0);
  put(345, 155, prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, 8, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** ustar keeps a long path in two fields, parted at a slash. */
function splitPath(path: string): { name: string; prefix: string } {
  if (text.encode(path).length <= 100) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1))
    if (text.encode(path.slice(at + 1)).length <= 100)
      return { name: path.slice(at + 1), prefix: path.slice(0, at) };
  return { name: path, prefix: "" };
}
