/** A conversation as rows on the screen: messages taken apart into texts, tool lines, thoughts and notes. Pure. */
import { resultText } from "./live.ts";
import { strings } from "./strings.ts";
import type { Content, WireMessage } from "./wire.ts";

export type Row =
  | { kind: "user"; key: string; text: string; images: string[]; at?: number; seq?: number }
  | { kind: "text"; key: string; text: string; at?: number; model?: string; seq?: number }
  | { kind: "thinking"; key: string; text: string }
  | ToolRow
  | {
      kind: "note";
      key: string;
      level: "info" | "error";
      text: string;
      code?: string;
      hint?: string;
    };
export type ToolRow = {
  kind: "tool";
  key: string;
  id: string;
  name: string;
  args: unknown;
  /** Undefined: no result (yet, or the run was cut before it). */
  output?: string;
  failed?: boolean;
  /** Its run was stopped before it was done. */
  stopped?: boolean;
  ms?: number;
};
/** Runs that this page saw being stopped: true when they are over, false while they are still ending. */
export type Stopped = ReadonlyMap<string, boolean>;

/** Rows that are drawn, kept or skipped together. */
export type Page = { key: string; rows: Row[] };
const PAGE_ROWS = 50;

const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;
const itemsOf = (message: WireMessage): Content[] =>
  typeof message.content === "string"
    ? [{ type: "text", text: message.content }]
    : Array.isArray(message.content)
      ? message.content
      : [];

/** A picture that came inside the message, as a data address; anything else (a remote address, SVG) is not shown. */
function pictureOf(item: Content): string | undefined {
  const mime = item.mimeType ?? item.source?.media_type ?? "";
  const data = item.data ?? item.source?.data ?? "";
  return PICTURE.test(mime) && /^[A-Za-z0-9+/=]+$/.test(data)
    ? `data:${mime};base64,${data}`
    : undefined;
}

const isCall = (type: string) => /^tool_?(call|use)$/i.test(type);
const isResult = (type: string) => /^tool_?result$/i.test(type);

export const identity = (message: WireMessage): string =>
  message.id ?? (message.seq !== undefined ? `s${message.seq}` : `t${message.timestamp}`);

type Result = { text: string; failed: boolean; ms?: number };

/** Rows of one message; results of its tool calls come from `results`. */
function rowsOf(
  message: WireMessage,
  results: Map<string, Result>,
  seen: ReadonlyMap<string, number>,
  end: End | undefined,
): Row[] {
  const base = identity(message);
  const rows: Row[] = [];
  const items = itemsOf(message);
  if (message.level || message.role === "note" || message.role === "system") {
    const { code, hint } = message;
    if (code === "aborted")
      return [{ kind: "note", key: base, level: "info", text: strings.stopped }];
    const whole = items.map((item) => item.text ?? "").join("\n");
    // Clients that know no hints get it as the last line.
    const text = hint && whole.endsWith(`\n${hint}`) ? whole.slice(0, -hint.length - 1) : whole;
    return [{ kind: "note", key: base, level: message.level ?? "info", text, code, hint }];
  }
  if (message.role === "user") {
    const text = items.map((item) => item.text ?? "").join("\n");
    const images = items.flatMap((item) => (item.type === "image" ? (pictureOf(item) ?? []) : []));
    if (!text.trim() && !images.length) return [];
    return [{ kind: "user", key: base, text, images, at: message.timestamp, seq: message.seq }];
  }
  if (message.role !== "assistant") return [];
  items.forEach((item, index) => {
    const key = `${base}.${index}`;
    if (item.type === "thinking" && (item.thinking ?? item.text)?.trim())
      rows.push({ kind: "thinking", key, text: item.thinking ?? item.text ?? "" });
    else if (item.type === "text" && item.text?.trim()) {
      const { timestamp: at, model, seq } = message;
      rows.push({ kind: "text", key, text: item.text, at, model, seq });
    } else if (isCall(item.type)) {
      const id = item.id ?? key;
      const result = results.get(id);
      rows.push({
        kind: "tool",
        key: `tool:${id}`,
        id,
        name: item.name ?? "",
        args: item.arguments ?? item.args ?? item.input,
        output: result?.text,
        failed: result?.failed,
        stopped: end !== undefined && result?.failed !== false,
        ms: result?.ms ?? seen.get(id),
      });
    }
  });
  return rows;
}

const durationIn = (details: WireMessage["details"]): number | undefined =>
  typeof details?.durationMs === "number" ? details.durationMs : undefined;

/** The results in these messages, by the id of their call. */
function resultsOf(messages: WireMessage[]): Map<string, Result> {
  const found = new Map<string, Result>();
  for (const message of messages) {
    if (message.toolCallId && /^tool/i.test(message.role))
      found.set(message.toolCallId, {
        text: resultText(message.content),
        failed: message.isError === true,
        ms: message.durationMs ?? durationIn(message.details),
      });
    else
      for (const item of itemsOf(message))
        if (isResult(item.type) && item.id)
          found.set(item.id, { text: resultText(item.text ?? item.content), failed: false });
  }
  return found;
}

/** What a stop did to a message: its unfinished tools are stopped, and maybe it is the last of what was stopped. */
type End = "tools" | "line";
const NOBODY: Stopped = new Map();

/**
 * The messages at the end of a stopped run: the last answer with what follows it. The gateway marks a stopped run by a cut
 * answer or a note at its end; what this page saw itself is in `stopped`. A cut answer before an error note was not stopped.
 */
function endsOf(messages: WireMessage[], stopped: Stopped): Map<WireMessage, End> {
  const last = new Map<string, WireMessage>();
  const answer = new Map<string, WireMessage>();
  const runOf = (message: WireMessage) => message.runId ?? identity(message);
  for (const message of messages) {
    last.set(runOf(message), message);
    if (message.role === "assistant") answer.set(runOf(message), message);
  }
  const over = new Map<string, boolean>(stopped);
  for (const [run, message] of last)
    if (isCut(message) || message.code === "aborted") over.set(run, true);
  const ends = new Map<WireMessage, End>();
  const begun = new Set<string>();
  messages.forEach((message, i) => {
    const run = runOf(message);
    const state = over.get(run);
    begun.add(run);
    if (state === undefined) return;
    if (answer.get(run) === message) ends.set(message, "tools");
    const next = messages[i + 1];
    // A message that was taken into a running turn is inside of it, and a note says it itself.
    const within = next && begun.has(runOf(next)) && over.has(runOf(next));
    const goesOn = within || next?.code === "aborted";
    if (state && last.get(run) === message && message.code !== "aborted" && !goesOn)
      ends.set(message, "line");
  });
  return ends;
}
const isCut = (message: WireMessage): boolean =>
  message.role === "assistant" && (message.stopReason === "aborted" || message.partial === true);

/**
 * Makes pages of rows. Pages and rows whose messages did not change keep their identity, so that drawing again costs nothing
 * however long the conversation is. One maker per conversation. `seen` has the durations of tools that this page saw run;
 * the transcript does not have them for all.
 */
export function pageMaker(
  seen: ReadonlyMap<string, number> = new Map(),
): (messages: WireMessage[], stopped?: Stopped) => Page[] {
  const made = new WeakMap<WireMessage, { rows: Row[]; open: string }>();
  const pages = new Map<string, Page>();
  return (messages, stopped = NOBODY) => {
    const results = resultsOf(messages);
    const ends = endsOf(messages, stopped);
    const groups = new Map<string, Row[]>();
    for (const message of messages) {
      // Which of its calls have a result decides whether the rows are still right.
      const end = ends.get(message);
      const open = itemsOf(message)
        .map((item) => (isCall(item.type) && item.id && results.has(item.id) ? "1" : "0"))
        .join("")
        .concat(end ?? "");
      let entry = made.get(message);
      if (entry?.open !== open) {
        const found = rowsOf(message, results, seen, end);
        if (end === "line") {
          const key = `${identity(message)}.stopped`;
          found.push({ kind: "note", key, level: "info", text: strings.stopped });
        }
        made.set(message, (entry = { rows: found, open }));
      }
      const group = `p${Math.floor((message.seq ?? 0) / PAGE_ROWS)}`;
      const rows = groups.get(group) ?? [];
      rows.push(...entry.rows);
      groups.set(group, rows);
    }
    return [...groups].map(([key, rows]) => {
      const before = pages.get(key);
      const same =
        before?.rows.length === rows.length && before.rows.every((row, i) => row === rows[i]);
      const page = same ? before : { key, rows };
      pages.set(key, page);
      return page;
    });
  };
}

/**
 * The known messages after a history answer. Newer pages replace what they cover, message objects that did not change are kept;
 * when the answer does not reach back to what is known, the known ones are dropped rather than shown with a hole.
 */
export function mergeHistory(
  known: WireMessage[],
  fetched: WireMessage[],
): { messages: WireMessage[]; kept: boolean } {
  const first = fetched[0]?.seq;
  const newest = known.at(-1)?.seq;
  if (first === undefined || newest === undefined || first > newest + 1)
    return { messages: fetched, kept: false };
  const before = known.filter((message) => (message.seq ?? 0) < first);
  const old = new Map(known.map((message) => [identity(message), message]));
  const fresh = fetched.map((message) => {
    const same = old.get(identity(message));
    return same && JSON.stringify(same) === JSON.stringify(message) ? same : message;
  });
  return { messages: [...before, ...fresh], kept: before.length > 0 };
}

/** One line of Markdown as plain words, for lists. Wrong guesses only lose a mark. */
export const withoutMarks = (text: string): string =>
  text
    .replace(/```\w*|[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)/g, "")
    .replace(/^\s*(?:#{1,6}|>|[-*])\s+/, "")
    .replace(/\s+/g, " ")
    .trim();
