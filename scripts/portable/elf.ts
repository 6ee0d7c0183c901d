/**
 * Reads and writes the headers of 64-bit little-endian ELF executables (elf(5)). Every number that comes from the file is
 * checked against its length before it is used; what is wrong is told in an ElfError.
 */

/** A file that is not what it should be. The message is for the user: it says what is wrong with which file. */
export class ElfError extends Error {
  override name = "ElfError";
}

/** Names of this project for the processors it builds for, with ELF's numbers. */
export const MACHINES = { x64: 62, arm64: 183 } as const;
export type Machine = keyof typeof MACHINES;

export const HEADER_BYTES = 64;
export const SEGMENT_BYTES = 56;
/** Program header types that are used here. */
export const PT = { load: 1, dynamic: 2, interp: 3, note: 4, phdr: 6, stack: 0x6474e551 } as const;
/** Segment permissions. */
export const PF = { x: 1, w: 2, r: 4 } as const;
const ET_EXEC = 2;
const DT = { null: 0, needed: 1, strtab: 5, strsz: 10, soname: 14 } as const;

/** One program header. Addresses and sizes are numbers: real ones are far below 2^53, and larger ones are refused. */
export type Segment = {
  type: number;
  flags: number;
  offset: number;
  address: number;
  fileSize: number;
  memorySize: number;
  align: number;
};

export type Elf = {
  bytes: Uint8Array;
  machine: Machine;
  /** True for ET_EXEC: mapped at the addresses that it names. */
  fixed: boolean;
  entry: number;
  segments: Segment[];
};

/** @param name for messages @throws ElfError when the file is not a 64-bit little-endian ELF for a machine we know. */
export function readElf(bytes: Uint8Array, name: string): Elf {
  const bad = (what: string): never => {
    throw new ElfError(`${name} ${what}`);
  };
  if (bytes.length < HEADER_BYTES) bad("is too short for an ELF file.");
  const view = viewOf(bytes);
  if (view.getUint32(0) !== 0x7f454c46) bad("is not an ELF file.");
  if (bytes[4] !== 2) bad("is not a 64-bit ELF file.");
  if (bytes[5] !== 1) bad("is not a little-endian ELF file.");
  const number = view.getUint16(18, true);
  const machine = (Object.keys(MACHINES) as Machine[]).find((key) => MACHINES[key] === number);
  if (!machine) return bad(`is for another processor (ELF machine ${number}).`);
  const at = whole(view, 32, name);
  const count = view.getUint16(56, true);
  if (view.getUint16(54, true) !== SEGMENT_BYTES) bad("has program headers of an unknown size.");
  if (at + count * SEGMENT_BYTES > bytes.length)
    bad("is cut short: its program headers are missing.");
  const segments = Array.from({ length: count }, (_, i) =>
    readSegment(view, at + i * SEGMENT_BYTES, name),
  );
  for (const { type, offset, fileSize, memorySize } of segments) {
    if (offset + fileSize > bytes.length) bad("is cut short: a segment lies behind its end.");
    if (type === PT.load && fileSize > memorySize) bad("has a segment larger than its memory.");
  }
  const fixed = view.getUint16(16, true) === ET_EXEC;
  return { bytes, machine, fixed, entry: whole(view, 24, name), segments };
}

function readSegment(view: DataView, at: number, name: string): Segment {
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    offset: whole(view, at + 8, name),
    address: whole(view, at + 16, name),
    fileSize: whole(view, at + 32, name),
    memorySize: whole(view, at + 40, name),
    align: whole(view, at + 48, name),
  };
}

/** Writes a program header at `at`; the physical address, which no system of ours uses, is the virtual one. */
export function writeSegment(bytes: Uint8Array, at: number, segment: Segment): void {
  const view = viewOf(bytes);
  view.setUint32(at, segment.type, true);
  view.setUint32(at + 4, segment.flags, true);
  const { offset, address, fileSize, memorySize, align } = segment;
  [offset, address, address, fileSize, memorySize, align].forEach((value, i) =>
    view.setBigUint64(at + 8 + i * 8, BigInt(value), true),
  );
}

/** The names in DT_NEEDED, in order, and DT_SONAME. Both are empty for a static file. */
export function readDynamic(elf: Elf, name: string): { needed: string[]; soname?: string } {
  const dynamic = elf.segments.find(({ type }) => type === PT.dynamic);
  if (!dynamic) return { needed: [] };
  const view = viewOf(elf.bytes);
  const rows: { tag: number; value: number }[] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.fileSize; at += 16) {
    const tag = view.getBigUint64(at, true);
    if (tag === 0n) break;
    // Tags of other kinds are large, and their values may be any 64 bits.
    if (tag <= BigInt(DT.soname))
      rows.push({ tag: Number(tag), value: Number(view.getBigUint64(at + 8, true)) });
  }
  const value = (tag: number) => rows.find((row) => row.tag === tag)?.value;
  const table = value(DT.strtab);
  const size = value(DT.strsz);
  if (table === undefined || size === undefined)
    throw new ElfError(`${name} has a dynamic section without names.`);
  const start = offsetOf(elf, table, name);
  const text = (offset: number): string => {
    const from = start + offset;
    const end = elf.bytes.indexOf(0, from);
    if (offset >= size || end < 0 || end > start + size)
      throw new ElfError(`${name} has a library name outside of its table of names.`);
    return Buffer.from(elf.bytes.subarray(from, end)).toString("latin1");
  };
  const soname = value(DT.soname);
  return {
    needed: rows.filter(({ tag }) => tag === DT.needed).map((row) => text(row.value)),
    ...(soname !== undefined && { soname: text(soname) }),
  };
}

/** The path in PT_INTERP; undefined for a file that names no loader. */
export function readLoaderPath(elf: Elf): string | undefined {
  const interp = elf.segments.find(({ type }) => type === PT.interp);
  if (!interp) return undefined;
  const raw = elf.bytes.subarray(interp.offset, interp.offset + interp.fileSize);
  return Buffer.from(raw).toString("latin1").replace(/\0.*$/s, "");
}

/** Where the byte at a virtual address stands in the file. @throws ElfError when no segment has it. */
export function offsetOf(elf: Elf, address: number, name: string): number {
  const home = elf.segments.find(
    (s) => s.type === PT.load && address >= s.address && address < s.address + s.fileSize,
  );
  if (!home) throw new ElfError(`${name} names address ${address.toString(16)}, which it has not.`);
  return home.offset + (address - home.address);
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function whole(view: DataView, at: number, name: string): number {
  const value = view.getBigUint64(at, true);
  if (value >= 1n << 48n)
    throw new ElfError(`${name} is damaged: an address or size in its headers is impossible.`);
  return Number(value);
}
