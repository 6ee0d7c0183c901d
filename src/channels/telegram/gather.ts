/** Which messages belong together: the pictures of an album, and the pieces into which an app cuts a long text. Pure. */
import type { Message } from "grammy/types";

/** Quiet time after which nothing more comes, in ms. */
const ALBUM_QUIET_MS = 500;
const PASTE_QUIET_MS = 1_500;
/** From this length on a text may be the piece of a longer one; apps cut at 4096. */
const PIECE = 4_000;
const MOST_PIECES = 12;
const MOST_CHARACTERS = 50_000;

export type Gathering = { kind: "album" | "paste"; quietMs: number };

/** What a message may be the beginning of; undefined for a message on its own. */
export function opens(message: Message): Gathering | undefined {
  if (message.media_group_id !== undefined) return { kind: "album", quietMs: ALBUM_QUIET_MS };
  const isPiece = (message.text?.length ?? 0) >= PIECE && !message.text?.startsWith("/");
  return isPiece ? { kind: "paste", quietMs: PASTE_QUIET_MS } : undefined;
}

/** Whether `next` goes on with what was gathered. */
export function continues(kind: Gathering["kind"], parts: Message[], next: Message): boolean {
  const last = parts.at(-1)!;
  if (kind === "album") return next.media_group_id === last.media_group_id;
  const { text } = next;
  if (text === undefined || text.startsWith("/") || next.forward_origin || next.reply_to_message)
    return false;
  const sum = parts.reduce((total, part) => total + (part.text?.length ?? 0), text.length);
  return (
    next.message_id === last.message_id + 1 &&
    next.message_thread_id === last.message_thread_id &&
    parts.length < MOST_PIECES &&
    sum <= MOST_CHARACTERS
  );
}

/** Messages are gathered per chat and sender. */
export const senderKey = ({ chat, from, sender_chat: speaker }: Message): string =>
  `${chat.id}:${speaker?.id ?? from?.id ?? ""}`;
