/** The end of a set-up: the background service, whether the gateway runs, and what to do next. */
import { runCommand } from "citty";

import { AppError, type ErrorCode } from "../../base/errors.ts";
import { lockOwner } from "../../base/lock.ts";
import { waitUntil } from "../../base/time.ts";
import { NETWORK_IDS, NETWORKS } from "../../channels/registry.ts";
import { noManager } from "../../service/registry.ts";
import type { Obstacle } from "../../service/service.ts";
import type { Bench } from "../../wizard/bench.ts";
import type { Cli } from "../command.ts";
import { install } from "../commands/service.ts";
import { withGateway } from "../rpc.ts";
import { openService } from "../service/service.ts";

/** How long a gateway that is just starting is waited for, in ms. */
const STARTING_MS = 15_000;

/** Why there can be no background service here, as in most containers. */
export async function serviceObstacle(cli: Cli): Promise<Obstacle | undefined> {
  const { manager } = openService(cli, {});
  return manager ? manager.obstacle() : noManager(process.platform);
}

/** What may keep a service from being put in place, without anything being wrong with the set-up. */
const NO_SERVICE: readonly ErrorCode[] = ["service_failed", "gateway_running", "port_taken"];

/**
 * The same as `gateway install`, which may mend what is in the way. Where nobody has insisted on it (`optional`) a service that
 * cannot be is a note and no failure: everything else is set up. Gives the exit code.
 */
export async function installService(cli: Cli, optional: boolean): Promise<number> {
  try {
    const { result } = await runCommand(install.citty, { rawArgs: [], data: cli });
    return typeof result === "number" ? result : 0;
  } catch (cause) {
    if (!optional || !(cause instanceof AppError) || !NO_SERVICE.includes(cause.code)) throw cause;
    cli.out.note(`Not in the background: ${cause.message} ${cause.hint ?? ""}`);
    return 0;
  }
}

/** For scripts that said nothing else: a gateway is expected. Waits for one that is starting; throws gateway_unreachable when there is none. */
export async function expectGateway(cli: Cli): Promise<void> {
  const starting = () => lockOwner(cli.paths.lockPath);
  if (starting()) await waitUntil(() => (starting()?.port ?? 0) > 0, STARTING_MS);
  try {
    await withGateway(cli, { timeout: "10000" }, ({ client }) => client.call("health", {}));
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== "gateway_unreachable") throw cause;
    throw new AppError("gateway_unreachable", "Everything is set up, but no gateway runs.", {
      hint: `Start it: ${cli.name}${cli.profileFlag} gateway. With --skip-health nobody looks for one, with --install-daemon one is started.`,
      cause,
    });
  }
}

/** What answers, where the page is, and what may come next. */
export async function sayNext(
  cli: Cli,
  bench: Bench,
  { model, health, ui }: { model: string | undefined; health: boolean; ui: boolean },
): Promise<void> {
  const { out } = cli;
  const { gateway, channels } = bench.config();
  if (model) out.line(`Model: ${model}`);
  const link = health ? await signInLink(cli) : undefined;
  if (link && ui) out.line(`Open ${link} (signs you in once, within 10 minutes)`);
  else if (link) out.line("The gateway is running.");
  else {
    out.line(`Start it: ${bench.program} gateway`);
    out.line(
      `Then, in a second terminal: ${bench.program} dashboard (prints a link to the page on port ${gateway.port})`,
    );
  }
  if (NETWORK_IDS.every((id) => channels[id] === undefined)) {
    const names = NETWORK_IDS.map((id) => NETWORKS[id].label).join(", ");
    out.line(`Chats (${names}): ${bench.program} channels add`);
  }
}

/** Undefined while no gateway runs. */
async function signInLink(cli: Cli): Promise<string | undefined> {
  try {
    const call = withGateway(cli, {}, ({ client }) => client.call("dashboard.link", {}, {}));
    return (await call).url;
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "gateway_unreachable") return undefined;
    throw cause;
  }
}
