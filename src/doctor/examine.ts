/** Runs the checks. Called by `doctor`, `security audit` and `status`. */
import { toAppError } from "../base/errors.ts";
import type { Check, Finding, Scene } from "./check.ts";

export type Examined = Finding & {
  checkId: string;
  title: string;
  /** The check itself failed, so nothing is known. */
  failed?: true;
};

/** All checks at once; one that fails is a finding of its own and keeps no other from running. */
export async function examine(checks: readonly Check[], scene: Scene): Promise<Examined[]> {
  const all = await Promise.all(
    checks.map(async ({ id, title, run }) => {
      const findings = await run(scene).catch((cause: unknown): (Finding & { failed: true })[] => [
        {
          severity: "warning",
          message: `This could not be checked: ${toAppError(cause).message}`,
          failed: true,
        },
      ]);
      return findings.map((finding) => ({ ...finding, checkId: id, title }));
    }),
  );
  return all.flat();
}
