/** `gateway --force`: ends the processes that listen on the gateway's port, and waits until it is free. */
import { AppError, errnoOf } from "../base/errors.ts";
import type { Clock } from "../base/time.ts";
import { systemClock } from "../base/time.ts";
import type { PortOwner } from "../gateway/port-owner.ts";
import { portOwners } from "../gateway/port-owner.ts";

/** Between two looks, before SIGKILL, and in total; in ms, as in the original. */
const POLL_MS = 100;
const KILL_MS = 700;
const TOTAL_MS = 2000;

export type Freeing = {
  say(line: string): void;
  clock?: Clock;
  /** Who listens, for tests. */
  owners?: (port: number) => Promise<PortOwner[]>;
};

/** Throws port_taken when somebody still listens after two seconds. Never ends this process itself. */
export async function freePort(port: number, freeing: Freeing): Promise<void> {
  const { say, clock = systemClock, owners = portOwners } = freeing;
  const others = async () => (await owners(port)).filter(({ pid }) => pid !== process.pid);
  const first = await others();
  if (first.length === 0) return say(`force: no listeners on port ${port}`);
  for (const { pid, command } of first) {
    end(pid, "SIGTERM");
    say(`force: killed pid ${pid} (${command.slice(0, 120)}) on port ${port}`);
  }
  let escalated = false;
  for (let waited = POLL_MS; waited <= TOTAL_MS; waited += POLL_MS) {
    await clock.sleep(POLL_MS);
    const left = await others();
    if (left.length === 0) return say(`force: waited ${waited}ms for port ${port} to free`);
    if (waited < KILL_MS || escalated) continue;
    escalated = true;
    say(`force: escalated to SIGKILL while freeing port ${port}`);
    for (const { pid } of left) end(pid, "SIGKILL");
  }
  const pids = (await others()).map(({ pid }) => pid).join(", ");
  throw new AppError("port_taken", `Port ${port} is still in use by pid ${pids}.`);
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    const code = errnoOf(cause);
    // It ended by itself in the meantime.
    if (code === "ESRCH") return;
    if (code !== "EPERM") throw cause;
    throw new AppError(
      "port_taken",
      `Process ${pid} belongs to somebody else and cannot be ended.`,
      {
        hint: "Choose another port with --port.",
        cause,
      },
    );
  }
}
