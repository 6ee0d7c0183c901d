/** `gateway unlock`: the safe form of the published `rm -f <state>/gateway.*.lock`. It is never needed, and does no harm. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { PRODUCT } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { acquireLock, type Lock } from "../../base/lock.ts";
import { command } from "../command.ts";

/** Lock files of this and older versions, and the database that stands in for `flock`. */
const LOCKS = /^gateway\.[\w-]+\.lock$/;

export const unlock = command({
  doc: "Remove the lock files that a gateway left behind. Refused while a gateway holds one.",
  args: {},
  notes:
    "A lock ends with the process that has it, so a file that is left never stops a start. This is for scripts that were told to remove it.",
  examples: [["gateway unlock", "remove what nobody holds"]],
  async run(args, { paths, out }) {
    const { stateDir } = paths;
    const names = existsSync(stateDir)
      ? readdirSync(stateDir).filter((name) => LOCKS.test(name))
      : [];
    const locks: { path: string; lock: Lock }[] = [];
    try {
      for (const name of names) {
        const path = join(stateDir, name);
        locks.push({ path, lock: take(path) });
      }
      for (const { path } of locks) rmSync(path, { force: true });
    } finally {
      for (const { path, lock } of locks) {
        lock.release();
        // SQLite's stand-in for the lock, where there is one.
        if (!existsSync(path)) rmSync(`${path}.db`, { force: true });
      }
    }
    if (args.json) out.data({ ok: true, removed: names.map((name) => join(stateDir, name)) });
    else if (names.length === 0) out.line("There is no lock file.");
    else for (const name of names) out.line(`Removed ${join(stateDir, name)}.`);
  },
});

/** Throws gateway_running when somebody has it. */
function take(path: string): Lock {
  const taken = acquireLock(path, { pid: process.pid, bootId: "", version: "", startedAt: 0 });
  if ("release" in taken) return taken;
  const port = taken.port ? ` on port ${taken.port}` : "";
  throw new AppError(
    "gateway_running",
    `A gateway holds the lock (PID ${taken.pid || "unknown"}${port}); nothing was removed.`,
    { hint: `Stop it, and its lock ends with it: ${PRODUCT} gateway stop` },
  );
}
