/**
 * Older transcripts are trees: every line names the one before it, and the conversation is the way from the last line back to the
 * first. One reading from the end finds that way, and the last summary on it, in a bit per line.
 */
import { isRecord, type Json, numberIn, textIn } from "./diff.ts";
import type { Line, Lines } from "./lines.ts";

export type Plan = {
  /** Lines of the file, empty ones too. */
  lines: number;
  /** Whether the conversation goes through this line (1 for the first). */
  isLive(line: number): boolean;
  /** The summary that stands for everything before `from`, a line number. */
  summary?: { text: string; from: number };
};

/** The object of a line; undefined for an empty one, for what is no object, and for a text that JSON is not. */
export function parseLine(text: string | undefined): Json | undefined {
  const trimmed = text?.replace(/^\ufeff/, "").trim();
  if (!trimmed) return undefined;
  try {
    const value: unknown = JSON.parse(trimmed);
    return isRecord(value) ? value : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** Lines that are no part of the tree. */
const isOutside = (line: Json): boolean => line["type"] === "session" || line["type"] === "leaf";

class Bits {
  private bytes = new Uint8Array(4096);
  set(at: number): void {
    const byte = at >>> 3;
    if (byte >= this.bytes.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[byte]! |= 1 << (at & 7);
  }
  has(at: number): boolean {
    return ((this.bytes[at >>> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
}

type Search = {
  /** Numbers from the end. */
  live: Bits;
  count: number;
  /** The id of the line before; null at the beginning, `any` when a line was lost that may have been it. */
  wanted: string | null | "any" | undefined;
  /** From here on nothing was found. */
  since: number;
  compaction?: { text: string; firstId?: string; firstIndex?: number; at: number };
  first?: number;
};

/** Never throws for what is in the lines. */
export async function planOf(source: Lines): Promise<Plan> {
  const search: Search = { live: new Bits(), count: 0, wanted: undefined, since: 0 };
  for await (const line of source.backward()) take(search, line);
  const { live, count, wanted, since, compaction } = search;
  // The way back ends at a line that is not there: everything before it is taken in the order of the file.
  const lost = typeof wanted === "string" && wanted !== "any";
  const fromEnd = (line: number) => count - line + 1;
  const isLive = (line: number) => live.has(fromEnd(line)) || (lost && fromEnd(line) > since);
  if (!compaction) return { lines: count, isLive };
  const first =
    compaction.firstIndex === undefined ? search.first : fromEnd(compaction.firstIndex + 1);
  const known = first !== undefined && first >= compaction.at && first <= count;
  return {
    lines: count,
    isLive,
    summary: { text: compaction.text, from: count - (known ? first : compaction.at) + 1 },
  };
}

function take(search: Search, { number, text }: Line): void {
  search.count = number;
  const line = parseLine(text);
  if (!line) {
    // It may be the one that is looked for.
    if (text === undefined || text.trim()) search.wanted = search.wanted === null ? null : "any";
    return;
  }
  if (search.compaction?.firstId !== undefined && line["id"] === search.compaction.firstId)
    search.first = number;
  if (search.wanted === undefined && line["type"] === "leaf") {
    const target = textIn(line["targetId"]);
    if (target) Object.assign(search, { wanted: target, since: number });
    return;
  }
  if (isOutside(line)) return;
  if (search.wanted === undefined && line["appendMode"] === "side") return;
  const id = textIn(line["id"]);
  // Files of the first version have no ids: one line follows the other.
  const next = id === undefined || search.wanted === undefined || search.wanted === "any";
  if (!next && id !== search.wanted) return;
  search.live.set(number);
  search.since = number;
  search.wanted = id === undefined ? "any" : (textIn(line["parentId"]) ?? parentless(line));
  if (line["type"] === "compaction" && !search.compaction) noteSummary(search, line, number);
}

/** A line with an id and without a parent is the first one, unless its file never had parents. */
const parentless = (line: Json): null | "any" => (Object.hasOwn(line, "parentId") ? null : "any");

function noteSummary(search: Search, line: Json, number: number): void {
  const text = textIn(line["summary"]);
  if (!text) return;
  const firstId = textIn(line["firstKeptEntryId"]);
  const firstIndex = numberIn(line["firstKeptEntryIndex"]);
  search.compaction = {
    text,
    at: number,
    ...(firstId !== undefined && { firstId }),
    ...(firstId === undefined && firstIndex !== undefined && { firstIndex }),
  };
}
