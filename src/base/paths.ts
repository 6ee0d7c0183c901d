/** Where everything lies: state, config, workspace, logs, socket, lock. Looks at the disk, never changes it. */
import { existsSync, lstatSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { CONFIG_NAMES, PRODUCT, STATE_DIRS } from "./brand.ts";
import type { Env } from "./env.ts";
import { AppError, errnoOf } from "./errors.ts";
import { realPathOf } from "./fs.ts";

export type Paths = {
  home: string;
  stateDir: string;
  configPath: string;
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
 * Finds all paths. Explicit variables win, then a profile, then the first existing folder or file of any name the system
 * has had, then `~/.clawdbot` and `clawdbot.json`. Throws usage when a profile's name is not one.
 */
export function findPaths(env: Env, home: string = env.raw("HOME") ?? homedir()): Paths {
  const profile = profileOf(env);
  const suffix = profile ? `-${profile}` : "";
  const absolute = (path: string) => resolve(expandHome(path, home));

  const stateDirs = STATE_DIRS.map((name) => join(home, name + suffix));
  const stateDir = env.stateDir
    ? absolute(env.stateDir)
    : (existing(...stateDirs) ?? stateDirs[0]!);

  const names = CONFIG_NAMES.map((name) => join(stateDir, name));
  const configPath = env.configPath ? absolute(env.configPath) : (existing(...names) ?? names[0]!);

  const usual = join(home, `clawd${suffix}`);
  // The Docker guide's WORKSPACE_DIR is a path of the host that also reaches the container, where it means nothing.
  const named = env.workspaceDir ? [absolute(env.workspaceDir)] : [];
  const candidates = [...named, usual, join(stateDir, "workspace")];
  const workspaceDefault = existing(...candidates) ?? candidates[0]!;

  return {
    home,
    stateDir,
    configPath,
    workspaceDefault,
    logDir: logDirFor(),
    socketPath: socketFor(stateDir),
    // By the real path, so that two spellings of one config file cannot run two gateways.
    lockPath: join(stateDir, `gateway.${short(realPathOf(configPath))}.lock`),
    databasePath: join(stateDir, "clawdbot.sqlite"),
    ...(profile && { profile }),
  };
}

/** The workspace of another agent, of the same family as the default one: `~/clawd-<id>`, `<state>/workspace-<id>`. */
export const workspaceOf = (paths: Paths, agentId: string): string =>
  join(dirname(paths.workspaceDefault), `${basename(paths.workspaceDefault)}-${agentId}`);
