/** A message of a chat or of an operator as the transcript keeps it: text with its envelope, pictures, where files lie. */
import { AppError } from "../base/errors.ts";
import type { MediaRef, Message } from "../flow.ts";
import type { MediaStore } from "../media/store.ts";
import type { NewEntry, TurnRow } from "../store/store.ts";
import { type EnvelopeOptions, userText } from "./envelope.ts";
import type { TurnSetting } from "./setting.ts";

export type SaidDeps = {
  media: MediaStore;
  options: EnvelopeOptions;
  /** When the conversation was last used, epoch ms; undefined at its beginning. */
  previousAt?: number;
  /** A picture as models take it, or why they cannot be shown it; undefined for one that is gone. */
  picture(ref: MediaRef): Promise<{ mime: string; data: string } | { note: string } | undefined>;
};

/** Throws what the media store throws, except for a file that is gone: the message is worth answering without it. */
export async function userMessage(
  { id, inbound, acceptedAt }: TurnRow,
  { channel }: Pick<TurnSetting, "channel">,
  deps: SaidDeps,
): Promise<NewEntry["body"]> {
  const seen = await Promise.all(
    inbound.media.map((ref) => (ref.kind === "image" ? deps.picture(ref) : undefined)),
  );
  const paths = await Promise.all(
    inbound.media.map((ref) => (ref.file ? placeOf(ref, deps.media) : undefined)),
  );
  const unseen = seen.flatMap((picture) => (picture && "note" in picture ? [picture.note] : []));
  const text = channel
    ? userText({
        inbound: { ...inbound, notes: [...(inbound.notes ?? []), ...unseen] },
        channel,
        options: deps.options,
        paths,
        ...(deps.previousAt !== undefined && { previousAt: deps.previousAt }),
      })
    : inbound.text;
  const blocks: Message["blocks"] = [
    ...(text ? [{ type: "text" as const, text }] : []),
    ...seen.flatMap((picture) =>
      picture && "data" in picture ? [{ type: "image" as const, ...picture }] : [],
    ),
  ];
  return { kind: "message", message: { role: "user", blocks, at: acceptedAt }, runId: id };
}

async function placeOf(ref: MediaRef, media: MediaStore): Promise<string | undefined> {
  try {
    return await media.path(ref);
  } catch (cause) {
    // Removed after a week, for example: then it is not named.
    if (cause instanceof AppError && cause.code === "not_found") return undefined;
    throw cause;
  }
}
