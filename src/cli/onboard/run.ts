/** The whole of `onboard`, whichever command begins it. */
import { agentSettings, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import type { Config } from "../../config/schema.ts";
import { refuseNewer } from "../../store/sqlite/migrations.ts";
import type { Applied } from "../../wizard/apply.ts";
import type { Asked, Bench } from "../../wizard/bench.ts";
import { choiceNamed } from "../../wizard/model.ts";
import { askEverything, carryOut, type Plan, RISK } from "../../wizard/onboarding.ts";
import { type Ask, canAsk, type Leave, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { loadSettings } from "../settings.ts";
import { needSettings, noSettings, openBench } from "./bench.ts";
import { type Flags, wishesOf } from "./flags.ts";
import { expectGateway, installService, sayNext, serviceObstacle } from "./ready.ts";
import { setUpRemote } from "./remote.ts";
import { putAside, refuseWhileRunning } from "./reset.ts";
import { quietGuide, terminalGuide } from "./terminal.ts";

/**
 * Opens the terminal for questions, and closes it whatever happens.
 * @param leave what whoever leaves is told
 */
export async function withPerson<T>(
  cli: Cli,
  quiet: boolean,
  leave: Leave,
  use: (asked: Asked, ask: Ask | undefined) => Promise<T>,
): Promise<T> {
  if (quiet) return use({ guide: quietGuide(cli.out), asks: false }, undefined);
  const ask = openAsk(cli.out, leave);
  try {
    return await use({ guide: terminalGuide(cli.out, ask), asks: true }, ask);
  } finally {
    ask.close();
  }
}

/** Gives the exit code. Throws usage for flags that cannot be, and before anything was written for a state that is not ours to change. */
export async function runOnboard(cli: Cli, flags: Flags): Promise<number> {
  const quiet = flags["non-interactive"] === true;
  refuseInNixMode(cli.env, "config");
  if (quiet && !flags["accept-risk"])
    throw new AppError("usage", `--non-interactive needs --accept-risk. ${RISK}`);
  if (!quiet && !canAsk())
    throw new AppError("usage", "There is no terminal to ask questions on.", {
      hint: `Say the answers with flags, as in: ${cli.name}${cli.profileFlag} onboard --non-interactive --accept-risk --auth-choice skip. All of them: ${cli.name} onboard --help`,
    });
  choiceNamed(flags["auth-choice"], !quiet);
  const wishes = wishesOf(flags);
  refuseNewer(cli.paths.databasePath);
  if (flags.reset) refuseWhileRunning(cli);
  // A config that cannot be used is put aside with the rest.
  const there = flags.reset ? await loadSettings(cli.env, cli.paths) : await needSettings(cli);
  refuseInNixMode(there.env, "config");
  const none = noSettings(cli);
  const before = { config: there.config ?? none.config, env: there.env };
  const old = workspaceOf(before.config, cli);
  const bench = openBench(cli, flags.reset ? none : before);
  const obstacle = flags.mode === "remote" ? undefined : await serviceObstacle(cli);
  const again = `To begin again: ${cli.name}${cli.profileFlag} onboard`;
  return withPerson(cli, quiet, { hint: again }, async (asked, ask) => {
    if (flags.mode === "remote") return setUpRemote(cli, bench, flags, asked);
    const plan = await askEverything(bench, wishes, asked, {
      // What stands in the way for now is mended by the installation, or told by it.
      service: !obstacle?.final,
    });
    if (!plan) {
      cli.out.note(`Nothing was changed. ${again}`);
      return 0;
    }
    if (flags.reset) for (const line of await putAside(cli, old)) cli.out.note(line);
    const applied = await carryOut(bench, plan, asked.guide, "onboard");
    for (const line of applied.lines) cli.out.note(line);
    // From here on Ctrl-C is for the command that runs.
    ask?.close();
    return finish(cli, bench, flags, { plan, applied, sure: !obstacle });
  });
}

type Done = { plan: Plan; applied: Applied; sure: boolean };

async function finish(
  cli: Cli,
  bench: Bench,
  flags: Flags,
  { plan, applied, sure }: Done,
): Promise<number> {
  const code = plan.daemon ? await installService(cli, !sure || !flags["install-daemon"]) : 0;
  const looks = !flags["skip-health"];
  if (flags["non-interactive"] && looks && !plan.daemon) await expectGateway(cli);
  if (flags.json) cli.out.data(summary(bench, plan, applied, flags));
  else await sayNext(cli, bench, { model: plan.model.model, health: looks, ui: !flags["skip-ui"] });
  return code;
}

const workspaceOf = ({ agents }: Config, { paths }: Cli): string =>
  agentSettings(agents, defaultAgentId(agents), paths).workspace;

function summary(bench: Bench, { model, daemon }: Plan, { workspace }: Applied, flags: Flags) {
  const { gateway } = bench.config();
  return {
    mode: "local",
    workspace,
    authChoice: model.authChoice,
    gateway: {
      port: gateway.port,
      bind: gateway.bind,
      authMode: gateway.auth.mode ?? "token",
      tailscaleMode: gateway.tailscale.mode,
    },
    installDaemon: daemon,
    ...(daemon && { daemonRuntime: flags["daemon-runtime"] ?? "node" }),
    skipSkills: flags["skip-skills"] === true,
    skipHealth: flags["skip-health"] === true,
  };
}
