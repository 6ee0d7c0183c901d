/** One message's way through the system, for people and programs: what `message trace` prints. */
import { z } from "zod";

import { REASONS } from "../../router/reasons.ts";
import type { Trace } from "../../store/store.ts";

/** Characters of a text that are shown. */
const MAX_TEXT = 2_000;

const time = z.number().describe("Epoch ms.");

export const TraceShape = z.lazy(() =>
  z.object({
    id: z.string().describe("The platform's id of the message."),
    channel: z.string(),
    accountId: z.string(),
    chatId: z.string(),
    threadId: z.string().optional(),
    chat: z.enum(["dm", "group", "channel"]),
    sender: z.object({ id: z.string(), name: z.string().optional() }),
    text: z.string(),
    media: z.int().describe("Number of files."),
    sentAt: time.describe("As the platform says, epoch ms."),
    acceptedAt: time.describe("When it was on the disk, epoch ms."),
    decision: z.object({
      kind: z.enum(["turn", "answer", "note", "change", "drop"]),
      reason: z.string().optional(),
      what: z.string().describe("The decision as a sentence."),
      remedy: z.string().optional(),
      by: z.string().optional().describe("The rule that decided."),
      agentId: z.string().optional(),
      sessionKey: z.string().optional(),
    }),
    run: z
      .object({
        id: z.string(),
        state: z.string(),
        attempts: z.int(),
        answeredWith: z
          .string()
          .optional()
          .describe("The run that answered it together with others."),
        startedAt: time.optional(),
        endedAt: time.optional(),
        error: z
          .object({ code: z.string(), message: z.string(), hint: z.string().optional() })
          .optional(),
      })
      .optional(),
    tools: z.array(z.object({ name: z.string(), at: z.number(), failed: z.boolean() })),
    outbox: z.array(
      z.object({
        key: z.string(),
        state: z.string(),
        attempts: z.int(),
        text: z.string(),
        createdAt: time,
        dueAt: time,
        sentAt: time.optional(),
        ids: z.array(z.string()).describe("The platform's ids; empty until it has confirmed."),
        error: z.string().optional(),
      }),
    ),
    answered: z.boolean().describe("Something was sent, and the platform has confirmed it."),
    outcome: z.string().describe("What became of it, in a sentence."),
  }),
);
export type TraceShape = z.output<typeof TraceShape>;

export function traceShape(trace: Trace): TraceShape {
  const { inbound, route, acceptedAt, turn, lead, tools, outbox } = trace;
  const { from, sender } = inbound;
  const done = lead ?? turn;
  const rows = outbox.map(({ key, state, attempts, text, createdAt, dueAt, receipt, error }) => ({
    key,
    state,
    attempts,
    text: text.slice(0, MAX_TEXT),
    createdAt,
    dueAt,
    ...(receipt && { sentAt: receipt.at }),
    ids: receipt?.ids ?? [],
    ...(error !== undefined && { error }),
  }));
  const shape = {
    id: inbound.id,
    channel: from.channel,
    accountId: from.account,
    chatId: from.chatId,
    ...(from.threadId !== undefined && { threadId: from.threadId }),
    chat: inbound.chat,
    sender: { id: sender.id, ...(sender.name !== undefined && { name: sender.name }) },
    text: inbound.text.slice(0, MAX_TEXT),
    media: inbound.media.length,
    sentAt: inbound.at,
    acceptedAt,
    decision: decisionOf(route),
    ...(turn && {
      run: {
        id: turn.id,
        state: done?.state ?? turn.state,
        attempts: turn.attempts,
        ...(lead && { answeredWith: lead.id }),
        ...(done?.startedAt !== undefined && { startedAt: done.startedAt }),
        ...(done?.endedAt !== undefined && { endedAt: done.endedAt }),
        ...(done?.error && { error: done.error }),
      },
    }),
    tools,
    outbox: rows,
    answered: rows.some(({ state }) => state === "delivered"),
  };
  return { ...shape, outcome: outcomeOf(shape) };
}

function decisionOf(route: Trace["route"]): TraceShape["decision"] {
  switch (route.kind) {
    case "turn":
      return {
        kind: "turn",
        what: "It is for the assistant.",
        by: route.matchedBy,
        agentId: route.agentId,
        sessionKey: route.sessionKey,
      };
    case "answer":
      return route.by === "pairing"
        ? {
            kind: "answer",
            what: "Its sender has not been let in yet and was told a code.",
            by: route.by,
            remedy: REASONS.not_paired.remedy,
          }
        : { kind: "answer", what: "It was answered at once, without a model.", by: route.by };
    case "note":
      return {
        kind: "note",
        what: "It is kept for the session's next turn.",
        agentId: route.agentId,
        sessionKey: route.sessionKey,
      };
    case "change":
      return { kind: "change", what: "It changes a message that waits." };
    case "drop": {
      const { what, remedy } = REASONS[route.reason];
      return {
        kind: "drop",
        reason: route.reason,
        what: route.detail ? `${withoutStop(what)} (${route.detail}).` : what,
        ...(remedy && { remedy }),
      };
    }
  }
}

const withoutStop = (sentence: string): string => sentence.replace(/\.+$/, "");

/** The last thing that happened to it. */
function outcomeOf({
  decision,
  run,
  outbox,
  answered,
}: Pick<TraceShape, "decision" | "run" | "outbox" | "answered">): string {
  const failed = outbox.find(({ state }) => state === "dead" || state === "unknown");
  const waiting = outbox.find(({ state }) => state === "pending" || state === "sending");
  if (failed?.state === "dead")
    return `The answer could not be delivered: ${withoutStop(failed.error ?? "the platform refused it")}.`;
  if (failed)
    return "The answer may or may not have arrived: the connection ended while it was sent.";
  if (waiting)
    return waiting.error
      ? `The answer waits to be sent again: ${waiting.error}`
      : "The answer is on its way.";
  if (answered) return decision.by === "pairing" ? decision.what : "Answered.";
  if (decision.kind === "drop") return "Not answered.";
  if (!run) return decision.what;
  switch (run.state) {
    case "queued":
      return "It waits for its turn.";
    case "running":
      return "The assistant is working on it.";
    case "failed":
      return `The run failed: ${run.error?.message ?? "no reason is known"}`;
    case "aborted":
      return "The run was stopped.";
    default:
      return "The assistant had nothing to say, or the answer went to the Control UI.";
  }
}
