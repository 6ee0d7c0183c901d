/** What a signal does to a running gateway. SIGUSR1 and SIGHUP never end it; SIGTERM and SIGINT do, the second time at once. */
import { constants } from "node:os";

import type { Logger } from "../base/log.ts";
import { isTerminal } from "../base/terminal.ts";
import { type Clock, pause, systemClock } from "../base/time.ts";

/** The part of the running app that signals are for. */
export type SignalApp = {
  readonly log: Logger;
  stop(reason: string): Promise<void>;
  restart(reason: string): void;
  reload(): void;
  /** The exit code, when it ends by itself. */
  done: Promise<number>;
};

export type SignalOptions = {
  source?: Pick<NodeJS.EventEmitter, "on" | "off">;
  clock?: Clock;
  /** Whether the terminal in which it was started is closed. False when there was none. */
  terminalGone?(): boolean;
};

/** How long a stop may take before the process ends anyway, in ms. */
const STOP_MS = 5000;
/** `npm run` and the like pass on what the terminal has sent already: so soon it is not a second wish; in ms. */
const ECHO_MS = 300;
/** After SIGHUP, when to look again whether the terminal is still there, in ms. */
const HANGUP_MS = 1000;

/**
 * Starts the app and waits for its end. Gives the exit code: the app's own, 0 after a signal, 128 and the signal's number when it
 * had to end at once. The signals are taken from before the start, so that none of them kills by default.
 */
export async function runUntilStopped(
  start: () => Promise<SignalApp>,
  { source = process, clock = systemClock, terminalGone = watchTerminal() }: SignalOptions = {},
): Promise<number> {
  const over = Promise.withResolvers<number>();
  const ended = new AbortController();
  let app: SignalApp | undefined;
  let stoppingSince: number | undefined;

  const stop = async (running: SignalApp, signal: NodeJS.Signals): Promise<number> => {
    running.log.info(`signal ${signal} received`);
    const forced = async (): Promise<number> => {
      await clock.sleep(STOP_MS, ended.signal);
      running.log.warn("shutdown timed out; exiting without full cleanup");
      return 0;
    };
    return Promise.race([running.stop(`received ${signal}`).then(() => 0), forced()]);
  };
  const end = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined && clock.now() - stoppingSince < ECHO_MS) return;
    if (!app || stoppingSince !== undefined)
      return over.resolve(128 + (constants.signals[signal] ?? 0));
    stoppingSince = clock.now();
    stop(app, signal).then(over.resolve, over.reject);
  };
  const hangUp = (): void => {
    if (terminalGone()) return end("SIGHUP");
    app?.reload();
    // The signal may come before its terminal has gone.
    const lookAgain = async (): Promise<void> => {
      const stillRuns = await pause(clock, HANGUP_MS, ended.signal);
      if (stillRuns && terminalGone()) end("SIGHUP");
    };
    lookAgain().then(undefined, over.reject);
  };
  const handlers: [signal: NodeJS.Signals, take: () => void][] = [
    ["SIGTERM", () => end("SIGTERM")],
    ["SIGINT", () => end("SIGINT")],
  ];
  if (process.platform !== "win32")
    handlers.push(["SIGHUP", () => hangUp()], ["SIGUSR1", () => app?.restart("SIGUSR1")]);
  for (const [signal, take] of handlers) source.on(signal, take);
  const run = async (): Promise<number> => {
    app = await start();
    return app.done;
  };
  try {
    return await Promise.race([run(), over.promise]);
  } finally {
    ended.abort();
    for (const [signal, take] of handlers) source.off(signal, take);
  }
}

/** SIGHUP is also what a terminal says when it is closed; then its files are no terminal any more. */
function watchTerminal(): () => boolean {
  const terminals = [0, 1, 2].filter((fd) => isTerminal(fd));
  return () => terminals.length > 0 && !terminals.some((fd) => isTerminal(fd));
}
