/**
 * The state directory before anything is opened: made, writable, alone in use. What is wrong with it ends the start with one sentence
 * and the command that mends it, for this machine or for the host of this container. Called by app.ts.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { basename } from "node:path";

import { VERSION } from "./brand.ts";
import type { Env } from "./env.ts";
import { AppError, errnoOf } from "./errors.ts";
import { ensureDir, ownCommand, shellWord } from "./fs.ts";
import { acquireLock, type Lock } from "./lock.ts";
import type { Logger } from "./log.ts";
import type { Paths } from "./paths.ts";
import { hostFolder, inContainer, onRootFileSystem, platformOf } from "./platform.ts";

/** How often the owner looks whether its lock file is still there, in ms. */
const KEEP_MS = 30_000;

/** Makes and checks the folder, and takes its lock. Throws store_failed with a remedy, gateway_running, start_refused. */
export async function takeState(
  { env, paths, log }: { env: Env; paths: Paths; log: Logger },
  bootId: string,
  startedAt: number,
): Promise<Lock> {
  await makeStateDir(paths, env);
  if (inContainer(env) && process.platform === "linux" && onRootFileSystem(paths.stateDir))
    log.warn("the state lies in the container's own file system and is lost with the container", {
      stateDir: paths.stateDir,
      hint: volumeHint(paths.stateDir, env),
    });
  return keepLock(takeLock(paths, bootId, startedAt), log);
}

const volumeHint = (stateDir: string, env: Env): string =>
  platformOf(env) === "Fly.io"
    ? 'Put [mounts] destination = "/data" and CLAWDBOT_STATE_DIR = "/data" into fly.toml, then `fly deploy`.'
    : `Mount a volume there, as in \`docker run -v clawdbot:${stateDir} …\`, or set CLAWDBOT_STATE_DIR to a folder on one.`;

/** Throws gateway_running naming the process that has it. */
export function takeLock(paths: Paths, bootId: string, startedAt: number): Lock {
  const taken = acquireLock(paths.lockPath, {
    pid: process.pid,
    bootId,
    version: VERSION,
    startedAt,
  });
  if ("release" in taken) return taken;
  const where = taken.port ? ` on port ${taken.port}` : "";
  const who = `PID ${taken.pid || "unknown"}${where}`;
  throw new AppError(
    "gateway_running",
    `A gateway is already running for this state directory (${who}).`,
    {
      details: taken,
      hint: "`clawdbot dashboard` opens it. To run another one beside it: clawdbot --profile <name> gateway --port <other port>.",
    },
  );
}

/** The same lock, whose file is made again when somebody removes it. @param everyMs an argument for tests only */
export function keepLock(lock: Lock, log: Logger, everyMs = KEEP_MS): Lock {
  let kept = true;
  const timer = setInterval(() => {
    const now = tryToKeep(lock, log);
    if (!now && kept)
      log.error("another gateway has taken the lock of this state directory", {
        hint: "Stop one of the two.",
      });
    kept = now;
  }, everyMs);
  timer.unref();
  return {
    ...lock,
    release() {
      clearInterval(timer);
      lock.release();
    },
  };
}

/** A full disk or a volume that went away must not end a gateway that runs. */
function tryToKeep(lock: Lock, log: Logger): boolean {
  try {
    return lock.keep();
  } catch (cause) {
    if (!(cause instanceof AppError) && errnoOf(cause) === undefined) throw cause;
    log.warn("the lock file is gone and cannot be made again", { error: String(cause) });
    return true;
  }
}

/** Makes the state directory. Throws store_failed with the command that mends it when it cannot be made or used. */
export async function makeStateDir(
  paths: Pick<Paths, "stateDir" | "lockPath" | "databasePath" | "home">,
  env: Env,
): Promise<void> {
  const { stateDir, databasePath, lockPath } = paths;
  try {
    await ensureDir(stateDir);
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOENT"].includes(code)) throw cause;
    throw new AppError(
      "store_failed",
      `The state directory ${stateDir} cannot be made (${code}).`,
      { cause, hint: homeHint(paths, env) },
    );
  }
  check(stateDir, constants.R_OK | constants.W_OK | constants.X_OK, env, stateDir);
  // One `docker exec -u 0`, and the database belongs to root.
  for (const file of [lockPath, databasePath, `${databasePath}-wal`, `${databasePath}-shm`])
    check(file, constants.R_OK | constants.W_OK, env, stateDir);
}

function homeHint({ stateDir, home }: Pick<Paths, "stateDir" | "home">, env: Env): string {
  const own = process.getuid?.() ?? 0;
  if (env.stateDir || home === "")
    return inContainer(env)
      ? volumeHint(stateDir, env)
      : `sudo install -d -m 700 -o ${own} -g ${process.getgid?.() ?? 0} ${shellWord(stateDir)}, or set CLAWDBOT_STATE_DIR to a folder that you may write to.`;
  const user = `HOME is ${home}, where uid ${own} may not write.`;
  return inContainer(env)
    ? `${user} Give it a volume: \`docker run -e CLAWDBOT_STATE_DIR=/data -v clawdbot:/data …\`.`
    : `${user} Set CLAWDBOT_STATE_DIR to a folder that you may write to, or correct HOME.`;
}

function check(path: string, mode: number, env: Env, stateDir: string): void {
  if (!existsSync(path)) return;
  try {
    accessSync(path, mode);
  } catch (cause) {
    throw unusable(path, cause, env, stateDir);
  }
}

function unusable(path: string, cause: unknown, env: Env, stateDir: string): AppError {
  const code = errnoOf(cause) ?? "";
  const what =
    path === stateDir ? `The state directory ${path}` : `${basename(path)} in ${stateDir}`;
  if (code === "EROFS")
    return new AppError("store_failed", `${what} is on a read-only file system.`, {
      cause,
      hint: inContainer(env)
        ? volumeHint(stateDir, env)
        : "Set CLAWDBOT_STATE_DIR to a folder that you may write to.",
    });
  const uid = process.getuid?.() ?? 0;
  const { uid: owner } = statSync(path);
  const whose =
    owner === uid
      ? `is yours (uid ${uid}), but its mode forbids writing`
      : `belongs to uid ${owner}, and this program runs as uid ${uid}`;
  return new AppError("store_failed", `${what} ${whose}, so it cannot be used.`, {
    cause,
    hint: ownerHint(stateDir, owner === uid, env),
  });
}

/** The command that gives the folder to this program's user, where a person can run it. */
function ownerHint(stateDir: string, ours: boolean, env: Env): string {
  const mend = (path: string) =>
    ours ? `chmod -R u+rwX ${shellWord(path)}` : ownCommand(path, true);
  if (!inContainer(env)) return ours ? mend(stateDir) : `sudo ${mend(stateDir)}`;
  if (platformOf(env) === "Fly.io") return `fly ssh console -C "${mend(stateDir)}"`;
  const folder = hostFolder(stateDir);
  return folder
    ? `On the host: sudo ${mend(folder)}`
    : `As root in the container: docker exec -u 0 <container> ${mend(stateDir)}, or docker run --rm --user 0 -v <volume>:${stateDir} --entrypoint sh <image> -c '${mend(stateDir)}'`;
}
