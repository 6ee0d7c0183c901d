/**
 * What the store keeps of an older system's state beside its own rows, and the calls by which that state comes in and is read to be
 * given back. Used by src/legacy only; every call that writes is one unit and may be repeated after a crash.
 */
import type { SessionKey } from "../flow.ts";
import type { AllowedRow, Entry, NewEntry, PairingRow, SessionRow } from "./store.ts";

/** One conversation that ever was, whether a session still points at it or not. */
export type TranscriptRow = {
  sessionId: string;
  key: SessionKey;
  agentId: string;
  /** Epoch ms. */
  createdAt: number;
};

/** What an older system knew of a session, and the row that was made of it. */
export type OlderSession = { entry: Record<string, unknown>; row: SessionRow };

/** Scope of the small values by which a takeover knows how far it is. */
export const TAKEOVER = "takeover";

/** Name under which it is remembered. */
export const sessionMark = (key: string): string => `session/${key}`;

/** added, changed (the old one went on, ours was not used), kept (there is one here that was used or is newer), same. */
export type SessionOutcome = "added" | "changed" | "kept" | "same";

/** The reading half; also of a database that another process has open. */
export interface TakeoverReads {
  /** What was remembered under this name; undefined for nothing. */
  mark<T>(name: string): Promise<T | undefined>;
  /** In the order of their keys, after `after`. */
  sessions(after: string, limit: number): Promise<SessionRow[]>;
  /** In the order in which they were made; `after` is the `id` of the last one seen. */
  transcripts(after: number, limit: number): Promise<(TranscriptRow & { id: number })[]>;
  /** Entries after `seq`, in order. */
  entries(sessionId: string, seq: number, limit: number): Promise<Entry[]>;
  people(): Promise<{ allowed: AllowedRow[]; waiting: PairingRow[] }>;
  /** Small values; see `Store.kv`. */
  value<T>(scope: string, key: string): Promise<T | undefined>;
  keys(scope: string, prefix: string): Promise<string[]>;
}

export interface Takeover extends TakeoverReads {
  /** Remembers how far something has come. */
  remember(name: string, value: unknown): Promise<void>;
  /**
   * Appends to a transcript and remembers how far its source was read, in one unit. `fresh` removes first what an earlier try left.
   * Without it, `seq` says how many entries there must be; false, and nothing is changed, when that is not so.
   */
  append(
    transcript: TranscriptRow,
    entries: NewEntry[],
    at: { fresh: boolean; seq: number; mark: string; value: unknown },
  ): Promise<boolean>;
  /** How many entries a transcript has; undefined when there is none of this id. */
  length(sessionId: string): Promise<number | undefined>;
  /** Takes a session over, unless the one that is here has been used. The transcript must be there already. */
  session(older: OlderSession): Promise<SessionOutcome>;
  /** Lets people in, each once, and lets others wait with the codes that they were told. Gives how many of each are new. */
  admit(
    allowed: AllowedRow[],
    waiting: PairingRow[],
  ): Promise<{ allowed: number; waiting: number }>;
}
