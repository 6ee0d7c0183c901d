/** The parts of the media unit for the running gateway. */
import { join } from "node:path";

import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { MediaRef } from "../flow.ts";
import { Pictures } from "./image.ts";
import { Outgoing } from "./outgoing.ts";
import { MediaStore } from "./store.ts";

export type Media = {
  store: MediaStore;
  outgoing: Outgoing;
  /** A picture as models take it, or why they cannot be shown it; undefined for one that is gone. */
  picture(ref: MediaRef): Promise<{ mime: string; data: string } | { note: string } | undefined>;
  close(): void;
};

/** Between two looks for old files, in ms. The first one waits as well: nothing heavy at the start. */
const CLEAN_EVERY_MS = 3_600_000;

export function openMedia(deps: {
  paths: Pick<Paths, "stateDir">;
  /** Files and folders that are never sent. */
  denied: readonly string[];
  /** When the folder was taken over from an older system, epoch ms; its files stay. */
  foreignUntil?: number;
  clock: Clock;
  log: Logger;
}): Media {
  const { clock } = deps;
  const log = deps.log.child("media");
  const store = new MediaStore(join(deps.paths.stateDir, "media"), undefined, deps.foreignUntil);
  const pictures = new Pictures();
  const closing = new AbortController();
  const clean = async () => {
    while (await pause(clock, CLEAN_EVERY_MS, closing.signal)) {
      const files = await store.clean(clock.now());
      if (files) log.info("old files were removed", { files });
    }
  };
  background("cleaning of media", clean(), log);
  return {
    store,
    outgoing: new Outgoing({ store, denied: () => deps.denied }),
    async picture(ref) {
      // What a client attached is in the message, checked and small.
      if (ref.data !== undefined) return { mime: ref.mime, data: ref.data };
      try {
        const blob = await store.open(ref);
        const made = await pictures.forModel(new Uint8Array(await blob.arrayBuffer()));
        if ("note" in made) return made;
        return { mime: made.mime, data: Buffer.from(made.data).toString("base64") };
      } catch (cause) {
        // Expected: removed after a week. Its message is worth answering without it.
        const error = toAppError(cause);
        if (error.code === "not_found") return undefined;
        throw cause;
      }
    },
    close: () => closing.abort(),
  };
}
