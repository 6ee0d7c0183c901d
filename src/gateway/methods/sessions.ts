/** The list of conversations, and what can be set, reset and removed. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import type { SessionKey } from "../../flow.ts";
import { kindOfKey, parseKey } from "../../protocol/session-key.ts";
import type { SessionRow, SessionSettings } from "../../store/store.ts";
import { method, type MethodContext } from "../method.ts";
import { agentOf, entryOf, keyOf, linesOf, listRow, splitRef } from "../session-rows.ts";
import { Key } from "./chat.ts";

/** Rows of one answer when the client names no limit; enough for a person, little enough for the wire. */
const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 5_000;
/** How long `sessions.delete` waits for the stopped run, in ms. */
const STOP_WAIT_MS = 15_000;
/** Where the original had a file. Clients show it. */
const STORE_PATH = "(database)";

const nullable = <T extends z.ZodType>(schema: T) => schema.nullable().optional();

/** `"a"|"b"` as the original's messages have it. */
const oneOf = (field: string, values: readonly string[]) =>
  z.enum(values as [string, ...string[]], {
    error: () => `invalid ${field} (use ${values.map((v) => `"${v}"`).join("|")})`,
  });

const THINKING = ["off", "minimal", "low", "medium", "high", "xhigh"] as const;
const PatchParams = z.object({
  key: Key,
  label: nullable(z.string().trim().min(1).max(64)),
  thinkingLevel: nullable(oneOf("thinkingLevel", THINKING)),
  verboseLevel: nullable(oneOf("verboseLevel", ["on", "off", "full"])),
  reasoningLevel: nullable(oneOf("reasoningLevel", ["on", "off", "stream"])),
  responseUsage: nullable(oneOf("responseUsage", ["off", "tokens", "full", "on"])),
  elevatedLevel: nullable(oneOf("elevatedLevel", ["on", "off", "ask", "full"])),
  execHost: nullable(oneOf("execHost", ["sandbox", "gateway", "node"])),
  execSecurity: nullable(oneOf("execSecurity", ["deny", "allowlist", "full"])),
  execAsk: nullable(oneOf("execAsk", ["off", "on-miss", "always"])),
  execNode: nullable(z.string().min(1).max(256)),
  model: nullable(z.string().min(1).max(256)),
  spawnedBy: nullable(z.string().min(1).max(512)),
  sendPolicy: nullable(oneOf("sendPolicy", ["allow", "deny"])),
  groupActivation: nullable(oneOf("groupActivation", ["mention", "always"])),
});
type Patch = { [K in keyof SessionSettings]?: SessionSettings[K] | null };

const keyFor = (text: string, ctx: MethodContext): SessionKey =>
  keyOf(text, ctx.config.current(), ctx.info.defaultAgentId);

/** The patch as it is stored: what means "the default" clears the setting. */
async function settingsOf(
  { key: _, ...params }: z.output<typeof PatchParams>,
  key: SessionKey,
  ctx: MethodContext,
): Promise<Patch> {
  const row = await ctx.store.sessions.get(key);
  const patch: Patch = Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== undefined),
  );
  if (patch.thinkingLevel === "off" && ctx.caller.protocol === 3) patch.thinkingLevel = null;
  if (patch.reasoningLevel === "off") patch.reasoningLevel = null;
  if (params.responseUsage === "off") patch.responseUsage = null;
  if (params.responseUsage === "on") patch.responseUsage = "tokens";
  if (params.label) await checkLabel(params.label, key, ctx);
  if (params.model) {
    const found = await ctx.models.find(params.model);
    const isDefault = found.ref === (await ctx.models.defaultRef(agentOf(key, "main")));
    patch.model = isDefault ? null : found.ref;
  }
  if (params.spawnedBy !== undefined) {
    if (!/(^|:)subagent:/.test(key))
      throw new AppError("bad_request", "spawnedBy is only supported for subagent:* sessions");
    if (row?.settings.spawnedBy && params.spawnedBy !== row.settings.spawnedBy)
      throw new AppError("bad_request", "spawnedBy cannot be changed once set");
  }
  return patch;
}

async function checkLabel(label: string, key: SessionKey, ctx: MethodContext): Promise<void> {
  const { rows } = await ctx.store.sessions.list({ label, limit: 2 });
  if (rows.some((row) => row.key !== key))
    throw new AppError("bad_request", `label already in use: ${label}`);
}

async function oneSession(
  params: {
    key?: string;
    sessionId?: string;
    label?: string;
    agentId?: string;
    spawnedBy?: string;
  },
  ctx: MethodContext,
): Promise<SessionRow> {
  const { key, sessionId, label } = params;
  const given = [key, sessionId, label].filter((v) => v !== undefined && v !== "");
  if (!given.length)
    throw new AppError("bad_request", "Either key, sessionId, or label is required");
  if (given.length > 1)
    throw new AppError("bad_request", "Provide either key, sessionId, or label (not multiple)");
  if (label) {
    const { rows } = await ctx.store.sessions.list({
      label,
      limit: 2,
      ...(params.agentId ? { agentId: params.agentId } : {}),
      ...(params.spawnedBy ? { spawnedBy: params.spawnedBy } : {}),
    });
    if (rows.length > 1)
      throw new AppError("bad_request", `Multiple sessions found with label: ${label}`);
    if (rows[0]) return rows[0];
  }
  const row = key
    ? await ctx.store.sessions.get(keyFor(key, ctx))
    : sessionId
      ? await ctx.store.sessions.byId(sessionId)
      : undefined;
  if (!row) throw new AppError("not_found", `No session found: ${given[0]}`);
  return row;
}

async function preview(key: string, limit: number, maxChars: number, ctx: MethodContext) {
  const row = await ctx.store.sessions.get(keyFor(key, ctx));
  if (!row) return { key, status: "missing" as const, items: [] };
  const entries = await ctx.store.transcript.page(row.sessionId, { limit: limit * 3 });
  const items = linesOf(entries, maxChars).slice(-limit);
  return { key, status: items.length ? ("ok" as const) : ("empty" as const), items };
}

const Row = z.looseObject({ key: z.string(), kind: z.string(), updatedAt: z.number().nullable() });
const Entry = z.looseObject({ sessionId: z.string(), updatedAt: z.number() });
type Listed = ReturnType<typeof listRow> & { lastMessagePreview?: string };

export const sessions = {
  "sessions.list": method({
    doc: "Sessions, newest first. `nextBefore` of the answer pages on.",
    scope: "operator.read",
    params: z.object({
      limit: z.int().min(1).max(1_000_000).optional(),
      activeMinutes: z.int().min(1).optional(),
      includeGlobal: z.boolean().optional(),
      includeUnknown: z.boolean().optional(),
      includeDerivedTitles: z.boolean().optional(),
      includeLastMessage: z.boolean().optional(),
      label: z.string().max(64).optional(),
      spawnedBy: z.string().max(512).optional(),
      agentId: z.string().max(64).optional(),
      search: z.string().max(256).optional(),
      before: z.number().optional().describe("Only sessions updated before this time."),
    }),
    result: z.lazy(() =>
      z.object({
        ts: z.number(),
        path: z.string(),
        count: z.int(),
        total: z.int(),
        nextBefore: z.number().optional(),
        defaults: z.object({
          modelProvider: z.string().nullable(),
          model: z.string().nullable(),
          contextTokens: z.number().nullable(),
        }),
        sessions: z.array(z.custom<Listed>((row) => Row.safeParse(row).success)),
      }),
    ),
    async run(params, ctx) {
      const now = ctx.gateway.now();
      const limit = Math.min(params.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
      const { rows, total } = await ctx.store.sessions.list({
        limit,
        ...(params.agentId ? { agentId: params.agentId.toLowerCase() } : {}),
        ...(params.activeMinutes ? { since: now - params.activeMinutes * 60_000 } : {}),
        ...(params.label ? { label: params.label } : {}),
        ...(params.spawnedBy ? { spawnedBy: params.spawnedBy } : {}),
        ...(params.search ? { search: params.search } : {}),
        ...(params.before === undefined ? {} : { before: params.before }),
      });
      const shown = rows.filter((row) => {
        const kind = kindOfKey(row.key);
        if (kind === "global") return params.includeGlobal;
        return kind !== "unknown" || params.includeUnknown;
      });
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return {
        ts: now,
        path: params.agentId ? STORE_PATH : "(multiple)",
        count: shown.length,
        total,
        ...(last && total > rows.length ? { nextBefore: last.updatedAt } : {}),
        defaults: await defaultsOf(params.agentId ?? ctx.info.defaultAgentId, ctx),
        sessions: shown.map((row) => ({
          ...listRow(row),
          ...(params.includeLastMessage && row.preview ? { lastMessagePreview: row.preview } : {}),
        })),
      };
    },
  }),

  "sessions.subscribe": method({
    doc: "Every reader gets the events of all sessions; answers newer clients that ask for them first.",
    scope: "operator.read",
    params: z.object({}),
    result: z.object({ subscribed: z.literal(true) }),
    async run() {
      return { subscribed: true as const };
    },
  }),

  "sessions.preview": method({
    doc: "The last lines of several sessions.",
    scope: "operator.read",
    params: z.object({
      keys: z.array(Key).min(1).max(10_000),
      limit: z.int().min(1).default(12),
      maxChars: z.int().min(20).default(240),
    }),
    result: z.lazy(() =>
      z.object({
        ts: z.number(),
        previews: z.array(
          z.object({
            key: z.string(),
            status: z.enum(["ok", "empty", "missing", "error"]),
            items: z.array(z.object({ role: z.string(), text: z.string() })),
          }),
        ),
      }),
    ),
    async run({ keys, limit, maxChars }, ctx) {
      const previews = [];
      for (const key of keys.slice(0, 64))
        previews.push(await preview(key, Math.min(limit, 50), Math.min(maxChars, 2_000), ctx));
      return { ts: ctx.gateway.now(), previews };
    },
  }),

  "sessions.resolve": method({
    doc: "The canonical key of a session, by key, session id or label.",
    scope: "operator.admin",
    newScope: "operator.read",
    params: z.object({
      key: z.string().max(512).optional(),
      sessionId: z.string().max(256).optional(),
      label: z.string().max(64).optional(),
      agentId: z.string().max(64).optional(),
      spawnedBy: z.string().max(512).optional(),
      includeGlobal: z.boolean().optional(),
      includeUnknown: z.boolean().optional(),
    }),
    result: z.lazy(() => z.object({ ok: z.literal(true), key: z.string() })),
    async run(params, ctx) {
      return { ok: true as const, key: (await oneSession(params, ctx)).key };
    },
  }),

  "sessions.patch": method({
    doc: "Changes settings of a session; null goes back to the default.",
    scope: "operator.admin",
    newScope: "operator.write",
    params: PatchParams,
    result: z.lazy(() =>
      z.object({ ok: z.literal(true), path: z.string(), key: z.string(), entry: Entry }),
    ),
    async run(params, ctx) {
      const key = keyFor(params.key, ctx);
      const patch = await settingsOf(params, key, ctx);
      const agentId = agentOf(key, ctx.info.defaultAgentId);
      const row = await ctx.store.sessions.patch(key, agentId, patch, ctx.gateway.now());
      return { ok: true as const, path: STORE_PATH, key, entry: entryOf(row) };
    },
  }),

  "sessions.reset": method({
    doc: "Begins a new conversation under the same key. The old one is kept under its session id.",
    scope: "operator.admin",
    newScope: "operator.write",
    params: z.object({ key: z.string().max(512) }),
    result: z.lazy(() => z.object({ ok: z.literal(true), key: z.string(), entry: Entry })),
    async run(params, ctx) {
      if (!params.key.trim()) throw new AppError("bad_request", "key required");
      const key = keyFor(params.key, ctx);
      const agentId = agentOf(key, ctx.info.defaultAgentId);
      const row = await ctx.store.sessions.reset(key, agentId, ctx.gateway.now());
      return { ok: true as const, key, entry: entryOf(row) };
    },
  }),

  "sessions.delete": method({
    doc: "Stops and removes a session; its transcript too, unless `deleteTranscript` is false.",
    scope: "operator.admin",
    newScope: "operator.write",
    params: z.object({ key: Key, deleteTranscript: z.boolean().default(true) }),
    result: z.lazy(() =>
      z.object({
        ok: z.literal(true),
        key: z.string(),
        deleted: z.boolean(),
        archived: z.array(z.string()),
      }),
    ),
    async run(params, ctx) {
      const key = keyFor(params.key, ctx);
      if (parseKey(key)?.rest === "main")
        throw new AppError("bad_request", `Cannot delete the main session (${key}).`, {
          hint: "Begin a new conversation in it with `sessions.reset` instead.",
        });
      const stopped = await ctx.runs.abort(key);
      const ends = await Promise.all(stopped.map((id) => ctx.runs.wait(id, STOP_WAIT_MS)));
      if (ends.includes(undefined) || ctx.runs.live(key).length)
        throw new AppError("busy", `Session ${key} is still active; try again in a moment.`);
      const deleted = await ctx.store.sessions.delete(key, !params.deleteTranscript);
      return { ok: true as const, key, deleted, archived: [] };
    },
  }),
};

/** Which model answers where nothing else is set. */
export async function defaultsOf(agentId: string, ctx: MethodContext) {
  const ref = await ctx.models.defaultRef(agentId);
  const [modelProvider = null, model = null] = splitRef(ref);
  const info = (await ctx.models.list()).find((m) => m.ref === ref);
  return { modelProvider, model, contextTokens: info?.contextWindow ?? null };
}
