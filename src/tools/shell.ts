/** How a command line becomes a process on this platform, and how a whole process tree is signalled. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, isAbsolute } from "node:path";

import { errnoOf } from "../base/errors.ts";

const POSIX_SHELLS = new Set(["bash", "zsh", "sh", "dash", "ksh"]);

/**
 * The shell that runs the model's commands: the user's own when it speaks POSIX (fish does not), else bash, else sh;
 * PowerShell, else cmd, on Windows.
 */
export function shellFor(env: Record<string, string>, platform = process.platform): string {
  if (platform === "win32")
    return Bun.which("powershell.exe", { PATH: env["PATH"] ?? env["Path"] ?? "" }) ?? "cmd.exe";
  const own = env["SHELL"];
  if (own && isAbsolute(own) && POSIX_SHELLS.has(basename(own)) && existsSync(own)) return own;
  return ["/bin/bash", "/usr/bin/bash"].find((path) => existsSync(path)) ?? "/bin/sh";
}

/**
 * The arguments of one command. Without a terminal stdout and stderr become one stream, so that their order is the real one;
 * the outer `sh` only joins them and replaces itself.
 */
export function shellArgv(shell: string, command: string, pty: boolean): string[] {
  const name = basename(shell).toLowerCase();
  if (name === "cmd.exe") return [shell, "/d", "/s", "/c", command];
  if (name === "powershell.exe" || name === "pwsh.exe")
    return [shell, "-NoProfile", "-NonInteractive", "-Command", command];
  if (pty) return [shell, "-c", command];
  return ["/bin/sh", "-c", 'exec "$0" -c "$1" 2>&1', shell, command];
}

/** Sends to the process group that `pid` leads. False when nobody is left in it. Windows has no groups: the tree is ended at once. */
export function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean {
  if (process.platform === "win32")
    return Bun.spawnSync(["taskkill", "/PID", String(pid), "/T", "/F"]).exitCode === 0;
  return sent(-pid, signal);
}

/**
 * Whether processes of a group are left after its leader was reaped. A live process with the leader's own number then is a
 * stranger that got it again, so the group is not ours any more. Dead ones that nobody reaps (a container without an init)
 * do not count.
 */
export function groupOutlives(pid: number): boolean {
  if (process.platform === "win32" || sent(pid, 0) || !sent(-pid, 0)) return false;
  return process.platform !== "linux" || hasLiveMember(pid);
}

function hasLiveMember(group: number): boolean {
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    // "pid (name) state ppid group ..."; the name may hold anything.
    const [state, , member] = statOf(name).split(" ");
    return Number(member) === group && state !== "Z" && state !== "X";
  });
}

function statOf(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2);
  } catch (cause) {
    // It ended while we looked.
    if (["ENOENT", "ESRCH"].includes(errnoOf(cause) ?? "")) return "";
    throw cause;
  }
}

function sent(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch (cause) {
    // ESRCH: nobody there. EPERM: somebody, who is not ours.
    if (errnoOf(cause) === "ESRCH") return false;
    if (errnoOf(cause) === "EPERM") return true;
    throw cause;
  }
}
