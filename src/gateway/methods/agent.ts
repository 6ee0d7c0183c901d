/** One-shot runs, as the CLI and scripts start them, and who the agents are. */
import { z } from "zod";

import { AppError, type ErrorCode, ERRORS } from "../../base/errors.ts";
import { OPERATOR_CHANNEL } from "../../channels/operators.ts";
import { NETWORK_IDS } from "../../channels/registry.ts";
import type { SessionKey } from "../../flow.ts";
import { parseKey, sessionKey as keyOfAgent } from "../../protocol/session-key.ts";
import { Attachments, readAttachments } from "../attachments.ts";
import { type LateAnswer, method, type MethodContext } from "../method.ts";
import type { RunEnd } from "../ports.ts";
import { agentIds, keyOf, sessionDefaults } from "../session-rows.ts";
import { wireUsage } from "../wire.ts";
import {
  answerNow,
  checkSendPolicy,
  Idempotency,
  Key,
  operatorMessage,
  thinkingOf,
} from "./chat.ts";

/** Longest time that the second answer is waited for, in ms: a day and a minute more than any run may take. */
const MAX_RUN_MS = 86_460_000;
const optional = z.string().max(1_024).optional();

const AgentParams = z.object({
  message: z.string().min(1).max(1_000_000),
  agentId: optional,
  to: optional,
  replyTo: optional,
  sessionId: optional,
  sessionKey: Key.optional(),
  thinking: z.string().max(32).optional(),
  deliver: z.boolean().optional(),
  attachments: Attachments.optional(),
  channel: optional,
  replyChannel: optional,
  accountId: optional,
  replyAccountId: optional,
  threadId: optional,
  groupId: optional,
  groupChannel: optional,
  groupSpace: optional,
  timeout: z.int().min(0).optional().describe("Seconds."),
  lane: optional,
  extraSystemPrompt: z.string().max(100_000).optional(),
  idempotencyKey: Idempotency,
  label: z.string().min(1).max(64).optional(),
  spawnedBy: optional,
});

const invalid = (what: string): AppError =>
  new AppError("bad_request", `invalid agent params: ${what}`);

/** The session of an `agent` call: by key, by session id, or the agent's main one. */
async function sessionFor(
  params: z.output<typeof AgentParams>,
  ctx: MethodContext,
): Promise<SessionKey> {
  const config = ctx.config.current();
  const { defaultAgentId } = ctx.info;
  const agentId = params.agentId?.trim().toLowerCase();
  if (agentId && !agentIds(config, defaultAgentId).includes(agentId))
    throw new AppError(
      "not_found",
      `There is no agent "${params.agentId}". Agents: ${agentIds(config, defaultAgentId).join(", ")}.`,
    );
  const channels = [params.channel, params.replyChannel].filter((c): c is string => !!c);
  const strange = channels.find(
    (c) => c !== "last" && ![OPERATOR_CHANNEL, ...NETWORK_IDS].includes(c.toLowerCase()),
  );
  if (strange) throw invalid(`unknown channel: ${strange}`);
  if (params.sessionKey) {
    const key = keyOf(params.sessionKey, config, agentId ?? defaultAgentId);
    const owner = parseKey(key)?.agentId;
    if (agentId && owner !== agentId)
      throw invalid(`agent "${params.agentId}" does not match session key agent "${owner}"`);
    return key;
  }
  if (params.sessionId) {
    const row = await ctx.store.sessions.byId(params.sessionId);
    if (row) return row.key;
    return keyOf(params.sessionId, config, agentId ?? defaultAgentId);
  }
  return keyOfAgent(agentId ?? defaultAgentId);
}

/** The second answer for a slash command, which has no run. */
const commandAnswer = (runId: string, text: string): LateAnswer => ({
  ok: true,
  payload: {
    runId,
    status: "ok",
    summary: "completed",
    result: { payloads: [{ text, mediaUrl: null }], meta: { durationMs: 0 } },
  },
});

/** The second answer: what the run said, or why it failed. */
async function finalAnswer(
  runId: string,
  key: SessionKey,
  ctx: MethodContext,
): Promise<LateAnswer> {
  const end = await ctx.runs.wait(runId, MAX_RUN_MS);
  const row = await ctx.store.sessions.get(key);
  if (!end || end.status === "error") {
    const message = end?.error?.message ?? "The run did not end in time.";
    const code = end?.error && Object.hasOwn(ERRORS, end.error.code) ? end.error.code : "internal";
    const error = new AppError(end ? (code as ErrorCode) : "agent_timeout", message, {
      ...(end?.error?.hint ? { hint: end.error.hint } : {}),
    });
    return { ok: false, payload: { runId, status: "error", summary: message }, error };
  }
  return {
    ok: true,
    payload: {
      runId,
      status: "ok",
      summary: end.status === "aborted" ? "aborted" : "completed",
      result: {
        payloads: end.text ? [{ text: end.text, mediaUrl: null }] : [],
        meta: {
          durationMs: Math.max(0, (end.endedAt ?? 0) - (end.startedAt ?? end.endedAt ?? 0)),
          agentMeta: {
            sessionId: row?.sessionId,
            provider: end.model?.provider,
            model: end.model?.model,
            ...(row ? { usage: wireUsage(row.usage) } : {}),
          },
          ...(end.status === "aborted" ? { aborted: true } : {}),
        },
      },
    },
  };
}

const waitResult = (runId: string, end: RunEnd | undefined) => ({
  runId,
  status: end
    ? end.status === "error"
      ? ("error" as const)
      : ("ok" as const)
    : ("timeout" as const),
  ...(end?.startedAt === undefined ? {} : { startedAt: end.startedAt }),
  ...(end?.endedAt === undefined ? {} : { endedAt: end.endedAt }),
  ...(end?.error ? { error: end.error.message } : {}),
});

/** Name and face of an agent: the config's, else the product's default. */
export function identityOf(agentId: string, ctx: Pick<MethodContext, "config" | "info">) {
  const config = ctx.config.current();
  const entry =
    config.agents.list.find((a) => a.id.toLowerCase() === agentId) ??
    config.agents.entries?.[agentId];
  const own = agentId === ctx.info.defaultAgentId ? config.ui.assistant : undefined;
  const identity = entry?.identity;
  const name = own?.name ?? identity?.name ?? entry?.name ?? "Assistant";
  const avatars = [own?.avatar, identity?.avatar, identity?.emoji];
  const avatar = avatars.find((a): a is string => typeof a === "string" && showable(a)) ?? "A";
  return { name: String(name).slice(0, 50), avatar, identity };
}

/** A URL, or up to four characters (an emoji). A local file needs the avatar route, which serves none yet. */
const showable = (avatar: string): boolean =>
  avatar.length <= 200 &&
  (/^(https?:\/\/|data:image\/)/.test(avatar) ||
    (avatar.length <= 4 && !/\s/.test(avatar) && avatar !== ""));

export const agent = {
  agent: method({
    doc: "Runs an agent once. Answers twice under the same request id: accepted, then the result.",
    scope: "operator.write",
    params: AgentParams,
    result: z.lazy(() =>
      z.object({
        runId: z.string(),
        status: z.string(),
        acceptedAt: z.number().optional(),
        summary: z.string().optional(),
        result: z.unknown().optional(),
      }),
    ),
    async run(params, ctx) {
      const key = await sessionFor(params, ctx);
      const media = await readAttachments(params.attachments ?? []);
      await checkSendPolicy(key, ctx);
      if (params.sessionKey) {
        ctx.caller.spell(key, params.sessionKey);
        ctx.gateway.spellRun(params.idempotencyKey, params.sessionKey);
      }
      const accepted = await ctx.runs.submit(
        operatorMessage(
          params.idempotencyKey,
          params.message,
          media,
          {
            sessionKey: key,
            agentId: parseKey(key)?.agentId,
            thinking: thinkingOf(params.thinking),
            timeoutMs: params.timeout ? params.timeout * 1_000 : undefined,
            instructions: params.extraSystemPrompt,
          },
          ctx,
        ),
      );
      if (accepted.dropped)
        throw new AppError("bad_request", `The message was not taken: ${accepted.dropped}.`);
      if (params.label || params.spawnedBy)
        await ctx.store.sessions.patch(
          key,
          parseKey(key)?.agentId ?? ctx.info.defaultAgentId,
          {
            ...(params.label ? { label: params.label } : {}),
            ...(params.spawnedBy ? { spawnedBy: params.spawnedBy } : {}),
          },
          ctx.gateway.now(),
        );
      if (accepted.answer !== undefined) {
        await answerNow(accepted, key, params.message, ctx);
        ctx.answerLater(Promise.resolve(commandAnswer(accepted.runId, accepted.answer)));
      } else ctx.answerLater(finalAnswer(accepted.runId, key, ctx));
      return { runId: accepted.runId, status: "accepted", acceptedAt: ctx.gateway.now() };
    },
  }),

  "agent.wait": method({
    doc: "Waits until a run is over.",
    scope: "operator.write",
    params: z.object({
      runId: z.string().min(1).max(256),
      timeoutMs: z.int().min(0).max(MAX_RUN_MS).default(30_000),
    }),
    result: z.lazy(() =>
      z.object({
        runId: z.string(),
        status: z.enum(["ok", "error", "timeout"]),
        startedAt: z.number().optional(),
        endedAt: z.number().optional(),
        error: z.string().optional(),
      }),
    ),
    async run({ runId, timeoutMs }, ctx) {
      return waitResult(runId, await ctx.runs.wait(runId, timeoutMs));
    },
  }),

  "agent.identity.get": method({
    doc: "Name and avatar of an agent.",
    scope: "operator.read",
    params: z.object({ agentId: optional, sessionKey: optional }),
    result: z.lazy(() => z.object({ agentId: z.string(), name: z.string(), avatar: z.string() })),
    async run({ agentId, sessionKey }, ctx) {
      const { defaultAgentId } = ctx.info;
      const wanted = agentId?.trim().toLowerCase() || undefined;
      const key = sessionKey ? keyOf(sessionKey, ctx.config.current(), defaultAgentId) : undefined;
      const owner = key && parseKey(key)?.agentId;
      if (wanted && owner && wanted !== owner)
        throw new AppError(
          "bad_request",
          `invalid agent.identity.get params: agent "${wanted}" does not match session key agent "${owner}"`,
        );
      const id = wanted ?? owner ?? defaultAgentId;
      const { name, avatar } = identityOf(id, ctx);
      return { agentId: id, name, avatar };
    },
  }),

  "agents.list": method({
    doc: "All agents of this gateway.",
    scope: "operator.read",
    params: z.object({}),
    result: z.lazy(() =>
      z.object({
        defaultId: z.string(),
        mainKey: z.string(),
        scope: z.string(),
        agents: z.array(
          z.object({
            id: z.string(),
            name: z.string().optional(),
            identity: z.unknown().optional(),
          }),
        ),
      }),
    ),
    async run(_, ctx) {
      const config = ctx.config.current();
      const { defaultAgentId } = ctx.info;
      const { mainKey, scope } = sessionDefaults(config, defaultAgentId);
      return {
        defaultId: defaultAgentId,
        mainKey,
        scope,
        agents: agentIds(config, defaultAgentId).map((id) => {
          const { name, identity } = identityOf(id, ctx);
          return { id, name, ...(identity ? { identity } : {}) };
        }),
      };
    },
  }),
};
