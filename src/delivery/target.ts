/** What delivery has to know of an address: the channel's facts and what its account's config says. Filled in where parts meet. */
import type { RenderKind } from "./format/render.ts";
import type { TableMode } from "./format/tables.ts";

export type Target = {
  /** The channel's own: most characters and lines of a message, and characters of the text under a picture. */
  limits: { text: number; lines?: number; caption?: number };
  render: RenderKind;
  /** Its users read the transcript itself: an answer of a turn is not sent. */
  transcript?: boolean;
  tables: TableMode;
  chunkMode: "length" | "newline";
  /** `textChunkLimit`, in characters; the channel's limit holds as well. */
  textLimit?: number;
  /** Which messages of an answer say what they answer. A tag in the answer says it in any case. */
  replyToMode: "off" | "first" | "all";
  retry: Retry;
  /** Bytes of one file. */
  mediaMaxBytes: number;
  /** The platform knows the key of a message, so one that may have arrived can be sent again. */
  idempotent?: boolean;
};

/** Tries at once, before the outbox waits. Pauses in ms, doubled each time; `jitter` is the part of a pause that is chance. */
export type Retry = { attempts: number; minDelayMs: number; maxDelayMs: number; jitter: number };

export const DEFAULT_RETRY: Retry = {
  attempts: 3,
  minDelayMs: 400,
  maxDelayMs: 30_000,
  jitter: 0.1,
};

/** For an account that does not run now: every platform takes as much. */
export const CAUTIOUS: Target = {
  limits: { text: 2_000, lines: 17, caption: 1_000 },
  render: "plain",
  tables: "code",
  chunkMode: "length",
  replyToMode: "first",
  retry: DEFAULT_RETRY,
  mediaMaxBytes: 5_000_000,
};
