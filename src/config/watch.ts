/**
 * Watches files that people and editors change. Folders are watched rather than files, because most editors replace a file, and a slow
 * look at the clock stands by for mounts that send no events. Tells only that something is different; reading is the caller's.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

import { errnoOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock } from "../base/time.ts";

/** A file counts as written when it has not changed for this long, in ms. */
const STABLE_MS = 200;
/** How often to look when no events come, in ms. */
const POLL_MS = 5_000;
/** Kubernetes swaps this link when a mounted config changes. */
const MOUNT_LINK = "..data";

export type WatchOptions = {
  /** Absolute paths; asked again after every change, since includes come and go. */
  files: () => string[];
  /** Quiet time after the last change, in ms; read at every change. */
  debounceMs: () => number;
  onChange: () => Promise<void>;
  clock: Clock;
  log: Logger;
};

/** Starts watching; the result stops it. `onChange` is never called twice at the same time. */
export function watchFiles({ files, debounceMs, onChange, clock, log }: WatchOptions): () => void {
  const stopped = new AbortController();
  const watchers = new Map<string, FSWatcher>();
  let seen = signature(files());
  let busy = false;

  const follow = () => {
    const dirs = new Set(files().map((file) => dirname(file)));
    for (const [dir, watcher] of watchers)
      if (!dirs.has(dir)) {
        watcher.close();
        watchers.delete(dir);
      }
    for (const dir of dirs) if (!watchers.has(dir)) open(dir);
  };
  const open = (dir: string) => {
    try {
      const watcher = watch(dir, { persistent: false }, (_, name) => {
        // The state dir is busy with the database; only names of ours are worth a look.
        const names = new Set(files().map((file) => basename(file)));
        if (name === null || name === MOUNT_LINK || names.has(String(name))) begin();
      });
      watcher.on("error", () => {
        watcher.close();
        watchers.delete(dir);
      });
      watchers.set(dir, watcher);
    } catch (cause) {
      // No folder yet, or no watches left: the slow look does it.
      if (errnoOf(cause) === undefined) throw cause;
    }
  };

  /** Waits until nothing changes any more, then reports; again when something changed meanwhile. */
  const settle = async () => {
    for (;;) {
      let next = signature(files());
      for (let stable = false; !stable;) {
        await clock.sleep(STABLE_MS + debounceMs(), stopped.signal);
        const now = signature(files());
        stable = Bun.deepEquals(now, next, true);
        next = now;
      }
      // Also when all is as it was seen first: somebody else may have read the file meanwhile.
      seen = next;
      await onChange();
      follow();
      // Includes may have come or gone with this change; only a file that was known before can have changed again.
      const now = signature(files());
      const again = [...now].some(([file, sign]) => seen.has(file) && seen.get(file) !== sign);
      if (!again) {
        seen = now;
        return;
      }
    }
  };
  const watchUntilSettled = async () => {
    try {
      await settle();
    } catch (cause) {
      // Stopping ends the wait with the signal's reason.
      if (!stopped.signal.aborted) throw cause;
    } finally {
      busy = false;
    }
  };
  /** Also when all is as it was seen last: it may have been changed and changed back, with somebody else's reading in between. */
  const begin = () => {
    if (busy || stopped.signal.aborted) return;
    busy = true;
    background("config watch", watchUntilSettled(), log);
  };
  const look = () => {
    if (!Bun.deepEquals(signature(files()), seen, true)) begin();
  };

  follow();
  const timer = setInterval(() => {
    follow();
    look();
  }, POLL_MS);
  timer.unref();
  return () => {
    stopped.abort();
    clearInterval(timer);
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

/** Identity, size and time of every file, through links. */
function signature(files: string[]): Map<string, string> {
  const sign = (file: string) => {
    try {
      const { ino, size, mtimeMs } = statSync(file);
      return `${ino} ${size} ${mtimeMs}`;
    } catch (cause) {
      return errnoOf(cause) ?? "none";
    }
  };
  return new Map(files.map((file) => [file, sign(file)]));
}
