/** The conversation: send, read, stop, and put something into it. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { OPERATOR_CHANNEL } from "../../channels/operators.ts";
import type { Inbound, SessionKey, Thinking } from "../../flow.ts";
import { parseKey } from "../../protocol/session-key.ts";
import type { Entry } from "../../store/store.ts";
import { Attachments, readAttachments } from "../attachments.ts";
import { method, type MethodContext } from "../method.ts";
import type { LiveRun, Runs } from "../ports.ts";
import { agentOf, keyOf } from "../session-rows.ts";
import { fitHistory, type WireMessage } from "../wire.ts";

/** Longest message that is taken, in characters. */
const MAX_MESSAGE = 1_000_000;
/** A whole message that says one of these stops the run instead of starting one. */
const STOP_WORDS = new Set(["/stop", "stop", "esc", "abort", "wait", "exit", "interrupt"]);

export const isStopWord = (text: string): boolean => STOP_WORDS.has(text.trim().toLowerCase());

export const Key = z.string().min(1).max(512).describe("Session key; `main` is the main session.");
/** A name that the client chooses once per message, so that a repeated request does nothing twice. Also the run id. */
export const Idempotency = z.string().min(1).max(256);

const LEVELS: readonly string[] = ["off", "minimal", "low", "medium", "high", "xhigh"];

/** A thinking level as clients write it; undefined for what is none (it is left out, as the original did). */
export const thinkingOf = (text: string | undefined): Thinking | undefined =>
  text && LEVELS.includes(text.toLowerCase()) ? (text.toLowerCase() as Thinking) : undefined;

/** The message of a signed-in client, with what it wishes for this one turn. */
export function operatorMessage(
  id: string,
  text: string,
  media: Inbound["media"],
  wish: NonNullable<Inbound["wish"]>,
  ctx: MethodContext,
): Inbound {
  const { client, connId } = ctx.caller;
  const defined = Object.entries(wish).filter(([, value]) => value !== undefined);
  return {
    id,
    from: { channel: OPERATOR_CHANNEL, account: "default", chatId: wish.sessionKey ?? "main" },
    chat: "dm",
    sender: {
      id: client.instanceId ?? connId,
      ...(client.displayName ? { name: client.displayName } : {}),
    },
    text,
    media,
    mentioned: true,
    wish: Object.fromEntries(defined),
    at: ctx.gateway.now(),
  };
}

/** Throws when the session's owner forbade sending into it. */
export async function checkSendPolicy(key: SessionKey, ctx: MethodContext): Promise<void> {
  const row = await ctx.store.sessions.get(key);
  if (row?.settings.sendPolicy === "deny")
    throw new AppError("bad_request", "send blocked by session policy", {
      hint: "Allow it again with `sessions.patch` and sendPolicy `allow`.",
    });
}

const keyFor = (text: string, ctx: MethodContext): SessionKey => {
  const key = keyOf(text, ctx.config.current(), ctx.info.defaultAgentId);
  ctx.caller.spell(key, text);
  return key;
};

/** How often the transcript may move on while it is read. */
const MAX_LOOKS = 3;

/**
 * The page and what runs beside it, of one moment: a message that is finished between two reads would else be in neither.
 * An older page has no live part.
 */
async function snapshot(
  key: SessionKey,
  sessionId: string | undefined,
  { limit, before }: { limit: number; before: number | undefined },
  ctx: MethodContext,
): Promise<{ entries: Entry[]; live: LiveRun[]; queued: ReturnType<Runs["queued"]> }> {
  const { transcript } = ctx.store;
  if (before !== undefined)
    return {
      entries: sessionId ? await transcript.page(sessionId, { limit, before }) : [],
      live: [],
      queued: [],
    };
  for (let look = 1; ; look++) {
    const entries = sessionId ? await transcript.page(sessionId, { limit }) : [];
    const [live, queued] = [ctx.runs.live(key), ctx.runs.queued(key)];
    const [newest] = sessionId ? await transcript.page(sessionId, { limit: 1 }) : [];
    if (newest?.seq === entries.at(-1)?.seq || look === MAX_LOOKS) return { entries, live, queued };
  }
}

const Sent = z.object({
  runId: z.string().optional(),
  status: z.enum(["started", "in_flight", "ok", "error"]).optional(),
  ok: z.boolean().optional(),
  aborted: z.boolean().optional(),
  runIds: z.array(z.string()).optional(),
  summary: z.string().optional(),
});

/** What a repeated send is told: the run goes on, or how it ended. */
async function repeated(runId: string, ctx: MethodContext): Promise<z.infer<typeof Sent>> {
  const turn = await ctx.store.turns.get(runId);
  if (!turn || turn.state === "queued" || turn.state === "running" || turn.state === "merged")
    return { runId, status: "in_flight" };
  if (turn.state === "failed")
    return { runId, status: "error", summary: turn.error?.message ?? "The run failed." };
  return { runId, status: "ok" };
}

/** A slash command: its answer stands in the conversation, as that of a run would. */
export const answerNow = (
  { runId, answer = "" }: { runId: string; answer?: string },
  key: SessionKey,
  said: string,
  ctx: MethodContext,
): Promise<void> => {
  const agentId = parseKey(key)?.agentId ?? ctx.info.defaultAgentId;
  return ctx.gateway.answered({ key, agentId, runId }, said, answer);
};

export const chat = {
  "chat.send": method({
    doc: "Sends a message into a session and returns at once; the answer arrives as `chat` and `agent` events.",
    scope: "operator.write",
    params: z.object({
      sessionKey: Key,
      message: z.string().max(MAX_MESSAGE).default(""),
      thinking: z.string().max(32).optional(),
      deliver: z.boolean().optional().describe("Accepted for old clients; has no effect."),
      attachments: Attachments.optional(),
      timeoutMs: z.int().min(0).optional(),
      idempotencyKey: Idempotency,
    }),
    result: Sent,
    async run({ sessionKey, message, thinking, attachments, timeoutMs, idempotencyKey }, ctx) {
      const key = keyFor(sessionKey, ctx);
      if (!message.trim() && !attachments?.length)
        throw new AppError("bad_request", "message or attachment required");
      const media = await readAttachments(attachments ?? []);
      if (!message.trim() && !media.length)
        throw new AppError("bad_request", "message or attachment required", {
          hint: "Only PNG, JPEG, GIF and WebP images can be attached.",
        });
      if (isStopWord(message)) {
        ctx.gateway.runsStopping(key, "stop");
        const runIds = await ctx.runs.abort(key);
        return { ok: true, aborted: runIds.length > 0, runIds };
      }
      await checkSendPolicy(key, ctx);
      ctx.gateway.spellRun(idempotencyKey, sessionKey);
      const inbound = operatorMessage(
        idempotencyKey,
        message,
        media,
        { sessionKey: key, thinking: thinkingOf(thinking), timeoutMs: timeoutMs || undefined },
        ctx,
      );
      const accepted = await ctx.runs.submit(inbound);
      if (accepted.dropped)
        throw new AppError("bad_request", `The message was not taken: ${accepted.dropped}.`);
      if (accepted.duplicate) return repeated(accepted.runId, ctx);
      if (accepted.answer !== undefined) await answerNow(accepted, key, message, ctx);
      return { runId: accepted.runId, status: "started" as const };
    },
  }),

  "chat.history": method({
    doc: "The newest messages of a session, oldest first, with the runs in progress. `before` pages back.",
    scope: "operator.read",
    params: z.object({
      sessionKey: Key,
      limit: z.int().min(1).max(1_000).default(200),
      before: z.int().min(1).optional().describe("Only entries with a smaller seq."),
    }),
    result: z.lazy(() =>
      z.object({
        sessionKey: z.string(),
        sessionId: z.string().optional(),
        messages: z.array(z.custom<WireMessage>()),
        thinkingLevel: z.string().optional(),
        live: z.array(z.custom<LiveRun>()),
        queued: z.array(z.object({ runId: z.string(), text: z.string(), at: z.number() })),
        nextBefore: z.int().optional().describe("Pass as `before` for older messages."),
      }),
    ),
    async run({ sessionKey, limit, before }, ctx) {
      const key = keyFor(sessionKey, ctx);
      const row = await ctx.store.sessions.get(key);
      const { entries, live, queued } = await snapshot(key, row?.sessionId, { limit, before }, ctx);
      const { messages, oldestSeq } = fitHistory(entries);
      const { thinkingDefault } = ctx.config.current().agents.defaults;
      return {
        sessionKey,
        ...(row ? { sessionId: row.sessionId } : {}),
        messages,
        thinkingLevel: row?.settings.thinkingLevel ?? thinkingDefault ?? "low",
        live,
        queued,
        ...(oldestSeq !== undefined && oldestSeq > 1 ? { nextBefore: oldestSeq } : {}),
      };
    },
  }),

  "chat.abort": method({
    doc: "Stops the running and waiting runs of a session, or one of them.",
    scope: "operator.write",
    params: z.object({ sessionKey: Key, runId: z.string().min(1).max(256).optional() }),
    result: z.lazy(() =>
      z.object({ ok: z.literal(true), aborted: z.boolean(), runIds: z.array(z.string()) }),
    ),
    async run({ sessionKey, runId }, ctx) {
      const key = keyFor(sessionKey, ctx);
      if (runId !== undefined) {
        const turn = await ctx.store.turns.get(runId);
        if (turn && turn.sessionKey !== key)
          throw new AppError("bad_request", "runId does not match sessionKey");
      }
      ctx.gateway.runsStopping(key, "rpc", runId);
      const runIds = await ctx.runs.abort(key, runId);
      return { ok: true as const, aborted: runIds.length > 0, runIds };
    },
  }),

  "chat.inject": method({
    doc: "Appends a message of the assistant to a session without asking a model.",
    scope: "operator.admin",
    params: z.object({
      sessionKey: Key,
      message: z.string().min(1).max(MAX_MESSAGE),
      label: z.string().max(100).optional(),
    }),
    result: z.lazy(() => z.object({ ok: z.literal(true), messageId: z.string() })),
    async run({ sessionKey, message, label }, ctx) {
      const key = keyFor(sessionKey, ctx);
      const messageId = await ctx.gateway.say(key, label ? `[${label}]\n\n${message}` : message);
      if (messageId === undefined)
        throw new AppError("bad_request", "session not found", {
          hint: `Agent ${agentOf(key, "main")} has no session with this key yet.`,
        });
      return { ok: true as const, messageId };
    },
  }),
};
