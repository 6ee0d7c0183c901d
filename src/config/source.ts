/** Reads config files from the disk: bounded, regular files only, as text. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { errnoOf } from "../base/errors.ts";
import { ownCommand } from "../base/fs.ts";
import type { Doc } from "./document.ts";
import { type Problem } from "./problem.ts";

/** Largest config or included file, in bytes. */
export const CONFIG_MAX_BYTES = 2 * 1024 * 1024;

export type Read =
  /** `mode` is that of the file, for the check of who else may change it. */
  | { kind: "text"; doc: Doc; bytes: Uint8Array; mode: number }
  | { kind: "missing" }
  /** `bytes` when there were some; a set-aside copy is made of them. */
  | { kind: "fault"; problem: Problem; bytes?: Uint8Array };

const WHY: Record<string, [message: string, hint: string]> = {
  EISDIR: ["It is a folder, not a file", "Give the path of the file itself."],
  ELOOP: ["It is a link that leads back to itself", "Replace the link by the file."],
  ENOTDIR: ["A part of its path is a file, not a folder", "Correct the path."],
  ENXIO: ["It is not a regular file", "Put a plain text file there."],
};

/** Reads one file. Never throws on what is on the disk; throws on a failing disk (EIO). */
export async function readSource(path: string): Promise<Read> {
  const fault = (message: string, hint: string, bytes?: Uint8Array): Read => ({
    kind: "fault",
    problem: { path: "", message, hint, file: path },
    ...(bytes && { bytes }),
  });
  try {
    // Not blocking: opening a named pipe that nobody writes to would wait for ever.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await file.stat();
      if (found.isDirectory()) return fault(...WHY.EISDIR!);
      if (!found.isFile()) return fault(...WHY.ENXIO!);
      if (found.size > CONFIG_MAX_BYTES)
        return fault(
          `The file is ${found.size} bytes long; at most ${CONFIG_MAX_BYTES} are read`,
          "Is it the right file? Large parts can be moved out with $include.",
        );
      return decode(path, await file.readFile(), found.mode);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (code === "ENOENT") return { kind: "missing" };
    if (code === "EACCES" || code === "EPERM")
      return fault(
        "The file may not be read",
        `Give it to the user of this program: sudo ${ownCommand(path)}`,
      );
    const why = WHY[code];
    if (!why) throw cause;
    return fault(...why);
  }
}

/** UTF-8, with or without a byte order mark. */
function decode(path: string, bytes: Uint8Array, mode: number): Read {
  const fault = (message: string, hint: string, line?: number): Read => ({
    kind: "fault",
    problem: { path: "", message, hint, file: path, ...(line && { line, column: 1 }) },
    bytes,
  });
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || bytes[1] === 0)
    return fault("The file is saved as UTF-16", "Save it as UTF-8.", 1);
  const text = new TextDecoder("utf-8").decode(bytes);
  const nul = text.indexOf("\0");
  if (nul >= 0) return fault("The file contains zero bytes", DAMAGED, lineAt(text, nul));
  if (text.includes("\ufffd") && !isUtf8(bytes))
    return fault("The file is not UTF-8 text", DAMAGED, lineAt(text, text.indexOf("\ufffd")));
  return { kind: "text", doc: { name: path, text }, bytes, mode };
}

/** Of a file that is no text; `doctor` knows it, and says more. */
export const DAMAGED = "It looks damaged; `clawdbot doctor` says how to get it back.";
const lineAt = (text: string, offset: number) => text.slice(0, offset).split("\n").length;

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch (cause) {
    if (cause instanceof TypeError) return false;
    throw cause;
  }
}
