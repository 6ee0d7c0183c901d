/** What stops a release: said in one line, with the next command. Everything else that is thrown is a bug and keeps its stack. */

export class Problem extends Error {
  /** @param hint the exact thing to do next; @param exit 1 for what went wrong, 2 for words that were not understood */
  constructor(
    message: string,
    readonly hint: string,
    readonly exit = 1,
  ) {
    super(message);
  }
}

/** The system's own errors that a maintainer can do something about; anything else comes back as it was. */
export function asProblem(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof Problem) return cause;
  const { code, path } = cause as NodeJS.ErrnoException;
  const where = path ? ` at ${path}` : "";
  if (code === "ENOSPC" || code === "EDQUOT")
    return new Problem(
      `The disk is full${where}.`,
      "Free some space, or name a folder on another disk with --out. Nothing half-made was left behind.",
    );
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new Problem(
      `Writing is not allowed${where}.`,
      "Name a folder that you may write to with --out.",
    );
  if (code === "ENOENT")
    return new Problem(`There is no file or folder${where}.`, "Check the path.");
  return cause;
}
