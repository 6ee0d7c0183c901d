/** Messages to chats, and what became of those that arrived. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { isNetwork } from "../../channels/accounts.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { chatField, defaultAccount } from "../../channels/summary.ts";
import type { Address, MediaRef } from "../../flow.ts";
import type { WebMedia } from "../../media/outgoing.ts";
import { kindOf, sniff } from "../../media/sniff.ts";
import { canonicalKey } from "../../protocol/session-key.ts";
import { method, type MethodContext } from "../method.ts";
import { Idempotency } from "./chat.ts";
import { TraceShape, traceShape } from "./trace-shape.ts";

const optional = z.string().max(1_024).optional();
const MAX_TEXT = 1_000_000;
const MAX_MEDIA = 10;
/** Rows of `messages.recent` at most. */
const MAX_RECENT = 500;

const Upload = z.object({
  data: z.string().min(1).describe("Base64."),
  mime: optional,
  name: optional,
  as: z.enum(["voice", "animation", "sticker"]).optional(),
});

const Sent = z.looseObject({
  runId: z.string(),
  messageId: z.string(),
  channel: z.string(),
});

/**
 * The channel that a call means: the one that it names; else the only configured one; else, as the original did, the configured one
 * that is linked. Throws bad_request when it cannot be told.
 */
async function channelOf(given: string | undefined, ctx: MethodContext): Promise<NetworkId> {
  const id = given?.trim().toLowerCase();
  if (id) {
    if (isNetwork(id)) return id;
    throw new AppError("bad_request", `unsupported channel: ${given}`, {
      hint: `One of: ${NETWORK_IDS.join(", ")}.`,
    });
  }
  const views = await ctx.messaging.accounts();
  const configured = NETWORK_IDS.filter((each) => views.some(({ channel }) => channel === each));
  if (configured.length === 1) return configured[0]!;
  for (const each of configured) if ((await ctx.messaging.facts(each)).setup.login) return each;
  throw new AppError(
    "bad_request",
    configured.length === 0
      ? "No channel is configured."
      : `Channel is required when multiple channels are configured: ${configured.join(", ")}`,
    configured.length === 0 ? { hint: "`clawdbot channels add` adds one." } : {},
  );
}

type Where = {
  channel?: string | undefined;
  accountId?: string | undefined;
  to?: string | undefined;
};

/** Throws bad_request with the forms that the channel understands. */
async function addressOf({ channel, accountId, to }: Where, ctx: MethodContext): Promise<Address> {
  const id = await channelOf(channel, ctx);
  const accounts = (await ctx.messaging.accounts())
    .filter((view) => view.channel === id)
    .map(({ plan }) => ({ accountId: plan.id }));
  const account = accountId?.trim() || defaultAccount(accounts);
  if (!accounts.some((each) => each.accountId === account))
    throw new AppError("bad_request", `${NETWORKS[id].label} has no account "${account}".`, {
      hint: accounts.length
        ? `There is: ${accounts.map((a) => a.accountId).join(", ")}.`
        : "`clawdbot channels add` adds one.",
    });
  const target = to ? (await ctx.messaging.facts(id)).target(to) : { chatId: "" };
  return { channel: id, account, ...target };
}

/** The bytes decide what it is; names and types that came with it only help. */
function mediaOf({ data, mime, name, as }: z.output<typeof Upload>): MediaRef {
  const bytes = Buffer.from(data, "base64");
  if (bytes.length === 0) throw new AppError("bad_request", "The file is empty or not base64.");
  const type = sniff(bytes.subarray(0, 4_100)) ?? mime ?? "application/octet-stream";
  return {
    kind: kindOf(type),
    mime: type,
    data: bytes.toString("base64"),
    size: bytes.length,
    ...(name && { name }),
    ...(as && { as }),
  };
}

/** A `data:` address carries the file. One of the web is fetched by delivery when it is sent, which refuses private addresses. */
function fromUrl(url: string): MediaRef | WebMedia {
  if (/^https?:\/\//i.test(url)) {
    const mime = Bun.file(URL.parse(url)?.pathname ?? "").type.split(";")[0]!;
    return { kind: kindOf(mime), mime, url };
  }
  const match = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[^,;]+)*;base64,(.*)$/s.exec(url);
  if (!match)
    throw new AppError("bad_request", "mediaUrl has to be a data:, http: or https: address.", {
      hint: "Send a file of your own in `media`; `clawdbot message send --media <file>` does.",
    });
  return mediaOf({ data: match[2]!, ...(match[1] && { mime: match[1] }) });
}

/** One answer per key while the gateway runs: what is asked twice, also at the same time, is done once. */
const polls = new WeakMap<object, Map<string, Promise<unknown>>>();
const MAX_POLLS = 200;

function once<T>(owner: object, key: string, work: () => Promise<T>): Promise<T> {
  const known = polls.get(owner) ?? new Map<string, Promise<unknown>>();
  polls.set(owner, known);
  const before = known.get(key);
  if (before) return before as Promise<T>;
  const now = work();
  known.set(key, now);
  if (known.size > MAX_POLLS) known.delete(known.keys().next().value!);
  // A failure may be tried again under the same key.
  now.then(undefined, () => known.delete(key));
  return now;
}

export const messages = {
  send: method({
    doc: "Sends a message to a chat; answers when the platform has confirmed it. The same key is the same message.",
    scope: "operator.write",
    params: z.object({
      to: z
        .string()
        .min(1)
        .max(1_024)
        .describe("As people write it: `@name`, a number, a chat's id."),
      message: z.string().max(MAX_TEXT).default(""),
      media: z.array(Upload).max(MAX_MEDIA).optional(),
      mediaUrl: z.string().optional().describe("A `data:` address, or one of the web."),
      mediaUrls: z.array(z.string()).max(MAX_MEDIA).optional(),
      gifPlayback: z.boolean().optional(),
      silent: z.boolean().optional(),
      replyToId: optional,
      threadId: optional,
      buttons: z
        .array(z.array(z.object({ text: z.string(), data: z.string() })))
        .optional()
        .describe("Rows of buttons; `data` comes back as a message when one is pressed."),
      channel: optional.describe("Unset: the only one that is configured."),
      accountId: optional,
      sessionKey: optional.describe("The text is also shown in this session."),
      idempotencyKey: Idempotency,
    }),
    result: Sent,
    async run(params, ctx) {
      const { message, mediaUrl, mediaUrls = [], gifPlayback, replyToId, threadId } = params;
      const at = await addressOf(params, ctx);
      const media = [
        ...(params.media ?? []).map(mediaOf),
        ...[...(mediaUrl ? [mediaUrl] : []), ...mediaUrls].map(fromUrl),
      ].map((each) =>
        gifPlayback && each.kind === "video" ? { ...each, as: "animation" as const } : each,
      );
      if (!message.trim() && media.length === 0)
        throw new AppError("bad_request", "There is nothing to send: no text and no file.");
      const key = `send:${params.idempotencyKey}`;
      const known = await ctx.store.outbox.get(key);
      const receipt = await ctx.messaging.send({
        key,
        to: { ...at, ...(threadId && { threadId }), ...(replyToId && { replyToId }) },
        text: message,
        ...(media.length > 0 && { media }),
        ...(params.buttons && { buttons: params.buttons }),
        ...(params.silent && { silent: true as const }),
      });
      if (params.sessionKey && !known && message.trim()) {
        const session = canonicalKey(params.sessionKey, { agentId: ctx.info.defaultAgentId });
        if (session) await ctx.gateway.say(session, message);
      }
      return {
        runId: params.idempotencyKey,
        messageId: receipt.ids[0] ?? "",
        messageIds: receipt.ids,
        channel: at.channel,
        [chatField(at.channel)]: at.chatId,
      };
    },
  }),

  poll: method({
    doc: "Asks a chat a question with answers to choose from.",
    scope: "operator.admin",
    newScope: "operator.write",
    params: z.object({
      to: z.string().min(1).max(1_024),
      question: z.string().min(1).max(1_000),
      options: z.array(z.string().min(1).max(1_000)).min(2).max(12),
      maxSelections: z.int().min(1).max(12).optional(),
      durationHours: z.int().min(1).optional(),
      channel: optional,
      accountId: optional,
      idempotencyKey: Idempotency,
    }),
    result: Sent,
    async run({ question, options, maxSelections, durationHours, ...params }, ctx) {
      const at = await addressOf(params, ctx);
      const poll = {
        question,
        options,
        maxSelections: maxSelections ?? 1,
        ...(durationHours && { durationHours }),
      };
      const result = (await once(ctx.store, params.idempotencyKey, () =>
        ctx.messaging.act("poll", at, poll),
      )) as { ids?: string[]; pollId?: string } | undefined;
      return {
        runId: params.idempotencyKey,
        messageId: result?.ids?.[0] ?? "",
        channel: at.channel,
        [chatField(at.channel)]: at.chatId,
        ...(result?.pollId && { pollId: result.pollId }),
      };
    },
  }),

  "message.action": method({
    doc: "Anything else that a channel can do with messages: react, edit, delete, pin, read, search, threads.",
    scope: "operator.write",
    params: z.object({
      action: z.string().min(1).max(64),
      channel: optional,
      accountId: optional,
      to: optional.describe("The chat, as in `send`; some actions need none."),
      params: z.record(z.string(), z.unknown()).default({}),
      idempotencyKey: z.string().max(256).optional(),
    }),
    result: z.lazy(() =>
      z.object({
        action: z.string(),
        channel: z.string(),
        accountId: z.string(),
        result: z.unknown(),
      }),
    ),
    async run({ action, params, to, ...where }, ctx) {
      const target = to ?? params["to"] ?? params["target"] ?? params["channelId"];
      const at = await addressOf(
        { ...where, ...(typeof target === "string" && { to: target }) },
        ctx,
      );
      const { threadId } = params;
      const place = typeof threadId === "string" && threadId ? { ...at, threadId } : at;
      const result = (await ctx.messaging.act(action, place, params)) ?? null;
      return { action, channel: at.channel, accountId: at.account, result };
    },
  }),

  "message.trace": method({
    doc: "What became of one message: received, decided, queued, run, tools, sent. Why there was no answer.",
    scope: "operator.read",
    params: z.object({
      id: z
        .string()
        .trim()
        .min(1)
        .max(512)
        .describe("A run, the platform's id of the message, or that of something sent."),
    }),
    result: z.object({ trace: TraceShape }),
    async run({ id }, { store }) {
      const trace = await store.inbound.trace(id);
      if (trace) return { trace: traceShape(trace) };
      throw new AppError("not_found", `No message is known under ${id}.`, {
        hint: "`clawdbot message recent` has the newest. What never arrived here is not in it: `clawdbot channels status`.",
      });
    },
  }),

  "messages.recent": method({
    doc: "The newest messages that arrived and what became of them, newest first.",
    scope: "operator.read",
    params: z.object({
      limit: z.int().min(1).max(MAX_RECENT).default(20),
      before: z.int().min(1).optional().describe("`nextBefore` of the last answer."),
      channel: optional,
      unanswered: z.boolean().optional().describe("Only those without a delivered answer."),
    }),
    result: z.lazy(() =>
      z.object({
        messages: z.array(TraceShape),
        nextBefore: z.int().optional().describe("Absent: there are no older ones."),
      }),
    ),
    async run({ limit, before, channel, unanswered }, { store }) {
      const { rows } = await store.inbound.recent({
        limit,
        ...(before !== undefined && { before }),
        ...(channel && { channel: channel.toLowerCase() }),
        ...(unanswered && { unanswered }),
      });
      const last = rows.at(-1);
      return {
        messages: rows.map(traceShape),
        ...(last && rows.length === limit && { nextBefore: last.inboundId }),
      };
    },
  }),
};
