/** Which process holds a port, for the message that says why the gateway cannot start. Best effort: another user's is not visible. */
import { readdir, readFile, readlink } from "node:fs/promises";

import { errnoOf } from "../base/errors.ts";

export type PortOwner = { pid: number; command: string };

/** State column of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

/** `undefined` for what vanished or is not ours to read while we look. */
async function peek<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (cause) {
    if (["ENOENT", "EACCES", "EPERM", "ESRCH", "ENOTDIR"].includes(errnoOf(cause) ?? ""))
      return undefined;
    throw cause;
  }
}

async function inodesOn(port: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"])
    for (const line of ((await peek(readFile(table, "utf8"))) ?? "").split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] === LISTEN && columns[1]?.split(":")[1] === wanted && columns[9])
        inodes.add(columns[9]);
    }
  return inodes;
}

async function fromProc(port: number): Promise<PortOwner[]> {
  const inodes = await inodesOn(port);
  if (!inodes.size) return [];
  const owners: PortOwner[] = [];
  const pids = ((await peek(readdir("/proc"))) ?? []).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const fds = (await peek(readdir(`/proc/${pid}/fd`))) ?? [];
    for (const fd of fds) {
      const target = await peek(readlink(`/proc/${pid}/fd/${fd}`));
      const inode = /^socket:\[(\d+)\]$/.exec(target ?? "")?.[1];
      if (!inode || !inodes.has(inode)) continue;
      const command = (await peek(readFile(`/proc/${pid}/cmdline`, "utf8"))) ?? "";
      owners.push({ pid: Number(pid), command: command.replaceAll("\0", " ").trim() });
      break;
    }
  }
  return owners;
}

async function fromLsof(port: number): Promise<PortOwner[]> {
  const lsof = Bun.which("lsof");
  if (!lsof) return [];
  const child = Bun.spawn([lsof, "-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-FpFc"], {
    stdout: "pipe",
    stderr: "ignore",
    timeout: 3_000,
  });
  const owners: PortOwner[] = [];
  for (const line of (await new Response(child.stdout).text()).split("\n")) {
    if (line.startsWith("p")) owners.push({ pid: Number(line.slice(1)), command: "" });
    const last = owners.at(-1);
    if (line.startsWith("c") && last) last.command = line.slice(1);
  }
  return owners;
}

/** The processes that listen on a TCP port, as far as we may see them. */
export async function portOwners(port: number): Promise<PortOwner[]> {
  const owners = process.platform === "linux" ? await fromProc(port) : [];
  return owners.length ? owners : fromLsof(port);
}
