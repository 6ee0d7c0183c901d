/**
 * The compiled stub in the repository belongs to its source and runs at any address; a newly compiled one starts the program.
 * And what it promises, on a small C program: everything is as if the kernel and the loader had started it, on any page size.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  carry,
  needsOf,
  plainOf,
  readCarried,
  TABLE_BYTES,
} from "../../../scripts/portable/carry.ts";
import type { Machine } from "../../../scripts/portable/elf.ts";
import { findGlibc } from "../../../scripts/portable/libs.ts";
import { BLOBS } from "../../../scripts/portable/stub/blobs.ts";
import {
  compileStub,
  PREFIXES,
  runsAnywhere,
  sourceHash,
} from "../../../scripts/portable/stub/make.ts";
import { BINARY } from "../../e2e/binary.ts";
import { missing, run } from "../lab.ts";
import { inRoot, makeRoot, noMounts, workFolder } from "./rig.ts";

// apt fetches the arm64 glibc, once.
setDefaultTimeout(300_000);
const machines: Machine[] = ["x64", "arm64"];
const QEMU = "qemu-aarch64-static";
const why =
  process.platform === "linux" && process.arch === "x64"
    ? missing({
        "x86_64-linux-gnu-gcc": "gcc",
        "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
        [QEMU]: "qemu-user-static",
      })
    : "the compilers are looked for on x64 Linux only";
const work = workFolder();
afterAll(work.remove);
const about = { glibc: "x", license: "y" };

describe.each(machines)("the stub for %s", (machine) => {
  test("was compiled from the source that is here (else run: bun scripts/portable/stub/make.ts)", () => {
    expect(BLOBS[machine].source).toBe(sourceHash(machine));
  });

  test("is small, and begins with an empty table", () => {
    const blob = Buffer.from(BLOBS[machine].base64, "base64");
    expect(blob.length).toBeLessThan(8192);
    expect(blob.subarray(0, TABLE_BYTES).every((byte) => byte === 0)).toBe(true);
    expect(blob[TABLE_BYTES]).not.toBe(0);
  });

  test.skipIf(why !== undefined)("compiles without a warning to code for any address", () => {
    expect(runsAnywhere(machine)).toBe(true);
  });
});

test.skipIf(why !== undefined || noMounts() !== undefined)(
  "a newly compiled stub starts the program",
  () => {
    const plain = plainOf(readFileSync(BINARY), BINARY);
    const glibc = findGlibc(needsOf(plain));
    if (typeof glibc === "string") throw new Error(glibc);
    const made = carry(plain, glibc.libraries, about, compileStub("x64"));
    const root = makeRoot(join(work.dir, "fresh"), {});
    writeFileSync(join(root, "clawdbot"), made, { mode: 0o755 });
    expect(readCarried(made, "it")!.note.glibc).toBe("x");
    expect(run(inRoot(root, ["/clawdbot", "--version"])).stdout).toMatch(/^\d{4}\.\d+\.\d+/);
  },
);

/** sample.c as an executable at the address of Bun's, made portable; gives its path. */
function sample(machine: Machine): string {
  const loader = machine === "x64" ? "/lib64/ld-linux-x86-64.so.2" : "/lib/ld-linux-aarch64.so.1";
  const libs = join(work.dir, machine);
  mkdirSync(libs, { recursive: true });
  const found = findGlibc({ loader, needed: ["libc.so.6", "libm.so.6"], machine });
  if (typeof found === "string") throw new Error(found);
  for (const { name, bytes } of found.libraries)
    writeFileSync(join(libs, name), bytes, { mode: 0o755 });
  const plain = join(libs, "plain");
  const linked = run([
    `${PREFIXES[machine]}gcc`,
    ...["-O1", "-no-pie", "-fno-builtin", "-nostdlib", "-Wl,--no-as-needed"],
    ...["-Wl,-Ttext-segment=0x200000", "-Wl,-z,max-page-size=0x10000"],
    ...[`-Wl,--dynamic-linker=${loader}`, "-o", plain, join(import.meta.dir, "sample.c")],
    ...found.libraries.map(({ name }) => join(libs, name)),
  ]);
  if (linked.code !== 0) throw new Error(linked.stderr);
  const portable = join(libs, "portable");
  const bytes = carry(readFileSync(plain), found.libraries, about);
  writeFileSync(portable, bytes, { mode: 0o755 });
  return portable;
}

describe.skipIf(why !== undefined)("a small C program started by the stub", () => {
  const env = { GIVEN: "gift" };
  const said = (page: number) =>
    `words 2 word given gift thread 42 cos 1.000 entry 1 page ${page} next fd 3\nend 3 reached\n`;

  test("on x64 has its arguments, environment, constructors, exit functions and no foreign descriptor", () => {
    const portable = sample("x64");
    const seen = { code: 3, stdout: said(4096), stderr: "" };
    // With the machine's own library, and with the carried one.
    expect(run([portable, "word"], { env })).toEqual(seen);
    if (noMounts() !== undefined) return;
    const root = makeRoot(join(work.dir, "sample"), { portable });
    const command = inRoot(root, ["/portable", "word"]);
    expect(run(command, { env: { ...env, PATH: process.env["PATH"]! } })).toEqual(seen);
  });

  test.each([4096, 16384, 65536])("on arm64 the same with pages of %d bytes", (page) => {
    const portable = sample("arm64");
    const { code, stdout, stderr } = run([Bun.which(QEMU)!, "-p", String(page), portable, "word"], {
      env,
    });
    expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: said(page), stderr: "" });
  });
});
