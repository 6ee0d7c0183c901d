/** What became of a message, as a row of a list and as steps of a story. Pure. */
import { plainName } from "../names.ts";
import { duration } from "../strings.ts";
import { messageWords as words } from "../strings/messages.ts";
import type { TraceItem } from "../wire.ts";

export type Tone = "good" | "warn" | "bad" | "busy" | "calm";

/** Dropped as it should be; nobody waits for an answer. */
const EXPECTED = new Set(["own", "duplicate", "late", "not_mentioned", "empty"]);

/** `(channel, account, id)` is a message's identity. */
export const keyOf = ({ channel, accountId, id }: TraceItem): string =>
  `${channel}/${accountId}/${id}`;
/** What its address is made of: a run is named once in the world, a platform's id only there. */
export const addressOf = (trace: TraceItem): string => trace.run?.id ?? trace.id;

/** Whether something about it can still change. */
export const isOpen = ({ run, outbox }: TraceItem): boolean =>
  run?.state === "queued" ||
  run?.state === "running" ||
  outbox.some(({ state }) => state === "pending" || state === "sending");

export function toneOf(trace: TraceItem): Tone {
  const { decision, run, outbox, answered } = trace;
  if (outbox.some(({ state }) => state === "dead" || state === "unknown")) return "bad";
  if (outbox.some(({ state, error }) => state === "pending" && error !== undefined)) return "warn";
  if (isOpen(trace)) return "busy";
  if (answered) return "good";
  if (decision.kind === "drop") return EXPECTED.has(decision.reason ?? "") ? "calm" : "warn";
  return run?.state === "failed" ? "bad" : "calm";
}

/** The decision or the end in a sentence: why there is no answer, or that there is one. */
export const sentenceOf = ({ decision, outcome }: TraceItem): string =>
  decision.kind === "drop" ? decision.what : outcome;

/** The first words, for a list. */
export function firstWords({ text, media }: TraceItem, max = 160): string {
  const said = plainName(text, max);
  const files = media > 0 ? words.files(media) : "";
  return [said, files && `[${files}]`].filter(Boolean).join(" ") || `[${words.noText}]`;
}

export const senderOf = ({ sender }: TraceItem): string =>
  plainName(sender.name) || plainName(sender.id) || words.unnamed;

export type Step = {
  key: string;
  title: string;
  at?: number;
  tone: Tone;
  /** Sentences. */
  lines: string[];
  /** What somebody said, as it is. */
  said?: string;
  remedy?: string;
  ids?: { name: string; id: string }[];
  /** Its sender can be let in on the page "Channels". */
  approve?: boolean;
  /** Another message's run that belongs to this. */
  other?: string;
  list?: { name: string; at: number; failed: boolean }[];
};

/** A message is old when it arrives after more than this, in ms. */
const LATE_MS = 10_000;
/** A shorter wait is none, in ms. */
const WAIT_MS = 500;

export function stepsOf(trace: TraceItem): Step[] {
  return [received(trace), decided(trace), ...turn(trace), ...tools(trace), ...sent(trace)];
}

function received({ acceptedAt, sentAt, sender, id, text, media }: TraceItem): Step {
  const name = plainName(sender.name);
  const from = plainName(sender.id);
  const late = acceptedAt - sentAt;
  return {
    key: "received",
    title: words.received,
    at: acceptedAt,
    tone: "good",
    lines: [
      words.receivedFrom(name || from || words.unnamed),
      ...(media > 0 ? [words.files(media)] : []),
      ...(late > LATE_MS ? [words.sentEarlier(duration(late))] : []),
    ],
    said: text || undefined,
    ids: [
      ...(from ? [{ name: words.senderId, id: sender.id }] : []),
      { name: words.messageId, id },
    ],
  };
}

function decided({ decision, acceptedAt }: TraceItem): Step {
  const { kind, reason, what, remedy, by, agentId } = decision;
  const drop = kind === "drop";
  return {
    key: "decided",
    title: words.decided,
    at: acceptedAt,
    tone: drop ? (EXPECTED.has(reason ?? "") ? "calm" : "warn") : "good",
    lines: [
      what,
      ...(by ? [words.rule(by)] : []),
      ...(agentId ? [words.agent(plainName(agentId))] : []),
    ],
    remedy,
    approve: reason === "not_paired",
  };
}

function turn({ run, acceptedAt }: TraceItem): Step[] {
  if (!run) return [];
  const { state, startedAt, endedAt, attempts, error, answeredWith } = run;
  const waited = startedAt === undefined ? undefined : startedAt - acceptedAt;
  const queued: Step = {
    key: "queued",
    title: words.queued,
    at: acceptedAt,
    tone: startedAt === undefined && state === "queued" ? "busy" : "good",
    lines: [
      ...(answeredWith ? [words.together] : []),
      ...(waited === undefined
        ? state === "queued"
          ? [words.queuedNow]
          : []
        : waited > WAIT_MS
          ? [words.waited(duration(waited))]
          : answeredWith
            ? []
            : [words.notWaited]),
    ],
    other: answeredWith,
    ids: [{ name: words.runId, id: run.id }],
  };
  if (state === "queued") return [queued];
  const tone: Record<string, Tone> = { running: "busy", failed: "bad", aborted: "warn" };
  const began: Step = {
    key: "run",
    title: words.run,
    at: startedAt,
    tone: tone[state] ?? "good",
    lines: [
      words.runStates[state] ?? state,
      ...(startedAt !== undefined && endedAt !== undefined
        ? [words.took(duration(endedAt - startedAt))]
        : []),
      ...(attempts > 1 ? [words.attempts(attempts)] : []),
      ...(error ? [error.message] : []),
    ],
    remedy: error?.hint,
  };
  return [queued, began];
}

const tools = ({ tools: list }: TraceItem): Step[] =>
  list.length
    ? [
        {
          key: "tools",
          title: words.tools,
          at: list[0]!.at,
          tone: list.some(({ failed }) => failed) ? "warn" : "good",
          lines: [],
          list,
        },
      ]
    : [];

const SEND_TONES: Readonly<Record<string, Tone>> = {
  delivered: "good",
  dead: "bad",
  unknown: "bad",
};

function sent({ outbox, run }: TraceItem): Step[] {
  if (!outbox.length)
    return run?.state === "done"
      ? [
          {
            key: "sent",
            title: words.nothingSent,
            at: run.endedAt,
            tone: "calm",
            lines: [words.nothingSentText],
          },
        ]
      : [];
  return outbox.map(({ key, state, attempts, text, createdAt, dueAt, sentAt, ids, error }) => ({
    key: `sent:${key}`,
    title: words.sending,
    at: sentAt ?? createdAt,
    tone: SEND_TONES[state] ?? (error === undefined ? "busy" : "warn"),
    lines: [
      words.sendStates[state] ?? state,
      ...(attempts > 1 || error ? [words.tries(attempts)] : []),
      ...(error ? [plainName(error, 400)] : []),
      ...(state === "pending" && error ? [words.nextTry(clock.format(dueAt))] : []),
    ],
    said: text || undefined,
    ids: ids.map((id) => ({ name: words.platformIds, id })),
  }));
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
