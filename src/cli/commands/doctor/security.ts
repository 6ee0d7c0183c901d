/** `security audit`: what others could read, change or use, and how to close it. */
import { hintInNixMode, refuseInNixMode } from "../../../base/nix.ts";
import type { AuditReport, AuditSeverity } from "../../../doctor/audit.ts";
import { auditReport, summaryLine } from "../../../doctor/audit.ts";
import type { Scene } from "../../../doctor/check.ts";
import { examine, type Examined } from "../../../doctor/examine.ts";
import { fixable, mend, type Mended } from "../../../doctor/mend.ts";
import { SECURITY } from "../../../doctor/security.ts";
import type { Cli } from "../../command.ts";
import { command } from "../../command.ts";
import { commandsBelow } from "../../commands.ts";
import { lookAround } from "../../doctor/scene.ts";
import { showMended } from "../../doctor/show.ts";
import { showCommandHelp } from "../../help.ts";
import type { Style } from "../../out.ts";
import { safeText } from "../../out.ts";
import { probeGateway } from "../../status/probe.ts";

const STYLES: Record<AuditSeverity, Style> = { critical: "red", warn: "yellow", info: "dim" };

export const security = command({
  doc: "How safe this installation is.",
  args: {},
  json: false,
  examples: [["security audit", "what is open, and how to close it"]],
  async run(_, { out, name }) {
    showCommandHelp(out, name, "security", security, commandsBelow("security"));
  },
});

export const audit = command({
  doc: "Look for what others could read, change or use. Changes nothing without --fix.",
  args: {
    deep: { type: "boolean", description: "Also connect to the gateway, and ask every network." },
    fix: {
      type: "boolean",
      description: "Close files to others, and chats to strangers.",
    },
    strict: { type: "boolean", description: "Exit code 1 when something critical is found." },
  },
  notes:
    "Exit code 0, whatever is found, unless --strict is given. --fix closes files and folders (never through a link), makes a token where the gateway refuses to start without one, and answers strangers no more; the config's former file stays beside it. What you would notice yourself is left to `clawdbot doctor`, which asks.",
  examples: [
    ["security audit", "look"],
    ["security audit --deep", "look closer"],
    ["security audit --fix", "close what can be closed"],
    ["security audit --json --strict", "for scripts"],
  ],
  async run(args, cli) {
    if (args.fix) refuseInNixMode(cli.env, "config");
    const look = () => lookAt(cli, args.deep);
    const before = await look();
    const wanted = args.fix ? closable(before.findings) : [];
    const mended = await mend(wanted, before.scene);
    const { scene, findings } = mended.length > 0 ? await look() : before;
    const made = auditReport(findings, scene.now);
    const deep = args.deep ? await probed(cli) : undefined;
    const report = { ...made, ...(deep && { deep }) };
    if (args.json) cli.out.data(args.fix ? { fix: fixJson(mended), report } : report);
    else {
      show(cli, report, mended, deep);
      if (closable(findings).length > 0)
        cli.out.line(
          `\nTo close what can be closed: ${cli.name}${cli.profileFlag} security audit --fix`,
        );
    }
    const failed = mended.some((each) => "error" in each);
    return failed || (args.strict && made.summary.critical > 0) ? 1 : 0;
  },
});

/** What --fix does: nothing that the owner would notice. */
const closable = (findings: readonly Examined[]) =>
  fixable(findings).filter(
    ({ fix, audit: told }) => told && (fix.kind === "safe" || fix.kind === "close"),
  );

async function lookAt(cli: Cli, deep: boolean): Promise<{ scene: Scene; findings: Examined[] }> {
  const scene = await lookAround(cli, { deep, suggestions: false });
  const findings = (await examine(SECURITY, scene)).map(({ fixHint, ...finding }) => {
    const hint = hintInNixMode(cli.env, fixHint);
    return { ...finding, ...(hint && { fixHint: hint }) };
  });
  return { scene, findings };
}

/** As the original has it under `deep`. */
async function probed(cli: Cli) {
  const { target, reachable, error } = await probeGateway(cli, { timeout: "5000" });
  return { gateway: { attempted: true, url: target.url, ok: reachable, error } };
}

const fixJson = (mended: readonly Mended[]) => ({
  ok: mended.every((each) => "done" in each),
  changes: mended.flatMap((each) => ("done" in each ? [each.done] : [])),
  errors: mended.flatMap((each) => ("error" in each ? [each.error.message] : [])),
});

function show(
  cli: Cli,
  report: AuditReport,
  mended: readonly Mended[],
  deep: Awaited<ReturnType<typeof probed>> | undefined,
): void {
  const { out, name } = cli;
  out.line(out.paint("bold", `${name} security audit`));
  out.line(`Summary: ${summaryLine(report)}`);
  showMended(cli, mended);
  for (const { checkId, severity, title, detail, remediation } of report.findings) {
    out.line(`\n${out.paint(STYLES[severity], severity)} ${safeText(title)} (${checkId})`);
    out.line(`  ${safeText(detail)}`);
    if (remediation) out.line(`  ${out.paint("dim", `Fix: ${safeText(remediation)}`)}`);
  }
  if (deep)
    out.line(
      safeText(
        `\nGateway: ${deep.gateway.ok ? "answers" : `does not answer (${deep.gateway.error})`} at ${deep.gateway.url}`,
      ),
    );
}
