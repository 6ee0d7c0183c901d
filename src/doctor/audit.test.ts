import { expect, test } from "bun:test";

import { auditReport, summaryLine } from "./audit.ts";
import type { Examined } from "./examine.ts";

const finding = (over: Partial<Examined>): Examined => ({
  checkId: "state",
  title: "State folder",
  severity: "warning",
  message: "m",
  ...over,
});

test("the audit has what has a name there, the worst first, in the original's words", () => {
  const report = auditReport(
    [
      finding({ audit: { id: "a.b", title: "A" }, severity: "info" }),
      finding({ message: "not about security" }),
      finding({ audit: { id: "c.d", title: "C" }, severity: "error", fixHint: "chmod 600 x" }),
      finding({ audit: { id: "e.f", title: "E" }, severity: "critical" }),
    ],
    7,
  );
  expect(report).toEqual({
    ts: 7,
    summary: { critical: 1, warn: 1, info: 1 },
    findings: [
      { checkId: "e.f", severity: "critical", title: "E", detail: "m" },
      { checkId: "c.d", severity: "warn", title: "C", detail: "m", remediation: "chmod 600 x" },
      { checkId: "a.b", severity: "info", title: "A", detail: "m" },
    ],
  });
  expect(summaryLine(report)).toBe("1 critical · 1 warn · 1 info");
});
