/** The reader of ELF files, and carry() on a file made here: what is damaged gets a sentence, never a crash or a silent success. */
import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import {
  type About,
  carry,
  type Library,
  needsOf,
  plainOf,
  readCarried,
} from "../../../scripts/portable/carry.ts";
import {
  ElfError,
  type Machine,
  MACHINES,
  PT,
  readDynamic,
  readElf,
  readLoaderPath,
  writeSegment,
} from "../../../scripts/portable/elf.ts";

const BASE = 0x200000;
const NAMES = "\0libc.so.6\0ld-linux-x86-64.so.2\0libself.so\0";
const INTERP = "/lib64/ld-linux-x86-64.so.2\0";
const about: About = { glibc: "2.36 (test)", license: "LICENCE TEXT\n" };

/** As Bun's executables are laid out, in 2 KiB: headers, names, a dynamic section. */
function sample(machine: Machine = "x64"): Uint8Array {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, MACHINES[machine], true);
  view.setBigUint64(24, BigInt(BASE + 0x700), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 5, true);
  const at = { interp: 0x300, names: 0x380, dynamic: 0x400 };
  bytes.set(Buffer.from(INTERP), at.interp);
  bytes.set(Buffer.from(NAMES), at.names);
  const rows = [
    [1, 1],
    [1, NAMES.indexOf("ld-linux")],
    [5, BASE + at.names],
    [10, NAMES.length],
    [14, NAMES.indexOf("libself")],
    [0x6ffffef5, BASE + 0x700],
    [0, 0],
  ] as const;
  rows.forEach(([tag, value], i) => {
    view.setBigUint64(at.dynamic + i * 16, BigInt(tag), true);
    view.setBigUint64(at.dynamic + i * 16 + 8, BigInt(value), true);
  });
  const segment = (type: number, offset: number, size: number) => ({
    type,
    flags: 5,
    offset,
    address: BASE + offset,
    fileSize: size,
    memorySize: size,
    align: 8,
  });
  [
    segment(PT.phdr, 64, 5 * 56),
    segment(PT.interp, at.interp, INTERP.length),
    segment(PT.load, 0, bytes.length),
    segment(PT.dynamic, at.dynamic, rows.length * 16),
    segment(PT.stack, 0, 0),
  ].forEach((row, i) => writeSegment(bytes, 64 + i * 56, row));
  return bytes;
}

const libraries = (machine: Machine = "x64"): Library[] =>
  ["ld-linux-x86-64.so.2", "libc.so.6"].map((name) => ({ name, bytes: sample(machine) }));

const messageOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof ElfError) return error.message;
    throw error;
  }
  return "";
};
const with16 = (at: number, value: number) => {
  const bytes = sample();
  new DataView(bytes.buffer).setUint16(at, value, true);
  return bytes;
};

describe("reading", () => {
  test("headers, the loader's path, the needed names and the own name", () => {
    const elf = readElf(sample(), "x");
    expect(elf).toMatchObject({ machine: "x64", fixed: true, entry: BASE + 0x700 });
    expect(elf.segments).toHaveLength(5);
    expect(readLoaderPath(elf)).toBe("/lib64/ld-linux-x86-64.so.2");
    expect(readDynamic(elf, "x")).toEqual({
      needed: ["libc.so.6", "ld-linux-x86-64.so.2"],
      soname: "libself.so",
    });
    expect(readElf(sample("arm64"), "x").machine).toBe("arm64");
  });

  test.each([
    ["an empty file", () => new Uint8Array(), "too short"],
    ["a script", () => Buffer.from(`#!/bin/sh\n${" ".repeat(100)}`), "is not an ELF file"],
    ["a 32-bit file", () => sample().with(4, 1), "64-bit"],
    ["a big-endian file", () => sample().with(5, 2), "little-endian"],
    ["a file for RISC-V", () => with16(18, 243), "another processor (ELF machine 243)"],
    ["headers behind the end", () => with16(56, 0xfff0), "program headers are missing"],
    ["headers of another size", () => with16(54, 32), "unknown size"],
    ["a file cut in half", () => sample().subarray(0, 1024), "behind its end"],
    ["an impossible address", () => sample().with(31, 0x7f), "impossible"],
  ])("%s is refused with its reason", (_name, bytes, reason) => {
    expect(messageOf(() => readElf(bytes(), "the file"))).toContain(reason);
  });

  test("a file cut or changed anywhere is read or refused with a sentence, and nothing else happens", () => {
    const whole = sample();
    const read = (bytes: Uint8Array) => {
      const elf = readElf(bytes, "x");
      readLoaderPath(elf);
      readDynamic(elf, "x");
    };
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.array(fc.tuple(fc.nat(0x480), fc.nat(255)), { maxLength: 6 }),
        (length, changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          messageOf(() => read(bytes));
          const cut = messageOf(() => read(whole.subarray(0, length)));
          expect(cut !== "").toBe(length < whole.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("carrying", () => {
  test("what it needs is read, carried, and found again; the plain file inside is unchanged", () => {
    const plain = sample();
    expect(needsOf(plain)).toEqual({
      loader: "/lib64/ld-linux-x86-64.so.2",
      needed: ["libc.so.6", "ld-linux-x86-64.so.2"],
      machine: "x64",
    });
    const made = carry(plain, libraries(), about);
    expect(readCarried(made, "x")).toMatchObject({
      note: { glibc: "2.36 (test)", machine: "x64", plainSize: 2048 },
      license: "LICENCE TEXT\n",
    });
    expect(Buffer.compare(plainOf(made, "x"), plain)).toBe(0);
    expect(Buffer.compare(made, carry(plain, libraries(), about))).toBe(0);
  });

  test.each(["x64", "arm64"] as const)(
    "on %s the kernel sees no loader, segments in order, nothing writable that runs, 64 KiB pages",
    (machine) => {
      const made = readElf(carry(sample(machine), libraries(machine), about), "x");
      const loads = made.segments.filter(({ type }) => type === PT.load);
      expect(readLoaderPath(made)).toBeUndefined();
      expect(loads.map(({ address }) => address)).toEqual(
        loads.map(({ address }) => address).sort((a, b) => a - b),
      );
      expect(loads.filter(({ flags }) => (flags & 3) === 3)).toEqual([]);
      for (const { offset, address } of loads) expect((address - offset) % 0x10000).toBe(0);
      expect(loads[0]!.address).toBeLessThanOrEqual(made.entry);
      expect(made.entry).toBeLessThan(loads[0]!.address + loads[0]!.fileSize);
    },
  );

  test.each([
    ["not linked for a fixed address", () => with16(16, 3), libraries()],
    ["cannot be made portable: libc.so.6 is missing", sample, libraries().slice(0, 1)],
    ["the loader has to come first", sample, libraries().reverse()],
    ["libc.so.6 is for another processor", sample, [libraries()[0]!, libraries("arm64")[1]!]],
    ["ld-linux-x86-64.so.2 is for another processor", sample, libraries("arm64")],
  ] as const)("%s: refused", (reason, plain, libs) => {
    expect(messageOf(() => carry(plain(), [...libs], about))).toContain(reason);
  });

  test("a portable file is not made portable twice, and a plain one carries nothing", () => {
    const made = carry(sample(), libraries(), about);
    expect(messageOf(() => carry(made, libraries(), about))).toContain("names no loader");
    expect(readCarried(sample(), "x")).toBeUndefined();
    expect(messageOf(() => plainOf(sample(), "x"))).toContain("plain already");
  });

  test("a portable file that is cut anywhere or has another note is refused with a sentence", () => {
    const made = carry(sample(), libraries(), about);
    fc.assert(
      fc.property(fc.nat(made.length - 1), (length) => {
        expect(messageOf(() => readCarried(made.subarray(0, length), "x"))).not.toBe("");
      }),
      { numRuns: 60 },
    );
    const text = Buffer.from(made);
    text.write("][", text.indexOf('{"glibc"'));
    expect(messageOf(() => readCarried(text, "x"))).toContain("note about what it carries");
  });
});
