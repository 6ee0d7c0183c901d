/** `doctor`: what is wrong with this installation, what follows from it, and the exact command that mends it. */
import { AppError } from "../../base/errors.ts";
import { hintInNixMode, refuseInNixMode } from "../../base/nix.ts";
import { loadConfig } from "../../config/load.ts";
import type { Running, Severity } from "../../doctor/check.ts";
import { examine, type Examined } from "../../doctor/examine.ts";
import { CHECKS } from "../../doctor/registry.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import type { Style } from "../out.ts";
import { safeText } from "../out.ts";
import { withGateway } from "../rpc.ts";
import { lookAtService } from "../service/look.ts";
import { openService } from "../service/service.ts";
import { loadSettings } from "../settings.ts";

const LOOK: Record<Severity, { mark: string; style: Style }> = {
  critical: { mark: "!!", style: "red" },
  error: { mark: "✗", style: "red" },
  warning: { mark: "!", style: "yellow" },
  info: { mark: "·", style: "dim" },
};

/** How long the gateway has to answer, in ms. */
const PATIENCE_MS = 2000;

export const doctor = command({
  doc: "Look for what is wrong, and say how to mend it. Changes nothing without --fix.",
  args: {
    fix: { type: "boolean", description: "Mend what can be mended without a decision of yours." },
    repair: { type: "boolean", description: "The same as --fix." },
    yes: { type: "boolean", description: "The same as --fix." },
    "non-interactive": { type: "boolean", description: "Kept for scripts; it never asks." },
  },
  notes: "Exit code 0, whatever is found; with --json the findings say how bad it is.",
  examples: [
    ["doctor", "look"],
    ["doctor --fix", "look, and mend what is safe to mend"],
    ["doctor --json", "for scripts"],
  ],
  async run(args, cli) {
    const fixing = args.fix || args.repair || args.yes;
    if (fixing) refuseInNixMode(cli.env, "config");
    const { env, paths } = cli;
    const loaded = await loadConfig({ env, paths, strictVariables: false });
    const settings = await loadSettings(env, paths);
    const [running, service] = await Promise.all([
      runningGateway(cli),
      lookAtService(openService(cli, {}), settings),
    ]);
    const scene = { env, paths, loaded, command: cli.name + cli.profileFlag, running, service };
    const found = await examine(CHECKS, scene);
    const findings = found.map(({ fixHint, ...finding }) => {
      const hint = hintInNixMode(env, fixHint);
      return { ...finding, ...(hint && { fixHint: hint }) };
    });
    const mended = fixing ? await mend(findings) : [];
    if (args.json) return cli.out.data(report(findings, mended));
    show(cli, findings, mended, running);
  },
});

async function runningGateway(cli: Cli): Promise<Running | undefined> {
  try {
    const wish = { timeout: String(PATIENCE_MS) };
    return await withGateway(cli, wish, async ({ hello, client, timeoutMs }) => {
      const { version } = hello.server;
      // An older gateway has no such method; its channels are then judged by the config alone.
      if (!hello.features.methods.includes("channels.status")) return { version };
      const { warnings } = await client.call("channels.status", {}, { timeoutMs });
      return { version, channelWarnings: warnings };
    });
  } catch (cause) {
    if (cause instanceof AppError) return undefined;
    throw cause;
  }
}

type Mended = { checkId: string; done: string };

async function mend(findings: Examined[]): Promise<Mended[]> {
  const mended: Mended[] = [];
  for (const { checkId, fix } of findings) if (fix) mended.push({ checkId, done: await fix() });
  return mended;
}

function report(findings: Examined[], mended: Mended[]) {
  return {
    ok: findings.every(({ severity, fix }) => severity === "info" || (fix && mended.length > 0)),
    checksRun: CHECKS.length,
    findings: findings.map(({ checkId, severity, message, path, fixHint }) => ({
      checkId,
      severity,
      message,
      path: path ?? null,
      fixHint: fixHint ?? null,
    })),
    fixed: mended,
  };
}

function show(
  { out, name, profileFlag }: Cli,
  findings: Examined[],
  mended: Mended[],
  running?: Running,
) {
  out.line(out.paint("bold", `${name} doctor`));
  let title = "";
  for (const finding of findings) {
    if (finding.title !== title) out.line(`\n${out.paint("bold", finding.title)}`);
    title = finding.title;
    const { mark, style } = LOOK[finding.severity];
    out.line(`  ${out.paint(style, mark)} ${safeText(finding.message)}`);
    if (finding.fixHint) out.line(`    ${out.paint("dim", safeText(finding.fixHint))}`);
  }
  for (const { done } of mended) out.line(`${out.paint("green", "✓")} ${safeText(done)}`);
  const bad = findings.filter(({ severity }) => severity !== "info").length - mended.length;
  const fixable = findings.some(({ fix }) => fix) && mended.length === 0;
  out.line();
  if (bad <= 0) out.line(running ? "Everything is well." : "Nothing is wrong.");
  else out.line(`${bad} ${bad === 1 ? "thing needs" : "things need"} attention.`);
  if (fixable) out.line(`Some of it can be mended now: ${name}${profileFlag} doctor --fix`);
}
