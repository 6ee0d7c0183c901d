/** Whether somebody sits behind a file descriptor. */
import { fstatSync, type Stats } from "node:fs";

/** The device number of /dev/null on Linux, where most services have their streams. */
const LINUX_NULL = 0x103;

/**
 * True for a terminal; false for a pipe, a file, and a descriptor that is closed. For whatever shows colours or asks questions.
 * What asks the system itself, node:tty, brings the whole of node:net, 5 ms: it is asked only when the answer can be yes.
 */
export function isTerminal(fd: number): boolean {
  const stat = statOf(fd);
  if (!stat?.isCharacterDevice()) return false;
  if (process.platform === "linux" && stat.rdev === LINUX_NULL) return false;
  return process.getBuiltinModule("node:tty").isatty(fd);
}

function statOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    // Closed: a program may be started without any of the three.
    return undefined;
  }
}
