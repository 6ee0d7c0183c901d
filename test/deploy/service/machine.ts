/**
 * A whole Debian with a real systemd, in a container of its own: users, sessions, lingering, reboots. The root file system is made
 * once and kept; each machine writes to a layer of its own, which is thrown away.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { debianMirror, missing, run } from "../lab.ts";

const LAB = join(tmpdir(), "clawdbot-lab");
const ROOT = join(LAB, "systemd-bookworm-1");
const PACKAGES =
  "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,ca-certificates,sudo,procps";

/** Why there can be no such machine here; undefined when there can. */
export function noMachine(): string | undefined {
  const why = missing({
    "systemd-nspawn": "systemd-container",
    mmdebstrap: "mmdebstrap",
    nsenter: "util-linux",
    unshare: "util-linux",
    setpriv: "util-linux",
  });
  if (why) return why;
  if (process.getuid?.() !== 0) return "not root, so no container can be started";
  if (run(["unshare", "-m", "true"]).code !== 0) return "this container may not make namespaces";
  return undefined;
}

function rootFileSystem(): string {
  if (existsSync(ROOT)) return ROOT;
  mkdirSync(LAB, { recursive: true });
  const fresh = mkdtempSync(join(LAB, "making-"));
  const made = run([
    "mmdebstrap",
    "--variant=minbase",
    `--include=${PACKAGES}`,
    "bookworm",
    fresh,
    debianMirror(),
  ]);
  if (made.code !== 0) throw new Error(`mmdebstrap failed:\n${made.stderr}`);
  rmSync(join(fresh, "etc/machine-id"), { force: true });
  try {
    renameSync(fresh, ROOT);
  } catch {
    // Another run was faster.
    rmSync(fresh, { recursive: true, force: true });
  }
  return ROOT;
}

export type Ran = { code: number; stdout: string; stderr: string };
export type User = { name: string; home: string; env?: Record<string, string> };
export type Machine = {
  /** As root. */
  run(command: string[], env?: Record<string, string>): Ran;
  /** As a user without a session, as `su` gives it: no XDG_RUNTIME_DIR, no bus. */
  as(user: User, command: string[]): Ran;
  /** The same with what a login session has. */
  inSession(user: User, command: string[]): Ran;
  /** The words that start a command as `as` does, for a test that wants to start it itself: in a pseudo-terminal. */
  words(user: User, command: string[]): string[];
  write(path: string, data: string | Uint8Array, owner?: number): Promise<void>;
  read(path: string): string;
  /** Polls until it is so; the test's own time limit ends it. */
  until(what: () => boolean): Promise<void>;
  reboot(): Promise<void>;
  stop(): Promise<void>;
};

/** @param users lines of /etc/passwd besides Debian's own; their home folders are made */
export async function bootMachine(users: string[]): Promise<Machine> {
  const lower = rootFileSystem();
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-machine-"));
  for (const name of ["upper", "work", "root"]) mkdirSync(join(dir, name));
  const upper = join(dir, "upper");
  let nspawn: Bun.Subprocess | undefined;
  let leader = "";

  const inside = (command: string[], env: Record<string, string>): string[] => [
    "nsenter",
    ...["-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd"],
    ...["/usr/bin/env", "-i", ...Object.entries(env).map(([k, v]) => `${k}=${v}`)],
    ...command,
  ];
  const enter = (command: string[], env: Record<string, string>): Ran =>
    run(inside(command, env), {});
  const ROOT_ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };
  const userEnv = ({ home, env }: User) => ({
    PATH: `${home}/.local/bin:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    NO_COLOR: "1",
    ...env,
  });
  const runuser = ({ name }: User, command: string[]) =>
    ["/usr/sbin/runuser", "-u", name, "--"].concat(command);
  const asUser = (user: User, command: string[], more: Record<string, string>) =>
    enter(runuser(user, command), { ...userEnv(user), ...more });

  async function until(what: () => boolean): Promise<void> {
    while (!what()) await Bun.sleep(50);
  }

  async function boot(): Promise<void> {
    const mount = `lowerdir=${lower},upperdir=${upper},workdir=${dir}/work`;
    const script = [
      // nspawn refuses a /run that is on a disk.
      "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd",
      `mount -t overlay overlay -o ${mount} ${dir}/root`,
      `exec systemd-nspawn -q -D ${dir}/root --boot --private-network --register=no --keep-unit --console=pipe`,
    ].join("\n");
    // Ends with the test, also when that is killed.
    nspawn = Bun.spawn(["setpriv", "--pdeathsig", "TERM", "unshare", "-m", "sh", "-ec", script], {
      stdin: "ignore",
      stdout: Bun.file(join(dir, "console")),
      stderr: Bun.file(join(dir, "errors")),
    });
    const { pid } = nspawn;
    leader = "";
    await until(() => {
      if (nspawn?.exitCode !== null)
        throw new Error(
          // Without a word it is often the machine's limit of inotify instances, which others have used up.
          `systemd-nspawn ended (${nspawn?.exitCode ?? nspawn?.signalCode}):\n${readFileSync(join(dir, "errors"), "utf8")}${readFileSync(join(dir, "console"), "utf8").slice(-2000)}`,
        );
      const children = run(["pgrep", "-P", String(pid)])
        .stdout.trim()
        .split("\n");
      leader =
        children.find((child) => run(["cat", `/proc/${child}/comm`]).stdout.trim() === "systemd") ??
        "";
      if (leader === "") return false;
      const { stdout } = enter(["systemctl", "is-system-running"], ROOT_ENV);
      return /^(?:running|degraded)/.test(stdout);
    });
  }

  async function halt(): Promise<void> {
    if (!nspawn) return;
    // An orderly shutdown, as of a machine whose power button is pressed.
    nspawn.kill("SIGTERM");
    const late = setTimeout(() => nspawn?.kill("SIGKILL"), 60_000);
    await nspawn.exited;
    clearTimeout(late);
    nspawn = undefined;
  }

  mkdirSync(join(upper, "etc"), { recursive: true });
  const table = (name: string, lines: string[]) =>
    Bun.write(
      join(upper, "etc", name),
      `${readFileSync(join(lower, "etc", name), "utf8")}${lines.join("\n")}\n`,
    );
  await table("passwd", users);
  // Without an entry there, sudo takes the account for a locked one.
  await table(
    "shadow",
    users.map((line) => `${line.split(":")[0]}:*:20000:0:99999:7:::`),
  );
  await table(
    "group",
    users.map((line) => `${line.split(":")[0]}:x:${line.split(":")[3]}:`),
  );
  for (const line of users) {
    const [, , uid, gid, , home = ""] = line.split(":");
    mkdirSync(join(upper, home), { recursive: true });
    run(["chown", `${uid}:${gid}`, join(upper, home)]);
  }
  try {
    await boot();
  } catch (cause) {
    rmSync(dir, { recursive: true, force: true });
    throw cause;
  }
  return {
    run: (command, env) => enter(command, { ...ROOT_ENV, ...env }),
    as: (user, command) => asUser(user, command, {}),
    words: (user, command) => inside(runuser(user, command), userEnv(user)),
    inSession(user, command) {
      const uid = enter(["id", "-u", user.name], ROOT_ENV).stdout.trim();
      return asUser(user, command, {
        XDG_RUNTIME_DIR: `/run/user/${uid}`,
        DBUS_SESSION_BUS_ADDRESS: `unix:path=/run/user/${uid}/bus`,
      });
    },
    async write(path, data, owner = 0) {
      const at = join(`/proc/${leader}/root`, path);
      const made: string[] = [];
      for (let folder = dirname(at); !existsSync(folder); folder = dirname(folder))
        made.push(folder);
      await Bun.write(at, data);
      run(["chown", `${owner}:${owner}`, at, ...made]);
    },
    read: (path) => readFileSync(join(`/proc/${leader}/root`, path), "utf8"),
    until,
    async reboot() {
      await halt();
      await boot();
    },
    async stop() {
      await halt();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
