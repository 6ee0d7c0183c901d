/** What `doctor` prints. */
import { AppError } from "../../base/errors.ts";
import { SEVERITIES, type Severity } from "../../doctor/check.ts";
import type { Examined } from "../../doctor/examine.ts";
import { fixable, type Mended } from "../../doctor/mend.ts";
import type { Cli } from "../command.ts";
import type { Style } from "../out.ts";
import { safeText } from "../out.ts";

export const LOOK: Record<Severity, { mark: string; style: Style }> = {
  critical: { mark: "!!", style: "red" },
  error: { mark: "✗", style: "red" },
  warning: { mark: "!", style: "yellow" },
  info: { mark: "·", style: "dim" },
};

/** True for what is at least as bad as `least`. */
export const isAtLeast = (severity: Severity, least: Severity): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);

export type Outcome = {
  findings: Examined[];
  mended: Mended[];
  checksRun: number;
  checksSkipped: number;
};

/** The JSON of `doctor`; `ok` when nothing that matters is left. */
export const report = (
  { findings, mended, checksRun, checksSkipped }: Outcome,
  least: Severity = "warning",
) => ({
  ok: findings.every(({ severity }) => !isAtLeast(severity, least)),
  checksRun,
  checksSkipped,
  findings: findings.map(({ checkId, severity, message, path, fixHint, fix }) => ({
    checkId,
    severity,
    message,
    path: path ?? null,
    fixHint: fixHint ?? null,
    fixable: fix?.kind ?? null,
  })),
  fixed: mended.flatMap((each) => ("done" in each ? [each] : [])),
  failed: mended.flatMap((each) =>
    "error" in each
      ? [{ checkId: each.checkId, message: each.error.message, hint: each.error.hint ?? null }]
      : [],
  ),
});

export function showFindings({ out }: Cli, findings: readonly Examined[]): void {
  let title = "";
  for (const finding of findings) {
    if (finding.title !== title) out.line(`\n${out.paint("bold", finding.title)}`);
    title = finding.title;
    const { mark, style } = LOOK[finding.severity];
    out.line(`  ${out.paint(style, mark)} ${safeText(finding.message)}`);
    if (finding.fixHint) out.line(`    ${out.paint("dim", safeText(finding.fixHint))}`);
  }
}

export function showMended({ out }: Cli, mended: readonly Mended[]): void {
  if (mended.length > 0) out.line();
  for (const each of mended)
    if ("done" in each) out.line(`${out.paint("green", "✓")} ${safeText(each.done)}`);
    else {
      out.line(`${out.paint("red", "✗")} ${safeText(each.error.message)}`);
      if (each.error instanceof AppError && each.error.hint)
        out.line(`  ${safeText(each.error.hint)}`);
    }
}

/** The last lines: how many things are left, and what may be done about them. */
export function showEnd(cli: Cli, findings: readonly Examined[], running: boolean): void {
  const { out, name, profileFlag } = cli;
  const bad = findings.filter(({ severity }) => severity !== "info").length;
  const left = fixable(findings).map(({ fix }) => fix.kind);
  out.line();
  if (bad === 0) out.line(running ? "Everything is well." : "Nothing is wrong.");
  else out.line(`${bad} ${bad === 1 ? "thing needs" : "things need"} attention.`);
  const line = `${name}${profileFlag} doctor`;
  if (left.includes("safe")) out.line(`Some of it can be mended now: ${line} --fix`);
  else if (left.includes("service")) out.line(`To mend the service too: ${line} --fix --force`);
}
