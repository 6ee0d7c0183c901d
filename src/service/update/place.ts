/**
 * The program's file and what lies beside it. install.sh uses the same names: the folder for the download, which also keeps two runs
 * apart; the version before as `clawdbot.prev`; the receipt. At every moment the program's file is a whole one, the old or the new.
 */
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import { z } from "zod";

import { AppError, errnoOf } from "../../base/errors.ts";
import { alive, atomicWrite, shellWord } from "../../base/fs.ts";
import { RECEIPT_NAME } from "./managed.ts";

export type Place = {
  program: string;
  folder: string;
  /** The version before. */
  previous: string;
  /** Folder of the download; its existence is the lock. */
  work: string;
  receipt: string;
};

export function placeOf(program: string): Place {
  const folder = dirname(program);
  const name = basename(program);
  const previous = name.endsWith(".exe") ? `${name.slice(0, -4)}.prev.exe` : `${name}.prev`;
  return {
    program,
    folder,
    previous: join(folder, previous),
    work: join(folder, ".clawdbot-install"),
    receipt: join(folder, RECEIPT_NAME),
  };
}

/** Throws forbidden, with the way out, when files in the program's folder cannot be replaced. */
export function checkWritable({ folder, program }: Place): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    throw new AppError("forbidden", `${program} cannot be replaced: ${folder} is not yours.`, {
      cause,
      hint: `As its owner: curl -fsSL https://github.com/clawdbot/clawdbot/releases/latest/download/install.sh | sudo sh -s -- --dir ${shellWord(folder)}`,
      details: { reason: "not-writable" },
    });
  }
}

/**
 * Makes the folder for the download, as the only one who does. What a killed run left there is removed. Throws busy while another
 * update or install.sh works. @returns ends the claim, and removes the folder
 */
export function claim({ work, folder }: Place): () => void {
  for (let tries = 1; ; tries++) {
    try {
      mkdirSync(work, { mode: 0o700 });
      writeFileSync(join(work, "pid"), `${process.pid}\n`);
      return () => rmSync(work, { recursive: true, force: true });
    } catch (cause) {
      if (errnoOf(cause) !== "EEXIST") throw cause;
    }
    const other = pidIn(work);
    if (other === undefined || alive(other) || tries > 1)
      throw new AppError(
        "busy",
        `Another update works in ${folder}${other === undefined ? "" : ` (process ${other})`}.`,
        {
          hint: `Wait until it has ended. If there is none: rm -r ${shellWord(work)}`,
          details: { reason: "busy" },
        },
      );
    takeAway(work);
  }
}

/** Removes the folder of a run that was killed. Leaves that of one that works. */
export function sweep({ work }: Pick<Place, "work">): void {
  const other = existsSync(work) ? pidIn(work) : undefined;
  if (other !== undefined && !alive(other)) takeAway(work);
}

/** Only one of several runs can move it. */
function takeAway(work: string): void {
  const aside = `${work}.${process.pid}`;
  try {
    renameSync(work, aside);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    return;
  }
  rmSync(aside, { recursive: true, force: true });
}

function pidIn(work: string): number | undefined {
  try {
    const pid = Number(/^\d{1,10}/.exec(readFileSync(join(work, "pid"), "utf8"))?.[0]);
    return pid > 0 ? pid : undefined;
  } catch (cause) {
    // Made this moment, and not yet written.
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Puts `candidate` (in the work folder) into the program's place; the present file becomes the version before. */
export function swapIn({ program, previous, work }: Place, candidate: string): void {
  const keep = join(work, "prev");
  rmSync(keep, { force: true });
  linkOrCopy(program, keep);
  if (process.platform === "win32") {
    // A program that runs can be renamed there, but nothing can be put over it.
    rmSync(previous, { force: true });
    renameSync(program, previous);
  } else renameSync(keep, previous);
  renameSync(candidate, program);
}

/** Exchanges the program with the version before. */
export function swapWithPrevious(place: Place): void {
  const candidate = join(place.work, "candidate");
  rmSync(candidate, { force: true });
  linkOrCopy(place.previous, candidate);
  swapIn(place, candidate);
}

/** Puts the version before back. Does nothing when it is there no more: then it was done already. */
export function swapBack({ program, previous }: Pick<Place, "program" | "previous">): void {
  if (!existsSync(previous)) return;
  if (process.platform === "win32") renameSync(program, `${program}.failed-${Date.now()}`);
  renameSync(previous, program);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (cause) {
    // Some file systems have no links.
    if (errnoOf(cause) === undefined || errnoOf(cause) === "ENOENT") throw cause;
    copyFileSync(from, to);
  }
}

const Receipt = z.looseObject({
  version: z.string().optional(),
  channel: z.enum(["stable", "beta"]).optional().catch(undefined),
  source: z.string().optional(),
});
export type Receipt = z.infer<typeof Receipt>;

/** What install.sh, or an update after it, wrote down; undefined when there is none that can be read. */
export function readReceipt({ receipt }: Pick<Place, "receipt">): Receipt | undefined {
  try {
    return Receipt.safeParse(JSON.parse(readFileSync(receipt, "utf8"))).data;
  } catch (cause) {
    if (cause instanceof SyntaxError || errnoOf(cause) !== undefined) return undefined;
    throw cause;
  }
}

/** Brings the receipt up to date, so that install.sh still knows what is its own. Makes none where there was none. */
export async function updateReceipt(
  place: Place,
  facts: { version: string; channel?: string; source?: string; sha256?: string },
): Promise<void> {
  const receipt = readReceipt(place);
  if (!receipt) return;
  const signature = facts.sha256 ? { signature: "verified" } : {};
  const text = JSON.stringify({ ...receipt, ...facts, ...signature }, null, 2);
  await atomicWrite(place.receipt, `${text}\n`, { mode: 0o644 });
}
