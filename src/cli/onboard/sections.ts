/** `configure`: the parts of the set-up one by one, each written down before the next one. */
import { AppError } from "../../base/errors.ts";
import type { Answers } from "../../wizard/apply.ts";
import type { Asked, Bench } from "../../wizard/bench.ts";
import { askChannel } from "../../wizard/channels.ts";
import { askGateway } from "../../wizard/gateway.ts";
import { askModel } from "../../wizard/model.ts";
import { askWorkspace, carryOut } from "../../wizard/onboarding.ts";
import type { Cli } from "../command.ts";
import { withGateway } from "../rpc.ts";
import { installService, serviceObstacle } from "./ready.ts";

type Section = {
  label: string;
  hint: string;
  /** Answers to write down. Undefined: it has done what there was to do. */
  run(cli: Cli, bench: Bench, asked: Asked): Promise<Answers | undefined>;
};

/** In the order in which they are offered. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  workspace: {
    label: "Workspace",
    hint: "where the agent works",
    run: async (_, bench, { guide }) => ({ workspace: await askWorkspace(bench, guide) }),
  },
  model: {
    label: "Model",
    hint: "whose key answers",
    run: async (_, bench, asked) => ({
      model: await askModel(bench, { keys: {} }, asked, { anew: true }),
    }),
  },
  gateway: {
    label: "Gateway",
    hint: "port, who can reach it, sign-in",
    run: async (_, bench, { guide }) => ({ gateway: await askGateway(bench, {}, guide) }),
  },
  daemon: { label: "Service", hint: "run it in the background", run: runDaemon },
  channels: {
    label: "Chat apps",
    hint: "add one, or give one another token",
    run: async (_, bench, { guide }) => ({ channel: await askChannel(bench, guide) }),
  },
  health: { label: "Health", hint: "does the gateway answer", run: runHealth },
};

/** Throws usage: `Invalid --section: …`. */
export function checkSections(names: readonly string[]): void {
  const wrong = names.filter((name) => !Object.hasOwn(SECTIONS, name));
  if (wrong.length > 0)
    throw new AppError("usage", `Invalid --section: ${wrong.join(", ")}`, {
      hint: `There are: ${Object.keys(SECTIONS).join(", ")}.`,
    });
}

/** Asks one section and writes its answers down. */
export async function runSection(
  cli: Cli,
  bench: Bench,
  asked: Asked,
  name: string,
): Promise<void> {
  const answers = await SECTIONS[name]!.run(cli, bench, asked);
  const said = Object.values(answers ?? {}).some((each) => each !== undefined);
  if (!answers || !said) {
    if (answers) cli.out.note("Left as it is.");
    return;
  }
  const { lines } = await carryOut(bench, answers, asked.guide, "configure");
  for (const line of lines) cli.out.note(line);
  if (answers.model) cli.out.note(`Model: ${answers.model.model}`);
}

async function runDaemon(cli: Cli, _: Bench, { guide }: Asked): Promise<undefined> {
  const obstacle = await serviceObstacle(cli);
  if (obstacle?.final) {
    cli.out.note(`There can be no service here: ${obstacle.message} ${obstacle.hint}`);
    return undefined;
  }
  const wanted = await guide.confirm({
    message: "Run it in the background from now on, also after a restart?",
    initial: true,
  });
  if (wanted) await installService(cli, true);
  return undefined;
}

/** Told, and no failure: a person looks at it. */
async function runHealth(cli: Cli, bench: Bench): Promise<undefined> {
  try {
    await withGateway(cli, { timeout: "5000" }, ({ client, target }) =>
      client.call("health", {}).then(() => cli.out.note(`The gateway at ${target.url} is well.`)),
    );
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    cli.out.note(`${cause.message} ${cause.hint ?? ""} More: ${bench.program} doctor`);
  }
  return undefined;
}
