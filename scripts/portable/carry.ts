/**
 * Makes a Linux executable portable: it then carries its loader (ld.so) and its libraries, so that it runs on musl, on NixOS and
 * in an empty root file system. Where the machine has a glibc, start and memory stay the same, because that one is used;
 * elsewhere a start takes 2 ms more. How it starts is told in stub/stub.c; this file lays it out.
 *
 * The new file, from its first byte:
 *   FRONT (64 KiB)  a new ELF header and new program headers; the stub at STUB_AT, its table filled in here
 *   the old file    unchanged, all of it; mapped where it always was, because its program headers move along
 *   carried         the loader, the libraries and a note about them, as one more read-only segment
 * Why in front: the stub has to run even when the end of the file is missing, to say so. Why the old file is unchanged: its own
 * headers, which are mapped with it, are what the stub shows to the loader.
 * Left out of the new program headers: PT_INTERP (the point of all this), PT_DYNAMIC and PT_TLS, which only a loader reads, and
 * that one reads the old ones. Left out of the ELF header: the section headers, because `strip` takes away everything behind
 * the program that no section names, and Bun's payload with it; without them it refuses the file and leaves it whole.
 */
import {
  type Elf,
  ElfError,
  HEADER_BYTES,
  type Machine,
  offsetOf,
  PF,
  PT,
  readDynamic,
  readElf,
  readLoaderPath,
  type Segment,
  SEGMENT_BYTES,
  viewOf,
  writeSegment,
} from "./elf.ts";
import { BLOBS } from "./stub/blobs.ts";

/** The largest page size that a kernel of either machine has: everything is laid out for it. */
const PAGE = 0x10000;
const FRONT = PAGE;
const STUB_AT = 0x1000;

/** The layout of `struct table` in stub/stub.c. */
const MAX_FILES = 8;
const NAME_BYTES = 40;
const FILE_BYTES = 24 + NAME_BYTES;
const TABLE_FIXED = 80;
export const TABLE_BYTES = TABLE_FIXED + MAX_FILES * FILE_BYTES;
/** The stub copies the program's headers into room for this many. */
const MAX_HEADERS = 16;
const MAGIC = Buffer.from("CARRIED1", "latin1").readBigUInt64LE();

/** Between the note and the licence, so that `strings` and `tail` show the latter on its own. */
const GAP = "\n\n";

/** One file to carry. `name` as in DT_NEEDED; the first of a list is the loader. */
export type Library = { name: string; bytes: Uint8Array };

/** What is written into the file about what it carries, as JSON. */
export type Note = {
  /** As the C library names itself, e.g. "2.36 (Debian GLIBC 2.36-9+deb12u14)". */
  glibc: string;
  machine: Machine;
  /** Bytes of the plain executable inside, for {@link plainOf}. */
  plainSize: number;
  files: { name: string; size: number; sha256: string }[];
};

/** What is told about the carried library, and the text of its licence, which stands behind the note at the end of the file. */
export type About = { glibc: string; license: string };

/** What a plain executable needs: its loader's path and the names of its libraries (the loader's own is among them). */
export function needsOf(plain: Uint8Array): { loader: string; needed: string[]; machine: Machine } {
  const elf = readElf(plain, "The executable");
  const loader = readLoaderPath(elf);
  if (!loader) throw new ElfError("The executable names no loader, so there is nothing to carry.");
  return { loader, needed: readDynamic(elf, "The executable").needed, machine: elf.machine };
}

/**
 * Gives the portable form of `plain`. @param libraries the loader first; exactly what {@link needsOf} lists
 * @param stub another one than the compiled one of this project, for its tests
 * @throws ElfError when `plain` is laid out in a way that the stub cannot start
 */
export function carry(
  plain: Uint8Array,
  libraries: Library[],
  about: About,
  stub?: Uint8Array,
): Uint8Array {
  const elf = readElf(plain, "The executable");
  const loads = elf.segments.filter(({ type }) => type === PT.load);
  check(elf, loads, libraries);

  const first = loads[0]!;
  const last = loads.at(-1)!;
  const front = first.address - FRONT;
  const carriedAddress = up(last.address + last.memorySize, PAGE);
  const carriedOffset = up(FRONT + plain.length, PAGE);
  const { bytes: carried, places, note } = pack(elf, libraries, carriedAddress, about);

  const out = new Uint8Array(carriedOffset + carried.length);
  out.set(plain, FRONT);
  out.set(carried, carriedOffset);
  const blob = stub ?? Buffer.from(BLOBS[elf.machine].base64, "base64");
  const segments = segmentsOf(elf, [
    { flags: PF.r | PF.x, offset: 0, address: front, size: STUB_AT + blob.length },
    { flags: PF.r, offset: carriedOffset, address: carriedAddress, size: carried.length },
  ]);
  writeHeader(out, plain, front, segments.length);
  segments.forEach((segment, i) => writeSegment(out, HEADER_BYTES + i * SEGMENT_BYTES, segment));
  out.set(blob, STUB_AT);

  const headers = elf.segments.find(({ type }) => type === PT.phdr)!;
  const view = viewOf(out);
  const fields = [
    MAGIC,
    elf.entry,
    headers.address,
    elf.segments.length,
    carriedAddress,
    carried.length,
    out.length,
    note.address,
    note.length,
    places.length,
  ];
  fields.forEach((value, i) => view.setBigUint64(STUB_AT + i * 8, BigInt(value), true));
  places.forEach((place, i) => {
    const at = STUB_AT + TABLE_FIXED + i * FILE_BYTES;
    view.setBigUint64(at, BigInt(place.address), true);
    view.setBigUint64(at + 8, BigInt(place.length), true);
    view.setBigUint64(
      at + 16,
      checksum(carried, place.address - carriedAddress, place.length),
      true,
    );
    out.set(Buffer.from(place.name, "latin1"), at + 24);
  });
  return out;
}

/** What a portable file carries; undefined for any other ELF file. @throws ElfError when the file is damaged. */
export function readCarried(
  bytes: Uint8Array,
  name: string,
): { note: Note; license: string } | undefined {
  const elf = readElf(bytes, name);
  if (bytes.length < STUB_AT + TABLE_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getBigUint64(STUB_AT, true) !== MAGIC) return undefined;
  const [address, length] = [7, 8].map((i) => Number(view.getBigUint64(STUB_AT + i * 8, true)));
  const at = offsetOf(elf, address!, name);
  try {
    const note = JSON.parse(Buffer.from(bytes.subarray(at, at + length!)).toString()) as Note;
    return {
      note,
      license: Buffer.from(bytes.subarray(at + length!))
        .toString()
        .slice(GAP.length),
    };
  } catch (cause) {
    throw new ElfError(`${name} is damaged: the note about what it carries cannot be read.`, {
      cause,
    });
  }
}

/** The plain executable inside a portable one, byte for byte. @throws ElfError for any other file. */
export function plainOf(bytes: Uint8Array, name: string): Uint8Array {
  const carried = readCarried(bytes, name);
  if (!carried) throw new ElfError(`${name} carries nothing: it is plain already.`);
  return bytes.slice(FRONT, FRONT + carried.note.plainSize);
}

function check(elf: Elf, loads: Segment[], libraries: Library[]): void {
  const refuse = (what: string): never => {
    throw new ElfError(`This executable cannot be made portable: ${what}.`);
  };
  const { loader, needed } = needsOf(elf.bytes);
  if (!elf.fixed) refuse("it is not linked for a fixed address");
  const first = loads[0];
  if (!first || first.address < 2 * FRONT || first.address % PAGE !== 0 || first.offset !== 0)
    refuse("there is no room in front of its first segment");
  if (!elf.segments.some(({ type }) => type === PT.phdr)) refuse("it has no PT_PHDR");
  if (elf.segments.length > MAX_HEADERS) refuse(`it has over ${MAX_HEADERS} program headers`);
  if (libraries.length > MAX_FILES) refuse(`it needs over ${MAX_FILES - 1} libraries`);
  const wanted = [loader.split("/").at(-1)!, ...needed];
  for (const name of wanted)
    if (!libraries.some((library) => library.name === name)) refuse(`${name} is missing`);
  if (libraries[0]?.name !== wanted[0]) refuse("the loader has to come first");
  for (const { name, bytes } of libraries) {
    if (name.length >= NAME_BYTES) refuse(`the name ${name} is too long`);
    if (readElf(bytes, name).machine !== elf.machine) refuse(`${name} is for another processor`);
  }
}

/** The loader, the libraries and the note in one piece that is mapped at `address`. */
function pack(elf: Elf, libraries: Library[], address: number, about: About) {
  const note: Note = {
    glibc: about.glibc,
    machine: elf.machine,
    plainSize: elf.bytes.length,
    files: libraries.map(({ name, bytes }) => ({
      name,
      size: bytes.length,
      sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
    })),
  };
  const text = Buffer.from(JSON.stringify(note));
  let at = 0;
  const places = libraries.map(({ name, bytes }) => {
    // The stub sums up whole words; zero bytes behind a library change nothing.
    const place = { name, bytes, address: address + at, length: up(bytes.length, 8) };
    at += up(place.length, 64);
    return place;
  });
  const license = Buffer.from(`${GAP}${about.license}`);
  const bytes = new Uint8Array(at + text.length + license.length);
  for (const place of places) bytes.set(place.bytes, place.address - address);
  bytes.set(text, at);
  bytes.set(license, at + text.length);
  return { bytes, places, note: { address: address + at, length: text.length } };
}

/** The new program headers, in the order of their addresses, as the kernel wants them. `added`: in front and behind. */
function segmentsOf(
  elf: Elf,
  added: { flags: number; offset: number; address: number; size: number }[],
): Segment[] {
  const [front, carried] = added.map(({ flags, offset, address, size }) => ({
    type: PT.load,
    flags,
    offset,
    address,
    fileSize: size,
    memorySize: size,
    align: PAGE,
  }));
  const moved = (type: number) =>
    elf.segments
      .filter((segment) => segment.type === type)
      .map((segment) => ({ ...segment, offset: segment.offset + FRONT }));
  const stack = elf.segments.filter(({ type }) => type === PT.stack);
  return [front!, ...moved(PT.load), carried!, ...stack, ...moved(PT.note)];
}

function writeHeader(out: Uint8Array, plain: Uint8Array, front: number, count: number): void {
  out.set(plain.subarray(0, HEADER_BYTES));
  const view = viewOf(out);
  view.setBigUint64(24, BigInt(front + STUB_AT + TABLE_BYTES), true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setBigUint64(40, 0n, true);
  view.setUint16(56, count, true);
  // No section headers: their size, number and the index of their names.
  for (const at of [58, 60, 62]) view.setUint16(at, 0, true);
}

/** The same as checksum() in stub.c. */
function checksum(bytes: Uint8Array, from: number, length: number): bigint {
  const words = new BigUint64Array(
    bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + from + length),
  );
  let sum = 0n;
  for (const word of words) sum = BigInt.asUintN(64, (sum << 1n) | (sum >> 63n)) ^ word;
  return sum;
}

const up = (value: number, step: number) => Math.ceil(value / step) * step;
