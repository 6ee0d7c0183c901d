/**
 * The start files of people's shells: one marked block in them, put in by `completion -i` and taken out by `uninstall`. What else is in
 * such a file stays byte for byte, and its mode and owner too.
 */
import { existsSync, lstatSync } from "node:fs";
import { dirname, join } from "node:path";

import { PRODUCT } from "../../base/brand.ts";
import type { Env } from "../../base/env.ts";
import { AppError, errnoOf } from "../../base/errors.ts";
import {
  atomicWrite,
  ensureDir,
  readTextIfThere,
  realPathOf,
  removeIfThere,
} from "../../base/fs.ts";
import { removeEmpty } from "../leaving/safe.ts";

export const SHELLS = ["zsh", "bash", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

/** What it begins with; behind it may stand what was made with it (see madeBy). */
const BEGIN = `# >>> ${PRODUCT} completion >>>`;
const END = `# <<< ${PRODUCT} completion <<<`;

/** Where each shell reads its start file. */
export function rcFile(shell: Shell, home: string, env: Pick<Env, "raw">): string {
  const config = env.raw("XDG_CONFIG_HOME") ?? join(home, ".config");
  switch (shell) {
    case "zsh":
      return join(env.raw("ZDOTDIR") ?? home, ".zshrc");
    case "bash":
      return join(home, ".bashrc");
    case "fish":
      // A file of our own: fish reads all of them.
      return join(config, "fish", "conf.d", `${PRODUCT}-completion.fish`);
    case "powershell":
      return process.platform === "win32"
        ? join(home, "Documents", "PowerShell", "Microsoft.PowerShell_profile.ps1")
        : join(config, "powershell", "Microsoft.PowerShell_profile.ps1");
  }
}

/** The lines of the block; a shell without the program starts without a complaint. `source <(…)` reads nothing in macOS's bash 3.2. */
const LINES: Record<Shell, string> = {
  zsh: `if command -v ${PRODUCT} >/dev/null 2>&1; then eval "$(${PRODUCT} completion -s zsh)"; fi`,
  bash: `if command -v ${PRODUCT} >/dev/null 2>&1; then eval "$(${PRODUCT} completion -s bash)"; fi`,
  fish: `if type -q ${PRODUCT}; ${PRODUCT} completion -s fish | source; end`,
  powershell: `if (Get-Command ${PRODUCT} -ErrorAction SilentlyContinue) { ${PRODUCT} completion -s powershell | Out-String | Invoke-Expression }`,
};

/** The text without our block, and without the line end that `withBlock` put before it. */
export function withoutBlock(text: string): string {
  const begin = text.indexOf(BEGIN);
  if (begin < 0) return text;
  const end = text.indexOf(END, begin);
  // A block that somebody cut: only its first line is surely ours.
  const after = end < 0 ? lineEnd(text, begin) : end + END.length;
  const rest = text.slice(after).replace(/^\r?\n/, "");
  const before = text.slice(0, begin).replace(/\n$/, "");
  return before && rest && !before.endsWith("\n") ? `${before}\n${rest}` : before + rest;
}

const lineEnd = (text: string, from: number): number => {
  const at = text.indexOf("\n", from);
  return at < 0 ? text.length : at;
};

/** The same text with the block at its end; `withoutBlock` gives exactly the text before. @param made see madeBy */
export function withBlock(text: string, shell: Shell, made?: number): string {
  const clean = withoutBlock(text);
  const first = made === undefined ? BEGIN : `${BEGIN} made: ${made}`;
  return `${clean}${clean === "" ? "" : "\n"}${first}\n${LINES[shell]}\n${END}\n`;
}

/** How many folders were made together with the file, which only we have made; undefined for a file that was there before. */
function madeBy(text: string): number | undefined {
  const made = new RegExp(`^${BEGIN} made: (\\d)$`, "m").exec(text)?.[1];
  return made === undefined ? undefined : Number(made);
}

/**
 * Puts the block in. False when it is there already. Throws forbidden for a file that belongs to somebody else or leads to one (Nix,
 * an administrator), and store_failed where it cannot be written.
 */
export async function addBlock(shell: Shell, file: string): Promise<boolean> {
  const text = await readTextIfThere(file);
  const made = text ? madeBy(text) : existsSync(file) ? undefined : missingAbove(file);
  const next = withBlock(text, shell, made);
  if (next === text) return false;
  refuseForeign(file);
  await changing(file, async () => {
    await ensureDir(dirname(realPathOf(file)), 0o755);
    await atomicWrite(file, next, { mode: modeOf(file) });
  });
  return true;
}

/** Takes the block out; a file that only we have made goes with it, and its folders as far as they are empty. False when there was none. */
export async function dropBlock(file: string): Promise<boolean> {
  const text = await readTextIfThere(file);
  const next = withoutBlock(text);
  if (next === text) return false;
  refuseForeign(file);
  const made = madeBy(text);
  const gone = next === "" && made !== undefined;
  await changing(file, () =>
    gone ? removeIfThere(file) : atomicWrite(file, next, { mode: modeOf(file) }),
  );
  for (let n = gone ? made : 0, folder = dirname(file); n > 0; n--, folder = dirname(folder))
    if (!removeEmpty(folder)) break;
  return true;
}

/** Folders above a file that have to be made for it. */
function missingAbove(file: string): number {
  let count = 0;
  for (let folder = dirname(file); !existsSync(folder); folder = dirname(folder)) count++;
  return count;
}

/** Start files with our block in them. */
export async function filesWithBlock(home: string, env: Pick<Env, "raw">): Promise<string[]> {
  const found: string[] = [];
  for (const shell of SHELLS) {
    const file = rcFile(shell, home, env);
    if ((await readable(file)).includes(BEGIN)) found.push(file);
  }
  return found;
}

/** A start file that may not be read, or is none, has nothing of ours in it. */
async function readable(file: string): Promise<string> {
  try {
    return await readTextIfThere(file);
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return "";
  }
}

const modeOf = (file: string): number =>
  (lstatSync(realPathOf(file), { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;

function refuseForeign(file: string): void {
  const real = realPathOf(file);
  const found = lstatSync(real, { throwIfNoEntry: false });
  const uid = process.getuid?.();
  const foreign = found !== undefined && uid !== undefined && found.uid !== uid;
  if (!foreign && !real.startsWith("/nix/store/")) return;
  throw new AppError("forbidden", `${file} is not yours to change (it is ${real}).`, {
    hint: `Put this line where your shell's settings are made: ${PRODUCT} completion --help shows it.`,
  });
}

/** Says which file it was when the system refuses. */
async function changing(file: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "EISDIR"].includes(code)) throw cause;
    throw new AppError("store_failed", `${file} cannot be written (${code}).`, { cause });
  }
}
