/** What of the findings concerns security, in the shape and the words of the original's `security audit`. Pure. */
import type { Severity } from "./check.ts";
import type { Examined } from "./examine.ts";

export type AuditSeverity = "critical" | "warn" | "info";

export type AuditFinding = {
  checkId: string;
  severity: AuditSeverity;
  title: string;
  /** What is so, and what follows from it. */
  detail: string;
  /** The exact command or step. */
  remediation?: string;
};

export type AuditReport = {
  /** Epoch ms. */
  ts: number;
  summary: Record<AuditSeverity, number>;
  findings: AuditFinding[];
};

const SEVERITY: Record<Severity, AuditSeverity> = {
  critical: "critical",
  error: "warn",
  warning: "warn",
  info: "info",
};
const ORDER: readonly AuditSeverity[] = ["critical", "warn", "info"];

/** Most severe first; what has no name in the audit is left out. */
export function auditReport(findings: readonly Examined[], ts: number): AuditReport {
  const told = findings
    .flatMap(({ audit, severity, message, fixHint }): AuditFinding[] =>
      audit
        ? [
            {
              checkId: audit.id,
              severity: SEVERITY[severity],
              title: audit.title,
              detail: message,
              ...(fixHint && { remediation: fixHint }),
            },
          ]
        : [],
    )
    .toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  const count = (severity: AuditSeverity) =>
    told.filter((finding) => finding.severity === severity).length;
  return {
    ts,
    summary: { critical: count("critical"), warn: count("warn"), info: count("info") },
    findings: told,
  };
}

/** `2 critical · 1 warn · 3 info` */
export const summaryLine = ({ summary }: Pick<AuditReport, "summary">): string =>
  ORDER.map((severity) => `${summary[severity]} ${severity}`).join(" · ");
