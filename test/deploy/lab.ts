/**
 * What the deployment tests are made with: Debian's packages, installed when they are missing, and bats files whose cases
 * count one by one. A test that cannot have its tools is skipped, and says why.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = process.platform === "linux" && process.getuid?.() === 0;
let listsFresh = false;

export type Ran = { code: number; stdout: string; stderr: string };
export type RunOptions = { cwd?: string; env?: Record<string, string>; input?: string };

/** Runs to its end; never throws for a command that fails. */
export function run(command: string[], options: RunOptions = {}): Ran {
  const done = Bun.spawnSync(command, {
    stdin: options.input === undefined ? "ignore" : new TextEncoder().encode(options.input),
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd && { cwd: options.cwd }),
    ...(options.env && { env: options.env }),
  });
  return {
    code: done.exitCode,
    stdout: done.stdout.toString(),
    stderr: done.stderr.toString(),
  };
}

/** Runs to its end without holding up the test process. Never throws for a command that fails. */
export async function runAsync(command: string[], options: RunOptions = {}): Promise<Ran> {
  const child = Bun.spawn(command, {
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd && { cwd: options.cwd }),
    ...(options.env && { env: options.env }),
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/**
 * Makes sure that commands are there. @param commands the Debian package of each command
 * @returns why they cannot be had; undefined when all are there. The reason is printed once.
 */
export function missing(commands: Record<string, string>): string | undefined {
  const lacking = () => Object.keys(commands).filter((name) => !Bun.which(name));
  const before = lacking();
  if (before.length === 0) return undefined;
  if (root && Bun.which("apt-get")) {
    if (!listsFresh) run(["apt-get", "update"]);
    listsFresh = true;
    const packages = [...new Set(before.map((name) => commands[name]!))];
    run(["apt-get", "install", "-y", "--no-install-recommends", ...packages], {
      env: { ...(process.env as Record<string, string>), DEBIAN_FRONTEND: "noninteractive" },
    });
  }
  const after = lacking();
  if (after.length === 0) return undefined;
  const why = root ? "apt-get has no" : "not root, so apt-get cannot install";
  const reason = `${why} ${after.map((name) => commands[name]).join(", ")}`;
  process.stdout.write(`skipped: ${reason}\n`);
  return reason;
}

export type BatsRun = {
  title: string;
  /** Below this folder. */
  file: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
};
type Seen = { ok: Map<string, boolean>; text: string };

/** Runs bats files now, all at the same time, and makes one test of each case. They must not disturb each other. */
export async function runBats(runs: BatsRun[]): Promise<void> {
  const why = missing({ bats: "bats" });
  const seen = await Promise.all(
    runs.map(async ({ file, env = {} }) => {
      if (why !== undefined) return undefined;
      const { stdout, stderr } = await runAsync(
        // Bats waits for ever for what a test has left running; `timeout` ends all of it.
        ["timeout", "-k", "10", "600", "bats", "--formatter", "tap", join(import.meta.dir, file)],
        { env: { ...(process.env as Record<string, string>), ...env } },
      );
      return readTap(stdout, stderr);
    }),
  );
  for (const [i, { title, file }] of runs.entries()) {
    const text = readFileSync(join(import.meta.dir, file), "utf8");
    const cases = [...text.matchAll(/^@test "([^"]+)"/gm)].map((match) => match[1]!);
    describe.skipIf(why !== undefined)(title, () => {
      test.each(cases)("%s", (name) => {
        if (seen[i]?.ok.get(name) !== true) throw new Error(`${name}\n${seen[i]?.text}`);
        expect(seen[i].ok.get(name)).toBe(true);
      });
    });
  }
}

function readTap(stdout: string, stderr: string): Seen {
  const ok = new Map<string, boolean>();
  for (const [, not, name] of stdout.matchAll(/^(not )?ok \d+ (.*?)(?: # .*)?$/gm))
    ok.set(name!, not === undefined);
  return { ok, text: `${stdout}\n${stderr}` };
}

/** The mirror that this machine takes Debian bookworm from. Throws when it is set to none. */
export function debianMirror(): string {
  const format = "$(SITE) $(CODENAME) $(COMPONENT)";
  const look = () => {
    const words = ["apt-get", "indextargets", "--format", format, "Created-By: Packages"];
    return /^(\S+) bookworm main$/m.exec(run(words).stdout)?.[1];
  };
  const known = look();
  if (known) return known;
  // Apt only names the lists that it has.
  run(["apt-get", "update"]);
  const mirror = look();
  if (mirror) return mirror;
  throw new Error(
    "apt-get is set to no mirror of Debian bookworm, so no system can be made from it",
  );
}
