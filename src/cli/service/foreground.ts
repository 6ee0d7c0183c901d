/** A gateway that no service runs: in a terminal, in a container, under somebody else's supervisor. How to restart and stop it. */
import { readdirSync, readlinkSync } from "node:fs";

import { AppError, errnoOf } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import { type LockBody, lockOwner } from "../../base/lock.ts";
import { inContainer } from "../../base/platform.ts";
import { waitUntil } from "../../base/time.ts";
import type { Cli } from "../command.ts";
import { withGateway } from "../rpc.ts";
import { type Healthy, waitHealthy } from "./healthy.ts";
import { verbLine } from "./service.ts";

/** Longer than a gateway takes to stop (5 s, signals.ts), in ms. */
const STOP_MS = 10_000;

/** Asks the gateway to start anew in its process, and waits until it is healthy. Throws when it does not do it. */
export async function restartByItself(cli: Cli, running: LockBody): Promise<Healthy> {
  const known = await withGateway(cli, {}, async ({ client, hello }) => {
    const can = hello.features.methods.includes("gateway.restart.request");
    if (can) await client.call("gateway.restart.request", { reason: "gateway restart" });
    return can;
  });
  if (!known)
    throw new AppError(
      "service_failed",
      `The running gateway (version ${running.version || "unknown"}) cannot restart itself.`,
      { hint: `Stop it (${verbLine(cli, "stop")}) and start it again where it was started.` },
    );
  return waitHealthy(cli, running.bootId);
}

/** Ends it as Ctrl-C would, and waits until it has ended. Throws service_failed when the process cannot be told for sure, or stays. */
export async function stopProcess(cli: Cli, { pid }: LockBody): Promise<void> {
  if (!isGateway(pid, cli.paths.lockPath))
    throw new AppError(
      "service_failed",
      `A gateway runs for ${cli.paths.stateDir}, but not where its process (PID ${pid || "unknown"}) can be seen from here.`,
      {
        hint: inContainer(cli.env)
          ? "Stop its container: docker compose stop clawdbot-gateway"
          : "It may run in a container or as another user; stop it there. For a container: docker compose stop clawdbot-gateway",
      },
    );
  try {
    process.kill(pid, "SIGTERM");
  } catch (cause) {
    if (errnoOf(cause) !== "ESRCH")
      throw new AppError("service_failed", `The gateway (PID ${pid}) may not be ended by you.`, {
        cause,
        hint: `sudo kill ${pid}`,
      });
  }
  if (await waitUntil(() => !lockOwner(cli.paths.lockPath), STOP_MS)) return;
  throw new AppError("service_failed", `The gateway (PID ${pid}) has not ended.`, {
    hint: `kill -9 ${pid}; nothing that it has accepted is lost.`,
  });
}

/** A pid alone may be anybody's: of another container, or used anew. Only who has the lock's file open is it. */
function isGateway(pid: number, lockPath: string): boolean {
  if (pid <= 0) return false;
  if (process.platform === "linux") return hasOpen(pid, lockPath);
  if (process.platform === "win32") return true;
  const shown = Bun.spawnSync(["ps", "-o", "command=", "-p", String(pid)]).stdout.toString();
  return /\bgateway\b/.test(shown);
}

function hasOpen(pid: number, path: string): boolean {
  const folder = `/proc/${pid}/fd`;
  const real = realPathOf(path);
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === real);
  } catch (cause) {
    if (["ENOENT", "EACCES", "EPERM", "ESRCH"].includes(errnoOf(cause) ?? "")) return false;
    throw cause;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (cause) {
    // Closed while we look.
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}
