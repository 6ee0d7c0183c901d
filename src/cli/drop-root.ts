/**
 * Giving up root, for containers that start as it because a disk belongs to it: the state folder and the workspace are given to
 * the user of CLAWDBOT_DROP_UID, then the process becomes that user and cannot go back. Does nothing without the variable.
 */
import { lchownSync, lstatSync, mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";

import type { Env } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { realPathOf } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";

type Owner = { uid: number; gid: number };

/** One less than the largest number of 32 bits, which means "nobody is named". */
const MAX_ID = 4_294_967_294;

/**
 * Called before a gateway opens anything. Throws usage for a value that is no user, start_refused when root may not do it
 * (capabilities taken away): to go on as root would leave files behind that the user cannot read later.
 */
export function dropRoot(
  env: Pick<Env, "dropUid">,
  paths: Pick<Paths, "stateDir" | "workspaceDefault">,
): void {
  if (env.dropUid === undefined || process.getuid?.() !== 0) return;
  const owner = parseOwner(env.dropUid);
  attempt(`the folder ${paths.stateDir} cannot be given to it`, owner, () => {
    // All are asked before one is given, because giving changes whose the links inside are.
    const ours = [paths.stateDir, paths.workspaceDefault].filter((path) => !ledByOthers(path));
    for (const path of ours) {
      // Made now, because the disk they are on may be root's too.
      mkdirSync(path, { recursive: true, mode: path === paths.stateDir ? 0o700 : 0o777 });
      giveFolder(path, owner);
    }
  });
  attempt("the process cannot become that user", owner, () => {
    process.setgroups?.([]);
    process.setgid?.(owner.gid);
    process.setuid?.(owner.uid);
  });
}

function parseOwner(text: string): Owner {
  const [, uid, gid = uid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  const owner = { uid: Number(uid), gid: Number(gid) };
  if ([owner.uid, owner.gid].every((id) => id >= 1 && id <= MAX_ID)) return owner;
  throw new AppError("usage", `CLAWDBOT_DROP_UID=${text.slice(0, 80)} is not a user's number.`, {
    hint: "Use the number of the user that the gateway is to run as, for example CLAWDBOT_DROP_UID=1000, or 1000:1000 with a group.",
  });
}

function attempt(what: string, { uid, gid }: Owner, work: () => void): void {
  try {
    work();
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined || cause instanceof AppError) throw cause;
    throw new AppError(
      "start_refused",
      `CLAWDBOT_DROP_UID asks for user ${uid}, but ${what} (${code}).`,
      {
        cause,
        hint: `Start the container as that user (\`docker run --user ${uid}:${gid} ...\`), or leave it the capabilities CHOWN, DAC_OVERRIDE, SETUID and SETGID.`,
      },
    );
  }
}

/** The kernel follows as many. */
const LINKS_MAX = 40;

/**
 * Whether a link on the way was made by somebody else than root: the agent could lay one where its workspace was, to a folder of
 * the system, and would be given that at the next start.
 */
function ledByOthers(path: string, links = 0): boolean {
  let place = "/";
  const parts = resolve(path).split("/").filter(Boolean);
  for (const [at, part] of parts.entries()) {
    const next = join(place, part);
    const found = lstatSync(next, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) {
      if (found.uid !== 0 || links === LINKS_MAX) return true;
      const target = resolve(place, readlinkSync(next), ...parts.slice(at + 1));
      return ledByOthers(target, links + 1);
    }
    place = next;
  }
  return false;
}

/** Gives the folder and what root owns inside; what is somebody else's stays so. Links are changed themselves, never what they point to; other disks are left out. */
function giveFolder(folder: string, owner: Owner): void {
  const path = realPathOf(folder);
  if (path === "/" || process.execPath.startsWith(`${path}/`))
    throw new AppError(
      "start_refused",
      `${path} cannot be the state folder: it holds the program.`,
      {
        hint: "Set CLAWDBOT_STATE_DIR to a folder of its own, for example /data.",
      },
    );
  const { dev } = lstatSync(path);
  const give = (place: string): void => {
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found?.dev !== dev) return;
    if (found.isDirectory()) for (const name of readdirSync(place)) give(join(place, name));
    if (found.uid === 0) lchownSync(place, owner.uid, owner.gid);
  };
  give(path);
}
