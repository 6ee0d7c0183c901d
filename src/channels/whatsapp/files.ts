/** The file of a received message, into the media store; or a note why it is not there, since the words still want an answer. */
import type { WAMessage, WASocket } from "@whiskeysockets/baileys";

import { AppError, toAppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { MediaRef } from "../../flow.ts";
import type { AccountMedia } from "../channel.ts";
import { type Attachment, type Content, read } from "./content.ts";
import type { Arrived } from "./inbound.ts";
import { download } from "./media.ts";

/** As the original has it. */
const MOST_MB = 50;
const MB = 1_000_000;
const TRIES = 3;
const TRY_AGAIN_MS = 1000;
/** The sender's phone may be off. */
const REUPLOAD_MS = 15_000;

export type FileDeps = {
  media: AccountMedia;
  maxMb: number | undefined;
  mediaRoot: string | undefined;
  signal: AbortSignal;
  log: Logger;
  sock(): WASocket | undefined;
};

type Saved = { media: MediaRef[]; notes: string[] };

/** Throws only what concerns the disk, and `aborted`. */
export async function saveFile(arrived: Arrived, content: Content, deps: FileDeps): Promise<Saved> {
  const maxMb = deps.maxMb ?? MOST_MB;
  let file = content.attachment!;
  const label = file.name ?? file.type;
  if ((file.size ?? 0) > maxMb * MB) return tooLarge(label, file.size, maxMb);
  for (let tries = 1; ; tries++)
    try {
      const bytes = await download(file, deps.mediaRoot, deps.signal);
      const { mime, name, as } = file;
      const about = { mime, name, as, maxBytes: maxMb * MB };
      return { media: [await deps.media.save(bytes, about)], notes: [] };
    } catch (cause) {
      const error = toAppError(cause);
      if (deps.signal.aborted || error.code === "disk_full") throw error;
      if (error.code === "media_too_large") return tooLarge(label, undefined, maxMb);
      deps.log.info("a file could not be fetched", { error: error.message, try: tries });
      const again =
        error.code === "not_found" && tries === 1
          ? await reuploaded(arrived, deps)
          : error.code !== "not_found" && tries < TRIES && file;
      if (!again) return { media: [], notes: [`a file could not be fetched: ${label}`] };
      file = again;
      if (!(await pause(systemClock, TRY_AGAIN_MS * (tries - 1), deps.signal)))
        throw new AppError("aborted", "WhatsApp is being stopped.");
    }
}

const tooLarge = (label: string, size: number | undefined, maxMb: number): Saved => {
  const has = size ? `, ${Math.ceil(size / MB)} MB` : "";
  return { media: [], notes: [`a file was too large: ${label}${has}; at most ${maxMb} MB`] };
};

/** WhatsApp keeps files for some weeks; then the phone of its sender has to put it there again. */
async function reuploaded(
  arrived: Arrived,
  { sock, log }: FileDeps,
): Promise<Attachment | undefined> {
  const open = sock();
  if (!open) return undefined;
  const message = { key: arrived.key, message: arrived.message } as WAMessage;
  const limit = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => limit.resolve(undefined), REUPLOAD_MS);
  try {
    const updated = await Promise.race([open.updateMediaMessage(message), limit.promise]);
    return updated && read(updated.message)?.attachment;
  } catch (cause) {
    log.debug("the sender's phone has no such file", { error: String(cause) });
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
