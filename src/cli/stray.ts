/**
 * What libraries do behind everybody's back while the gateway runs: errors that nobody caught, and lines on the console: one
 * channel's library must not end the process of all, and libsignal prints whole sessions with their private keys.
 */
import type { Logger } from "../base/log.ts";
import { silenceConsole } from "./out.ts";

export type StrayOptions = {
  source?: Pick<NodeJS.EventEmitter, "on" | "off">;
  log: () => Logger | undefined;
  /** Called when the errors come so fast that going on makes no sense. */
  giveUp: () => void;
  now?: () => number;
};

/** So many errors within a minute are a loop, and a restart is better than an endless log. */
const MAX_PER_MINUTE = 200;
const MINUTE_MS = 60_000;

/** Catches them until the result is called. */
export function catchStray({
  source = process,
  log,
  giveUp,
  now = Date.now,
}: StrayOptions): () => void {
  let since = now();
  let count = 0;
  const caught = (cause: unknown): void => {
    if (now() - since > MINUTE_MS) {
      since = now();
      count = 0;
    }
    const error = cause instanceof Error ? cause : undefined;
    log()?.error("an error that nobody caught", {
      error: error?.message ?? String(cause),
      stack: error?.stack,
    });
    if (++count === MAX_PER_MINUTE) giveUp();
  };
  source.on("uncaughtException", caught);
  source.on("unhandledRejection", caught);
  // Only the text: what else they print may be secret.
  const restore = silenceConsole((text) => log()?.debug("a library says", { text }));
  return () => {
    source.off("uncaughtException", caught);
    source.off("unhandledRejection", caught);
    restore();
  };
}
