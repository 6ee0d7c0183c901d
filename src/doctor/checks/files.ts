/** Who on this machine can read or change what is ours: state folder, config, keys, conversations, log. */
import {
  accessSync,
  constants,
  lstatSync,
  readdirSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";

import { serviceEnvPath } from "../../base/env-file.ts";
import { AppError, errnoOf } from "../../base/errors.ts";
import { shellWord, writeCommand } from "../../base/fs.ts";
import type { Check, Finding, Scene, Severity } from "../check.ts";

/** A file or folder of ours: what it is called, which mode it should have, and under which names the audit tells it. */
type Target = {
  path: string;
  what: string;
  mode: number;
  /** The audit's name of it, before the dot. */
  audit: string;
  /** Others may write, others may read, the group may read: how bad it is and the audit's word for it. Absent: not told. */
  write: [Severity, string];
  read: [Severity, string];
  group?: [Severity, string];
};

const WRITABLE: Target["write"] = ["critical", "perms_writable"];
const SECRET: Pick<Target, "write" | "read" | "group"> = {
  write: WRITABLE,
  read: ["critical", "perms_world_readable"],
  group: ["warning", "perms_group_readable"],
};
const PRIVATE: Pick<Target, "write" | "read"> = {
  write: WRITABLE,
  read: ["warning", "perms_readable"],
};

/** What stands at a path, links not followed; undefined when there is nothing, or nobody may look. */
export function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) return undefined;
    throw cause;
  }
}

/** The names in a folder; none when it is none, or nobody may look. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) return [];
    throw cause;
  }
}

function targets({ paths, loaded }: Scene): Target[] {
  const { stateDir, databasePath, logDir } = paths;
  const file = (name: string) => join(stateDir, name);
  const secret = (path: string, what: string, audit: string): Target => ({
    path,
    what,
    mode: 0o600,
    audit,
    ...SECRET,
  });
  const hidden = (path: string, what: string, mode: number, audit: string): Target => ({
    path,
    what,
    mode,
    audit,
    ...PRIVATE,
  });
  const agents = namesIn(file("agents")).map((id) => join(file("agents"), id, "agent"));
  const newest = namesIn(logDir)
    .filter((name) => /^clawdbot-[\d-]+\.log$/.test(name))
    .sort()
    .at(-1);
  const log = loaded.config?.logging.file ?? (newest && join(logDir, newest));
  return [
    secret(loaded.path, "The config", "fs.config"),
    ...loaded.files.map((path) => secret(path, "An included config", "fs.config_include")),
    ...["bak", "bak.1", "bak.2", "bak.3", "bak.4"].map((end) =>
      secret(`${loaded.path}.${end}`, "A copy of the config", "fs.config_backup"),
    ),
    secret(file("config.last-good.json5"), "A copy of the config", "fs.config_backup"),
    secret(file(".env"), "The file of variables", "fs.env_file"),
    secret(serviceEnvPath(stateDir), "The service's file of variables", "fs.env_file"),
    secret(file("gateway-token"), "The generated token", "fs.gateway_token"),
    hidden(file("credentials"), "The folder of credentials", 0o700, "fs.credentials_dir"),
    ...agents.map((folder) =>
      hidden(join(folder, "auth-profiles.json"), "A file of keys", 0o600, "fs.auth_profiles"),
    ),
    ...["", "-wal", "-shm"].map((end) =>
      hidden(databasePath + end, "The database", 0o600, "fs.sessions_store"),
    ),
    hidden(file("backups"), "The folder of backups", 0o700, "fs.sessions_store"),
    ...(log ? [hidden(log, "The log", 0o600, "fs.log_file")] : []),
  ];
}

/** Closes a file or folder without ever following a link: between the look and this somebody may have laid one. */
async function close(path: string, mode: number): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using handle = await open(path, flags);
  const found = await handle.stat();
  if (!found.isFile() && !found.isDirectory())
    throw new AppError("forbidden", `${path} is neither a file nor a folder.`);
  await handle.chmod(mode);
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(3, "0");

const worst = (a: Severity, cap: Severity | undefined): Severity =>
  cap && a === "critical" ? cap : a;

/** @param cap how bad it can be at most, because the folder around it is closed */
function openFinding(
  { path, what, mode, audit, write, read, group }: Target,
  found: number,
  cap?: Severity,
): Finding[] {
  const tell = ([severity, word]: [Severity, string], can: string): Finding[] => [
    {
      severity: worst(severity, cap),
      message: `${what} can be ${can} other users of this machine: ${path} has the mode ${octal(found)}.${cap ? " Its folder is closed, so they do not get there now." : ""}`,
      fixHint: `chmod ${octal(mode)} ${shellWord(path)}`,
      path,
      audit: { id: `${audit}.${word}`, title: `${what} is open to others` },
      fix: {
        kind: "safe",
        label: `Close ${path} to other users (mode ${octal(mode)})`,
        done: `${path} is closed to others now.`,
        run: () => close(path, mode),
      },
    },
  ];
  if (found & 0o022) return tell(write, "changed by");
  if (found & 0o004) return tell(read, "read by");
  if (found & 0o040) return tell(group ?? read, "read by");
  return found & 0o077 & ~0o011 ? tell(read, "reached by") : [];
}

const STATE: Omit<Target, "path"> = {
  what: "The state folder",
  mode: 0o700,
  audit: "fs.state_dir",
  write: ["critical", "perms_world_writable"],
  read: ["warning", "perms_readable"],
};

function stateFolder({ paths }: Scene): Finding[] {
  const path = paths.stateDir;
  const found = lookAt(path);
  if (!found) return [];
  if (found.isSymbolicLink()) {
    const real = realOf(path);
    const mode = real && statSync(real).mode;
    return [
      {
        severity: "info",
        message: `The state folder is a link: ${path} leads to ${real ?? "nowhere"}. Whoever can change the link chooses the folder.`,
        path,
        audit: { id: "fs.state_dir.symlink", title: "The state folder is a link" },
      },
      // Nothing is closed through a link; the command names the folder itself.
      ...(real && mode ? openFinding({ ...STATE, path: real }, mode & 0o777) : []).map(
        ({ fix: _, ...finding }) => finding,
      ),
    ];
  }
  const mode = found.mode & 0o777;
  const write: Target["write"] = mode & 0o002 ? STATE.write : ["warning", "perms_group_writable"];
  return openFinding({ ...STATE, path, write }, mode);
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (cause) {
    if (["ENOENT", "ELOOP", "EACCES"].includes(errnoOf(cause) ?? "")) return undefined;
    throw cause;
  }
}

/** Files that the gateway cannot use, because root or another user made them. */
function foreign({ paths }: Scene): Finding[] {
  const owner = lookAt(paths.stateDir);
  if (!owner || owner.isSymbolicLink()) return [];
  const others = namesIn(paths.stateDir)
    .map((name) => join(paths.stateDir, name))
    .filter((path) => (lookAt(path)?.uid ?? owner.uid) !== owner.uid);
  const [first] = others;
  if (first === undefined) return [];
  const more = others.length > 1 ? ` and ${others.length - 1} more` : "";
  return [
    {
      severity: "error",
      message: `${first}${more} does not belong to the owner of the state folder (uid ${owner.uid}) but to uid ${lookAt(first)?.uid}; the gateway may not be able to use it.`,
      fixHint: `sudo chown -R ${owner.uid}:${owner.gid} ${shellWord(paths.stateDir)}`,
      path: first,
      audit: { id: "fs.foreign_owner", title: "Files of another user in the state folder" },
    },
  ];
}

/** False also where nobody may look. */
function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return false;
  }
}

/** The state folder: there, ours, writable. */
function unusable({ paths: { stateDir } }: Scene): Finding | undefined {
  const found = statSync(stateDir, { throwIfNoEntry: false });
  if (!found) return undefined;
  const uid = process.getuid?.();
  if (!found.isDirectory())
    return {
      severity: "error",
      message: `${stateDir} is not a folder, so nothing can be stored.`,
      fixHint: `mv ${shellWord(stateDir)} ${shellWord(`${stateDir}.old`)}`,
      path: stateDir,
    };
  if (canWrite(stateDir)) return undefined;
  const mine = uid === undefined || found.uid === uid;
  return {
    severity: "error",
    message: mine
      ? `${stateDir} is yours, but its mode (${octal(found.mode)}) forbids writing.`
      : `${stateDir} cannot be written by this user (uid ${uid}; it belongs to uid ${found.uid}).`,
    fixHint: writeCommand(stateDir),
    path: stateDir,
  };
}

export const stateCheck: Check = {
  id: "state",
  title: "State folder",
  async run(scene) {
    const broken = unusable(scene);
    if (broken) return [broken];
    if (process.platform === "win32") return [];
    const state = stateFolder(scene);
    const closed = ((lookAt(scene.paths.stateDir)?.mode ?? 0) & 0o077) === 0;
    const seen = new Set<string>();
    const files = targets(scene).flatMap((target): Finding[] => {
      const found = lookAt(target.path);
      if (!found || seen.has(target.path)) return [];
      seen.add(target.path);
      if (found.isSymbolicLink())
        return target.audit === "fs.config" ? linkedConfig(target.path) : [];
      // What else stands there is told by who reads it; its mode is the least of it.
      if (target.mode === 0o700 ? !found.isDirectory() : !found.isFile()) return [];
      const inside = dirname(target.path).startsWith(scene.paths.stateDir);
      return openFinding(target, found.mode & 0o777, closed && inside ? "warning" : undefined);
    });
    return [...state, ...files, ...foreign(scene)];
  },
};

const linkedConfig = (path: string): Finding[] => [
  {
    severity: "info",
    message: `The config is a link: ${path} leads to ${realOf(path) ?? "nowhere"}. Writes go to that file, and its own mode counts.`,
    path,
    audit: { id: "fs.config.symlink", title: "The config is a link" },
  },
];
