/** One older transcript into the store: in steps that a kill may fall between, and only once. */
import { previewOf } from "../store/sqlite/rows.ts";
import type { NewEntry } from "../store/store.ts";
import type { Takeover, TranscriptRow } from "../store/takeover.ts";
import { parseLine, type Plan, planOf } from "./branch.ts";
import { isRecord, type Json, textIn } from "./diff.ts";
import { entryOf, summaryEntry, timeOf } from "./entry.ts";
import type { Line, Lines } from "./lines.ts";
import type { Told } from "./report.ts";

/** One unit of the store, so that the rest of a gateway that starts is not held up, and a kill costs little. */
const STEP_ENTRIES = 256;
const STEP_CHARS = 1_000_000;
/**
 * A turn reads all from where the model's view begins. Where nothing was ever summarised that could be the whole of a huge file, so
 * the view begins at one of the last two user messages that so many characters lie between.
 */
const VIEW_STEP_CHARS = 4_000_000;
/** Lines of one file that are named one by one; the rest are counted. */
const NAMED = 5;

/** What is remembered of a transcript that was taken over. */
export type TranscriptMark = {
  /** Fingerprint of the source. */
  of: string;
  agentId: string;
  key: string;
  /** The last line that is stored, and how many entries there were then. */
  line: number;
  seq: number;
  done: boolean;
  /** Where the model's view begins. */
  contextFrom: number;
  /** Characters that were read, and where the view may begin later: entry and characters before it. */
  chars: number;
  next: { seq: number; at: number };
  /** Lines that mean nothing here, by their kind, and those that could not be read. */
  kept: Record<string, number>;
  broken: number;
  preview?: string;
  title?: string;
  createdAt?: number;
};

export const transcriptMark = (sessionId: string): string => `transcript/${sessionId}`;

/** added, changed: its source went on and it was not used here; kept: it was used here, or is ours; same: nothing new. */
export type Outcome = { how: "added" | "changed" | "kept" | "same"; mark?: TranscriptMark };

export type TranscriptDeps = {
  store: Takeover;
  told: Told;
  /** Called with the bytes that were read. */
  progress(bytes: number): void;
};

/** What a run would do, without doing it. */
export async function outlook(
  source: Lines,
  mark: TranscriptMark | undefined,
): Promise<"new" | "same" | "changed"> {
  if (!mark?.done) return "new";
  return mark.of === (await source.fingerprint()) ? "same" : "changed";
}

/** Throws what the store throws; what is wrong in the file is told. */
export async function takeTranscript(
  source: Lines,
  transcript: TranscriptRow,
  deps: TranscriptDeps,
): Promise<Outcome> {
  const { store } = deps;
  const name = transcriptMark(transcript.sessionId);
  const before = await store.mark<TranscriptMark>(name);
  const length = await store.length(transcript.sessionId);
  const of = await source.fingerprint();
  if (before?.done && before.of === of) return { how: "same", mark: before };
  if (before?.done ? length !== before.seq : !before && length !== undefined)
    return { how: "kept", ...(before && { mark: before }) };
  const goesOn = before && !before.done && before.of === of && before.seq === length;
  const mark: TranscriptMark = goesOn
    ? before
    : {
        of,
        agentId: transcript.agentId,
        key: transcript.key,
        line: 0,
        seq: 0,
        done: false,
        contextFrom: 1,
        chars: 0,
        next: { seq: 1, at: 0 },
        kept: {},
        broken: 0,
      };
  await new Taking(source, transcript, mark, deps).run(!goesOn);
  return { how: before?.done ? "changed" : "added", mark };
}

const isUsers = ({ body }: NewEntry): boolean =>
  body.kind === "message" && body.message.role === "user";

class Taking {
  private entries: NewEntry[] = [];
  private chars = 0;
  private at: number;

  constructor(
    private readonly source: Lines,
    private readonly transcript: TranscriptRow,
    private readonly mark: TranscriptMark,
    private readonly deps: TranscriptDeps,
  ) {
    this.at = mark.createdAt ?? transcript.createdAt;
  }

  async run(fresh: boolean): Promise<void> {
    const { source, mark } = this;
    const plan = await planOf(source);
    const from = mark.line;
    let begun = !fresh;
    let offset = 0;
    for await (const line of source.forward()) {
      this.deps.progress(line.offset - offset);
      ({ offset } = line);
      if (line.number <= from) continue;
      this.take(line, plan);
      mark.line = line.number;
      if (this.entries.length < STEP_ENTRIES && this.chars < STEP_CHARS) continue;
      await this.store(!begun);
      begun = true;
    }
    mark.done = true;
    await this.store(!begun);
    if (mark.broken > NAMED)
      this.deps.told.problem({
        path: source.name,
        text: `${mark.broken} lines in all could not be read`,
      });
  }

  private take(line: Line, plan: Plan): void {
    const { mark } = this;
    if (plan.summary?.from === line.number) {
      mark.contextFrom = mark.seq + this.entries.length + 1;
      mark.next = { seq: mark.contextFrom, at: mark.chars };
      this.entries.push(summaryEntry(plan.summary.text, this.at));
    }
    const value = parseLine(line.text);
    if (!value) return this.broken(line, plan);
    if (line.number === 1 && value["type"] === "session") mark.createdAt = timeOf(value, this.at);
    const entry = entryOf(value, { live: plan.isLive(line.number), before: this.at });
    this.at = entry.at;
    if (isUsers(entry) && mark.chars - mark.next.at >= VIEW_STEP_CHARS) {
      mark.contextFrom = mark.next.seq;
      mark.next = { seq: mark.seq + this.entries.length + 1, at: mark.chars };
    }
    this.entries.push(entry);
    const chars = line.text?.length ?? 0;
    this.chars += chars;
    mark.chars += chars;
    if (entry.body.kind === "kept") this.count(value, plan.isLive(line.number));
    const name = value["type"] === "session_info" && textIn(value["name"]);
    if (name) mark.title = name;
    const preview = previewOf([entry]);
    if (preview) mark.preview = preview;
  }

  private count(value: Json, live: boolean): void {
    const type = textIn(value["type"]) ?? "without a type";
    // The last summary of a file is used, and so is the name.
    if (/^(?:session|compaction|session_info)$/.test(type)) return;
    const known = /^(?:message|custom_message|branch_summary)$/.test(type);
    const role = isRecord(value["message"]) && textIn(value["message"]["role"]);
    const kind = known && !live ? "of another branch" : role ? `message of ${role}` : type;
    this.mark.kept[kind] = (this.mark.kept[kind] ?? 0) + 1;
  }

  private broken({ number, text }: Line, plan: Plan): void {
    if (text !== undefined && text.trim() === "") return;
    this.mark.broken += 1;
    if (this.mark.broken > NAMED) return;
    const why =
      text === undefined
        ? "the line is longer than 64 MB"
        : number === plan.lines
          ? "the last line is cut off"
          : "the line is no JSON object";
    this.deps.told.problem({ path: this.source.name, line: number, text: why });
  }

  /** `fresh`: with the first step, what an earlier try left goes. */
  private async store(fresh: boolean): Promise<void> {
    const { mark, transcript } = this;
    const { seq } = mark;
    mark.seq += this.entries.length;
    const row = { ...transcript, createdAt: mark.createdAt ?? transcript.createdAt };
    const at = { fresh, seq, mark: transcriptMark(transcript.sessionId), value: mark };
    const done = await this.deps.store.append(row, this.entries, at);
    // Somebody else writes to the same transcript, which the lock forbids.
    if (!done) this.deps.told.problem({ path: this.source.name, text: "it changed meanwhile" });
    this.entries = [];
    this.chars = 0;
  }
}
