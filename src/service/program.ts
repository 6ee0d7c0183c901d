/**
 * The command that a service starts: a path that is still right after an upgrade. The running executable may lie in a folder with a
 * version in its name, while the name by which people call it stays.
 */
import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";

import { NAMES } from "../base/brand.ts";
import { realPathOf } from "../base/fs.ts";

/** Folders that are gone after an upgrade of the program, of its package manager's copy, or of Node. */
const VERSIONED =
  /[\\/](?:\.pnpm|Cellar|nix[\\/]store|versions[\\/]node|installs[\\/]node|node-versions)[\\/]/;

export type Caller = {
  /** What the program was called by: a bare name, or a path. */
  argv0: string;
  execPath: string;
  /** The script that the engine at `execPath` runs; absent for the compiled executable. */
  script?: string;
  cwd: string;
  home: string;
  path: string;
};

/** The words before `gateway`. `passing` is true when the path may be gone after the next upgrade. */
export function serviceProgram(caller: Caller): { command: string[]; passing: boolean } {
  const { execPath, script } = caller;
  if (script) return { command: [execPath, script], passing: false };
  const own = realPathOf(execPath);
  // Not `realPathOf` for these: it takes a `..` out before the link is followed.
  const same = candidates(caller).filter(
    (path) => existsSync(path) && realpathSync.native(path) === own,
  );
  const stable = same.find((path) => !VERSIONED.test(path)) ?? execPath;
  return { command: [stable], passing: VERSIONED.test(stable) };
}

function candidates({ argv0, execPath, cwd, home, path }: Caller): string[] {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const onPath = (name: string) => Bun.which(name, { PATH: path }) ?? "";
  const called = /[\\/]/.test(argv0) ? resolve(cwd, argv0) : onPath(argv0);
  const ours = (file: string) =>
    (NAMES as readonly string[]).includes((file.split(/[\\/]/).at(-1) ?? "").replace(/\.exe$/, ""));
  return [
    // Today's name before an alias that was typed.
    ...NAMES.toReversed().map(onPath),
    called,
    execPath,
    join(home, ".local/bin", `clawdbot${suffix}`),
    ...pnpmPath(execPath),
  ].filter((file) => isAbsolute(file) && ours(file));
}

/**
 * pnpm keeps every version in a folder of its own; what stays is its link to the launcher package, beside whose real place the
 * executable's package lies. Not made with `join`, which would take the `..` out before the link is followed.
 */
function pnpmPath(execPath: string): string[] {
  const [, root, inside] =
    /^(.*)[\\/]\.pnpm[\\/][^\\/]+[\\/]node_modules[\\/](.+)$/.exec(execPath) ?? [];
  return root && inside ? [`${root}/node_modules/clawdbot/../${inside}`] : [];
}
