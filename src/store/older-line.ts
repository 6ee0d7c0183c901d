/**
 * By what the line of an older transcript differs from the one that our entry alone would be written as: own keys to set and to
 * leave out, at the top and inside `message`. With it the line comes out as it went in. Made and read by src/legacy/entry.ts.
 */
export type OlderLine = {
  set?: Record<string, unknown>;
  without?: string[];
  message?: { set?: Record<string, unknown>; without?: string[] };
  /** The same for single blocks of the message's content, by their place. */
  blocks?: Record<string, { set?: Record<string, unknown>; without?: string[] }>;
  /** The content was a text and not a list. */
  plain?: true;
  /** Made of another line, so it is not written at all. */
  derived?: true;
};
