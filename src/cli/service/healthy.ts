/** Waits until a gateway that was just started is healthy, and says why when it is not. */
import { AppError } from "../../base/errors.ts";
import { type LockBody, lockOwner } from "../../base/lock.ts";
import { systemClock } from "../../base/time.ts";
import type { ServiceManager, ServiceState } from "../../service/service.ts";
import { NO_RESTART } from "../../service/systemd-unit.ts";
import type { Cli } from "../command.ts";
import { withGateway } from "../rpc.ts";
import { ownLogLines, verbLine } from "./service.ts";

/** Longest wait, and how often to look, in ms. */
const HEALTHY_MS = 20_000;
const LOOK_MS = 100;
/** Between two questions to the supervisor, in looks. */
const ASK_EVERY = 10;
const LINES = 12;

export type Healthy = { pid: number; port: number; version: string; url: string };

/**
 * Resolves when a gateway with another boot id than `before` holds the lock and answers a health request.
 * Throws service_failed with the last log lines and a remedy when that does not happen in time, or cannot happen any more.
 */
export async function waitHealthy(
  cli: Cli,
  before: string | undefined,
  manager?: ServiceManager,
): Promise<Healthy> {
  cli.out.note("Waiting for the gateway …");
  const deadline = systemClock.now() + HEALTHY_MS;
  let why = "it does not listen yet";
  for (let look = 1; systemClock.now() < deadline; look++) {
    const owner = lockOwner(cli.paths.lockPath);
    if (owner?.port && owner.bootId !== before) {
      const healthy = await askHealth(cli, owner);
      if (typeof healthy !== "string") return healthy;
      why = healthy;
    }
    if (manager && look % ASK_EVERY === 0) {
      const state = await manager.state();
      if (gaveUp(state))
        throw await unhealthy(cli, "The gateway ended right after its start.", manager);
    }
    await systemClock.sleep(LOOK_MS);
  }
  const seconds = HEALTHY_MS / 1000;
  throw await unhealthy(cli, `The gateway is not healthy after ${seconds} s: ${why}.`, manager);
}

async function askHealth(
  cli: Cli,
  { pid, port = 0, version }: LockBody,
): Promise<Healthy | string> {
  try {
    await withGateway(cli, { timeout: "3000" }, ({ client }) => client.call("health", {}));
    return { pid, port, version, url: `http://127.0.0.1:${port}/` };
  } catch (cause) {
    // It has the lock and the port, but does not answer yet, or it is just being ended.
    if (!(cause instanceof AppError)) throw cause;
    return cause.message.split("\n")[0]!;
  }
}

/** The supervisor will not try again, or not with another outcome. */
const gaveUp = ({ running, detail, lastExit }: ServiceState): boolean =>
  !running && (detail.startsWith("failed") || lastExit?.code === NO_RESTART);

async function unhealthy(cli: Cli, what: string, manager?: ServiceManager): Promise<AppError> {
  const kept = (await manager?.logs(LINES)) ?? [];
  const lines = kept.length > 0 ? kept : await ownLogLines(cli, LINES);
  const shown = lines.map((line) => `  ${line}`).join("\n");
  const log = manager ? `${manager.advice.log}, or ` : "";
  return new AppError(
    "service_failed",
    [what, ...(shown ? ["Its last lines:", shown] : [])].join("\n"),
    {
      hint: `When that is repaired: ${verbLine(cli, "restart")}. More of the log: ${log}${cli.name}${cli.profileFlag} logs. To see it start: ${verbLine(cli, "stop")}, then ${cli.name}${cli.profileFlag} gateway --verbose`,
    },
  );
}
