/** Whether a gateway that was just started is ready. It is asked through the Unix socket of its state folder, wherever it listens. */
import { existsSync } from "node:fs";

import { readLock } from "../../base/lock.ts";
import type { Paths } from "../../base/paths.ts";
import { systemClock } from "../../base/time.ts";

/** The longest that a new version may take, in ms. */
export const READY_MS = 10_000;
const LOOK_MS = 50;
/** For one answer, also at the very end: what it says is the reason that people read. */
const ASK_MS = 2000;
const LAST_MS = 300;

export type Readiness =
  | { ready: true; pid: number; port: number | undefined; version: string }
  | { ready: false; why: string };

export type Waiting = {
  paths: Pick<Paths, "lockPath" | "socketPath">;
  /** Whether it is that gateway, by what its lock says. */
  isIt(lock: { pid: number; bootId: string; version: string }): boolean;
  /** Why it will never be ready (it has ended); looked at again and again. */
  over?(): string | undefined;
  signal?: AbortSignal;
  limitMs?: number;
};

/** Why a child will never be ready: it has ended. Undefined while it runs. */
export const endOf = ({
  exitCode,
  signalCode,
}: Pick<Bun.Subprocess, "exitCode" | "signalCode">): string | undefined =>
  exitCode === null && signalCode === null
    ? undefined
    : `it ended (${signalCode ?? `code ${exitCode}`})`;

/** Never throws for a gateway that cannot be asked; throws the signal's reason. */
export async function waitReady(options: Waiting): Promise<Readiness> {
  const { paths, isIt, over, signal, limitMs = READY_MS } = options;
  const until = performance.now() + limitMs;
  let why = "it has not begun to listen";
  while (performance.now() < until) {
    signal?.throwIfAborted();
    const ended = over?.();
    if (ended) return { ready: false, why: ended };
    const { held, body } = readLock(paths.lockPath);
    if (held && body && isIt(body)) {
      const answer = await ask(paths.socketPath, body.port, until);
      if (answer === undefined) {
        const { pid, port, version } = body;
        return { ready: true, pid, port, version };
      }
      why = answer;
    }
    await systemClock.sleep(LOOK_MS, signal);
  }
  const seconds = Math.round(limitMs / 1000);
  return { ready: false, why: `it was not ready within ${seconds} s: ${why}` };
}

/** Undefined when it is ready; else what it says. */
async function ask(
  socketPath: string,
  port: number | undefined,
  until: number,
): Promise<string | undefined> {
  const limit = Math.min(ASK_MS, Math.max(LAST_MS, until - performance.now()));
  const unix = existsSync(socketPath);
  if (!unix && port === undefined) return "it has not begun to listen";
  try {
    const response = await fetch(
      unix ? "http://localhost/readyz" : `http://127.0.0.1:${port}/readyz`,
      {
        ...(unix && { unix: socketPath }),
        signal: AbortSignal.timeout(limit),
      },
    );
    const text = (await response.text()).slice(0, 200);
    return response.ok ? undefined : `/readyz says ${text}`;
  } catch (cause) {
    return cause instanceof Error && cause.name === "TimeoutError"
      ? "it does not answer"
      : "it does not answer yet";
  }
}
