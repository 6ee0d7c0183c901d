/** Where everything lies: state, config, workspace, logs, socket, lock. Looks at the disk, never changes it. */
import { accessSync, constants, existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { CONFIG_NAMES, NAMES, PRODUCT, STATE_DIRS } from "./brand.ts";
import type { Env } from "./env.ts";
import { AppError, errnoOf } from "./errors.ts";
import { inContainer, onRootFileSystem } from "./platform.ts";

export type Paths = {
  home: string;
  stateDir: string;
  /** Looked for at every reading: a gateway that runs without a config takes the one that is laid there later, of any name. */
  readonly configPath: string;
  /** Where the default agent works when the config names no workspace; other agents are at `<this>-<id>`. */
  workspaceDefault: string;
  logDir: string;
  /** Unix socket of the gateway for clients on this machine. Its folder may have to be made, with ensurePrivateDir. */
  socketPath: string;
  lockPath: string;
  databasePath: string;
  profile?: string;
};

/** Longest path that fits into a socket address, in bytes (`sun_path` is 108 on Linux and 104 on macOS, with the final NUL). */
const SOCKET_PATH_MAX = process.platform === "darwin" ? 103 : 107;

/** `~` and `~/x` with the home folder; everything else as it is. `~user` is not a thing here. */
export const expandHome = (path: string, home: string): string =>
  path === "~" ? home : /^~[/\\]/.test(path) ? join(home, path.slice(2)) : path;

const short = (text: string) => new Bun.CryptoHasher("sha1").update(text).digest("hex").slice(0, 8);
const existing = (...paths: string[]) => paths.find((path) => existsSync(path));

/** Throws usage when a profile's name could leave the home folder or confuse a service manager. */
export function checkProfile(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return name;
  throw new AppError("usage", `"${name.slice(0, 80)}" cannot be the name of a profile.`, {
    hint: "Use letters, digits, `-` and `_`, at most 64 of them, beginning with a letter or digit.",
  });
}

/** False also where nobody may look. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return false;
  }
}

/** True also for a folder that we may not look into. */
function hasContent(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === undefined) throw cause;
    return code !== "ENOENT";
  }
}

/**
 * The folder in use among those that are there. An image has empty ones prepared under today's names, beside which an older
 * compose file mounts its own: one with content counts first, then one that is mounted (on another device than `home`).
 */
function inUse(folders: string[], home: string): string | undefined {
  const there = folders.filter((path) => existsSync(path));
  if (there.length < 2) return there[0];
  const device = statSync(home, { throwIfNoEntry: false })?.dev;
  return (
    there.find(hasContent) ??
    there.find((path) => statSync(path, { throwIfNoEntry: false })?.dev !== device) ??
    there[0]
  );
}

/** In a container: whether what is at `path`, or will be, outlives it, because a volume is mounted there or above. */
function isKept(path: string): boolean {
  let place = path;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return !onRootFileSystem(place);
}

/** What a new config file is called: of the brand by which the state folder was named, so that a guide's own file replaces it. */
function newConfigName(env: Env): string {
  const brand = NAMES.find((name) => env.raw(`${name.toUpperCase()}_STATE_DIR`));
  return `${brand ?? PRODUCT}.json`;
}

/** `default` and none are the same. */
const profileOf = (env: Env): string | undefined => {
  const name = env.profile && checkProfile(env.profile);
  return name && name.toLowerCase() !== "default" ? name : undefined;
};

/** A folder in the shared temp dir that no other user can have prepared for us; named after the user. */
function ownTemp(name: string): string {
  return `${name}-${process.getuid?.() ?? "user"}`;
}

/** `/tmp/clawdbot` as ever, unless somebody else owns that name. */
function logDirFor(): string {
  const usual = process.platform === "win32" ? join(tmpdir(), PRODUCT) : `/tmp/${PRODUCT}`;
  try {
    const found = lstatSync(usual);
    const uid = process.getuid?.();
    if (found.isDirectory() && (uid === undefined || found.uid === uid)) return usual;
    return join(tmpdir(), ownTemp(PRODUCT), "logs");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return usual;
    throw cause;
  }
}

function socketFor(stateDir: string): string {
  const inState = join(stateDir, "gateway.sock");
  if (Buffer.byteLength(inState) <= SOCKET_PATH_MAX) return inState;
  const name = join(ownTemp(PRODUCT), `${short(stateDir)}.sock`);
  const inTemp = join(tmpdir(), name);
  return Buffer.byteLength(inTemp) <= SOCKET_PATH_MAX ? inTemp : join("/tmp", name);
}

/**
 * Finds all paths. Explicit variables win, then a profile, then what is there under any name the system has had, then
 * `~/.clawdbot` and `clawdbot.json`. Throws usage when a profile's name is not one.
 * @param container an argument for tests only
 */
export function findPaths(
  env: Env,
  home: string = env.raw("HOME") ?? homedir(),
  container: boolean = inContainer(env),
): Paths {
  const profile = profileOf(env);
  const suffix = profile ? `-${profile}` : "";
  const absolute = (path: string) => resolve(expandHome(path, home));

  const stateDirs = STATE_DIRS.map((name) => join(home, name + suffix));
  const stateDir = env.stateDir
    ? absolute(env.stateDir)
    : (inUse(stateDirs, home) ?? stateDirs[0]!);

  const names = CONFIG_NAMES.map((name) => join(stateDir, name));
  const named = env.configPath && absolute(env.configPath);
  const fresh = join(stateDir, newConfigName(env));

  const usual = join(home, `clawd${suffix}`);
  const inState = join(stateDir, "workspace");
  // Fly.io and the like mount one volume, for the state: what the agent writes must not be lost with the container.
  const lost = container && env.stateDir && !isKept(usual) && isKept(stateDir);
  const places = lost ? [inState] : [usual, inState];
  // The Docker guides' WORKSPACE_DIR is a path of the host that also reaches the container, where it means nothing.
  const wish = env.workspaceDir && absolute(env.workspaceDir);
  const creatable = wish && isKept(wish) && isWritable(dirname(wish));
  const granted = wish && (container ? isWritable(wish) || creatable : existsSync(wish));
  const fallback = (wish && !container && wish) || places[0]!;
  const workspaceDefault = (granted && wish) || (inUse(places, home) ?? fallback);

  return {
    home,
    stateDir,
    get configPath() {
      return named || (existing(...names) ?? fresh);
    },
    workspaceDefault,
    // What a trial has to tell is nobody's log.
    logDir: env.updateTrial ? join(stateDir, "logs") : logDirFor(),
    socketPath: socketFor(stateDir),
    // The same for every config and every spelling of the folder: whoever shares the state must not run a second gateway.
    lockPath: join(stateDir, `gateway.${short(PRODUCT)}.lock`),
    databasePath: join(stateDir, "clawdbot.sqlite"),
    ...(profile && { profile }),
  };
}

/** The config files of other names beside the one in use; a person may be editing the wrong one. */
export const otherConfigs = ({ stateDir, configPath }: Paths): string[] =>
  CONFIG_NAMES.map((name) => join(stateDir, name)).filter(
    (path) => path !== configPath && existsSync(path),
  );

/** The workspace of another agent, of the same family as the default one: `~/clawd-<id>`, `<state>/workspace-<id>`. */
export const workspaceOf = (paths: Paths, agentId: string): string =>
  join(dirname(paths.workspaceDefault), `${basename(paths.workspaceDefault)}-${agentId}`);
