/** Reads a model's stream in a way that an abort is answered at once, whatever the stream does. */
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";

export type Reader<T> = {
  /** The next value; undefined at the end, and as soon as the signal is aborted. Rejects when the source does. */
  next(): Promise<T | undefined>;
  /** Lets the source clean up. To be called once, however the reading ended. Does not wait for it. */
  close(): void;
};

export function readUntil<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  log: Logger,
): Reader<T> {
  const iterator = source[Symbol.asyncIterator]();
  let over = false;
  let release: () => void = () => {};
  const onAbort = () => release();
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    // Not a race with one promise for the abort: each race would leave a reaction behind on it until the run ends.
    next: () =>
      new Promise((resolve, reject) => {
        if (over || signal.aborted) return resolve(undefined);
        release = () => resolve(undefined);
        iterator.next().then((result) => {
          over = result.done === true;
          resolve(over ? undefined : result.value);
        }, reject);
      }),
    close() {
      signal.removeEventListener("abort", onAbort);
      if (!over && iterator.return)
        background("closing a model stream", Promise.resolve(iterator.return()), log);
      over = true;
    },
  };
}
