/** The one way to end a running instance, however often it is asked for. */
import type { Closers } from "../base/closers.ts";
import type { Logger } from "../base/log.ts";
import type { Pipeline } from "../pipeline.ts";
import type { RunningGateway } from "./server.ts";

/** Longest wait for running turns at a stop. What is not done by then goes on at the next start; Fly kills after 5 s. */
const GRACE_MS = 2000;
/** The same before a restart that a config change asks for: nobody is in a hurry. */
const PATIENCE_MS = 60_000;

export type Ending = {
  /** The first call decides; the others wait with it. */
  stop(reason: string, restart?: boolean): Promise<void>;
  /** For a config change: gives running turns much longer. A `stop` meanwhile is not kept waiting. */
  restartPatiently(): Promise<void>;
  /** When everything is closed. */
  ended: Promise<"stop" | "restart">;
};

/** Of one instance. Called by app.ts. */
export function endings(parts: {
  closers: Closers;
  log: Logger;
  gateway: RunningGateway;
  pipeline: Pipeline;
}): Ending {
  const { closers, log, gateway, pipeline } = parts;
  const ended = Promise.withResolvers<"stop" | "restart">();
  let stopping: Promise<void> | undefined;
  const close = async (reason: string, restart: boolean): Promise<void> => {
    log.info(restart ? `restarting: ${reason}` : `${reason}; shutting down`);
    // Those who watch a turn see it end, when it ends soon; new messages are refused from here on.
    await pipeline.stop(GRACE_MS);
    await gateway.stop({
      reason: restart ? "gateway restarting" : "gateway stopping",
      restartExpectedMs: restart ? 1500 : null,
    });
    await closers.close(log);
    ended.resolve(restart ? "restart" : "stop");
  };
  const stop = (reason: string, restart = false) => (stopping ??= close(reason, restart));
  return {
    ended: ended.promise,
    stop,
    async restartPatiently() {
      if (pipeline.desk.allRunning().length)
        log.info(`restarting when running turns are answered, in ${PATIENCE_MS / 1000} s at most`);
      await pipeline.settle(PATIENCE_MS);
      await stop("config changed", true);
    },
  };
}
