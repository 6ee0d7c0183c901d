/** Where the state lies: is there room, will it be there tomorrow, and does nobody else write into it? */
import { statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";

import { errnoOf } from "../../base/errors.ts";
import { inContainer, onRootFileSystem } from "../../base/platform.ts";
import { isRemote } from "../../store/sqlite/database.ts";
import type { Check, Finding } from "../check.ts";
import { lookAt } from "./files.ts";

/** Below this much free space, in bytes, a backup of the database may fail. */
const ROOM = 200 * 1024 * 1024;
/** Below this much the gateway may refuse messages already, in bytes. */
const HARDLY = 64 * 1024 * 1024;
const mb = (bytes: number): number => Math.floor(bytes / 1024 / 1024);

/** Folders that a program copies to other machines while we write into them. */
const SYNCED =
  /\/(?:Dropbox|OneDrive[^/]*|Google ?Drive|GoogleDrive[^/]*|iCloud[^/]*|Mobile Documents|pCloud ?Drive|Nextcloud|ownCloud|Syncthing)(?:\/|$)/i;

/** What is wrong with room of this size. Pure; called for every disk that the state and the log lie on. */
export function roomFindings(path: string, free: number, files: number | undefined): Finding[] {
  const found: Finding[] = [];
  if (free < ROOM)
    found.push({
      severity: free < HARDLY ? "error" : "warning",
      message: `Only ${mb(free)} MB are free where ${path} lies; the gateway refuses messages that it cannot store.`,
      fixHint: "Free some space. What was accepted stays.",
      path,
    });
  if (files === 0)
    found.push({
      severity: "error",
      message: `No file can be made where ${path} lies any more: the disk has no free inodes.`,
      fixHint: "Remove files that are not needed. What was accepted stays.",
      path,
    });
  return found;
}

export const diskCheck: Check = {
  id: "disk",
  title: "Disk",
  async run({ paths, env }) {
    const { stateDir } = paths;
    if (!statSync(stateDir, { throwIfNoEntry: false })?.isDirectory()) return [];
    const found: Finding[] = [];
    const places = [stateDir, ...(lookAt(paths.logDir) ? [paths.logDir] : [])];
    const seen = new Set<number | undefined>();
    for (const path of places) {
      const device = lookAt(path)?.dev;
      if (!seen.has(device)) found.push(...(await roomAt(path)));
      seen.add(device);
    }
    if (SYNCED.test(`${stateDir}/`))
      found.push({
        severity: "warning",
        message: `${stateDir} is in a folder that is copied to other machines while the gateway writes: conversations and keys leave this machine, and the database may be damaged.`,
        fixHint: "Move it to a folder of this machine, and set CLAWDBOT_STATE_DIR.",
        path: stateDir,
        audit: { id: "fs.synced_dir", title: "The state folder is synchronised" },
      });
    if (process.platform === "linux" && inContainer(env) && onRootFileSystem(stateDir))
      found.push({
        severity: "warning",
        message: `${stateDir} is in the container's own file system, so everything in it is lost with the container.`,
        fixHint: `Mount a volume there, as in: docker run -v clawdbot:${stateDir} …`,
        path: stateDir,
        audit: { id: "state.on_ephemeral_fs", title: "The state is lost with the container" },
      });
    if (isRemote(stateDir))
      found.push({
        severity: "info",
        message: `${stateDir} is on a network or shared file system; the database is slower there, and only one machine may run a gateway on it.`,
        path: stateDir,
      });
    return found;
  },
};

async function roomAt(path: string): Promise<Finding[]> {
  try {
    const { bavail, bsize, ffree, files } = await statfs(path);
    // File systems without inodes say that they have none at all.
    return roomFindings(path, bavail * bsize, files > 0 ? ffree : undefined);
  } catch (cause) {
    if (errnoOf(cause) !== "EACCES") throw cause;
    return roomAt(dirname(path));
  }
}
