/** The one way to end a running instance, however often it is asked for. */
import type { Closers } from "../base/closers.ts";
import type { Logger } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import type { Pipeline } from "../pipeline.ts";
import type { RunningGateway } from "./server.ts";

/** Longest wait for running turns at a stop. What is not done by then goes on at the next start; Fly kills after 5 s. */
const GRACE_MS = 2000;
/** The same before a restart that a config change asks for: nobody is in a hurry. */
const PATIENCE_MS = 60_000;

export type Ending = {
  /** The first call decides; the others wait with it. */
  stop(reason: string): Promise<void>;
  /** The same, and another instance in the same process after it. */
  restart(reason: string): Promise<void>;
  /** The same, and another program in the place of this one. */
  replace(): Promise<void>;
  /** For a config change: gives running turns much longer. A `stop` meanwhile is not kept waiting. */
  restartPatiently(): Promise<void>;
  /** When everything is closed. */
  ended: Promise<End>;
};

/** What comes after it: nothing, another instance of the same process, or another program in its place. */
export type End = "stop" | "restart" | "replace";

/** How a running gateway makes room for another version of its program. Filled by the command line, used by app.ts. */
export type Takeover = {
  /** The real path of the program's file, found out before an update can have moved it. With `handOver` only. */
  program?: string;
  /**
   * Another program takes the place of this one: called when everything is closed. `again`: this one goes on, because the other was
   * not fit; else the app is done. Absent: nobody can do that.
   */
  handOver?(
    logging: Config["logging"],
    signal: AbortSignal,
  ): Promise<"again" | "stopped" | "ready">;
  /** Called once, when the first instance is ready. */
  onReady?(log: Logger): void;
};

/** Of one instance. Called by app.ts. */
export function endings(parts: {
  closers: Closers;
  log: Logger;
  gateway: RunningGateway;
  pipeline: Pipeline;
}): Ending {
  const { closers, log, gateway, pipeline } = parts;
  const ended = Promise.withResolvers<End>();
  let stopping: Promise<void> | undefined;
  const close = async (reason: string, then: End): Promise<void> => {
    const restart = then !== "stop";
    log.info(restart ? `restarting: ${reason}` : `${reason}; shutting down`);
    // Those who watch a turn see it end, when it ends soon; new messages are refused from here on.
    await pipeline.stop(GRACE_MS);
    await gateway.stop({
      reason: restart ? "gateway restarting" : "gateway stopping",
      restartExpectedMs: restart ? 1500 : null,
    });
    await closers.close(log);
    ended.resolve(then);
  };
  const end = (reason: string, then: End) => (stopping ??= close(reason, then));
  return {
    ended: ended.promise,
    stop: (reason) => end(reason, "stop"),
    restart: (reason) => end(reason, "restart"),
    replace: () => end("update", "replace"),
    async restartPatiently() {
      if (pipeline.desk.allRunning().length)
        log.info(`restarting when running turns are answered, in ${PATIENCE_MS / 1000} s at most`);
      await pipeline.settle(PATIENCE_MS);
      await end("config changed", "restart");
    },
  };
}
