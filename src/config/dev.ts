/** The development config and workspace of `gateway --dev`, and how `--reset` begins anew: the old ones are moved away, never deleted. */
import { mkdir, readdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { STATE_DIRS } from "../base/brand.ts";
import { type Env, envName } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { atomicWrite, ensureDir } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import { refuseInNixMode } from "../base/nix.ts";
import type { Paths } from "../base/paths.ts";
import { lastGoodPath } from "./last-good.ts";
import { loadConfig } from "./load.ts";
import { writeConfig } from "./write.ts";

const RESET = "clawdbot --dev gateway --dev --reset";

/** Throws start_refused where a reset could move a real assistant's memory away. */
export function refuseReset(paths: Paths): void {
  if (paths.profile !== "dev")
    throw new AppError("start_refused", "--reset works in the profile `dev` only.", {
      hint: `Run \`${RESET}\`.`,
    });
  if (STATE_DIRS.some((name) => join(paths.home, name) === paths.stateDir))
    throw new AppError(
      "start_refused",
      `--reset does not touch ${paths.stateDir}: it is the state of the default profile.`,
      { hint: `Unset ${envName("STATE_DIR")}, then run \`${RESET}\`.` },
    );
}

/** Only `--dev` makes a folder of this name, so a reset moves nothing that somebody else put there. */
export const devWorkspace = (paths: Paths): string =>
  dirname(paths.stateDir) === paths.home
    ? join(paths.home, "clawd-dev")
    : join(paths.stateDir, "workspace-dev");

export type DevOptions = {
  env: Env;
  paths: Paths;
  /** Move config, workspace and database away first. */
  reset: boolean;
  /** Epoch ms; names the folder of what is moved away. */
  now: number;
  log: Logger;
};

/**
 * Makes the config, and the folder that it names as workspace, when there is no config. To be called under the gateway's lock and
 * before the config and the database are opened. Throws start_refused, forbidden (Nix), store_failed.
 */
export async function prepareDev({ env, paths, reset, now, log }: DevOptions): Promise<void> {
  if (reset) {
    refuseReset(paths);
    // Before anything is moved: a config that Nix has linked here could not be made anew.
    refuseInNixMode(env, "config");
    const trash = await moveAway(paths, now);
    if (trash) log.info("begun anew; what there was is kept", { folder: trash });
  }
  const base = await loadConfig({ env, paths });
  if (base.exists) return;
  const workspace = devWorkspace(paths);
  await writeConfig({ env, paths, base, text: configText(workspace) });
  await ensureDir(workspace);
  await introduce(workspace);
  log.info("a development config was made", { config: paths.configPath, workspace });
}

const configText = (
  workspace: string,
): string => `// Made by \`gateway --dev\`. It is yours to change; \`${RESET}\` makes a new one.
{
  gateway: { mode: "local", bind: "loopback" },
  agents: {
    list: [
      {
        id: "dev",
        default: true,
        workspace: ${JSON.stringify(workspace)},
        identity: { name: "Dev", emoji: "🔧" },
      },
    ],
  },
}
`;

/** With a name of its own the agent does not begin with the questions of a first conversation. */
async function introduce(workspace: string): Promise<void> {
  if ((await readdir(workspace)).length > 0) return;
  const text = "# Who I am\n\n- Name: Dev\n- Nature: an assistant on the test bench\n- Emoji: 🔧\n";
  await atomicWrite(join(workspace, "IDENTITY.md"), text, { mode: 0o600 });
}

/** Gives the folder that the old things are in now; undefined when there were none. */
async function moveAway(paths: Paths, now: number): Promise<string | undefined> {
  const old = await oldThings(paths);
  if (old.length === 0) return undefined;
  const trash = join(paths.stateDir, `trash-${new Date(now).toISOString().replace(/[:.]/g, "-")}`);
  await ensureDir(paths.stateDir);
  await mkdir(trash, { mode: 0o700 });
  for (const path of old) await move(path, join(trash, basename(path)), trash);
  return trash;
}

/** The config with its copies, the database with its copies, the workspace; as far as they exist. */
async function oldThings(paths: Paths): Promise<string[]> {
  const within = async (dir: string, mine: (name: string) => boolean): Promise<string[]> =>
    (await namesIn(dir)).filter(mine).map((name) => join(dir, name));
  const config = basename(paths.configPath);
  const database = basename(paths.databasePath);
  const workspace = devWorkspace(paths);
  const found = [
    ...(await within(paths.stateDir, (name) => name.startsWith(database) || name === "backups")),
    ...(await within(
      dirname(lastGoodPath(paths)),
      (name) => name === basename(lastGoodPath(paths)),
    )),
    ...(await within(
      dirname(paths.configPath),
      (name) => name === config || name.startsWith(`${config}.`),
    )),
    ...(await within(dirname(workspace), (name) => name === basename(workspace))),
  ];
  return [...new Set(found)];
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
}

async function move(from: string, to: string, trash: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (cause) {
    // Another device, where nothing can be moved to; beside itself it is out of the way as well.
    if (errnoOf(cause) === "EXDEV") return rename(from, `${from}.${basename(trash)}`);
    const code = errnoOf(cause);
    if (code !== "EACCES" && code !== "EPERM" && code !== "EROFS" && code !== "EBUSY") throw cause;
    throw new AppError("store_failed", `${from} cannot be moved away (${code}).`, {
      hint: "Give the user of this program the right to change it, and start again.",
      cause,
    });
  }
}
