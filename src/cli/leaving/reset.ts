/** `reset`: back to the beginning, as far as the scope says. The program and its service file stay. */
import { AppError } from "../../base/errors.ts";
import { lockOwner } from "../../base/lock.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import {
  asDone,
  configOf,
  confirmed,
  listed,
  removeAll,
  stopGateway,
  tellDone,
} from "./carry-out.ts";
import { resetPlan, type Scope, SCOPES } from "./plan.ts";

const LABELS: Record<Scope, string> = {
  config: "The config only",
  "config+creds+sessions": "Config, keys, sign-ins and conversations",
  full: "Everything, the workspace too",
};

export const reset = command({
  doc: "Remove the config, or also keys, sign-ins and conversations, or everything. The program stays.",
  args: {
    scope: { type: "enum", options: SCOPES, description: "How much." },
    yes: { type: "boolean", description: "Ask nothing." },
    "non-interactive": { type: "boolean", description: "Ask nothing; needs --scope and --yes." },
    "dry-run": { type: "boolean", description: "Only say what would be removed." },
  },
  notes:
    "The gateway is stopped first, except with the scope `config`. A folder of the state that is a link, the root or your home folder is never removed.",
  examples: [
    ["reset --scope config --dry-run", "what a new config would cost"],
    ["reset --scope full --yes --non-interactive", "for scripts: begin anew"],
  ],
  async run(args, cli) {
    if (args["non-interactive"] && !args["dry-run"] && !(args.scope && args.yes))
      throw new AppError("usage", "Non-interactive mode requires --scope and --yes.");
    refuseInNixMode(cli.env, "config");
    const scope = args.scope ?? (await askScope(cli));
    if (!scope) return cancelled(cli);
    const plan = resetPlan(scope, cli.paths, await configOf(cli));
    const next = [`Next: ${cli.name}${cli.profileFlag} onboard --install-daemon`];
    if (args["dry-run"]) return tellDone(cli, asDone(plan), true, []);
    const sure =
      args.yes || plan.paths.length === 0
        ? true
        : await confirmed(cli, ["This is removed for good:", ...listed(plan)], "Go on?");
    if (!sure) return cancelled(cli);
    if (scope === "config") {
      const running = lockOwner(cli.paths.lockPath) !== undefined;
      if (running) cli.out.note("The running gateway keeps its config until it is restarted.");
      return tellDone(cli, await removeAll(cli, plan, { locked: !running }), false, next);
    }
    const config = await configOf(cli);
    await stopGateway(cli);
    // Looked for again: a gateway writes until its end.
    return tellDone(cli, await removeAll(cli, resetPlan(scope, cli.paths, config)), false, next);
  },
});

/** Undefined when the person leaves. */
async function askScope(cli: Cli): Promise<Scope | undefined> {
  if (!canAsk())
    throw new AppError("usage", "There is no terminal to ask on.", {
      hint: `Say it with flags: ${cli.name}${cli.profileFlag} reset --scope config --yes. The scopes are ${SCOPES.join(", ")}.`,
    });
  const ask = openAsk(cli.out);
  const options = [
    ...SCOPES.map((value) => ({ value: value as string, label: LABELS[value] })),
    { value: "nothing", label: "Nothing" },
  ];
  try {
    const chosen = await ask.choose("What shall be removed?", options);
    return SCOPES.find((scope) => scope === chosen);
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "aborted") return undefined;
    throw cause;
  } finally {
    ask.close();
  }
}

function cancelled({ out }: Cli): number {
  if (out.json) out.data({ ok: true, cancelled: true, removed: [] });
  else out.line("Nothing was removed.");
  return 0;
}
