/** The state folder: there, ours, private, writable, and on a disk with room. */
import { access, chmod, constants, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

import { errnoOf } from "../../base/errors.ts";
import { shellWord, writeCommand } from "../../base/fs.ts";
import type { Check, Finding } from "../check.ts";

/** Below this much free space, in bytes, a backup of the database may fail. */
const ROOM = 200 * 1024 * 1024;

const modeOf = async (path: string): Promise<{ mode: number; uid: number } | undefined> => {
  try {
    const { mode, uid } = await stat(path);
    return { mode: mode & 0o777, uid };
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(cause) ?? "")) return undefined;
    throw cause;
  }
};

const writable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.W_OK | constants.X_OK);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return false;
  }
};

/** A file or folder that others can read, with the way to close it. */
async function tooOpen(path: string, wanted: number): Promise<Finding[]> {
  const found = await modeOf(path);
  if (!found || (found.mode & 0o077) === 0) return [];
  return [
    {
      severity: "warning",
      message: `${path} is open to other users of this machine (mode ${found.mode.toString(8)}).`,
      fixHint: `chmod ${wanted.toString(8)} ${shellWord(path)}`,
      path,
      fix: async () => {
        await chmod(path, wanted);
        return `${path} is closed to others now.`;
      },
    },
  ];
}

export const stateCheck: Check = {
  id: "state",
  title: "State folder",
  async run({ paths, loaded }) {
    const { stateDir } = paths;
    const found = await modeOf(stateDir);
    if (!found) return [];
    const uid = process.getuid?.();
    if (!(await writable(stateDir))) {
      return [
        {
          severity: "error",
          message:
            found.uid === uid
              ? `${stateDir} is yours, but its mode (${found.mode.toString(8).padStart(3, "0")}) forbids writing.`
              : `${stateDir} cannot be written by this user (uid ${uid}; it belongs to uid ${found.uid}).`,
          fixHint: writeCommand(stateDir),
          path: stateDir,
        },
      ];
    }
    if (process.platform === "win32") return [];
    const secrets = [".env", "gateway.env", "gateway-token", "clawdbot.sqlite"];
    return (
      await Promise.all([
        tooOpen(stateDir, 0o700),
        tooOpen(loaded.path, 0o600),
        ...secrets.map((name) => tooOpen(join(stateDir, name), 0o600)),
      ])
    ).flat();
  },
};

export const diskCheck: Check = {
  id: "disk",
  title: "Disk",
  async run({ paths }) {
    if (!(await modeOf(paths.stateDir))) return [];
    const { bavail, bsize } = await statfs(paths.stateDir);
    const free = bavail * bsize;
    if (free >= ROOM) return [];
    return [
      {
        severity: "warning",
        message: `Only ${Math.floor(free / 1024 / 1024)} MB are free where ${paths.stateDir} lies; the gateway refuses messages that it cannot store.`,
        fixHint: "Free some space. What was accepted stays.",
        path: paths.stateDir,
      },
    ];
  },
};
