/**
 * Puts right what findings offer. Every fix is whole or not at all: a file is replaced at once and its former content kept, so a kill
 * or a failure in the middle leaves the fixes before it done and everything after it as it was. Called by `doctor` and `security audit`.
 */
import type { Env } from "../base/env.ts";
import { AppError, errnoOf, toAppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { Change } from "../config/edit.ts";
import { editFile } from "../config/handle.ts";
import type { Fix } from "./check.ts";
import type { Examined } from "./examine.ts";

/** What became of one fix. */
export type Mended = { checkId: string; done: string } | { checkId: string; error: AppError };

type Where = { env: Env; paths: Paths; now: number };
type Fixable = Examined & { fix: NonNullable<Examined["fix"]> };

/** The findings that a fix can be had for. */
export const fixable = (findings: readonly Examined[]): Fixable[] =>
  findings.filter((finding): finding is Fixable => finding.fix !== undefined);

/** Does the fixes of these findings, in their order, edits of the config as one write. Never throws for a fix that fails. */
export async function mend(findings: readonly Fixable[], where: Where): Promise<Mended[]> {
  const edits = findings.filter(({ fix }) => "changes" in fix);
  const mended = await editAll(edits, where);
  for (const { checkId, fix } of findings) {
    if ("changes" in fix) continue;
    try {
      await fix.run();
      mended.push({ checkId, done: fix.done });
    } catch (cause) {
      mended.push({ checkId, error: failure(fix, cause) });
    }
  }
  return mended;
}

/** What the system refuses is no bug of ours: it is told in the words of what was tried. */
function failure({ label }: Fix, cause: unknown): AppError {
  const error = toAppError(cause);
  if (error.code !== "internal" || errnoOf(cause) === undefined) return error;
  return new AppError("store_failed", `${label}: this failed (${error.message}).`, { cause });
}

/** One write, so that one backup has everything as it was. When that fails, each by itself: one that cannot be keeps no other back. */
async function editAll(findings: readonly Fixable[], where: Where): Promise<Mended[]> {
  if (findings.length === 0) return [];
  // A change of the whole comes first: it was made from the file as it is.
  const changes = findings
    .flatMap(({ fix }) => ("changes" in fix ? fix.changes : []))
    .toSorted((a, b) => Math.min(a.path.length, 1) - Math.min(b.path.length, 1));
  try {
    await edit(where, changes);
    return findings.map(({ checkId, fix }) => ({ checkId, done: fix.done }));
  } catch (cause) {
    const [only, ...others] = findings;
    if (others.length === 0) return [{ checkId: only!.checkId, error: failure(only!.fix, cause) }];
    const mended: Mended[] = [];
    for (const each of findings) mended.push(...(await editAll([each], where)));
    return mended;
  }
}

const edit = ({ env, paths, now }: Where, changes: readonly Change[]) =>
  editFile({ env, paths, strictVariables: false, now }, changes);
