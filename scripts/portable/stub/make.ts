/**
 * Compiles stub.c for both machines and writes blobs.ts: `bun scripts/portable/stub/make.ts`. Run it after a change of
 * anything here; a build of clawdbot itself needs no C compiler. A test says so when it was forgotten.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Machine } from "../elf.ts";

/** The compiler of each machine; Debian's packages are gcc and gcc-aarch64-linux-gnu (or gcc-x86-64-linux-gnu). */
export const PREFIXES: Record<Machine, string> = {
  x64: "x86_64-linux-gnu-",
  arm64: "aarch64-linux-gnu-",
};

const FLAGS = [
  "-Os",
  "-std=gnu11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-fpie",
  "-fvisibility=hidden",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-tree-loop-distribute-patterns",
  "-mgeneral-regs-only",
  "-nostdlib",
  "-static",
  "-Wl,--build-id=none",
];

const at = (name: string) => join(import.meta.dir, name);

/** SHA-256 of what the blob of a machine is made of: written beside it, so that a test can tell that it is still the right one. */
export function sourceHash(machine: Machine): string {
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const name of ["stub.c", "layout.h", `${machine}.h`, "stub.ld"])
    hash.update(readFileSync(at(name)));
  return hash.digest("hex");
}

/** Compiles the stub. @throws Error with the compiler's output. */
export function compileStub(machine: Machine): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-stub-"));
  try {
    return link(machine, dir, 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Linked for two addresses the bytes must be the same: that is what "runs wherever it is mapped" means. */
export function runsAnywhere(machine: Machine): boolean {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-stub-"));
  try {
    return Buffer.compare(link(machine, dir, 0), link(machine, dir, 0x7654000)) === 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function link(machine: Machine, dir: string, address: number): Uint8Array {
  const prefix = PREFIXES[machine];
  const script = join(dir, "stub.ld");
  const text = readFileSync(at("stub.ld"), "utf8").replace(". = 0;", `. = ${address};`);
  writeFileSync(script, text);
  const elf = join(dir, "stub.elf");
  const raw = join(dir, "stub.bin");
  run([`${prefix}gcc`, ...FLAGS, `-Wl,-T,${script}`, "-o", elf, at("stub.c")]);
  run([`${prefix}objcopy`, "-O", "binary", "-j", ".stub", elf, raw]);
  return readFileSync(raw);
}

function run(command: string[]): void {
  const done = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
  if (!done.success) throw new Error(`${command.join(" ")}\n${done.stderr.toString()}`);
}

function blobs(): string {
  const rows = (["x64", "arm64"] as const).map((machine) => {
    const base64 = Buffer.from(compileStub(machine)).toString("base64");
    const lines = base64.match(/.{1,88}/g)!.map((line) => `      "${line}",`);
    return `  ${machine}: {\n    source: "${sourceHash(machine)}",\n    base64: [\n${lines.join("\n")}\n    ].join(""),\n  },\n`;
  });
  return `/** The compiled stub of each machine, and the SHA-256 of what it was compiled from. Written by make.ts; do not edit. */
export const BLOBS = {\n${rows.join("")}};\n`;
}

if (import.meta.main) writeFileSync(at("blobs.ts"), blobs());
