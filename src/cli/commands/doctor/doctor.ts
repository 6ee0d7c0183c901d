/** `doctor`: what is wrong with this installation, what follows from it, and the exact command that mends it. */
import { AppError, toAppError } from "../../../base/errors.ts";
import { hintInNixMode, refuseInNixMode } from "../../../base/nix.ts";
import { waitUntil } from "../../../base/time.ts";
import type { Check, Scene, Severity } from "../../../doctor/check.ts";
import { tokenFix } from "../../../doctor/checks/access.ts";
import { examine, type Examined } from "../../../doctor/examine.ts";
import { fixable, mend } from "../../../doctor/mend.ts";
import { CHECKS } from "../../../doctor/registry.ts";
import { canAsk } from "../../ask.ts";
import type { ArgValues, Cli } from "../../command.ts";
import { command } from "../../command.ts";
import { askedFixes, chosenChecks, plainFixes } from "../../doctor/choose.ts";
import { lookAround } from "../../doctor/scene.ts";
import {
  isAtLeast,
  type Outcome,
  report,
  showEnd,
  showFindings,
  showMended,
} from "../../doctor/show.ts";
import { safeText } from "../../out.ts";

const ARGS = {
  fix: { type: "boolean", description: "Mend what can be mended without a decision of yours." },
  repair: { type: "boolean", description: "The same as --fix." },
  yes: { type: "boolean", description: "The same as --fix." },
  force: {
    type: "boolean",
    description: "With --fix: also write the background service anew, if it was changed by hand.",
  },
  "non-interactive": { type: "boolean", description: "Never ask; without --fix only look." },
  "generate-gateway-token": {
    type: "boolean",
    description: "Make a new gateway token and write it into the config.",
  },
  deep: { type: "boolean", description: "Also the whole database, and every chat network." },
  "no-workspace-suggestions": { type: "boolean", description: "No tips about the workspace." },
  lint: { type: "boolean", description: "Only look, one line each; the exit code tells." },
  "severity-min": {
    type: "enum",
    options: ["info", "warning", "error", "critical"],
    default: "warning",
    description: "With --lint: what is less is left out.",
  },
  only: { type: "list", hint: "check", description: "Only this check; may be given again." },
  skip: { type: "list", hint: "check", description: "Not this check; may be given again." },
  all: { type: "boolean", description: "With --lint: everything that can be checked, as --deep." },
} as const;
type Args = ArgValues<typeof ARGS> & { json: boolean };

/** Exit codes of --lint besides 0; 2 also when a check itself could not be done. */
const LINT_FOUND = 1;
const LINT_FAILED = 2;

export const doctor = command({
  doc: "Look for what is wrong, and say how to mend it. Changes nothing unasked.",
  args: ARGS,
  notes:
    "In a terminal it asks about each thing that it can mend; in a script it only looks, unless --fix is given. Exit code 0, whatever is found, and 1 when something could not be mended. With --lint: 0 nothing found, 1 something found, 2 it could not be checked.",
  examples: [
    ["doctor", "look, and ask what to mend"],
    ["doctor --fix", "look, and mend what is safe to mend"],
    ["doctor --non-interactive", "only look"],
    ["doctor --lint --severity-min error", "for scripts: the exit code tells"],
    ["doctor --json", "for scripts: everything as JSON"],
  ],
  async run(args, cli) {
    if (!args.lint) return run(args, cli);
    try {
      return await lint(args, cli);
    } catch (cause) {
      const { message, hint } = toAppError(cause);
      if (args.json) cli.out.data({ ok: false, error: { type: "cli_error", message, hint } });
      else cli.out.error([message, hint].filter(Boolean).join("\n"));
      return LINT_FAILED;
    }
  },
});

/** Everything there is to see, and again after it was mended: what is told is what is so now. */
async function run(args: Args, cli: Cli): Promise<number> {
  const fixing = args.fix || args.repair || args.yes;
  if (fixing || args["generate-gateway-token"]) refuseInNixMode(cli.env, "config");
  const checks = chosenChecks(CHECKS, args);
  const before = await look(args, cli, checks);
  const { out } = cli;
  if (!args.json) {
    out.line(out.paint("bold", `${cli.name} doctor`));
    showFindings(cli, before.findings);
  }
  const asking = !fixing && !args.json && !args["non-interactive"] && !cli.env.nixMode && canAsk();
  const wanted = [
    ...(fixing ? plainFixes(fixable(before.findings), args.force) : []),
    ...(asking ? await askedFixes(fixable(before.findings), out) : []),
  ];
  const token = args["generate-gateway-token"] ? [newToken()] : [];
  const others = token.length > 0 ? wanted.filter(({ fix }) => !setsToken(fix)) : wanted;
  const mended = await mend([...token, ...others], before.scene);
  const after = mended.length > 0 ? await lookAgain(args, cli, checks, before) : before;
  const outcome: Outcome = {
    findings: after.findings,
    mended,
    checksRun: checks.length,
    checksSkipped: CHECKS.length - checks.length,
  };
  if (args.json) out.data(report(outcome));
  else {
    showMended(cli, mended);
    if (mended.length > 0 && after.findings.length > 0) {
      out.line("\nWhat is left:");
      showFindings(cli, after.findings);
    }
    showEnd(cli, after.findings, after.scene.running !== undefined);
  }
  return mended.some((each) => "error" in each) ? 1 : 0;
}

async function look(
  args: Args,
  cli: Cli,
  checks: readonly Check[],
): Promise<{ scene: Scene; findings: Examined[] }> {
  const scene = await lookAround(cli, {
    deep: args.deep || args.all,
    suggestions: !args["no-workspace-suggestions"],
  });
  const found = await examine(checks, scene);
  const findings = found.map(({ fixHint, fix, ...finding }) => {
    const hint = hintInNixMode(cli.env, fixHint);
    return { ...finding, ...(hint && { fixHint: hint }), ...(fix && !cli.env.nixMode && { fix }) };
  });
  return { scene, findings };
}

/** How long a running gateway may take to go on with a changed config, in ms; it may restart for it. */
const TAKING_MS = 5_000;
const EVERY_MS = 250;

/** What is so when the running gateway has taken over what was mended: until then it only looks wrong. */
async function lookAgain(
  args: Args,
  cli: Cli,
  checks: readonly Check[],
  before: { scene: Scene },
): ReturnType<typeof look> {
  let seen = await look(args, cli, checks);
  if (!before.scene.running) return seen;
  const settled = () =>
    seen.scene.running !== undefined && seen.scene.running.takesSecret !== false;
  await waitUntil(
    async () => {
      if (!settled()) seen = await look(args, cli, checks);
      return settled();
    },
    TAKING_MS,
    EVERY_MS,
  );
  return seen;
}

/** Asked for by its flag, whatever the checks say. */
const newToken = () => ({
  checkId: "gateway-secret",
  title: "Sign-in",
  severity: "info" as const,
  message: "A new token was asked for.",
  fix: tokenFix(),
});

const setsToken = (fix: NonNullable<Examined["fix"]>): boolean =>
  "changes" in fix && fix.changes.some(({ path }) => path.join(".") === "gateway.auth.token");

async function lint(args: Args, cli: Cli): Promise<number> {
  if (args.fix || args.repair || args.yes || args["generate-gateway-token"])
    throw new AppError("usage", "--lint only looks; leave it out to mend something.");
  const checks = chosenChecks(CHECKS, args);
  const { findings: all } = await look(args, cli, checks);
  const least: Severity = args["severity-min"];
  const findings = all.filter(({ severity }) => isAtLeast(severity, least));
  const checksSkipped = CHECKS.length - checks.length;
  if (args.json)
    cli.out.data(report({ findings, mended: [], checksRun: checks.length, checksSkipped }, least));
  else
    for (const { severity, checkId, message, fixHint } of findings)
      cli.out.line(safeText(`${severity} ${checkId}: ${message}${fixHint ? ` [${fixHint}]` : ""}`));
  if (all.some(({ failed }) => failed)) return LINT_FAILED;
  return findings.length > 0 ? LINT_FOUND : 0;
}
