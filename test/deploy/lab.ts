/**
 * What the deployment tests are made with: Debian's packages, installed when they are missing, and bats files whose cases
 * count one by one. A test that cannot have its tools is skipped, and says why.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const root = process.platform === "linux" && process.getuid?.() === 0;
let listsFresh = false;

/** Runs to its end; never throws for a command that fails. */
export function run(
  command: string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string } = {},
): { code: number; stdout: string; stderr: string } {
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

/** Runs a bats file now and makes one test of each of its cases. @param env added to this process's environment */
export function batsFile(title: string, file: string, env: Record<string, string> = {}): void {
  const why = missing({ bats: "bats" });
  makeTests({ title, file }, why, () => {
    const { stdout, stderr } = run(batsCommand(file), { env: batsEnv(env) });
    return readTap(stdout, stderr);
  });
}

/** The same for several runs, at the same time; they must not disturb each other. */
export async function batsTogether(runs: BatsRun[]): Promise<void> {
  const why = missing({ bats: "bats" });
  const seen = await Promise.all(
    runs.map(async ({ file, env = {} }) => {
      if (why !== undefined) return undefined;
      const child = Bun.spawn(batsCommand(file), {
        env: batsEnv(env),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const;
      return readTap(...(await Promise.all(texts)));
    }),
  );
  for (const [i, each] of runs.entries()) makeTests(each, why, () => seen[i]!);
}

function makeTests({ title, file }: BatsRun, why: string | undefined, see: () => Seen): void {
  const cases = readCases(join(import.meta.dir, file));
  describe.skipIf(why !== undefined)(title, () => {
    const seen = why === undefined ? see() : { ok: new Map<string, boolean>(), text: "" };
    test.each(cases)("%s", (name) => {
      if (seen.ok.get(name) !== true) throw new Error(`${name}\n${seen.text}`);
      expect(seen.ok.get(name)).toBe(true);
    });
  });
}

const batsCommand = (file: string) => ["bats", "--formatter", "tap", join(import.meta.dir, file)];
const batsEnv = (env: Record<string, string>) => ({
  ...(process.env as Record<string, string>),
  ...env,
});

const readCases = (path: string): string[] =>
  [
    ...Bun.spawnSync(["cat", path])
      .stdout.toString()
      .matchAll(/^@test "([^"]+)"/gm),
  ].map((match) => match[1]!);

function readTap(stdout: string, stderr: string): Seen {
  const ok = new Map<string, boolean>();
  for (const [, not, name] of stdout.matchAll(/^(not )?ok \d+ (.*?)(?: # .*)?$/gm))
    ok.set(name!, not === undefined);
  return { ok, text: `${stdout}\n${stderr}` };
}
